"""Layout C: annotations, measurements, comparisons and batches, as the ledger's own rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from chatledger.adoption.readers.llm_sessions.registry import is_name, model_name, project_name
from chatledger.adoption.source.database import Row
from chatledger.adoption.source.json_values import cleaned, kept, storable
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.source.records import (
    OldAnnotation,
    OldBatch,
    OldComparison,
    OldItem,
    OldMember,
    OldMetric,
    OldResult,
)
from chatledger.adoption.source.row_reader import Reading, plain
from chatledger.adoption.source.rows import OldSession
from chatledger.enums import BatchStatus, ComparisonKind, ItemStatus, JudgeKind
from chatledger.schemas.observations import MAX_NUMBER

SessionOf = Callable[[Any], OldSession | None]
"""The session that a row of the source belongs to, by its number there; None where there is none."""

_NOT_AN_OBJECT = "metadata_not_a_json_object"
_GROUP = "t.comparison_group_id"
_JOB = "t.batch_job_id"
_PERSONS = ("human", "person", "user", "annotator", "expert")
_METRICS = ("auto", "automated", "automatic", "metric", "system", "script", "benchmark")
_MODELS = ("llm", "model", "gpt", "claude", "gemini", "judge", "ai")
_KINDS = {
    "model": ComparisonKind.MODEL, "prompt": ComparisonKind.PROMPT, "parameter": ComparisonKind.PARAMETERS,
    "parameters": ComparisonKind.PARAMETERS, "config": ComparisonKind.PARAMETERS,
}  # fmt: skip
# An item that ran when the source was copied is not run by anybody here: it waits.
_ITEMS = {
    "pending": ItemStatus.WAITING, "queued": ItemStatus.WAITING, "running": ItemStatus.WAITING,
    "processing": ItemStatus.WAITING, "completed": ItemStatus.DONE, "succeeded": ItemStatus.DONE,
    "failed": ItemStatus.FAILED, "cancelled": ItemStatus.FAILED, "skipped": ItemStatus.FAILED,
}  # fmt: skip


class Records:
    """The rows beside sessions and messages."""

    def __init__(self, reader: Reader, session_of: SessionOf) -> None:
        self._reader, self._source, self._session_of = reader, reader.source, session_of

    def annotations(self) -> Iterator[OldAnnotation]:
        """Annotations of sessions and of messages. Those of other things are rows without a session."""
        if not self._source.has("annotations", "id", "entity_type", "entity_id"):
            return
        for row in self._source.rows("annotations", "t.entity_type IN ('session', 'message')"):
            session, message = self._entity(row)
            reading = self._reader.read(row, kept(row["id"]))
            for column in ("entity_type", "entity_id"):
                reading.raw(column)
            score = row["rating"]
            fields = {
                "label": reading.identifier("annotation_type"),
                "score": float(score) if _is_number(score) else None,
                "text": reading.text("content"),
                "author": reading.identifier("annotator"),
            }
            if fields["score"] == score:
                reading.raw("rating")
            says = any(fields[name] not in (None, "") for name in ("label", "score", "text"))
            if session is not None and says:
                metadata = reading.names("metadata", _NOT_AN_OBJECT)
                at, changed = (reading.moment(name, "sql") for name in ("created_at", "updated_at"))
                yield OldAnnotation(row, session, message, fields, metadata, reading.as_found(), at, changed)

    def metrics(self) -> Iterator[OldMetric]:
        """Measurements with a name, a number and a time. Others are rows without a session."""
        if not self._source.has("performance_metrics", "id", "metric_name", "metric_value", "recorded_at"):
            return
        for row in self._source.rows("performance_metrics"):
            reading = self._reader.read(row, kept(row["id"]))
            name, at = reading.identifier("metric_name"), reading.moment("recorded_at", "sql", needed=True)
            if not _is_number(row["metric_value"]):
                reading.note("not_a_number")
            elif name is not None and at is not None:
                if float(row["metric_value"]) == row["metric_value"]:
                    reading.raw("metric_value")
                fields = {
                    "name": name,
                    "value": float(row["metric_value"]),
                    "unit": reading.identifier("metric_unit"),
                    "at": at,
                }
                session = self._measured(reading, fields)
                metadata = reading.names("metadata", _NOT_AN_OBJECT)
                for column in ("metric_type", "period_start", "period_end", "sample_count"):
                    if (value := reading.raw(column)) is not None:
                        metadata.setdefault(column, kept(value))
                yield OldMetric(row, fields, session, metadata, reading.as_found())

    def _measured(self, reading: Reading, fields: dict[str, Any]) -> OldSession | None:
        """What a measurement is of. Anything but a session, a model or a project stays in its metadata, as found."""
        kind, key = reading.row["entity_type"], reading.row["entity_id"]
        if kind == "session" and (session := self._session_of(key)) is not None:
            for column in ("entity_type", "entity_id"):
                reading.raw(column)
            return session
        name = self._name_of(kind, key)
        if is_name(name):
            fields[f"{kind}_id"] = name
            for column in ("entity_type", "entity_id"):
                reading.raw(column)
        return None

    def _name_of(self, kind: Any, key: Any) -> str | None:
        if kind == "model" and self._source.has("models", "id", "provider", "model_name", "model_version"):
            found = self._source.one("SELECT provider, model_name, model_version FROM models WHERE id = ?", (key,))
            return model_name(*found) if found else None
        if kind == "project" and self._source.has("projects", "id", "name"):
            found = self._source.one("SELECT name FROM projects WHERE id = ?", (key,))
            return project_name(*found) if found else None
        return None

    def _entity(self, row: Row) -> tuple[OldSession | None, str | None]:
        """The session that an annotation is about, and the key of its message."""
        if row["entity_type"] == "session":
            return self._session_of(row["entity_id"]), None
        found = self._source.one("SELECT id, session_id FROM messages WHERE id = ?", (row["entity_id"],))
        return (None, None) if found is None else (self._session_of(found[1]), f"messages:{found[0]}")

    def comparisons(self) -> Iterator[OldComparison]:
        """Groups with their sessions, which are the variants, and their results."""
        if not self._source.has("comparison_groups", "id", "group_uuid", "name"):
            return
        for table in ("comparison_sessions", "comparison_results"):
            if table in self._source.tables:
                self._source.index(table, _GROUP)
        for row in self._source.rows("comparison_groups"):
            if not isinstance(row["group_uuid"], str) or not row["group_uuid"]:
                continue
            reading = self._reader.read(row, kept(row["group_uuid"]))
            word = str(row["comparison_type"] or "model").lower()
            members = list(self._members(row))
            variants = {member.row["session_id"]: member.variant for member in members}
            yield OldComparison(
                row=row,
                group_id=row["group_uuid"],
                kind=_KINDS.get(word, ComparisonKind.MODEL),
                title=reading.text("name"),
                created_at=reading.moment("created_at", "sql", needed=True),
                variants=list(dict.fromkeys(variants.values())),
                members=members,
                results=list(self._results(row, variants)),
                whole=word in _KINDS and _empty(row, "project_id", "description", "completed_at", "metadata"),
            )

    def _members(self, group: Row) -> Iterator[OldMember]:
        for place, row in enumerate(self._source.found("comparison_sessions", _GROUP, group["id"]), 1):
            session = self._session_of(row["session_id"])
            variant = row["variant_name"] if is_name(row["variant_name"]) else f"variant {place}"
            if session is not None:
                at = self._reader.read(row, kept(row["id"])).moment("created_at", "sql")
                yield OldMember(row, session, variant, at, _empty(row, "variant_config"))

    def _results(self, group: Row, variants: dict[Any, str]) -> Iterator[OldResult]:
        """Scores of one judge for one message are one result; a score that comes again is another trial of it."""
        found: dict[tuple[str, str, str, int], OldResult] = {}
        for row in self._source.found("comparison_results", _GROUP, group["id"]):
            name, value = row["metric_name"], row["metric_value"]
            if row["session_id"] not in variants or not is_name(name) or not _is_number(value):
                continue  # kept with the rows that belong to no session
            reading = self._reader.read(row, kept(row["id"]))
            judge, notes = reading.identifier("evaluator") or "unknown", reading.text("notes")
            at = reading.moment("evaluated_at", "sql")
            unit = row["metric_unit"]
            score = name if unit in (None, "", "score") else cleaned(f"{name} ({unit})")
            key = (self._prompt_of(row), variants[row["session_id"]], judge)
            trial = next(n for n in range(1, 10**9) if score not in getattr(found.get((*key, n)), "scores", ()))
            result = found.get((*key, trial))
            if result is None:
                result = OldResult(
                    [], *key, judge_kind=_judge_kind(judge), trial=trial, scores={}, notes=notes, created_at=at
                )
                found[(*key, trial)] = result
            result.scores[score] = float(value)
            result.rows.append(row)
            differs = (notes, at) != (result.notes, result.created_at) or float(value) != value
            if differs or not _empty(row, "metadata"):
                result.partly.append(row)
        yield from found.values()

    def _prompt_of(self, row: Row) -> str:
        """What was asked. Variants are asked the same in the same order, so the place of the message says it."""
        sql = (
            "SELECT count(*) FROM messages AS m JOIN messages AS n ON n.session_id = m.session_id AND"
            " (n.sequence_number < m.sequence_number OR (n.sequence_number = m.sequence_number AND n.id <= m.id))"
            " WHERE m.id = ? AND m.session_id = ?"
        )
        found = self._source.one(sql, (row["message_id"], row["session_id"]))[0] if row["message_id"] is not None else 0
        return f"message {found}" if found else "session"

    def batches(self) -> Iterator[OldBatch]:
        """Jobs with their items. One that is not done is paused: nobody works on it by accident."""
        if not self._source.has("batch_jobs", "id", "job_uuid", "status"):
            return
        if "batch_items" in self._source.tables:
            self._source.index("batch_items", _JOB)
        for row in self._source.rows("batch_jobs"):
            if not isinstance(row["job_uuid"], str) or not row["job_uuid"]:
                continue
            reading = self._reader.read(row, kept(row["job_uuid"]))
            for column in ("id", "job_uuid"):
                reading.raw(column)
            metadata = reading.names("metadata", _NOT_AN_OBJECT)
            given = reading.json("input_data", "invalid_json")
            if given is not None:
                metadata.setdefault("input_data", given)
            for kind in ("project", "model"):
                if is_name(found := self._name_of(kind, row[f"{kind}_id"])):
                    metadata.setdefault(kind, found)
            name, at = reading.text("name"), reading.moment("created_at", "sql", needed=True)
            status = BatchStatus.CANCELLED if row["status"] == "cancelled" else BatchStatus.PAUSED
            if status is not BatchStatus.CANCELLED and not self._unfinished(row):
                status = BatchStatus.OPEN
            yield OldBatch(row, row["job_uuid"], name, status, metadata, reading.as_found(), at, self._items(row))

    def _unfinished(self, job: Row) -> bool:
        items = self._source.found("batch_items", _JOB, job["id"])
        return any(_ITEMS.get(str(row["status"]).lower(), ItemStatus.WAITING) is ItemStatus.WAITING for row in items)

    def _items(self, job: Row) -> Iterator[OldItem]:
        for row in self._source.found("batch_items", _JOB, job["id"], "t.item_index, t.id"):
            session = self._session_of(row["session_id"])
            gone = row["session_id"] is not None and session is None
            if gone and self._reader.dropping:
                continue
            reading = self._reader.read(row, kept(row["id"]))
            word = str(row["status"] or "pending").lower()
            status = _ITEMS.get(word, ItemStatus.WAITING)
            error = reading.text("error_message")
            named = {"failed": "Failed", "cancelled": "Cancelled", "skipped": "Skipped"}.get(word)
            yield OldItem(
                row=row,
                key=str(kept(row["item_index"]))[:255] if row["item_index"] not in (None, "") else f"row {row['id']}",
                payload=self._value(reading, "input_data"),
                status=status,
                result=self._value(reading, "result_data"),
                session=session,
                error_kind=named,
                error=error,
                started_at=reading.moment("started_at", "sql"),
                finished_at=reading.moment("completed_at", "sql"),
                whole=not gone and word in _ITEMS and word not in ("running", "processing"),
            )

    def _value(self, reading: Reading, column: str) -> Any:
        """What a JSON column says; where it is none, its text."""
        found = reading.json(column, "invalid_json")
        return storable(kept(reading.row[column]) if found is None else found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) <= MAX_NUMBER


def _judge_kind(judge: str) -> JudgeKind:
    """Who judges, by the word for it. The name of somebody is a person's."""
    words = judge.lower().replace("-", "_").split("_")
    if any(word in _PERSONS for word in words):
        return JudgeKind.PERSON
    if judge == "unknown" or any(word.startswith(_METRICS) for word in words):
        return JudgeKind.METRIC
    return JudgeKind.MODEL if any(word.startswith(_MODELS) for word in words) else JudgeKind.PERSON


def _empty(row: Row, *columns: str) -> bool:
    return not any(plain(row).get(column) not in (None, "", "{}", "[]", "null") for column in columns)
