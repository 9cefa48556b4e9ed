"""Many clients at once: no change is lost, and a condition is met once."""

import asyncio
from collections import Counter

from fastapi import FastAPI
from httpx2 import AsyncClient, Response

from tests.api.answers import number
from tests.api.applications import on_every_storage, open_async_client

pytestmark = on_every_storage

_PATH = f"/todo/{number(7)}"
_CLIENTS = 100


async def _put(http: AsyncClient, content: str = "x", **fields: object) -> Response:
    return await http.put(_PATH, json={"content": content, **fields})


async def test_a_hundred_clients_that_each_add_a_tag_leave_a_hundred_tags(
    app: FastAPI,
) -> None:
    async with open_async_client(app) as http:
        await _put(http)

        answers = await asyncio.gather(
            *(http.put(f"{_PATH}/tags/t{client:03}") for client in range(_CLIENTS))
        )

        assert [answer.status_code for answer in answers] == [200] * _CLIENTS
        entry = (await http.get(_PATH)).json()
        assert entry["tags"] == [f"t{client:03}" for client in range(_CLIENTS)]
        revisions = {answer.json()["revision"] for answer in answers}
        assert len(revisions) == _CLIENTS
        assert max(revisions) == entry["revision"]


async def test_adding_and_removing_at_once_lose_nothing_of_each_other(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        await _put(http, tags=[f"old{client:02}" for client in range(50)])

        await asyncio.gather(
            *(http.delete(f"{_PATH}/tags/old{client:02}") for client in range(50)),
            *(http.put(f"{_PATH}/tags/new{client:02}") for client in range(50)),
            http.patch(_PATH, json={"notes": "patched"}),
            http.patch(_PATH, json={"done": True}),
        )

        entry = (await http.get(_PATH)).json()
        assert entry["tags"] == [f"new{client:02}" for client in range(50)]
        assert (entry["notes"], entry["done"]) == ("patched", True)


async def test_of_a_hundred_changes_to_the_same_revision_one_is_made(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        await _put(http)
        condition = {"If-Match": (await http.get(_PATH)).headers["ETag"]}

        answers = await asyncio.gather(
            *(
                http.patch(_PATH, json={"content": f"by {client}"}, headers=condition)
                for client in range(_CLIENTS)
            )
        )

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 1, 412: _CLIENTS - 1}
        (made,) = (answer for answer in answers if answer.status_code == 200)
        assert (await http.get(_PATH)).json() == made.json()


async def test_of_a_hundred_creations_of_the_same_entry_one_is_made(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        answers = await asyncio.gather(
            *(
                http.put(_PATH, json={"content": "x"}, headers={"If-None-Match": "*"})
                for _ in range(_CLIENTS)
            )
        )

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {201: 1, 412: _CLIENTS - 1}


async def test_a_hundred_replacements_create_once(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        answers = await asyncio.gather(
            *(_put(http, f"by {client}") for client in range(_CLIENTS))
        )

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {201: 1, 200: _CLIENTS - 1}
        last = max(answers, key=lambda answer: int(answer.json()["revision"]))
        assert (await http.get(_PATH)).json() == last.json()


async def test_a_hundred_removals_remove_once(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        await _put(http)

        answers = await asyncio.gather(*(http.delete(_PATH) for _ in range(_CLIENTS)))

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {204: 1, 404: _CLIENTS - 1}


async def test_a_hundred_new_entries_are_all_listed(app: FastAPI) -> None:
    async with open_async_client(app) as http:
        answers = await asyncio.gather(
            *(
                http.post("/todo", json={"content": f"entry {client}"})
                for client in range(_CLIENTS)
            )
        )

        listed = (await http.get("/todo?limit=1000")).json()
        assert {entry["id"] for entry in listed} == {answer.json() for answer in answers}
        assert len({entry["revision"] for entry in listed}) == _CLIENTS
