"""The kinds of values that users hand in, with their limits."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from chatledger.dialects.encoding import check_text
from chatledger.errors import InvalidInput
from chatledger.validation import invalid_input

MAX_IDENTIFIER = 255
"""Characters of an id, a key or a name. Longer ones do not fit into an index of PostgreSQL."""
MAX_TEXT = 50_000_000
"""Characters of one text. Databases hold more, but a message of this size is a mistake."""
MAX_REASON = 1000
"""Characters of a reason in the audit log."""
MAX_COUNT = 10**12
"""Keeps the totals of a session, however long, within 64 bits."""
MAX_COST = Decimal(10**6)

_NANO = Decimal(1).scaleb(-9)


class Record(BaseModel):
    """What a user holds: frozen, and the same whether it came from one database or the other."""

    model_config = ConfigDict(frozen=True)


class Input(BaseModel):
    """What a user hands in. An unknown name is an error, so that a slip of the pen is not lost."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which databases cannot keep")
    return text


def _money(value: Any) -> Decimal:
    """Dollars. A float is rounded to the nano-dollar; anything else must be exact."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float | str):
        raise ValueError("is not an amount of dollars")  # noqa: TRY004 - Pydantic collects ValueErrors
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise ValueError("is not an amount of dollars") from None
    if not amount.is_finite() or not 0 <= amount <= MAX_COST:
        raise ValueError(f"must lie between 0 and {MAX_COST} dollars")
    rounded = amount.quantize(_NANO)
    if rounded != amount and not isinstance(value, float):
        raise ValueError("has more than nine decimals: round it to the nano-dollar")
    return rounded or Decimal(0)  # nothing is read back as 0, without decimals


def no_flag(value: Any) -> Any:
    """True would be read as the number 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number or a timedelta, not True or False")  # noqa: TRY004 - Pydantic collects these
    return value


def _utc(given: Any) -> datetime:
    """A moment in UTC, from an aware datetime or its ISO 8601 text."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise ValueError("is not a time in ISO 8601, such as 2026-05-01T12:00:00Z") from None
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise ValueError("must be a datetime with a time zone, such as datetime.now(UTC)")
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the years 1 to 9999") from None


Text = Annotated[str, Field(strict=True, max_length=MAX_TEXT), AfterValidator(_no_nul)]
Identifier = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_IDENTIFIER), AfterValidator(_no_nul)]
STANDARD_TIERS = ("", "default", "standard")
"""The names of the standard service tier, which is stored as None."""
ServiceTier = Annotated[Identifier | None, BeforeValidator(lambda name: None if name in STANDARD_TIERS else name)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
Money = Annotated[Decimal, BeforeValidator(_money)]
Moment = Annotated[datetime, BeforeValidator(_utc)]
Duration = Annotated[timedelta, BeforeValidator(no_flag), Field(gt=timedelta(0), le=timedelta(days=36500))]
"""How long: a timedelta, or a number of seconds."""


Flag = Annotated[bool, Field(strict=True)]
"""True or False, and not a word or number that could be read as one."""

Name = Annotated[str, Field(strict=True)]
"""The keys of a JSON object."""

Amount = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json")]
"""Dollars as records have them; in JSON text without an exponent."""

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], fields: Any) -> Model:
    """An input model from a dict, or from itself.

    Raises:
        InvalidInput: naming the field.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        wrong = invalid_input(error)
    raise wrong  # outside of the handler: Pydantic's error holds the values


def identifier(value: Any, field: str) -> str:
    """An id as users pass it to a query: any text that a database can hold.

    Raises:
        InvalidInput: not text, or text with a NUL or a lone surrogate.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, f"must be text, not {type(value).__name__}")
    return check_text(value, field)


def called(value: Any, field: str) -> str:
    """An id as users pass it to be stored.

    Raises:
        InvalidInput: empty, too long, or text that a database cannot hold.
    """
    if not 1 <= len(identifier(value, field)) <= MAX_IDENTIFIER:
        raise InvalidInput(field, f"must have 1 to {MAX_IDENTIFIER} characters")
    return str(value)


def acting(actor: Any) -> str | None:
    """Who does something, as it is written into the audit log.

    Raises:
        InvalidInput: empty, too long, or text that a database cannot hold.
    """
    return None if actor is None else called(actor, "actor")


def stated(reason: Any) -> str | None:
    """Why something is done, as it is written into the audit log.

    Raises:
        InvalidInput: no text, or one that is longer than a sentence or two.
    """
    if reason is not None and len(identifier(reason, "reason")) > MAX_REASON:
        raise InvalidInput("reason", f"must have at most {MAX_REASON} characters")
    return reason if reason is None else str(reason)


def flags(**given: Any) -> None:
    """Refuse arguments that must be True or False and are not: "false" counts as true, and None or "" as false.

    The first thing that a function does which has such arguments: what is refused must not have been half done.

    Raises:
        InvalidInput: naming the first that is something else.
    """
    for field, value in given.items():
        if value is not True and value is not False:
            raise InvalidInput(field, f"must be True or False, not {type(value).__name__}")


def whole(value: Any, field: str, least: int = 0, most: int = MAX_COUNT) -> int:
    """A whole number as users pass it to a query.

    Raises:
        InvalidInput: not a whole number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(field, f"must be a whole number from {least} to {most}")
    return value


def moment(value: Any, field: str) -> datetime:
    """A time as users pass it to a query.

    Raises:
        InvalidInput: not a datetime, or one without a time zone.
    """
    try:
        if isinstance(value, datetime):
            return _utc(value)
        reason = f"must be a datetime, not {type(value).__name__}"
    except ValueError as error:
        reason = str(error)
    raise InvalidInput(field, reason)


def number(value: Any, field: str, least: float = 0.0, most: float = math.inf) -> float:
    """A number as users pass it, within bounds that belong to it.

    Raises:
        InvalidInput: not a number, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidInput(field, f"must be a number from {least:g} to {most:g}")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def several(values: Any, field: str) -> list[Any]:
    """The items of a list that users pass. A text is one value, and not a list of its characters.

    Raises:
        InvalidInput: no list or the like.
    """
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | bytearray):
        return list(values)
    raise InvalidInput(field, f"must be a list, not {type(values).__name__}")


def file_path(value: Any, field: str = "path") -> Path:
    """The path of a file, as users pass it.

    Raises:
        InvalidInput: not a path, or one with a NUL, which no file has.
    """
    if not isinstance(value, str | PurePath) and not isinstance(value, os.PathLike):
        raise InvalidInput(field, f"must be a path, not {type(value).__name__}")
    path = os.fsdecode(value)
    if "\x00" in path:
        raise InvalidInput(field, "holds a NUL character")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        path = ""
    if not path:
        raise InvalidInput(field, "must be the path of a file")
    return Path(path).expanduser()


def told_path(value: Any, field: str = "path") -> Path:
    """As `file_path`, of a file whose name is written into a text.

    Raises:
        InvalidInput: as `file_path`, or a name that is not valid Unicode.
    """
    path = file_path(value, field)
    check_text(str(path), field)
    return path
