"""The OpenAPI document as schemathesis reads it, and which cases it makes of that.

All of its checks are on. Where the service cannot be described any closer, the reason
stands beside the deviation. SCHEMATHESIS_EXAMPLES sets how many cases an operation gets.
"""

import os
from itertools import count
from typing import Any, TypeAlias

import schemathesis

from tests.api.applications import build_app

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))

# What an operation is made of is schemathesis' own affair.
Case: TypeAlias = schemathesis.Case[schemathesis.APIOperation[Any, Any, Any, Any]]

_CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20261121,
        "generation": {"deterministic": True, "max-examples": EXAMPLES, "database": "none"},
        "checks": {
            # What is right is accepted; an unknown /problems/{slug} is 404, 409 is an id of
            # a batch that is taken, or an undo come too late, and 412 answers a condition on
            # revisions that no document can know.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "304", "404", "409", "412"]
            },
            # What is wrong is refused by one of the statuses that say so; 404 and 405 where
            # it makes another path of the request.
            "negative_data_rejection": {
                "expected-statuses": ["400", "404", "405", "415", "422"]
            },
        },
        "operations": [
            # What has become of an entry can be read after its removal.
            {
                "include-path": "/todo/{id}/changes",
                "checks": {"use_after_free": {"enabled": False}},
            }
        ],
    }
)
SCHEMA = schemathesis.openapi.from_dict(
    build_app("pickle:///never-opened").openapi(), config=_CONFIG
).exclude(
    path="/todo/events"
)  # which answers without end

_keys = count()


def is_right(case: Case) -> bool:
    """Answer whether the case was made to be accepted."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def _take_what_the_service_knows(_context: schemathesis.HookContext, case: Case) -> Case:
    """Take off what is right the cursors and revisions, which only the service makes.

    No schema can. A key, too, is a new one for each request.
    """
    if is_right(case):
        for name in ("at", "cursor", "since"):
            case.query.pop(name, None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f'"{next(_keys)}"'
    return case


def _is_told_by_a_schema(_context: schemathesis.HookContext, case: Case) -> bool:
    """Leave out what is right or wrong only once it is trimmed, and each tag counted once.

    The service does that first, and a schema cannot say so.
    """
    return all(map(_is_normal, (case.body, case.query, case.path_parameters)))


def _is_normal(value: object) -> bool:
    match value:
        case str():
            return value == value.strip()
        case dict():
            return all(map(_is_normal, value.values()))
        case list():
            once = len({repr(item) for item in value}) == len(value)
            return once and all(map(_is_normal, value))
    return True


SCHEMA.hook("map_case")(_take_what_the_service_knows)
SCHEMA.hook("filter_case")(_is_told_by_a_schema)
