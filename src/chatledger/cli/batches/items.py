"""Items of a batch, read from a file or from standard input a line at a time."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from chatledger.errors import InvalidInput
from chatledger.schemas import BatchJob
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

# Items that are added in one transaction: others wait no longer than that.
_CHUNK = 2000
# Characters of one line, or of one field of a CSV file.
_LONGEST = 50_000_000


class ItemFormat(StrEnum):
    """How items are written in a file."""

    JSONL = "jsonl"
    CSV = "csv"
    LINES = "lines"


_SUFFIXES = {".jsonl": ItemFormat.JSONL, ".ndjson": ItemFormat.JSONL, ".csv": ItemFormat.CSV}


def add_from(ledger: Transactions, job_id: str, file: str, form: ItemFormat | None, key: str | None) -> int:
    """Add what a file holds (`-`: standard input) to a job, some thousand items in a transaction; how many were new.

    Raises:
        InvalidInput: a line that is no item, by its number. What stands before it may have been added, and is not added
            again.
    """
    added = 0
    with _opened(file) as stream:
        items = _items(stream, form or _form_of(file), key)
        while chunk := list(islice(items, _CHUNK)):
            added += ledger.run(lambda uow, chunk=chunk: uow.batches.add(job_id, chunk))  # type: ignore[misc]
    return added


def create_from(
    ledger: Transactions, file: str, form: ItemFormat | None, key: str | None, **job: Any
) -> tuple[BatchJob, int]:
    """Create a job with the items of a file (`-`: standard input). Return the job and the number of its items.

    Raises:
        InvalidInput: a line that is not an item, by its number. The job is deleted again, unless a worker has begun.
    """
    with _opened(file) as stream:
        items = _items(stream, form or _form_of(file), key)
        first = list(islice(items, _CHUNK))
        made = ledger.run(lambda uow: uow.batches.create(items=first, **job))
        try:
            while chunk := list(islice(items, _CHUNK)):
                ledger.run(lambda uow, chunk=chunk: uow.batches.add(made.job_id, chunk))  # type: ignore[misc]
        except InvalidInput:
            ledger.run(lambda uow: _withdraw(uow, made.job_id))
            raise
    with ledger.read() as uow:
        return made, uow.batches.progress(made.job_id).total


def _withdraw(uow: UnitOfWork, job_id: str) -> None:
    now = uow.batches.progress(job_id)
    if now.waiting == now.total:
        uow.batches.delete(job_id)


def _form_of(file: str) -> ItemFormat:
    return _SUFFIXES.get(Path(file).suffix.lower(), ItemFormat.LINES)


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file == "-":
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")
        yield sys.stdin
        return
    with Path(file).open(encoding="utf-8-sig", newline="") as stream:
        yield stream


def _items(stream: TextIO, form: ItemFormat, key: str | None) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        for number, value in _values(stream, form):
            yield _item(value, number, key)
    except UnicodeDecodeError:
        raise InvalidInput(f"line {number + 1}", "is not UTF-8") from None


def _values(stream: TextIO, form: ItemFormat) -> Iterator[tuple[int, Any]]:
    if form is ItemFormat.CSV:
        csv.field_size_limit(_LONGEST)
        reader = csv.DictReader(stream, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise InvalidInput(f"line {reader.line_num}", "has another number of fields than the header")
                yield reader.line_num, row
        except csv.Error:
            raise InvalidInput(f"line {reader.line_num}", "is not CSV") from None
        return
    for number, line in enumerate(stream, 1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        if form is ItemFormat.LINES:
            yield number, text
            continue
        try:
            yield number, json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidInput(f"line {number}", "is not JSON") from None


def _item(value: Any, number: int, key: str | None) -> dict[str, Any]:
    """An object with a `payload` is an item as it is; anything else is the payload of one."""
    item: dict[str, Any] = {"payload": value}
    if isinstance(value, dict) and "payload" in value and key is None:
        item = dict(value)
    if key is not None:
        if not isinstance(value, dict) or not isinstance(value.get(key), str | int):
            raise InvalidInput(f"line {number}", f"has no {key!r} to be its key")
        item["key"] = str(value[key])
    item.setdefault("key", str(number))
    return item
