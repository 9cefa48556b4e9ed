"""What pydantic finds wrong with a value, in the words of this service."""

from collections.abc import Mapping
from typing import Any

from myapp.domain.errors import InvalidValue

_RULES = {
    "extra_forbidden": "is not known here",
    "missing": "is required",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "too_short": "must not be empty",
}


def broken_rule(error: Mapping[str, Any]) -> str:  # of what values pydantic leaves open
    """Answer the rule that is broken, of one of the `errors()` of a validation.

    The errors that carry one of ours, or a ValueError of one of our parsers, quote that.
    """
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValue):
        return cause.rule
    if isinstance(cause, ValueError):
        return str(cause)
    message: str = error["msg"]
    return _RULES.get(error["type"], message.replace("Input should be", "must be"))
