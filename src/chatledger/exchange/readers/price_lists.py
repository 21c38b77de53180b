"""Price lists as files: CSV with a header, a JSON list, or the JSON object by model that LiteLLM publishes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.litellm_prices import SAMPLE, row_of
from chatledger.schemas.fields import file_path

COLUMNS = (
    "model_id", "input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning", "service_tier",
    "above_tokens", "effective_from", "provider", "context_window",
)  # fmt: skip
"""The columns of a CSV file, and the names in a JSON list."""
MAX_FILE = 64 * 1024 * 1024
"""Bytes of a price list."""

_COUNTS = ("context_window", "above_tokens")
# Of any count that there may be, and some more.
_DIGITS = 40


def read_prices(path: Path | str) -> list[dict[str, Any]]:
    """The rows of a price list, for `uow.models.import_prices`. Numbers are read as exact decimals.

    A row that cannot be read says so in the report of the import, by its line in a CSV file, its place in a JSON list,
    or its model in a JSON object. A CSV row with a `service_tier` or `above_tokens` is a tier of the row of its model
    with the same `effective_from`. LiteLLM's prices are for one token; here they are for a million, rounded to nine
    decimals.

    Raises:
        InvalidInput: the file is not a price list.
    """
    file = file_path(path)
    text, wrong = "", ""
    try:
        if file.stat().st_size > MAX_FILE:
            wrong = f"is larger than {MAX_FILE} bytes"
        else:
            text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        wrong = "is not UTF-8"
    except OSError as error:
        wrong = f"cannot be read: {error.strerror}"
    if wrong:
        raise InvalidInput("file", wrong)
    return list(_of_json(text) if text.lstrip()[:1] in ("[", "{") else _with_tiers(_of_csv(text)))


def _of_csv(text: str) -> Iterator[dict[str, Any]]:
    # Lines end where CSV says so: U+2028 and its like, where `splitlines` breaks too, are letters of a name.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        if "model_id" not in header or len(set(header)) != len(header):
            raise InvalidInput(
                "file", "is not a price list: its first line does not name `model_id` and other columns once"
            )
        if unknown := [name for name in header if name not in COLUMNS]:
            raise InvalidInput("file", f"has unknown columns, {len(unknown)} of them: known are {', '.join(COLUMNS)}")
        reader.fieldnames = header
        for row in reader:
            place = f"line {reader.line_num}"
            if None in row or None in row.values():
                yield {"place": place, "problem": "has more or fewer cells than the header"}
                continue
            yield {"place": place, **{name: value for name, cell in row.items() if (value := _cell(name, cell)) != ""}}
    except csv.Error:
        wrong = InvalidInput("file", f"cannot be read as CSV at line {reader.line_num}")
    else:
        return
    raise wrong


def _with_tiers(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of a CSV file, with those for tiers inside of the rows that they belong to."""
    of_prices: list[dict[str, Any]] = []
    of_tiers: list[dict[str, Any]] = []
    for row in rows:
        is_tier = "problem" not in row and ("service_tier" in row or row.get("above_tokens"))
        (of_tiers if is_tier else of_prices).append(row)
    standard = {_key(row): row for row in of_prices if "problem" not in row}
    for row in of_tiers:
        if (base := standard.get(_key(row))) is None:
            of_prices.append({"place": row["place"], "problem": "is a tier of a price that is not in the file"})
        else:
            tier = {name: value for name, value in row.items() if name not in _OF_BASE}
            base.setdefault("tiers", []).append(tier)
    for row in of_prices:
        row.pop("above_tokens", None)
        yield row


_OF_BASE = ("place", "model_id", "effective_from", "provider", "context_window")


def _key(row: dict[str, Any]) -> tuple[Any, Any]:
    return row.get("model_id"), row.get("effective_from")


def _cell(name: str, text: str) -> Any:
    text = text.strip()
    # Python refuses to read thousands of digits: what is no count as text is refused by its name.
    whole = name in _COUNTS and text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if whole else text


def _of_json(text: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, InvalidOperation):
        found = None
    if isinstance(found, list):
        for number, item in enumerate(found, 1):
            place = f"item {number}"
            if isinstance(item, dict):
                yield {"place": place, **item}
            else:
                yield {"place": place, "problem": "is not an object"}
    elif isinstance(found, dict):
        for model_id, item in found.items():
            if model_id != SAMPLE:
                yield {"place": model_id, **row_of(model_id, item)}
    else:
        raise InvalidInput("file", "is not a JSON list or object")


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
