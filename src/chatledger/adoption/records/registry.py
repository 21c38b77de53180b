"""Projects and models of a source into the registry, which keeps whatever it knows already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import update

from chatledger.adoption.findings import Notes
from chatledger.adoption.layouts import Layout
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.json_values import kept, storable
from chatledger.adoption.source.row_reader import plain
from chatledger.adoption.source.rows import OldName
from chatledger.adoption.to_new_message import MARK, digest, name_metadata
from chatledger.adoption.verification import require_name
from chatledger.models import Model as ModelRow
from chatledger.models import Project as ProjectRow
from chatledger.schemas import Model, Project
from chatledger.unit_of_work import UnitOfWork

# Since when a price holds whose source does not say when it learned of it: always, as in a list without dates.
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Registering:
    """Takes one project or model after another. With `writing` it fills the registry; without, it only sees what would
    be done. Rows that it does not take have no fate yet: they are kept with the rows that belong to no session.
    """

    def __init__(self, uow: UnitOfWork, source: Source, layout: Layout, notes: Notes, *, writing: bool) -> None:
        self._uow, self._source, self._layout, self._notes = uow, source, layout, notes
        self._writing = writing
        self._met: set[tuple[str, str]] = set()

    def take(self, old: OldName) -> None:
        """Go through one of them.

        Raises:
            AdoptionFailed: the registry does not hold what was written into it.
        """
        if (old.kind, old.name) in self._met:
            return  # another row of that name
        self._met.add((old.kind, old.name))
        there = self._find(old)
        mark = there.metadata.get(MARK) if there is not None and old.row is not None else None
        if mark is None:
            self._fill(old, there)
        elif isinstance(mark, dict) and (mark.get("layout"), mark.get("digest")) == (self._layout, _digest(old)):
            assert old.row is not None
            self._source.settle(old.row, "already")
        else:
            self._note("registry_differs", old)

    def _fill(self, old: OldName, there: Project | Model | None) -> None:
        """Write what the registry does not know. What it knows otherwise is kept as found, with the rest of the row."""
        values: dict[str, Any] = {}
        differing: dict[str, Any] = {}
        for column, value in old.fields.items():
            known = getattr(there, column, None)
            if value is not None and known is None:
                values[column] = value
            elif value is not None and known != value:
                differing[column] = storable(value)
        if old.row is not None:
            values["metadata"] = self._metadata(old, there, differing)
        priced = bool(old.price) and not self._has_price(old)
        if old.row is not None and (differing or (old.price and not priced)):
            self._note("registry_kept", old)
        if self._writing:
            self._write(old, there, values)
            if priced:
                since = old.created_at or _ALWAYS
                given, written = old.price.get("input"), old.price.get("output")
                self._uow.models.price(old.name, input=given, output=written, effective_from=since)
            stored = self._find(old)
            prices = self._uow.models.prices(old.name) if priced else []
            require_name(old, stored, values, prices if priced else None)
        if old.row is not None:
            self._source.settle(old.row, "copied")

    def _metadata(self, old: OldName, there: Project | Model | None, differing: dict[str, Any]) -> dict[str, Any]:
        known = {} if there is None else there.metadata
        assert old.row is not None
        entries = name_metadata(old, self._notes)
        differing |= {f"metadata.{name}": value for name, value in entries.items() if known.get(name, value) != value}
        as_found = {**old.as_found, **differing}
        if there is not None and old.created_at is not None:
            as_found["created_at"] = kept(old.row["created_at"])
        mark = {"layout": self._layout.value, "digest": _digest(old), "as_found": as_found}
        return {**entries, **known, MARK: mark}

    def _write(self, old: OldName, there: Project | Model | None, values: dict[str, Any]) -> None:
        uow = self._uow
        if old.kind == "model":
            uow.models.register(old.name, **values)
        elif there is None:
            uow.projects.create(old.name, **values)
        else:
            uow.projects.update(old.name, **values)
        if there is not None:
            return
        if old.archived:
            uow.models.archive(old.name)
        if old.created_at is not None:  # the services know the present only
            made = update(ModelRow).where(ModelRow.model_id == old.name)
            if old.kind == "project":
                made = update(ProjectRow).where(ProjectRow.project_id == old.name)
            uow.session.execute(made.values(created_at=old.created_at))

    def _find(self, old: OldName) -> Project | Model | None:
        return (self._uow.models if old.kind == "model" else self._uow.projects).find(old.name)

    def _has_price(self, old: OldName) -> bool:
        return self._uow.models.find(old.name) is not None and bool(self._uow.models.prices(old.name))

    def _note(self, kind: str, old: OldName) -> None:
        if old.row is not None:
            self._notes.add(kind, old.row.table, old.row.key)


def _digest(old: OldName) -> str:
    """Tells whether a row is the one that was adopted before."""
    assert old.row is not None
    return digest(to_json(plain(old.row)).decode())
