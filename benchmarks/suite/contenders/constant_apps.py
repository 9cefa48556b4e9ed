"""Servers that answer the same each time: a bare ASGI application, and one of FastAPI's.

    python -m benchmarks.suite.contenders.constant_apps ceiling|fastapi PORT LENGTHS

LENGTHS is an object of JSON: how many bytes are answered under which name. Both run on the
uvicorn, the event loop and the parser that this service uses.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send


def ceiling(lengths: Mapping[str, int]) -> ASGIApp:
    """Answer an application that does nothing but answer."""
    bodies = {f"/{name}": b"x" * length for name, length in lengths.items()}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            while (await receive())["more_body"]:
                pass
        body = bodies[scope["path"]]
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def fastapi(lengths: Mapping[str, int]) -> ASGIApp:
    """Answer an application as FastAPI's own introduction would write it."""
    app = FastAPI()
    for name, length in lengths.items():
        text = "x" * (length - len('""'))
        app.add_api_route(f"/{name}", _answering(text), methods=["GET", "POST"])
    return app


def _answering(text: str) -> Callable[[], Awaitable[str]]:
    async def answer() -> str:
        return text

    return answer


if __name__ == "__main__":
    kind, port, told = sys.argv[1:]
    uvicorn.run(
        {"ceiling": ceiling, "fastapi": fastapi}[kind](json.loads(told)),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
