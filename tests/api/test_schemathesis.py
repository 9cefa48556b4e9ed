"""Schemathesis reads the OpenAPI document and asks the service whether it keeps to it.

All of its checks are on. Where the service cannot be described any closer, the reason
stands beside the deviation.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, cycle
from typing import Any, TypeAlias, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.python.asgi import ASGIApp, ASGIClient, shutdown_lifespans

from tests.api.applications import build_app
from tests.storages import STORAGE_URLS

# What an operation is made of is schemathesis' own affair.
Case: TypeAlias = schemathesis.Case[schemathesis.APIOperation[Any, Any, Any, Any]]

_CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20261121,
        "generation": {"deterministic": True, "max-examples": 25, "database": "none"},
        "checks": {
            # What is right is accepted; an unknown /problems/{slug} is 404, 409 is an id of
            # a batch that is taken, or an undo come too late, and 412 answers a condition on
            # revisions that no document can know.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "304", "404", "409", "412"]
            },
            # What is wrong is refused by one of the statuses that say so; 404 and 405 where
            # it makes another path of the request.
            "negative_data_rejection": {
                "expected-statuses": ["400", "404", "405", "415", "422"]
            },
        },
    }
)
_SCHEMA = schemathesis.openapi.from_dict(
    build_app("pickle:///never-opened").openapi(), config=_CONFIG
).exclude(
    path="/todo/events"
)  # which answers without end

_keys = count()


def _take_what_the_service_knows(_context: schemathesis.HookContext, case: Case) -> Case:
    """Take off what is right the cursors and revisions, which only the service makes.

    No schema can. A key, too, is a new one for each request.
    """
    if _is_right(case):
        for name in ("at", "cursor", "since"):
            case.query.pop(name, None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f'"{next(_keys)}"'
    return case


def _is_told_by_a_schema(_context: schemathesis.HookContext, case: Case) -> bool:
    """Leave out what is right or wrong only once it is trimmed, and each tag counted once.

    The service does that first, and a schema cannot say so.
    """
    return all(map(_is_normal, (case.body, case.query, case.path_parameters)))


def _is_normal(value: object) -> bool:
    match value:
        case str():
            return value == value.strip()
        case dict():
            return all(map(_is_normal, value.values()))
        case list():
            once = len({repr(item) for item in value}) == len(value)
            return once and all(map(_is_normal, value))
    return True


_SCHEMA.hook("map_case")(_take_what_the_service_knows)
_SCHEMA.hook("filter_case")(_is_told_by_a_schema)


@pytest.fixture
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[ASGIClient]]:
    """Clients of applications that run meanwhile, on one kind of storage after the other."""
    with ExitStack() as opened:
        opened.callback(shutdown_lifespans)
        urls = [url_in(tmp_path_factory.mktemp(kind)) for kind, url_in in STORAGE_URLS.items()]
        # An application takes any mapping, not only dicts.
        apps = [cast(ASGIApp, build_app(url)) for url in urls]
        yield cycle([opened.enter_context(ASGIClient(app)) for app in apps])


@_SCHEMA.parametrize()
@settings(
    deadline=None,
    # The cases of an operation share applications, as the requests of clients do.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_answer_is_as_documented(case: Case, sessions: Iterator[ASGIClient]) -> None:
    session = next(sessions)
    _store_what_is_asked_for(case, session)

    case.call_and_validate(session=session, base_url="http://testserver")


def _store_what_is_asked_for(case: Case, session: ASGIClient) -> None:
    """Put an entry where the case looks for one: no schema tells which are there."""
    if _is_right(case) and "id" in case.path_parameters:
        if (case.method, case.path) != ("PUT", "/todo/{id}"):
            entry = {"content": "x", "tags": ["a"]}
            session.put(f"/todo/{case.path_parameters['id']}", json=entry).raise_for_status()


def _is_right(case: Case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive
