"""X-Request-Id: every answer has one, and failures are logged under it."""

import re

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    "name",
    ["abc-123", "0", "a.b_c~d+e/f=:@-", "x" * 128, "8b122755-530e-43c7-ae84-362c17a37fc5"],
)
def test_a_sane_name_is_given_back(client: TestClient, name: str) -> None:
    response = client.get("/todo", headers={"X-Request-Id": name})

    assert response.headers.get_list("X-Request-Id") == [name]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a\tb", "a,b", "x" * 129, "a;b", '"a"', "<b>", "%00", "a\\b", "{}"]
)
def test_another_name_is_replaced_by_a_new_one(client: TestClient, name: str) -> None:
    ids = {
        client.get("/todo", headers={"X-Request-Id": name}).headers["X-Request-Id"]
        for _ in range(3)
    }

    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", request_id) for request_id in ids)


@pytest.mark.parametrize("name", ["ü", "a\r\nb: c", "a\nb", "a\x00b", "\x1b[31m"])
def test_a_name_that_no_sane_server_lets_through_is_replaced_too(
    client: TestClient, name: str
) -> None:
    response = client.get("/todo", headers=[(b"X-Request-Id", name.encode("utf-8"))])

    assert re.fullmatch("[0-9a-f]{16}", response.headers["X-Request-Id"])


def test_requests_without_a_name_get_different_ones(client: TestClient) -> None:
    ids = {client.get("/todo").headers["X-Request-Id"] for _ in range(10)}

    assert len(ids) == 10
