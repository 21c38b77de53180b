"""Tables as Parquet, a group of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

from chatledger.errors import MissingExtra
from chatledger.exchange.writers.columns import Column, Kind

# Rows of a group, and the characters of text after which it ends early: what is held in memory.
_ROWS = 10_000
_CHARACTERS = 16_000_000


def write_parquet(out: IO[bytes], columns: tuple[Column, ...], rows: Iterator[list[Any]]) -> None:
    """A file with the columns in their order.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("parquet", "an export as Parquet") from None
    types = {
        Kind.TEXT: pa.string(),
        Kind.WHOLE: pa.int64(),
        Kind.FLAG: pa.bool_(),
        Kind.MONEY: pa.decimal128(19, 9),
        Kind.MOMENT: pa.timestamp("us", tz="UTC"),
        Kind.JSON: pa.string(),
    }
    schema = pa.schema([pa.field(column.name, types[column.kind]) for column in columns])
    groups = _groups(rows)
    first = next(groups, [])  # nothing is written when the rows are refused
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in chain([first], groups):
            arrays = [
                pa.array(values, kind) for values, kind in zip(_turned(group, columns), schema.types, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _turned(group: list[list[Any]], columns: tuple[Column, ...]) -> Iterator[list[Any]]:
    return ([row[place] for row in group] for place in range(len(columns)))


def _groups(rows: Iterator[list[Any]]) -> Iterator[list[list[Any]]]:
    group: list[list[Any]] = []
    held = 0
    for row in rows:
        group.append(row)
        held += sum(len(value) for value in row if isinstance(value, str))
        if len(group) == _ROWS or held > _CHARACTERS:
            yield group
            group, held = [], 0
    if group:
        yield group
