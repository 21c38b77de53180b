"""Batch jobs of a source with their items, each in the state that it had."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import update

from chatledger.adoption.records.target import Target
from chatledger.adoption.source.records import OldBatch, OldItem
from chatledger.adoption.to_new_message import MARK, record_metadata
from chatledger.enums import ItemStatus
from chatledger.errors import BatchItemNotFound, BatchNotFound
from chatledger.models import BatchItem as ItemRow
from chatledger.models import BatchJob as JobRow
from chatledger.schemas import BatchItem, BatchJob

# Items that are written at a time.
_ITEMS = 500


def take(target: Target, old: OldBatch) -> None:
    """Go through one job. Items that came since are added; what is there stays as it is."""
    metadata = record_metadata(old.metadata, old.as_found, old.row, target.layout, target.notes)
    job_id, there = _place(target, old, metadata)
    if there is None and target.writing:
        target.uow.batches.create(job_id, name=old.name, metadata=metadata)
        values: dict[str, Any] = {"status": old.status}
        if old.created_at is not None:
            values["created_at"] = old.created_at
        target.uow.session.execute(update(JobRow).where(JobRow.job_id == job_id).values(values))
        given = {"name": old.name, "metadata": metadata, **values}
        target.require(target.uow.batches.get(job_id).model_dump(), given, old.row)
    target.settle(old.row, "copied" if there is None else "already")
    items = iter(old.items)
    while chunk := list(islice(items, _ITEMS)):
        _take_items(target, old, job_id, chunk, new=there is None)


def _place(target: Target, old: OldBatch, metadata: dict[str, Any]) -> tuple[str, BatchJob | None]:
    """The job that an earlier adoption made of it, else the first id that is free."""
    free = None
    names = target.name_for(old.job_id)
    for name in names:
        try:
            found = target.uow.batches.get(name)
        except BatchNotFound:
            free = free or name
            continue
        if metadata[MARK]["source_id"] in target.marks([found.metadata]):
            return name, found
    return free or names[-1], None


def _take_items(target: Target, old: OldBatch, job_id: str, chunk: list[OldItem], *, new: bool) -> None:
    known = set() if new else {item.key for item in chunk if _item(target, job_id, item.key) is not None}
    added = [item for item in chunk if item.key not in known]
    if target.writing and added:
        rows = [{"key": item.key, "payload": item.payload} for item in added]
        if target.uow.batches.add(job_id, rows) != len(rows):
            added = list(_first_of_key(added))
        for item in added:
            values = _values(target, old, item)
            this = (ItemRow.job_id == job_id) & (ItemRow.key == item.key)
            target.uow.session.execute(update(ItemRow).where(this).values(values))
        for item in added:
            stored = _item(target, job_id, item.key)
            given = {"payload": item.payload, **_values(target, old, item)}
            target.require({} if stored is None else stored.model_dump(), given, item.row)
    done = {id(item) for item in added}
    for item in chunk:
        if item.whole and (item.key in known or id(item) in done):
            target.settle(item.row, "already" if item.key in known else "copied")


def _first_of_key(items: list[OldItem]) -> Iterator[OldItem]:
    """Of two items with one key the first; the other is kept with the rows that belong to no session."""
    seen: set[str] = set()
    for item in items:
        if item.key not in seen:
            seen.add(item.key)
            yield item


def _item(target: Target, job_id: str, key: str) -> BatchItem | None:
    try:
        return target.uow.batches.item(job_id, key)
    except (BatchNotFound, BatchItemNotFound):
        return None


def _values(target: Target, old: OldBatch, item: OldItem) -> dict[str, Any]:
    ended = item.status in (ItemStatus.DONE, ItemStatus.FAILED)
    return {
        **({} if old.created_at is None else {"created_at": old.created_at}),
        "status": item.status,
        "result": item.result,
        "session_id": target.session_id(item.session),
        "error": item.error,
        "error_kind": item.error_kind if item.status is ItemStatus.FAILED else None,
        "attempts": int(ended),
        "claimed_at": item.started_at,
        "finished_at": (item.finished_at or item.started_at or old.created_at) if ended else None,
    }
