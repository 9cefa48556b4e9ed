"""Dates and times: RFC 3339 comes in, the same in UTC goes out."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from tests.api.answers import RFC_3339_UTC, assert_problem, body, number, put
from tests.api.applications import on_every_storage

pytestmark = on_every_storage


@pytest.fixture
def client(shared_client: TestClient) -> TestClient:
    """A client of an application where the entry may be there already."""
    return shared_client


@pytest.mark.parametrize(
    "day", ["2026-12-24", "2028-02-29", "2000-02-29", "0001-01-01", "9999-12-31"]
)
def test_a_date_is_kept_as_a_date(client: TestClient, day: str) -> None:
    assert put(client, 7, "x", due=day)["due"] == day


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-12-24T17:00:00Z", "2026-12-24T17:00:00Z"),
        ("2026-12-24t17:00:00z", "2026-12-24T17:00:00Z"),
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24T17:00:00+00:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24T17:00:00-00:00", "2026-12-24T17:00:00Z"),
        ("2026-12-24T05:15:00-11:45", "2026-12-24T17:00:00Z"),
        ("2026-12-25T16:59:00+23:59", "2026-12-24T17:00:00Z"),
        ("2026-12-24T17:00:00.000Z", "2026-12-24T17:00:00Z"),
        ("2026-12-24T17:00:00.5Z", "2026-12-24T17:00:00.500000Z"),
        ("2026-12-24T17:00:00.123456Z", "2026-12-24T17:00:00.123456Z"),
        ("2026-12-24T17:00:00.1234567891Z", "2026-12-24T17:00:00.123456Z"),
        ("2026-12-24T17:00:00.1+01:00", "2026-12-24T16:00:00.100000Z"),
        ("2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z"),
        ("2026-12-24T23:59:59Z", "2026-12-24T23:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00-05:00", "0001-01-01T05:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59+00:01", "9999-12-31T23:58:59Z"),
    ],
)
def test_a_time_is_kept_in_utc(client: TestClient, given: str, kept: str) -> None:
    due = str(put(client, 7, "x", due=given)["due"])

    assert RFC_3339_UTC.fullmatch(due)
    assert datetime.fromisoformat(due) == datetime.fromisoformat(kept)


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01",
        "10000-01-01",
        "-0001-01-01",
        "2026-02-30",
        "2027-02-29",
        "2100-02-29",
        "2026-13-01",
        "2026-12-24T24:00:00Z",
        "2026-12-24T17:60:00Z",
        "2016-12-31T23:59:60Z",  # a second that there was, but no clock of this service has
        "2026-12-24T17:00:61Z",
        "2026-12-24T17:00:00",
        "2026-12-24T17:00Z",
        "2026-12-24T17Z",
        "2026-12-24 17:00:00Z",
        "2026-12-24_17:00:00Z",
        "2026-12-24T17:00:00+01",
        "2026-12-24T17:00:00+0100",
        "2026-12-24T17:00:00+24:00",
        "2026-12-24T17:00:00+01:60",
        "2026-12-24T17:00:00 +01:00",
        "2026-12-24T17:00:00\u221201:00",
        "2026-12-24T17:00:00.Z",
        "2026-12-24T17:00:00,5Z",
        "2026-12-24T17:00:00ZZ",
        "2026-12-24T",
        "2026-12-24Z",
        "20261224",
        "20261224T170000Z",
        "2026-W52-4",
        "2026-358",
        "2026-12",
        "2026",
        "24.12.2026",
        "12/24/2026",
        " 2026-12-24",
        "2026-12-24\n",
        "２０２６-12-24",
        "٢٠٢٦-12-24",
        "tomorrow",
        "1766534400",
        "P1D",
        "",
        "null",
        1766534400,
        1766534400.5,
        0,
        True,
        [],
        ["2026-12-24"],
        {},
        {"value": "2026-12-24"},
    ],
)
def test_what_is_neither_date_nor_time_is_refused(client: TestClient, value: object) -> None:
    response = client.post("/todo", json={"content": "x", "due": value})

    assert_problem(response, "invalid-input", body("#/due"))


def test_the_server_tells_its_times_in_utc_and_means_now(client: TestClient) -> None:
    before = datetime.now(UTC)
    entry = put(client, 9, "x", done=True)
    after = datetime.now(UTC)

    for told in (entry["created_at"], entry["updated_at"], str(entry["completed_at"])):
        assert RFC_3339_UTC.fullmatch(told)
        assert before <= datetime.fromisoformat(told) <= after


@pytest.mark.parametrize("given", ["2026-12-24", "2026-12-24T18:00:00+01:00"])
def test_a_time_is_told_alike_by_every_operation(client: TestClient, given: str) -> None:
    put(client, 7, "x", due=given)
    path = f"/todo/{number(7)}"

    told = {
        client.get("/todo").json()[0]["due"],
        client.get(path).json()["due"],
        client.patch(path, json={}).json()["due"],
        client.put(f"{path}/tags/a").json()["due"],
        client.delete(f"{path}/tags/a").json()["due"],
    }

    assert len(told) == 1
