"""A rule that only the domain knows is told like those that the schemas quote."""

import pytest
from starlette.testclient import TestClient

from myapp.domain.errors import InvalidValue
from tests.api.answers import assert_problem, body
from tests.api.applications import FailingTodoEntryRepository, build_app_on, open_client


@pytest.fixture
def strict_client() -> TestClient:
    """A client of a service whose storage finds fault with every content."""
    error = InvalidValue("content", "must rhyme")
    return open_client(build_app_on(FailingTodoEntryRepository(error)))


def test_a_broken_rule_of_the_domain_is_invalid_input(strict_client: TestClient) -> None:
    with strict_client as client:
        response = client.post("/todo", json={"content": "buy oat milk"})

    problem = assert_problem(response, "invalid-input", body("#/content"))
    assert "must rhyme" in problem["detail"]
