"""The documentation, complete without any network: the page, its assets, the problems."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi import Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.staticfiles import StaticFiles

from myapp.infrastructure.api.openapi import operation_id
from myapp.infrastructure.api.problem_types import (
    INVALID_INPUT,
    NOT_FOUND,
    PROBLEM_TYPES,
    TODO_ENTRY_NOT_FOUND,
    ProblemType,
)
from myapp.infrastructure.api.problems import Rejection, answers

_SWAGGER_UI = StaticFiles(directory=Path(__file__).parent / "docs" / "swagger-ui")


def _explanation(problem_type: ProblemType) -> str:
    status = f"{int(problem_type.status)} {problem_type.status.phrase}"
    return f"{problem_type.title} ({status})\n\n{problem_type.explanation}\n"


router = APIRouter(tags=["documentation"], generate_unique_id_function=operation_id)


@router.get("/", include_in_schema=False)
async def index(request: Request) -> RedirectResponse:
    """Lead to the documentation."""
    return RedirectResponse(f"{_prefix(request)}/docs")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the OpenAPI document in Swagger UI."""
    prefix = _prefix(request)
    swagger_ui = f"{prefix}/docs/swagger-ui"
    page = get_swagger_ui_html(
        openapi_url=f"{prefix}/openapi.json",
        title=f"{request.app.title} {request.app.version}",
        swagger_js_url=f"{swagger_ui}/swagger-ui-bundle.js",
        swagger_css_url=f"{swagger_ui}/swagger-ui.css",
        swagger_favicon_url=f"{swagger_ui}/favicon-32x32.png",
        swagger_ui_parameters={
            "tryItOutEnabled": True,
            "validatorUrl": None,
            "defaultModelsExpandDepth": 0,
        },
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))
    return page


@router.get("/docs/swagger-ui/{file}", include_in_schema=False)
async def swagger_ui(request: Request, file: str) -> Response:
    """Answer a file that the page needs, as a whole: wrong ranges would be no problems."""
    fields: list[tuple[bytes, bytes]] = request.scope["headers"]
    request.scope["headers"] = [field for field in fields if field[0] != b"range"]
    response = await _SWAGGER_UI.get_response(file, request.scope)
    del response.headers["Accept-Ranges"]
    return response


@router.get(
    "/problems/{slug}",
    response_class=PlainTextResponse,
    response_description="What the type means, and what helps.",
    responses={
        200: {"content": {"text/plain": {"example": _explanation(TODO_ENTRY_NOT_FOUND)}}},
        **answers(NOT_FOUND, INVALID_INPUT),
    },
)
async def explain_problem(
    slug: Annotated[
        str,
        PathParameter(
            description="The last part of a problem's type.",
            openapi_examples={"a type": {"value": TODO_ENTRY_NOT_FOUND.slug}},
        ),
    ],
) -> str:
    """Explain a type of problem."""
    problem_type = PROBLEM_TYPES.get(slug)
    if problem_type is None:
        raise Rejection(NOT_FOUND, "There is no such type of problem.")
    return _explanation(problem_type)


def _policy(page: bytes) -> str:
    """Answer what lets the page load its own, and run no script but those it came with."""
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    digests = (b64encode(sha256(script).digest()).decode("ascii") for script in scripts)
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *(f"'sha256-{digest}'" for digest in digests)]),
            "style-src 'self' 'unsafe-inline'",  # which Swagger UI cannot do without
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _prefix(request: Request) -> str:
    prefix: str = request.scope.get("root_path", "")
    return prefix
