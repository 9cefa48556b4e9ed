"""Behind a proxy: TODOAPP_API_PREFIX is in every URL, whether the proxy strips it or not."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, number
from tests.api.applications import build_app, open_client

_PREFIX = "/my/api-1"


@pytest.fixture
def client(storage_url: str) -> Iterator[TestClient]:
    """A client of an application that is served under a prefix."""
    with open_client(build_app(storage_url, api_prefix=_PREFIX)) as client:
        yield client


@pytest.fixture(params=["", _PREFIX], ids=["stripped", "kept"])
def base(request: pytest.FixtureRequest) -> str:
    """What the proxy leaves of the prefix in the paths it passes on."""
    kept: str = request.param
    return kept


def _passed_on(base: str, url: str) -> str:
    """Answer what the proxy makes of a URL that the service has told."""
    assert url.startswith(f"{_PREFIX}/"), url
    return base + url.removeprefix(_PREFIX)


def test_the_location_of_a_new_entry_is_behind_the_prefix(
    client: TestClient, base: str
) -> None:
    posted = client.post(f"{base}/todo/", json={"content": "x"})
    put = client.put(f"{base}/todo/{number(7)}", json={"content": "y"})

    assert posted.headers["Location"] == f"{_PREFIX}/todo/{posted.json()}"
    assert put.headers["Location"] == f"{_PREFIX}/todo/{number(7)}"
    for response, content in ((posted, "x"), (put, "y")):
        found = client.get(_passed_on(base, response.headers["Location"]))
        assert found.json()["content"] == content


def test_the_next_page_is_behind_the_prefix(client: TestClient, base: str) -> None:
    for content in ("x", "y"):
        client.post(f"{base}/todo", json={"content": content})

    for path in ("/todo", "/todo/"):
        link = client.get(f"{base}{path}?limit=1").links["next"]["url"]
        assert link.startswith(f"{_PREFIX}/todo?")
        assert client.get(_passed_on(base, link)).json()[0]["content"] == "y"


def test_the_changes_that_come_next_are_behind_the_prefix(
    client: TestClient, base: str
) -> None:
    client.put(f"{base}/todo/{number(7)}", json={"content": "x"})

    for path in ("/todo/changes", f"/todo/{number(7)}/changes"):
        link = client.get(f"{base}{path}").links["next"]["url"]
        assert link == f"{_PREFIX}{path}?since=1"
        assert client.get(_passed_on(base, link)).json() == []


def test_the_document_names_the_prefix_as_the_server(client: TestClient, base: str) -> None:
    for _ in range(2):
        document = client.get(f"{base}/openapi.json").json()
        assert document["servers"] == [{"url": _PREFIX}]
    assert not any(path.startswith(_PREFIX) for path in document["paths"])


def test_the_root_leads_to_the_documentation_behind_the_prefix(
    client: TestClient, base: str
) -> None:
    response = client.get(f"{base}/")

    assert response.status_code in (302, 303, 307, 308)
    assert response.headers["Location"] == f"{_PREFIX}/docs"


def test_everything_the_documentation_loads_is_behind_the_prefix(
    client: TestClient, base: str
) -> None:
    page = client.get(f"{base}/docs").text

    urls = re.findall(r"""(?:href|src)="([^"]+)"|url: ['"]([^'"]+)['"]""", page)
    assert len(urls) == 4
    for url in map("".join, urls):
        assert client.get(_passed_on(base, url)).status_code == 200, url


@pytest.mark.parametrize(
    ("method", "path", "slug", "allow"),
    [
        ("GET", "/nothing", "not-found", None),
        ("PATCH", "/todo", "method-not-allowed", "GET, HEAD, POST"),
        ("GET", f"/todo/{number(9)}", "todo-entry-not-found", None),
    ],
)
def test_problems_and_the_methods_allowed_are_the_same_as_without(
    client: TestClient, base: str, method: str, path: str, slug: str, allow: str | None
) -> None:
    response = client.request(method, base + path)

    assert_problem(response, slug)
    assert response.headers.get("Allow") == allow


def test_a_path_that_only_begins_like_the_prefix_is_unknown(client: TestClient) -> None:
    assert_problem(client.get(f"{_PREFIX}2/todo"), "not-found")


def test_without_a_prefix_urls_begin_at_the_root(storage_url: str) -> None:
    with open_client(build_app(storage_url)) as client:
        assert "servers" not in client.get("/openapi.json").json()
        assert client.get("/").headers["Location"] == "/docs"


@pytest.mark.parametrize("prefix", ["/todo", "/tags", "/docs"])
def test_the_prefix_may_be_named_like_a_path_of_the_service(
    storage_url: str, prefix: str
) -> None:
    with open_client(build_app(storage_url, api_prefix=prefix)) as client:
        added = client.post(f"{prefix}/todo", json={"content": "x"})

        assert added.headers["Location"] == f"{prefix}/todo/{added.json()}"
        assert client.get(added.headers["Location"]).status_code == 200
        assert client.get(f"{prefix}/docs").status_code == 200
