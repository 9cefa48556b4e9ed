"""/docs: the documentation, complete without any network."""

import json
import re

import pytest
from starlette.testclient import TestClient

_ABSOLUTE = re.compile(r"""(?:src|href|url)\s*[=:]\s*["']?(?:https?:)?//""")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_root_leads_to_the_documentation(client: TestClient, method: str) -> None:
    response = client.request(method, "/")

    assert response.status_code in (302, 303, 307, 308)
    assert response.headers["Location"] == "/docs"


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not _ABSOLUTE.search(page.text)
    assert '"validatorUrl": null' in page.text


@pytest.mark.parametrize(
    ("pattern", "media_type"),
    [
        (r'<script src="([^"]+)"', "text/javascript"),
        (r'<link type="text/css" rel="stylesheet" href="([^"]+)"', "text/css"),
        (r'<link rel="shortcut icon" href="([^"]+)"', "image/png"),
        (r"url: '([^']+)'", "application/json"),
    ],
)
def test_the_page_loads_what_the_service_has(
    client: TestClient, pattern: str, media_type: str
) -> None:
    (url,) = re.findall(pattern, client.get("/docs").text)

    asset = client.get(url)

    assert asset.status_code == 200
    assert asset.headers["Content-Type"].partition(";")[0] == media_type
    assert len(asset.content) > 500


@pytest.mark.parametrize("wanted", ["bytes=0-4", "bytes=99999999-", "items=0-5", "bytes"])
def test_what_the_page_loads_is_answered_as_a_whole(client: TestClient, wanted: str) -> None:
    whole = client.get("/docs/swagger-ui/swagger-ui.css")

    part = client.get("/docs/swagger-ui/swagger-ui.css", headers={"Range": wanted})

    assert (part.status_code, part.content) == (200, whole.content)
    assert "Accept-Ranges" not in part.headers


def test_the_stylesheet_loads_nothing_from_elsewhere(client: TestClient) -> None:
    style = client.get("/docs/swagger-ui/swagger-ui.css").text

    assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", style)


def test_the_document_is_the_same_each_time(client: TestClient) -> None:
    first = client.get("/openapi.json")

    assert first.headers["Content-Type"] == "application/json"
    assert client.get("/openapi.json").content == first.content
    assert json.loads(first.content)["openapi"].startswith("3.1.")
