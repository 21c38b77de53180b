"""Annotations, measurements, comparisons, batches and workflows of a source, as rows of the ledger's own.

Each is read back and compared before the adoption commits, and known again when the same source is adopted once more.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.records import batches, comparisons, workflows
from chatledger.adoption.records.target import Target
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.records import (
    OldAnnotation,
    OldBatch,
    OldComparison,
    OldExecution,
    OldMetric,
    OldRecord,
    OldWorkflow,
)
from chatledger.adoption.to_new_message import MARK, record_metadata
from chatledger.models import Annotation as AnnotationRow
from chatledger.models import Metric as MetricRow
from chatledger.unit_of_work import UnitOfWork


class Records:
    """Takes one record after another. With `writing` it stores them; without, it only sees what would be done."""

    def __init__(self, uow: UnitOfWork, source: Source, layout: Layout, notes: Notes, *, writing: bool) -> None:
        self._uow, self._layout, self._notes = uow, layout, notes
        self._target = Target(uow, source, layout, notes, writing=writing)
        # The session whose annotations were looked up last, and where they come from.
        self._annotated: tuple[str | None, set[str]] = (None, set())

    def take(self, record: OldRecord) -> None:
        """Go through one record.

        Raises:
            AdoptionFailed: the ledger does not hold what was written into it.
        """
        match record:
            case OldAnnotation():
                self._annotation(record)
            case OldMetric():
                self._metric(record)
            case OldComparison():
                comparisons.take(self._target, record)
            case OldBatch():
                batches.take(self._target, record)
            case OldWorkflow():
                workflows.take(self._target, record)
            case OldExecution():
                workflows.take_execution(self._target, record)

    def _annotation(self, old: OldAnnotation) -> None:
        target, uow = self._target, self._uow
        session_id = target.session_id(old.session)
        metadata = record_metadata(old.metadata, old.as_found, old.row, self._layout, self._notes)
        if session_id is not None and metadata[MARK]["source_id"] in self._annotations_of(session_id):
            target.settle(old.row, "already")
            return
        if not target.writing:
            target.settle(old.row, "copied")
            return
        number = target.sequence_of(session_id, old.message)
        if session_id is None or (old.message is not None and number is None):
            return  # its message was left out: kept with the rows that belong to no session
        given = {**old.fields, "sequence_number": number, "metadata": metadata}
        added = uow.annotations.add(session_id, **given)
        times = {name: at for name in ("created_at", "updated_at") if (at := getattr(old, name)) is not None}
        if times:
            this = (AnnotationRow.session_id == session_id) & (
                AnnotationRow.annotation_number == added.annotation_number
            )
            uow.session.execute(update(AnnotationRow).where(this).values(times))
        stored = uow.annotations.get(added.annotation_id)
        target.require(stored.model_dump(), {**given, **times}, old.row)
        self._annotations_of(session_id).add(metadata[MARK]["source_id"])
        target.settle(old.row, "copied")

    def _annotations_of(self, session_id: str) -> set[str]:
        if self._annotated[0] != session_id:
            rows = self._uow.session.execute(
                select(AnnotationRow.metadata_).where(AnnotationRow.session_id == session_id)
            )
            self._annotated = (session_id, self._target.marks(rows.scalars()))
        return self._annotated[1]

    def _metric(self, old: OldMetric) -> None:
        target, row = self._target, MetricRow
        session_id = None if old.session is None else target.session_id(old.session)
        metadata = record_metadata(old.metadata, old.as_found, old.row, self._layout, self._notes)
        there = (
            select(row.metadata_, row.value, row.unit, row.session_id, row.model_id, row.project_id)
            .where(row.name == old.fields["name"], row.at == old.fields["at"])
            .order_by(row.metric_id)
        )
        if metadata[MARK]["source_id"] in target.marks(found.metadata_ for found in self._uow.session.execute(there)):
            target.settle(old.row, "already")
            return
        if target.writing:
            self._uow.metrics.record(**old.fields, session_id=session_id, metadata=metadata)
            stored: Any = self._uow.session.execute(there).all()[-1]._mapping
            given = {name: value for name, value in old.fields.items() if name not in ("name", "at")}
            target.require({**stored, "metadata": stored["metadata_"]}, {**given, "metadata": metadata}, old.row)
        target.settle(old.row, "copied")
