"""The tags of an entry, one at a time, and GET /tags, all that are in use."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import assert_problem, get, header, number, parameter, put
from tests.api.applications import on_every_storage

pytestmark = on_every_storage

_PATH = f"/todo/{number(7)}"


def test_a_tag_is_put_on_an_entry(client: TestClient) -> None:
    before = put(client, 7, "x", tags=["m"])

    response = client.put(f"{_PATH}/tags/a")

    assert response.status_code == 200
    after = get(client, number(7))
    assert response.json() == after
    assert after["tags"] == ["a", "m"]
    assert after["updated_at"] > before["updated_at"]
    assert after["revision"] > before["revision"]


def test_a_tag_is_taken_off_an_entry(client: TestClient) -> None:
    before = put(client, 7, "x", tags=["a", "m"])

    response = client.delete(f"{_PATH}/tags/a")

    assert response.status_code == 200
    after = get(client, number(7))
    assert response.json() == after
    assert after["tags"] == ["m"]
    assert after["updated_at"] > before["updated_at"]
    assert after["revision"] > before["revision"]


@pytest.mark.parametrize(("method", "tag"), [("PUT", "there"), ("DELETE", "absent")])
def test_repeating_changes_nothing_the_revision_included(
    client: TestClient, method: str, tag: str
) -> None:
    before = put(client, 7, "x", tags=["there"])
    etags = [client.get(path).headers["ETag"] for path in (_PATH, "/todo")]

    for _ in range(2):
        response = client.request(method, f"{_PATH}/tags/{tag}")
        assert response.status_code == 200
        assert response.json() == before

    assert [client.get(path).headers["ETag"] for path in (_PATH, "/todo")] == etags


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("home", "home"),
        ("HOME", "HOME"),
        ("%C3%BC", "ü"),
        ("u%CC%88", "ü"),
        ("%F0%9F%A6%B7", "🦷"),
        ("a%3Fb", "a?b"),
        ("a%23b", "a#b"),
        ("100%25", "100%"),
        ("a+b", "a+b"),
        ("a;b=c", "a;b=c"),
        ("%20home%20", "home"),
        ("home%0A", "home"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("tags", "tags"),
        ("x" * 60, "x" * 60),
        ("%F0%9F%98%80" * 60, "😀" * 60),
    ],
)
def test_a_tag_in_the_path_is_read_like_one_in_a_body(
    shared_client: TestClient, sent: str, kept: str
) -> None:
    put(shared_client, 7, "x")

    added = shared_client.put(f"{_PATH}/tags/{sent}")
    assert added.status_code == 200, added.text
    assert added.json()["tags"] == [kept]
    assert shared_client.patch(_PATH, json={"tags": [kept]}).json() == added.json()

    removed = shared_client.delete(f"{_PATH}/tags/{sent}")
    assert removed.json()["tags"] == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "tag",
    [
        "",
        "%2E",
        "%2E%2E",
        "a%2Fb",
        "%2F",
        "a/b",
        "..%2Fx",
        "a%5Cb",
        "a%2Cb",
        "a%20b",
        "a%09b",
        "%0A",
        "a%0Ab",
        "%C2%A0",
        "a%E3%80%80b",
        "%E2%80%A8",
        "%00",
        "a%1Bb",
        "%7F",
        "%C2%85",
        "x" * 61,
        "e%CC%81" * 61,
    ],
)
def test_a_tag_that_breaks_a_rule_is_refused(
    shared_client: TestClient, method: str, tag: str
) -> None:
    before = put(shared_client, 7, "x", tags=["a", "b"])

    response = shared_client.request(method, f"{_PATH}/tags/{tag}")

    assert_problem(response, "invalid-input", parameter("tag"))
    assert get(shared_client, number(7)) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_entry_that_is_not_there_has_no_tags_to_change(
    client: TestClient, method: str
) -> None:
    assert_problem(client.request(method, f"{_PATH}/tags/a"), "todo-entry-not-found")


def test_the_tag_after_the_hundredth_is_refused_and_takes_nothing_away(
    client: TestClient,
) -> None:
    before = put(client, 7, "x", tags=[f"t{n:03}" for n in range(100)])

    problem = assert_problem(client.put(f"{_PATH}/tags/more"), "too-many-tags")

    assert number(7) in problem["detail"] and "100" in problem["detail"]
    assert get(client, number(7)) == before
    assert client.put(f"{_PATH}/tags/t007").json() == before
    assert client.delete(f"{_PATH}/tags/t007").status_code == 200
    assert client.put(f"{_PATH}/tags/more").status_code == 200


def test_no_tags_are_in_use_at_first(client: TestClient) -> None:
    response = client.get("/tags")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.text == "[]"


def test_tags_in_use_are_counted_and_sorted_by_code_point(client: TestClient) -> None:
    put(client, 1, "x", tags=["home", "ü", "Z"])
    put(client, 2, "y", tags=["home", "😀"], done=True)
    put(client, 3, "z", tags=["home", "\uffee"])

    assert client.get("/tags").json() == [
        {"tag": "Z", "open": 1, "all": 1},
        {"tag": "home", "open": 2, "all": 3},
        {"tag": "ü", "open": 1, "all": 1},
        {"tag": "\uffee", "open": 1, "all": 1},
        {"tag": "😀", "open": 0, "all": 1},
    ]


def test_the_count_follows_every_change(client: TestClient) -> None:
    def uses() -> list[tuple[str, int, int]]:
        return [(use["tag"], use["open"], use["all"]) for use in client.get("/tags").json()]

    put(client, 1, "x", tags=["a", "b"])
    put(client, 2, "y", tags=["a"])
    client.patch(f"/todo/{number(1)}", json={"done": True})
    assert uses() == [("a", 1, 2), ("b", 0, 1)]
    client.delete(f"/todo/{number(1)}/tags/b")
    assert uses() == [("a", 1, 2)]
    client.delete(f"/todo/{number(2)}")
    assert uses() == [("a", 0, 1)]
    client.delete(f"/todo/{number(1)}")
    assert uses() == []


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_tags_that_the_client_has_are_not_sent_again(client: TestClient, form: str) -> None:
    put(client, 1, "x", tags=["a"])
    sent = client.get("/tags")
    assert sent.headers["Cache-Control"] == "no-cache"

    again = client.get("/tags", headers={"If-None-Match": form.format(sent.headers["ETag"])})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == sent.headers["ETag"]
    assert again.headers["Cache-Control"] == "no-cache"


def test_the_entity_tag_of_the_tags_changes_with_any_count(client: TestClient) -> None:
    seen = [client.get("/tags").headers["ETag"]]

    for change in ({"tags": ["a"]}, {"tags": ["a"], "done": True}, {"tags": ["b"]}):
        put(client, 1, "x", **change)
        seen.append(client.get("/tags").headers["ETag"])

    assert len(set(seen)) == 4


def test_a_malformed_list_of_entity_tags_is_refused(client: TestClient) -> None:
    response = client.get("/tags", headers={"If-None-Match": "17"})

    assert_problem(response, "invalid-input", header("If-None-Match"))
