"""Differences in SQL, each one construct with one spelling per database.

Services write the construct; nobody outside this package asks which database it is.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Integer, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class json_text(FunctionElement[Any]):  # noqa: N801 - reads like the SQL functions that it stands among
    """A JSON column as its text."""

    type: TypeEngine[Any] = Text()
    inherit_cache = True


@compiles(json_text)
def _json_text(element: json_text, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(json_text, "postgresql")
def _json_text_postgresql(element: json_text, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS TEXT)"


class json_equals(FunctionElement[bool]):  # noqa: N801
    """Whether a JSON column holds exactly this JSON text, by the index on the column's beginning (migration 0001)."""

    # As a Boolean, SQLite would be asked whether it equals 1, and not use the index.
    type: TypeEngine[Any] = NullType()
    inherit_cache = True


@compiles(json_equals)
def _json_equals(element: json_equals, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} = {value})"


@compiles(json_equals, "postgresql")
def _json_equals_postgresql(element: json_equals, compiler: SQLCompiler, **kw: Any) -> str:
    column, value = (f"CAST({compiler.process(clause, **kw)} AS TEXT)" for clause in element.clauses)
    return f"(substr({column}, 1, 200) = substr({value}, 1, 200) AND {column} = {value})"


class json_object(FunctionElement[str]):  # noqa: N801
    """An aggregate: one JSON object, as text, of the keys and JSON values of the rows."""

    type = Text()
    inherit_cache = True


@compiles(json_object)
def _json_object(element: json_object, compiler: SQLCompiler, **kw: Any) -> str:
    key, value = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_group_object({key}, json({value}))"


@compiles(json_object, "postgresql")
def _json_object_postgresql(element: json_object, compiler: SQLCompiler, **kw: Any) -> str:
    key, value = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(json_object_agg({key}, {value}) AS TEXT)"


class json_list(FunctionElement[str]):  # noqa: N801
    """An aggregate: one JSON array, as text, of the values of the rows. Several of one group have the same order."""

    type = Text()
    inherit_cache = True


@compiles(json_list)
def _json_list(element: json_list, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kw)})"


@compiles(json_list, "postgresql")
def _json_list_postgresql(element: json_list, compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(json_agg({compiler.process(element.clauses, **kw)}) AS TEXT)"


class read_before(FunctionElement[Any]):  # noqa: N801
    """A column that a join compares with: its table is read first, and the other one searched.

    Where the database knows how many rows there are, it decides by itself.
    """

    inherit_cache = True


@compiles(read_before)
def _read_before(element: read_before, compiler: SQLCompiler, **kw: Any) -> str:
    # An expression, which no index of that table answers; so a search can only go the other way.
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(read_before, "postgresql")
def _read_before_postgresql(element: read_before, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


class minute_of(FunctionElement[Any]):  # noqa: N801
    """The minute of a moment in UTC, as text or as a time without a time zone."""

    type = Text()
    inherit_cache = True


@compiles(minute_of)
def _minute_of(element: minute_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 16)"


@compiles(minute_of, "postgresql")
def _minute_of_postgresql(element: minute_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"date_trunc('minute', ({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC'))"


class hour_of(FunctionElement[Any]):  # noqa: N801
    """The hour of a moment, in the form that `sessions.activity_hour` stores."""

    type = Text()
    inherit_cache = True


@compiles(hour_of)
def _hour_of(element: hour_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"substr({compiler.process(element.clauses, **kw)}, 1, 13)"


@compiles(hour_of, "postgresql")
def _hour_of_postgresql(element: hour_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"date_trunc('hour', ({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC'))"


class quarter_of(FunctionElement[int]):  # noqa: N801
    """The quarter of an hour of a moment, counted from 1970 in UTC, as `session_usage.quarter` has it.

    An invalid time counts as 1970.
    """

    type = Integer()
    inherit_cache = True


@compiles(quarter_of)
def _quarter_of(element: quarter_of, compiler: SQLCompiler, **kw: Any) -> str:
    moment = compiler.process(element.clauses, **kw)
    # Counted from the year 1, whose seconds are not negative: a division of whole numbers cuts towards zero.
    return f"coalesce((strftime('%s', substr({moment}, 1, 19)) + 62135596800) / 900 - 69039552, 0)"


@compiles(quarter_of, "postgresql")
def _quarter_of_postgresql(element: quarter_of, compiler: SQLCompiler, **kw: Any) -> str:
    moment = compiler.process(element.clauses, **kw)
    return f"CASE WHEN isfinite({moment}) THEN CAST(floor(extract(epoch FROM {moment}) / 900) AS BIGINT) ELSE 0 END"


class greatest(FunctionElement[Any]):  # noqa: N801
    """The largest of several values."""

    type = Integer()
    inherit_cache = True


@compiles(greatest)
def _greatest(element: greatest, compiler: SQLCompiler, **kw: Any) -> str:
    return f"max({compiler.process(element.clauses, **kw)})"


@compiles(greatest, "postgresql")
def _greatest_postgresql(element: greatest, compiler: SQLCompiler, **kw: Any) -> str:
    return f"greatest({compiler.process(element.clauses, **kw)})"


class json_texts(FunctionElement[Any]):  # noqa: N801
    """The texts of a JSON array as rows with one column, `value`: many values in one parameter."""

    inherit_cache = True


@compiles(json_texts)
def _json_texts(element: json_texts, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(json_texts, "postgresql")
def _json_texts_postgresql(element: json_texts, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **kw)} AS JSON))"


class is_among(FunctionElement[bool]):  # noqa: N801
    """Whether a column has one of the values of a parameter of type `Names`, however many they are."""

    # As a Boolean, SQLite would be asked whether it equals 1, and not use the index.
    type: TypeEngine[Any] = NullType()
    inherit_cache = True


@compiles(is_among)
def _is_among(element: is_among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(is_among, "postgresql")
def _is_among_postgresql(element: is_among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    # An array whose values the planner sees is hashed; a subquery is not.
    return f"{column} = ANY ({values})"


class period_of(FunctionElement[str]):  # noqa: N801
    """The beginning of the hour, day or month of a moment in UTC, as text: `2026-05-01 12`, `2026-05-01`, `2026-05`.

    The period is a part of the statement and not bound: a statement is grouped by the very same expression.
    """

    type = Text()
    inherit_cache = True
    periods = {"hour": (13, "YYYY-MM-DD HH24"), "day": (10, "YYYY-MM-DD"), "month": (7, "YYYY-MM")}  # noqa: RUF012 - shared
    """What is kept of the text of a moment, and how the other database writes it."""


@compiles(period_of)
def _period_of(element: period_of, compiler: SQLCompiler, **kw: Any) -> str:
    moment, period = element.clauses
    return f"substr({compiler.process(moment, **kw)}, 1, {period_of.periods[str(period)][0]})"


@compiles(period_of, "postgresql")
def _period_of_postgresql(element: period_of, compiler: SQLCompiler, **kw: Any) -> str:
    moment, period = element.clauses
    pattern = period_of.periods[str(period)][1]
    return f"to_char(({compiler.process(moment, **kw)}) AT TIME ZONE 'UTC', '{pattern}')"


class got_lock(FunctionElement[bool]):  # noqa: N801
    """Whether the transaction gets the lock of a name, at once and until it ends. Other writers get another answer.

    Always true where there is one writer at a time.
    """

    type = Boolean()
    inherit_cache = True


@compiles(got_lock)
def _got_lock(element: got_lock, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.clauses, **kw)} IS NOT NULL"


@compiles(got_lock, "postgresql")
def _got_lock_postgresql(element: got_lock, compiler: SQLCompiler, **kw: Any) -> str:
    return f"pg_try_advisory_xact_lock(hashtext({compiler.process(element.clauses, **kw)}))"
