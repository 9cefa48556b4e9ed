"""The query of GET /todo: which entries it lets through, and what is wrong with it."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, contents, get, number, parameter, put, unchanged
from tests.api.applications import on_every_storage

pytestmark = on_every_storage


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application that holds four entries."""
    _fill(shared_client)
    return shared_client


def _fill(client: TestClient) -> None:
    put(client, 3, "Buy oat milk", tags=["home", "shop"], priority="high", due="2026-12-24")
    put(client, 1, "Straße fegen", tags=["home"], due="2026-12-24T23:59:59Z", done=True)
    put(client, 4, "call Zoë", notes="about the\nOATMEAL", priority="low", due="2026-12-25")
    put(client, 2, "aardvark", tags=["Home", "Büro"], priority="medium", done=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("search=oat", {"Buy oat milk", "call Zoë"}),
        ("search=OAT", {"Buy oat milk", "call Zoë"}),
        ("search=y oat m", {"Buy oat milk"}),
        ("search=%20oat%20", {"Buy oat milk", "call Zoë"}),
        ("search=STRASSE", {"Straße fegen"}),
        ("search=zo%C3%8B", {"call Zoë"}),
        ("search=zoe%CC%88", {"call Zoë"}),
        ("search=the%0Aoat", {"call Zoë"}),
        ("search=the%0D%0Aoat", {"call Zoë"}),
        ("search=home", {"Buy oat milk", "Straße fegen", "aardvark"}),
        ("search=hom", set()),
        ("search=b%C3%BCro", {"aardvark"}),
        ("search=100%25", set()),
        ("search=_ardvark", set()),
        ("search=", {"Buy oat milk", "Straße fegen", "call Zoë", "aardvark"}),
        ("tag=home", {"Buy oat milk", "Straße fegen"}),
        ("tag=Home", {"aardvark"}),
        ("tag=HOME", set()),
        ("tag=home&tag=shop", {"Buy oat milk"}),
        ("tag=home&tag=home", {"Buy oat milk", "Straße fegen"}),
        ("tag=home&tag=B%C3%BCro", set()),
        ("tag=Bu%CC%88ro", {"aardvark"}),
        ("done=true", {"Straße fegen", "aardvark"}),
        ("done=false", {"Buy oat milk", "call Zoë"}),
        ("priority=high", {"Buy oat milk"}),
        ("priority=low&priority=medium", {"call Zoë", "aardvark"}),
        ("priority=none", {"Straße fegen"}),
        ("due_before=2026-12-24", {"Straße fegen"}),
        ("due_after=2026-12-24", {"Buy oat milk", "call Zoë"}),
        ("due_before=2026-12-25", {"Buy oat milk", "Straße fegen"}),
        ("due_before=2026-12-24T23:59:59Z", set()),
        ("due_after=2026-12-24T23:59:59Z", {"Buy oat milk", "Straße fegen", "call Zoë"}),
        ("due_before=2026-12-25T00:59:59.1%2B01:00", {"Straße fegen"}),
        ("due_after=2026-12-24&due_before=2026-12-25", {"Buy oat milk"}),
        ("due_after=0001-01-01", {"Buy oat milk", "Straße fegen", "call Zoë"}),
        ("due_before=9999-12-31", {"Buy oat milk", "Straße fegen", "call Zoë"}),
        ("completed_after=2020-01-01", {"Straße fegen", "aardvark"}),
        ("completed_before=2020-01-01", set()),
        ("completed_before=9999-12-31", {"Straße fegen", "aardvark"}),
        ("search=home&done=false", {"Buy oat milk"}),
        ("search=oat&priority=low&due_after=2026-12-25", {"call Zoë"}),
    ],
)
def test_only_entries_for_which_every_condition_holds_are_listed(
    client: TestClient, query: str, expected: set[str]
) -> None:
    assert set(contents(client.get(f"/todo?{query}"))) == expected


def test_the_moment_of_completion_itself_counts_as_after_and_not_as_before(
    client: TestClient,
) -> None:
    moment = str(get(client, number(1))["completed_at"])

    after = client.get("/todo", params={"completed_after": moment})
    before = client.get("/todo", params={"completed_before": moment})

    assert contents(after) == ["Straße fegen", "aardvark"]
    assert contents(before) == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e2", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%2B1", "limit"),
        ("limit=%201", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%D9%A1", "limit"),
        (f"limit={'9' * 5_000}", "limit"),
        ("done=yes", "done"),
        ("done=1", "done"),
        ("done=True", "done"),
        ("done=", "done"),
        ("done=null", "done"),
        ("priority=urgent", "priority"),
        ("priority=HIGH", "priority"),
        ("priority=1", "priority"),
        ("priority=high&priority=", "priority"),
        ("sort=id", "sort"),
        ("sort=", "sort"),
        ("sort=--due", "sort"),
        ("sort=due,priority", "sort"),
        ("sort=Due", "sort"),
        ("due_before=tomorrow", "due_before"),
        ("due_before=", "due_before"),
        ("due_after=2026-12-24T17:00:00", "due_after"),
        ("due_after=0001-01-01T00:00:00%2B00:01", "due_after"),
        ("completed_before=1766534400", "completed_before"),
        ("completed_after=2026-02-30", "completed_after"),
        ("tag=", "tag"),
        ("tag=a,b", "tag"),
        ("tag=a%20b", "tag"),
        ("tag=..", "tag"),
        ("tag=home&tag=a/b", "tag"),
        (f"tag={'x' * 61}", "tag"),
        ("tag=%00", "tag"),
        (f"search={'x' * 1_001}", "search"),
        ("search=%00", "search"),
        ("search=%1B", "search"),
        ("search=%C2%85", "search"),
        ("cursor=", "cursor"),
        ("cursor=nonsense", "cursor"),
        ("nonsense=1", "nonsense"),
        ("nonsense", "nonsense"),
        ("nonsense=", "nonsense"),
        ("Limit=1", "Limit"),
        ("tags=home", "tags"),
        ("=1", ""),
        ("a%2Fb~c=1", "a/b~c"),
        ("%C3%BC=1", "ü"),
        (f"{'n' * 5_000}=1", "n" * 200),
        ("limit=1&limit=2", "limit"),
        ("limit=1&limit=1", "limit"),
        ("done=true&done=false", "done"),
        ("search=a&search=b", "search"),
        ("sort=due&sort=created", "sort"),
        ("due_before=2026-12-24&due_before=2026-12-25", "due_before"),
    ],
)
def test_a_parameter_that_breaks_a_rule_is_named(
    client: TestClient, query: str, name: str
) -> None:
    assert_problem(client.get(f"/todo?{query}"), "invalid-input", parameter(name))


def test_all_that_is_wrong_with_a_query_is_told_together(client: TestClient) -> None:
    response = client.get("/todo?limit=0&sort=id&nonsense=1&done=7")

    places = [parameter(name) for name in ("limit", "sort", "nonsense", "done")]
    assert_problem(response, "invalid-input", *places)


def test_tags_with_a_parameter_are_not_all_tags(client: TestClient) -> None:
    assert_problem(client.get("/tags?done=false"), "invalid-input", parameter("done"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/todo?dry_run=true"),
        ("PUT", f"/todo/{number(7)}?dry_run=true"),
        ("PATCH", f"/todo/{number(7)}?at=1"),
        ("DELETE", f"/todo/{number(7)}?at=1"),
        ("PUT", f"/todo/{number(7)}/tags/new?since=1"),
        ("DELETE", f"/todo/{number(7)}/tags/home?since=1"),
        ("POST", "/todo/changes/1/undo?dry_run=true"),
    ],
)
def test_a_change_with_parameters_that_it_does_not_know_is_not_made(
    client: TestClient, method: str, path: str
) -> None:
    put(client, 7, "x", tags=["home"])
    name = path.partition("?")[2].partition("=")[0]
    with unchanged(client):
        response = client.request(method, path, json={"content": "y"})
    assert_problem(response, "invalid-input", parameter(name))
