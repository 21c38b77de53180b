"""Column types: what Python holds on one side, what each database stores on the other.

Each type has one Python form and one stored form per database, chosen so that values sort and compare alike on both:

    Timestamp   aware UTC datetime    SQLite: text of 26 characters; PostgreSQL: timestamptz
    Money       Decimal dollars       a 64-bit integer of nano-dollars
    Flag        bool                  1, or NULL for false
    Document    any JSON value        the JSON text itself, so that 1.0, 1e16 and the order of keys come back unchanged
    Identifier  str                   text compared by code point
    Word        a StrEnum             its value, under a named CHECK
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ARRAY, REAL, TIMESTAMP, BigInteger, ColumnElement, Dialect, Double, Integer, LargeBinary, Text
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from chatledger.dialects.constructs import json_text
from chatledger.dialects.encoding import encode_json
from chatledger.errors import CorruptDatabase, InvalidInput

NANO = Decimal(10) ** 9
_ZERO = Decimal(0)
_NANO_EXPONENT = Decimal(1).scaleb(-9)

Whole = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit integers. A STRICT table of SQLite knows INTEGER only, which is 64 bits wide there."""

Binary = LargeBinary()

Real: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
"""Numbers that are measured and not counted: 64 bits on both. REAL is what a STRICT table of SQLite knows."""


@lru_cache(maxsize=64)  # one moment is written down for the digest and for the row, and by a thousand rows of one call
def stamp(moment: datetime) -> str:
    """The stored text of a moment: UTC, always 26 characters, so that text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def to_moment(stored: str | datetime) -> datetime:
    """The moment of a value that came from either database without a result processor."""
    if isinstance(stored, str):
        return datetime.fromisoformat(f"{stored}+00:00")
    return stored if stored.tzinfo is UTC else stored.astimezone(UTC)


class Timestamp(TypeDecorator[datetime]):
    """Aware datetimes only: a naive one is refused, UTC comes out."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidInput("datetime", "must carry a time zone, such as datetime.now(UTC)")
        return value if dialect.name == "postgresql" else stamp(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        try:
            return to_moment(value)
        except (ValueError, AttributeError):
            pass
        raise CorruptDatabase("a stored time is damaged: run `chatledger db check`")


class Hour(TypeDecorator[Any]):
    """The hour of a Timestamp, made by the database (`constructs.hour_of`); never bound."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=False) if dialect.name == "postgresql" else Text())


class Money(TypeDecorator[Decimal]):
    """US dollars, exact to the nano-dollar (token prices lie below a micro-dollar)."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None or isinstance(value, Decimal):
            return None if value is None else nanos(value)
        return nanos(Decimal(str(value)))

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else dollars(value)


def nanos(amount: Decimal) -> int:
    """Dollars as a whole number of nano-dollars."""
    return int(amount.scaleb(9).to_integral_exact())


def dollars(amount: int) -> Decimal:
    """Nano-dollars as dollars, with nine decimals; nothing is 0, which would else be shown as 0E-9."""
    return Decimal(amount).scaleb(-9) if amount else _ZERO


class Flag(TypeDecorator[bool]):
    """True or False. NULL stands for false, so that rows without the mark say nothing, and old digests stay valid."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return 1 if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> bool:
        return bool(value)


class JsonText(UserDefinedType[str]):
    """JSON as its text, unparsed, in and out."""

    cache_ok = True
    # psycopg sends text; the cast lets INSERT … SELECT place it in a json column.
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


class Document(TypeDecorator[Any]):
    """Any JSON value. NaN, infinities, NUL and lone surrogates are refused (`InvalidInput`), on both databases alike.

    PostgreSQL's json and not jsonb, which would turn 1e16 into an integer and lose the order of keys.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JsonText() if dialect.name == "postgresql" else Text())

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # The driver would parse json itself, with a parser of its own.
        expression: FunctionElement[Any] = json_text(column)
        expression.type = self
        return expression

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else encode_json(value, "value")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        try:
            return None if value is None else from_json(value)
        except (ValueError, TypeError):
            pass
        raise CorruptDatabase("a stored JSON value is damaged: run `chatledger db check`")


class RequiredDocument(Document):
    """A document that is always there: None is the JSON value null, and not NULL."""

    cache_ok = True
    should_evaluate_none = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return encode_json(value, "value")


class EncodedDocument(Document):
    """A document whose text the caller has made already (the hot paths digest it first)."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return None


def wire(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type under which a value travels whose JSON has been made into text already."""
    return EncodedDocument() if isinstance(kind, Document) else kind


class Identifier(TypeDecorator[str]):
    """Text that identifies: compared and sorted by code point on both databases."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return None


class Names(TypeDecorator[Collection[str]]):
    """Many texts in one parameter, for `is_among`: JSON on SQLite, an array on PostgreSQL. No column is of this type."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(Text()) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else json.dumps(list(value or ()))


class OptionalIdentifier(TypeDecorator[str]):
    """An identifier that may be missing and is part of a key all the same: None is stored as ''."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        return value or ""

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value or None


class Word(TypeDecorator[StrEnum]):
    """One word of a closed list, stored as its value. The table holds the CHECK."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words
        self._values = {word: word.value for word in words}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        # A word equals its value, and so finds it.
        return None if value is None else self._values.get(value) or str(self.words(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        if value is None:
            return None
        word = next((word for word in self.words if word.value == value), None)
        if word is None:
            raise CorruptDatabase(f"a stored {self.words.__name__.lower()} is damaged: run `chatledger db check`")
        return word
