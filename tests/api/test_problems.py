"""/problems/{slug}: what every problem refers to as its type."""

import pytest
from starlette.testclient import TestClient

from tests.api.answers import STATUSES, assert_problem


@pytest.mark.parametrize(("slug", "status"), list(STATUSES.items()))
def test_every_type_of_problem_answers_a_short_explanation(
    client: TestClient, slug: str, status: int
) -> None:
    response = client.get(f"/problems/{slug}")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    title, _, *explanation = response.text.splitlines()
    assert f"({status} " in title
    assert 0 < len("\n".join(explanation)) < 500


def test_the_explanation_begins_with_the_title_of_the_problem(client: TestClient) -> None:
    problem = assert_problem(client.get("/nothing"), "not-found")

    explanation = client.get(problem["type"]).text

    assert explanation.startswith(problem["title"])


@pytest.mark.parametrize("slug", ["nonsense", "Not-Found", "not-found%20", "%7Bslug%7D", "%2E"])
def test_an_unknown_type_of_problem_is_not_found(client: TestClient, slug: str) -> None:
    assert_problem(client.get(f"/problems/{slug}"), "not-found")
