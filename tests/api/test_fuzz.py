"""Whatever a body holds, the service answers it: never 5xx, and every 4xx is a problem."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from httpx2 import Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.answers import JSON, Entry, assert_any_problem, number
from tests.api.applications import build_app, open_client
from tests.storages import STORAGE_URLS

Clients = Mapping[str, TestClient]

_PATH = f"/todo/{number(7)}"
_OPERATIONS = [("POST", "/todo"), ("PUT", _PATH), ("PATCH", _PATH)]

# The examples share the applications of the test on purpose: what one stores, the next meets.
_shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# Surrogates are part of the fun: JSON can spell them, though no UTF-8 can.
_text = st.text(st.characters(codec=None, categories=None), max_size=30)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _text | st.dates().map(str)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=8,
)
_fields = st.sampled_from([*Entry.__annotations__, "removed_at", "", "a/b"])
_almost = st.fixed_dictionaries(
    {},
    optional={
        "content": _text | _values,
        "notes": _text | _values,
        "tags": st.lists(_text, max_size=5) | _values,
        "priority": st.sampled_from(["none", "low", "medium", "high"]) | _values,
        "due": st.dates().map(str)
        | st.datetimes().map(lambda d: f"{d.isoformat()}Z")
        | _values,
        "done": st.booleans() | _values,
    },
)

_ids = st.sampled_from([number(7), number(8), number(7).upper()]) | _text
_operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["create", "put", "patch", "remove", "tag", "untag"]) | _values},
    optional={"id": _ids | _values, "entry": _almost | _values, "tag": _text | _values},
)
_batches = st.fixed_dictionaries({"operations": st.lists(_operations | _values, max_size=5)})

_kinds = st.sampled_from(list(STORAGE_URLS))


@pytest.fixture
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """A client of an application on each kind of storage."""
    with ExitStack() as opened:
        yield {
            kind: opened.enter_context(
                open_client(build_app(url_in(tmp_path_factory.mktemp(kind))))
            )
            for kind, url_in in STORAGE_URLS.items()
        }


def _assert_answered(response: Response) -> None:
    if response.is_success:
        assert response.status_code in (200, 201)
    else:
        assert response.status_code < 500, response.text
        assert_any_problem(response)


@pytest.mark.parametrize(("method", "path"), _OPERATIONS)
@given(kind=_kinds, value=_values | st.dictionaries(_fields, _values, max_size=4) | _almost)
@example(kind="postgresql", value={"content": "\ud800", "\udfff": float("nan")})
@example(kind="pickle", value={"None": 1, "a.py": 1, "Traceback": 1})
@_shared
def test_any_json_value_is_answered(
    clients: Clients, kind: str, method: str, path: str, value: object
) -> None:
    content = json.dumps(value).encode("ascii")

    _assert_answered(clients[kind].request(method, path, content=content, headers=JSON))


@given(kind=_kinds, batch=_batches, dry_run=st.sampled_from(["true", "false"]))
@_shared
def test_any_batch_is_answered(
    clients: Clients, kind: str, batch: object, dry_run: str
) -> None:
    path = f"/todo/batch?dry_run={dry_run}"
    content = json.dumps(batch).encode("ascii")

    _assert_answered(clients[kind].post(path, content=content, headers=JSON))


@pytest.mark.parametrize(("method", "path"), _OPERATIONS)
@given(kind=_kinds, content=st.binary(max_size=200))
@_shared
def test_any_bytes_are_answered(
    clients: Clients, kind: str, method: str, path: str, content: bytes
) -> None:
    _assert_answered(clients[kind].request(method, path, content=content, headers=JSON))


@given(
    kind=_kinds,
    path=st.lists(st.binary(min_size=1, max_size=8), max_size=4),
    query=st.binary(max_size=30),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
)
@_shared
def test_any_path_and_query_are_answered(
    clients: Clients, kind: str, path: list[bytes], query: bytes, method: str
) -> None:
    segments = "/".join(_percent_encoded(segment) for segment in path)

    _assert_answered(
        clients[kind].request(method, f"/todo/{segments}?{_percent_encoded(query)}")
    )


@given(
    kind=_kinds,
    name=st.sampled_from(
        [
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Prefer",
            "Content-Type",
            "X-Request-Id",
        ]
    ),
    value=st.binary(max_size=30),
)
@_shared
def test_any_field_of_the_header_is_answered(
    clients: Clients, kind: str, name: str, value: bytes
) -> None:
    client = clients[kind]
    client.put(_PATH, json={"content": "x"})
    field = {name.encode("ascii"): value}

    reads = [("GET", "/todo"), ("GET", _PATH), ("GET", "/todo/changes")]
    for method, path in [*_OPERATIONS, *reads]:
        content = None if method == "GET" else b'{"content": "x"}'
        response = client.request(method, path, content=content, headers={**_BYTES, **field})
        if response.status_code != 304:
            _assert_answered(response)


_BYTES = {b"Content-Type": b"application/json"}


def _percent_encoded(value: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in value)
