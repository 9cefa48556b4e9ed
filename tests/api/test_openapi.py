"""/openapi.json: valid, complete, and true: what it shows works."""

import re
from collections.abc import Iterator, Mapping
from typing import Any  # a JSON document, whose parts are of every type

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from myapp.infrastructure.api.security_headers import SECURITY_HEADERS
from tests.api.answers import JSON, STATUSES, Entry, get, number
from tests.api.applications import build_app

Document = dict[str, Any]

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_ANYWHERE = {400, 405, 408, 414, 421, 431, 500, 503}
_WRITE = {*_ANYWHERE, 403, 422, 507}
_BODY = {413, 415}
_STATE = {"ETag", "Cache-Control"}

_STATUSES = {
    "list_entries": {200, 304, 422, *_ANYWHERE},
    "add_entry": {201, *_WRITE, *_BODY},
    "get_entry": {200, 304, 404, 410, 422, *_ANYWHERE},
    "put_entry": {200, 201, 404, 412, *_WRITE, *_BODY},
    "change_entry": {200, 404, 412, *_WRITE, *_BODY},
    "remove_entry": {204, 404, 412, *_WRITE},
    "add_tag": {200, 404, 409, 412, *_WRITE},
    "remove_tag": {200, 404, 412, *_WRITE},
    "list_tags": {200, 304, 422, *_ANYWHERE},
    "carry_out_batch": {200, 404, 409, *_WRITE, *_BODY},
    "list_changes": {200, 304, 410, 422, *_ANYWHERE},
    "list_changes_of_entry": {200, 304, 404, 410, 422, *_ANYWHERE},
    "follow_changes": {200, 422, *_ANYWHERE},
    "undo_change": {200, 404, 409, 410, *_WRITE},
    "live": {200, *_ANYWHERE},
    "ready": {200, *_ANYWHERE},
    "metrics": {200, *_ANYWHERE},
    "explain_problem": {200, 404, *_ANYWHERE},
}

# What describes the content, and what tells browsers how to treat it.
_ANY_ANSWER = {
    "content-length",
    "content-type",
    *(name.decode("ascii") for name, _ in SECURITY_HEADERS),
}

_DOCUMENT: Document = build_app("pickle:///never-opened").openapi()
_OPERATIONS: dict[str, Document] = {
    operation["operationId"]: operation
    for path in _DOCUMENT["paths"].values()
    for operation in path.values()
}
_every_operation = pytest.mark.parametrize("name", sorted(_STATUSES))


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(_DOCUMENT).validate()


def test_the_document_answered_is_that_of_the_application(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert document == _DOCUMENT
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] and document["info"]["version"]


def test_every_operation_has_a_readable_name_of_its_own() -> None:
    operations = sum(len(path) for path in _DOCUMENT["paths"].values())

    assert set(_OPERATIONS) == set(_STATUSES)
    assert len(_OPERATIONS) == operations
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in _OPERATIONS)


@_every_operation
def test_every_operation_is_described(name: str) -> None:
    operation = _OPERATIONS[name]

    assert operation["summary"] and operation["description"]
    assert len(operation["tags"]) == 1


@_every_operation
def test_every_status_that_an_operation_can_answer_is_documented(name: str) -> None:
    documented = {int(status) for status in _OPERATIONS[name]["responses"]}

    assert documented >= _STATUSES[name]
    assert documented - _STATUSES[name] <= {422}  # the framework adds it to any parameter


def _problem_examples(operation: Document) -> Iterator[tuple[int, str, Document]]:
    for status, response in operation["responses"].items():
        if int(status) < 400:
            continue
        assert list(response["content"]) == [_PROBLEM], status
        examples = response["content"][_PROBLEM]["examples"]
        assert examples, status
        for slug, example in examples.items():
            yield int(status), slug, example["value"]


@_every_operation
def test_every_problem_is_documented_with_an_example(name: str) -> None:
    for status, slug, problem in _problem_examples(_OPERATIONS[name]):
        assert problem["type"] == f"/problems/{slug}"
        assert problem["status"] == status == STATUSES[slug]
        assert problem["title"] and problem["detail"] and problem["instance"]
        assert ("errors" in problem) == (slug == "invalid-input")
        _validate(problem, {"$ref": "#/components/schemas/Problem"})


def test_every_problem_of_the_document_is_explained_under_its_type(client: TestClient) -> None:
    documented = {
        slug
        for operation in _OPERATIONS.values()
        for _, slug, _ in _problem_examples(operation)
    }

    assert documented == set(STATUSES)
    for slug in documented:
        assert client.get(f"/problems/{slug}").status_code == 200


def _contents(operation: Document) -> Iterator[tuple[str, Document]]:
    """Answer the bodies that the operation takes and those it answers in success."""
    bodies = [("request", operation.get("requestBody", {}))]
    responses = [(s, r) for s, r in operation["responses"].items() if s.startswith("2")]
    for place, holder in [*bodies, *responses]:
        for media_type, content in holder.get("content", {}).items():
            yield f"{place} {media_type}", content


def _examples(content: Document) -> list[Any]:
    """Answer what the documentation page shows for a body."""
    if "example" in content:
        return [content["example"]]
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    return _schema_examples(content["schema"])


def _schema_examples(schema: Document) -> list[Any]:
    schema = _resolved(schema)
    if "examples" in schema:
        return list(schema["examples"])
    if "anyOf" in schema:
        return [example for option in schema["anyOf"] for example in _schema_examples(option)]
    if schema.get("type") == "array":
        return [[example] for example in _schema_examples(schema["items"])]
    if schema.get("type") == "object":
        of_each = {name: _schema_examples(s) for name, s in schema["properties"].items()}
        if all(of_each.values()):
            return [{name: examples[0] for name, examples in of_each.items()}]
    return []


def _resolved(schema: Document) -> Document:
    if "$ref" not in schema:
        return schema
    target: Document = _DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return target


def _validate(value: object, schema: Document) -> None:
    OAS31Validator(
        {"components": _DOCUMENT["components"], "allOf": [schema]},
        format_checker=oas31_format_checker,
    ).validate(value)


@_every_operation
def test_every_body_has_an_example_that_is_one(name: str) -> None:
    for place, content in _contents(_OPERATIONS[name]):
        examples = _examples(content)
        assert examples, place
        for example in examples:
            _validate(example, content["schema"])


def test_a_new_entry_is_answered_by_its_id_or_in_full() -> None:
    response = _OPERATIONS["add_entry"]["responses"]["201"]

    examples = _examples(response["content"]["application/json"])

    assert {type(example) for example in examples} == {str, dict}


def test_the_example_of_an_entry_has_every_field() -> None:
    (example,) = _schema_examples({"$ref": _entry_reference()})

    assert set(example) == set(Entry.__annotations__)


def _entry_reference() -> str:
    content = _OPERATIONS["get_entry"]["responses"]["200"]["content"]
    reference: str = content["application/json"]["schema"]["$ref"]
    return reference


def _request_examples(name: str) -> list[tuple[str, Any]]:
    contents = _OPERATIONS[name]["requestBody"]["content"]
    return [(kind, example) for kind in contents for example in _examples(contents[kind])]


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("add_entry", "POST", "/todo"),
        ("put_entry", "PUT", f"/todo/{number(7)}"),
        ("change_entry", "PATCH", f"/todo/{number(8)}"),
        ("carry_out_batch", "POST", "/todo/batch"),
    ],
)
def test_what_is_shown_as_a_request_works(
    client: TestClient, name: str, method: str, path: str
) -> None:
    client.put(f"/todo/{number(8)}", json={"content": "x"})
    examples = _request_examples(name)
    assert examples

    for media_type, example in examples:
        headers = {"Content-Type": media_type}
        response = client.request(method, path, json=example, headers=headers)
        assert response.is_success, response.text


def test_what_is_shown_as_an_entry_can_be_put(client: TestClient) -> None:
    (example,) = _schema_examples({"$ref": _entry_reference()})

    assert client.put(f"/todo/{example['id']}", json=example).status_code == 201

    entry = get(client, example["id"])
    for field in ("id", "content", "notes", "tags", "priority", "due", "done"):
        assert dict(entry)[field] == example[field]


def test_a_patch_is_documented_in_both_its_media_types() -> None:
    body = _OPERATIONS["change_entry"]["requestBody"]

    assert set(body["content"]) == {"application/merge-patch+json", "application/json"}


def test_a_body_that_is_needed_is_required() -> None:
    for name in ("add_entry", "put_entry", "change_entry", "carry_out_batch"):
        assert _OPERATIONS[name]["requestBody"]["required"] is True


@pytest.mark.parametrize(
    ("name", "status", "headers"),
    [
        ("list_entries", "200", {*_STATE, "Link", "Total-Count", "Preference-Applied"}),
        ("list_entries", "304", {*_STATE, "Link", "Total-Count", "Preference-Applied"}),
        ("add_entry", "201", {"ETag", "Location", "Preference-Applied"}),
        ("get_entry", "200", _STATE),
        ("get_entry", "304", _STATE),
        ("put_entry", "201", {"Location"}),
        ("change_entry", "200", {"ETag"}),
        ("change_entry", "415", {"Accept-Patch"}),
        ("list_changes", "200", {*_STATE, "Link"}),
        ("list_changes", "304", {*_STATE, "Link"}),
        ("list_changes_of_entry", "200", {*_STATE, "Link"}),
        ("list_changes_of_entry", "304", {*_STATE, "Link"}),
        ("list_tags", "200", _STATE),
        ("list_tags", "304", _STATE),
        ("follow_changes", "200", {"Cache-Control"}),
        ("metrics", "200", {"Vary"}),
    ],
)
def test_the_fields_of_the_header_that_matter_are_documented_with_an_example(
    name: str, status: str, headers: set[str]
) -> None:
    documented = _OPERATIONS[name]["responses"][status]["headers"]

    assert set(documented) >= headers
    for field in headers:
        assert documented[field]["description"]
        assert _parameter_examples(documented[field]), field


@pytest.mark.parametrize(
    ("name", "method", "path", "headers"),
    [
        ("list_entries", "GET", "/todo?limit=1", {"Prefer": "count=exact"}),
        (
            "list_entries",
            "GET",
            "/todo?limit=1",
            {"Prefer": "count=exact", "If-None-Match": "*"},
        ),
        ("add_entry", "POST", "/todo", {"Prefer": "return=representation"}),
        ("get_entry", "GET", f"/todo/{number(1)}", {}),
        ("get_entry", "GET", f"/todo/{number(1)}", {"If-None-Match": "*"}),
        ("put_entry", "PUT", f"/todo/{number(3)}", {}),
        ("change_entry", "PATCH", f"/todo/{number(1)}", {}),
        ("change_entry", "PATCH", f"/todo/{number(1)}", {"Content-Type": "text/plain"}),
        ("add_entry", "POST", "/todo", {"Content-Type": "text/plain"}),
        ("list_changes", "GET", "/todo/changes", {}),
        ("list_changes", "GET", "/todo/changes", {"If-None-Match": "*"}),
        ("list_changes_of_entry", "GET", f"/todo/{number(1)}/changes", {}),
        ("list_tags", "GET", "/tags", {"If-None-Match": "*"}),
        ("metrics", "GET", "/metrics", {}),
        ("metrics", "GET", "/metrics", {"Accept": "application/openmetrics-text"}),
    ],
)
def test_no_answer_has_more_than_is_documented(
    client: TestClient, name: str, method: str, path: str, headers: Mapping[str, str]
) -> None:
    for earlier in (1, 2):
        client.put(f"/todo/{number(earlier)}", json={"content": "x"})
    body = {"content": "y"} if method in ("POST", "PUT", "PATCH") else None

    response = client.request(method, path, json=body, headers=headers)

    documented = _OPERATIONS[name]["responses"][str(response.status_code)]
    fields = {field.lower() for field in documented["headers"]}
    assert set(response.headers) <= fields | _ANY_ANSWER
    if response.content:
        media_type = response.headers["Content-Type"].partition(";")[0]
        assert media_type in documented["content"]


@pytest.mark.parametrize("status", ["200", "201"])
def test_replacing_is_documented_without_an_entity_tag(status: str) -> None:
    response = _OPERATIONS["put_entry"]["responses"][status]

    assert "ETag" not in response.get("headers", {})


@_every_operation
def test_what_helps_after_a_problem_is_documented(name: str) -> None:
    responses = _OPERATIONS[name]["responses"]

    assert "Allow" in responses["405"].get("headers", {})
    if "503" in responses:
        assert "Retry-After" in responses["503"].get("headers", {})


def _parameters() -> Iterator[tuple[str, Document]]:
    for name, operation in _OPERATIONS.items():
        for parameter in operation.get("parameters", []):
            yield f"{name} {parameter['name']}", parameter


def _parameter_examples(parameter: Mapping[str, Any]) -> list[Any]:
    shown = [parameter["example"]] if "example" in parameter else []
    shown += [example["value"] for example in parameter.get("examples", {}).values()]
    return shown + _schema_examples(parameter["schema"])


def test_every_parameter_is_described() -> None:
    assert [
        place for place, parameter in _parameters() if not parameter.get("description")
    ] == []


def test_every_parameter_of_a_path_or_header_has_an_example() -> None:
    assert [
        place
        for place, parameter in _parameters()
        if parameter["in"] != "query" and not _parameter_examples(parameter)
    ] == []


def test_examples_and_defaults_of_parameters_keep_their_own_rules() -> None:
    for _, parameter in _parameters():
        schema = parameter["schema"]
        defaults = [schema["default"]] if "default" in schema else []
        for value in [*defaults, *_parameter_examples(parameter)]:
            _validate(value, schema)


def test_no_parameter_claims_to_take_null() -> None:
    """A query has no null: it would have to be the text "null", which is refused."""
    nullable = [
        place
        for place, parameter in _parameters()
        if {"type": "null"} in parameter["schema"].get("anyOf", [])
    ]

    assert nullable == []


def test_every_schema_is_used() -> None:
    references = set(re.findall(r"#/components/schemas/([^\"']+)", str(_DOCUMENT)))

    assert set(_DOCUMENT["components"]["schemas"]) == references


def test_the_fields_that_the_server_sets_are_read_only() -> None:
    fields = _resolved({"$ref": _entry_reference()})["properties"]

    read_only = {name for name, schema in fields.items() if schema.get("readOnly")}

    assert read_only == {"id", "created_at", "updated_at", "completed_at", "revision"}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("add_entry", "application/json"),
        ("put_entry", "application/json"),
        ("change_entry", "application/merge-patch+json"),
    ],
)
def test_the_limits_are_documented(name: str, media_type: str) -> None:
    content = _OPERATIONS[name]["requestBody"]["content"][media_type]
    schema = _resolved(content["schema"])

    assert schema["additionalProperties"] is False
    for field, keyword, limit in (
        ("content", "maxLength", 1_000),
        ("notes", "maxLength", 16_000),
    ):
        assert _keyword(schema["properties"][field], keyword) == limit
    assert _keyword(_option(schema["properties"]["tags"])["items"], "maxLength") == 60


def test_equal_tags_are_as_many_as_one_likes(client: TestClient) -> None:
    """No schema can say that a hundred different ones are the most, so that words do."""
    draft = {"content": "x", "tags": ["home"] * 150}

    _validate(draft, _OPERATIONS["add_entry"]["requestBody"]["content"][_JSON]["schema"])
    assert client.post("/todo", json=draft).status_code == 201
    described = _DOCUMENT["components"]["schemas"]["TodoEntryDraft"]["properties"]["tags"]
    assert "100 different" in described["description"]


def _option(schema: Document) -> Document:
    """Answer the schema of the value proper, where null is an option too."""
    options: list[Document] = schema.get("anyOf", [schema])
    return options[0]


def _keyword(schema: Document, keyword: str) -> object:
    return _option(schema).get(keyword)


def test_a_number_on_a_page_is_documented_with_its_limits() -> None:
    (limit,) = (p for place, p in _parameters() if place == "list_entries limit")

    assert limit["schema"] == {
        **limit["schema"],
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000,
        "default": 100,
    }


def test_the_document_leaves_out_what_is_no_operation() -> None:
    assert not {"/", "/docs", "/openapi.json", "/todo/"} & set(_DOCUMENT["paths"])
    assert JSON["Content-Type"] in str(_DOCUMENT)
