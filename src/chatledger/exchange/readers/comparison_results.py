"""Results of comparisons as files: JSON Lines, a JSON list, or CSV with a header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.price_lists import MAX_FILE
from chatledger.schemas import ComparisonResult, NewComparisonResult
from chatledger.schemas.fields import file_path

COLUMNS = tuple(NewComparisonResult.model_fields)
"""The columns of a CSV file, and the names in JSON."""

# What an export has besides.
_OF_EXPORTS = frozenset(ComparisonResult.model_fields) - frozenset(COLUMNS)
_REQUIRED = ("prompt_key", "variant_a", "judge")
_WHOLE = frozenset({"trial", "duration_a_ms", "duration_b_ms", "judge_duration_ms"})
_JSON = frozenset({"scores_a", "scores_b"})
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\0", "'")
"""What a cell of an export does not begin with, so that a spreadsheet does not run it: such texts get a ' in front."""


def read_results(path: Path | str) -> list[dict[str, Any]]:
    """Return the rows of a file of results, for `uow.comparisons.import_results`.

    The names are those of `NewComparisonResult`; files of `chatledger compare export` can be read again. A row that
    cannot be read is kept with the reason, and the report of the import names it by its line, or by its position in a
    JSON list.

    Raises:
        InvalidInput: the file cannot be read, or contains no results.
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
    begin = text.lstrip()[:1]
    return list(_of_list(text) if begin == "[" else _of_lines(text) if begin == "{" else _of_csv(text))


def _of_lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield _of_object(f"line {number}", json.loads(line))
            except (ValueError, RecursionError):
                yield {"place": f"line {number}", "problem": "is not JSON"}


def _of_list(text: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("file", "is not a valid JSON list") from None
    for number, item in enumerate(found, 1):
        yield _of_object(f"item {number}", item)


def _of_object(place: str, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"place": place, "problem": "is not an object"}
    # A verdict, a cost or a text that is null is one that is left out.
    return {"place": place, **{n: value for n, value in item.items() if value is not None and n not in _OF_EXPORTS}}


def _of_csv(text: str) -> Iterator[dict[str, Any]]:
    # Lines end where CSV says so: `splitlines` also breaks at U+2028, which may be part of a text.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        missing = [name for name in _REQUIRED if name not in header]
        if missing or len(set(header)) < len(header):
            raise InvalidInput("file", f"must be JSON, or CSV whose first line names {', '.join(_REQUIRED)} once each")
        if unknown := [name for name in header if name not in COLUMNS and name not in _OF_EXPORTS]:
            raise InvalidInput("file", f"has {len(unknown)} unknown columns: known are {', '.join(COLUMNS)}")
        reader.fieldnames = header
        for row in reader:
            place = f"line {reader.line_num}"
            if None in row or None in row.values():
                yield {"place": place, "problem": "has more or fewer cells than the header"}
            else:
                yield _of_cells(place, row)
    except csv.Error:
        wrong = InvalidInput("file", f"cannot be read as CSV at line {reader.line_num}")
    else:
        return
    raise wrong


def _of_cells(place: str, row: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"place": place}
    for name, cell in row.items():
        if cell == "" or name in _OF_EXPORTS:
            continue
        try:
            found[name] = _value(name, cell)
        except (ValueError, RecursionError):
            return {"place": place, "problem": f"{name} {'is not JSON' if name in _JSON else 'is not a number'}"}
    return found


def _value(name: str, cell: str) -> Any:
    if name in _WHOLE:
        return int(cell)
    if name == "preference":
        return float(cell)
    if name in _JSON:
        return json.loads(cell)
    return cell[1:] if cell[0] == "'" and cell[1:2] in FORMULAS and len(cell) > 1 else cell
