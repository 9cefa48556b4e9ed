"""Schemathesis reads the OpenAPI document and asks the service whether it keeps to it."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from schemathesis.python.asgi import ASGIApp, ASGIClient, shutdown_lifespans

from tests.api.applications import build_app
from tests.api.documented import SCHEMA, Case, is_right
from tests.storages import STORAGE_URLS


@pytest.fixture
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[ASGIClient]]:
    """Clients of applications that run meanwhile, on one kind of storage after the other."""
    with ExitStack() as opened:
        opened.callback(shutdown_lifespans)
        urls = [url_in(tmp_path_factory.mktemp(kind)) for kind, url_in in STORAGE_URLS.items()]
        # An application takes any mapping, not only dicts.
        apps = [cast(ASGIApp, build_app(url)) for url in urls]
        yield cycle([opened.enter_context(ASGIClient(app, "http://localhost")) for app in apps])


@SCHEMA.parametrize()
@settings(
    deadline=None,
    # The cases of an operation share applications, as the requests of clients do.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_answer_is_as_documented(case: Case, sessions: Iterator[ASGIClient]) -> None:
    session = next(sessions)
    _store_what_is_asked_for(case, session)

    case.call_and_validate(session=session, base_url="http://localhost")


def _store_what_is_asked_for(case: Case, session: ASGIClient) -> None:
    """Put an entry where the case looks for one: no schema tells which are there."""
    if is_right(case) and "id" in case.path_parameters:
        if (case.method, case.path) != ("PUT", "/todo/{id}"):
            entry = {"content": "x", "tags": ["a"]}
            session.put(f"/todo/{case.path_parameters['id']}", json=entry).raise_for_status()
