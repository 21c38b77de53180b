"""Rows as frozen objects: validated when they were written, and not again unless they look odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic_core import from_json
from sqlalchemy import Column as TableColumn
from sqlalchemy import ColumnElement

from chatledger.dialects.types import Document, Flag, Money, Timestamp, Whole, Word, dollars, to_moment

# Rows that are converted together: few enough for what is made of them to stay in the processor's cache.
_AT_ONCE = 256

Model = TypeVar("Model", bound=BaseModel)
Values = Sequence[Any]
"""The values of one column in some rows."""


class Loader(Generic[Model]):
    """Makes objects of a model from rows whose columns are its fields, in their order.

    A page of rows is converted column by column, because most columns hold nothing or need no conversion: twice as fast
    as validation.
    """

    def __init__(
        self, model: type[Model], columns: Sequence[ColumnElement[Any]], stored: Mapping[str, TableColumn[Any]]
    ) -> None:
        """`stored` are the columns of the table; `columns` are read, some of them as another type."""
        assert tuple(model.model_fields) == tuple(column.key for column in columns)
        self._model = model
        self._readers = []
        self._empty: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            kind = stored[name].type if name in stored else None
            types, convert = _conversion(kind)
            is_optional = field.annotation is Any or NoneType in get_args(field.annotation)
            skips = is_optional or isinstance(kind, Flag)
            if field.annotation == dict[str, Any]:
                # An aggregate, which is no column of the table, has no order of its own.
                types, convert = _TEXT, _objects if name in stored else _sorted_objects
                # An object of its own for each row, also where nothing is stored, as for most metadata.
                is_optional = name == "metadata"
            self._readers.append((name, types | {NoneType} if is_optional or skips else types, convert, skips))
            self._empty[name] = False if isinstance(kind, Flag) else None

    def load(self, rows: Sequence[Sequence[Any]]) -> list[Model] | None:
        """The objects, or None if a row cannot be one: `first_damaged` says which."""
        found: list[Model] = []
        try:
            for start in range(0, len(rows), _AT_ONCE):
                page = rows[start : start + _AT_ONCE]
                found += self._by_column(page) or self._validated(page)
        except Exception:  # noqa: BLE001 - a damaged value may be of any type; the error holds it
            return None
        return found

    def first_damaged(self, rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """The first row that cannot be loaded."""
        return next((row for row in rows if self.load([row]) is None), rows[0])

    def _validated(self, rows: Sequence[Sequence[Any]]) -> list[Model]:
        values = [self._values(row) for row in rows]
        return TypeAdapter(list[self._model]).validate_python(values)  # type: ignore[name-defined]  # known when it runs

    def _by_column(self, rows: Sequence[Sequence[Any]]) -> list[Model] | None:
        count = len(rows)
        values = [self._empty.copy() for _ in rows]
        for (name, types, convert, skips), read in zip(self._readers, zip(*rows, strict=True), strict=True):
            if skips and read[0] is None and read.count(None) == count:
                continue
            if not types.issuperset(map(type, read)):
                return None
            column: Values = read if convert is None else convert(read)
            for fields, value in zip(values, column, strict=True):
                fields[name] = value
        return built(self._model, values)

    def _values(self, row: Sequence[Any]) -> dict[str, Any]:
        fields = {}
        for (name, types, convert, _), value in zip(self._readers, row, strict=True):
            if value is None and NoneType not in types:
                raise ValueError("missing")
            fields[name] = value if convert is None else convert((value,))[0]
        return fields


def built(model: type[Model], values: Sequence[dict[str, Any]]) -> list[Model]:
    """Objects of a model without private attributes, each from valid values of all its fields in their order.

    They cannot be told from validated ones. (`model_construct` takes longer than validation.)
    """
    names, new, put = _field_names(model), object.__new__, object.__setattr__
    found = []
    for fields in values:
        one = new(model)
        put(one, "__dict__", fields)
        put(one, "__pydantic_fields_set__", names.copy())
        put(one, "__pydantic_extra__", None)
        put(one, "__pydantic_private__", None)
        found.append(one)
    return found


@cache
def _field_names(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields).copy()  # a copy of a copy is as small as can be, and made in half the time


def _conversion(kind: Any) -> tuple[frozenset[type], Callable[[Values], Values] | None]:
    """The types that a driver gives for a column, and how its values are converted."""
    if isinstance(kind, Timestamp):
        return frozenset({str, datetime}), _moments
    if isinstance(kind, Money):
        return _WHOLE, _amounts
    if isinstance(kind, Flag):
        return _WHOLE, _flags
    if isinstance(kind, Word):
        return _TEXT, words(kind.words)
    if isinstance(kind, Document):
        return _TEXT, _documents
    return (_WHOLE if isinstance(kind, type(Whole)) else _TEXT), None


_TEXT: frozenset[type] = frozenset({str})
_WHOLE: frozenset[type] = frozenset({int})


def words(enum: type[StrEnum]) -> Callable[[Values], Values]:
    """Texts as the words of an enum. Raises KeyError for any other."""
    known: dict[str | None, StrEnum | None] = {None: None, **{word.value: word for word in enum}}
    return lambda column: [known[word] for word in column]


def _documents(column: Values) -> Values:
    return [None if text is None else from_json(text) for text in column]


def _objects(column: Values) -> Values:
    found = [{} if text is None else from_json(text) for text in column]
    if set(map(type, found)) != {dict}:
        raise ValueError("not an object")
    return found


def _sorted_objects(column: Values) -> Values:
    return [dict(sorted(found.items())) if len(found) > 1 else found for found in _objects(column)]


def _amounts(column: Values) -> Values:
    return [None if amount is None else dollars(amount) for amount in column]


def _flags(column: Values) -> Values:
    return list(map(bool, column))


def _moments(column: Values) -> Values:
    # As `to_moment`, without a call for each text of SQLite.
    parse = datetime.fromisoformat
    return [
        None if moment is None else parse(f"{moment}+00:00") if type(moment) is str else to_moment(moment)
        for moment in column
    ]
