"""Errors of Pydantic in our own words: the field and the reason, never the value."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from chatledger.errors import InvalidInput

_REASONS = {
    "bool_parsing": "must be True or False",
    "bool_type": "must be True or False",
    "date_from_datetime_parsing": "must be a date",
    "date_parsing": "must be a date",
    "date_type": "must be a date",
    "datetime_from_date_parsing": "must be a time",
    "datetime_object_invalid": "must be a time",
    "datetime_parsing": "must be a time",
    "datetime_type": "must be a time",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "dict_type": "must be a mapping",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known name",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "mapping_type": "must be a mapping",
    "missing": "is missing",
    "model_attributes_type": "must be a mapping",
    "model_type": "must be a mapping",
    "set_type": "must be a list",
    "string_sub_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "string_type": "must be text",
    "string_unicode": "holds a lone surrogate, which is not valid Unicode",
    "time_delta_parsing": "must be a duration",
    "time_delta_type": "must be a duration",
    "timezone_aware": "must have a time zone",
    "tuple_type": "must be a list",
}
# What may be repeated of an error's context: limits and words of ours. The rest may hold the value.
_CONTEXT = ("expected", "ge", "gt", "le", "lt", "max_length", "min_length")


def invalid_input(error: ValidationError, default_field: str = "input") -> InvalidInput:
    """The first error as one of ours."""
    return finding(error.errors(include_url=False, include_input=False)[0], default_field)


def finding(error: Any, default_field: str = "input") -> InvalidInput:
    """One of the errors that Pydantic lists as one of ours."""
    refused = error.get("ctx", {}).get("error")
    if isinstance(refused, InvalidInput):
        return InvalidInput(".".join([*map(str, error["loc"]), refused.field]), refused.reason)
    field = ".".join(str(part) for part in error["loc"]) or default_field
    return InvalidInput(field, _reason(error, field))


def _reason(first: Any, field: str) -> str:
    context = {name: value for name, value in first.get("ctx", {}).items() if name in _CONTEXT}
    kind = first["type"]
    if kind == "string_type" and field.rpartition(".")[2] == "content":
        return "must be text; structured content belongs in `payload`"
    if kind == "string_too_short":
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} characters"
    if kind == "too_short":
        least = context["min_length"]
        return f"must have at least {least} {'item' if least == 1 else 'items'}"
    if kind == "too_long":
        return f"must have at most {context['max_length']} items"
    if kind in _REASONS:
        return _REASONS[kind].format(**context)
    reason = str(first["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return reason[:1].lower() + reason[1:]
