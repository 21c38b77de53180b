"""What people and judges say of sessions and messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import delete, func, select, update

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.full_text import parse
from chatledger.errors import AnnotationNotFound, InvalidInput
from chatledger.schemas import Annotation, AnnotationHit, AnnotationSummary, LabelSummary, NewAnnotation, Page
from chatledger.schemas.fields import identifier, validated
from chatledger.schemas.session import KEEP, Keep
from chatledger.services.annotations.statements import (
    behind,
    checked,
    chosen,
    counted,
    is_visible,
    newest_first,
    notes,
    parts_of,
    require_messages,
    stored,
    this,
    to_annotation,
)
from chatledger.services.base import Service
from chatledger.services.pagination import encode_cursor, limited
from chatledger.services.search.service import marks_of
from chatledger.services.search.snippets import Highlighter, Matcher
from chatledger.services.snapshots.statements import lock

#: Annotations that a search reads before it gives what it has found so far.
_READ = 20_000
#: Characters of an annotation that a search looks at.
_LOOKED_AT = 100_000

# Inside of the class, `list` is a method.
_Many = list[Annotation]
_Hits = list[AnnotationHit]


class Annotations(Service):
    """A label, a score or a text on a session or on one of its messages, by anybody.

    They may be added to closed sessions, too, and do not count as activity. One on a message goes with the message;
    `redact` takes its text and metadata. A fork begins without any, and snapshots hold none.
    """

    __slots__ = ()

    def add(
        self,
        session_id: str,
        *,
        sequence_number: int | None = None,
        label: str | None = None,
        score: float | None = None,
        text: str | None = None,
        author: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Annotation:
        """Say something of a session, or with `sequence_number` of one of its messages.

        `score` is any finite number within ±1e300, on a scale of your own.

        Raises:
            SessionNotFound: not there, or another user's.
            MessageNotFound: the session has no message of this number.
            InvalidInput: a value that cannot be stored, or neither a label nor a score nor a text.
        """
        fields = {
            "sequence_number": sequence_number, "label": label, "score": score, "text": text, "author": author,
            "metadata": metadata,
        }  # fmt: skip
        return self._add(session_id, [checked(validated(NewAnnotation, fields))])[0]

    def add_many(self, session_id: str, annotations: Iterable[NewAnnotation | Mapping[str, Any]]) -> _Many:
        """Say several things of a session and its messages, all or none, in one statement.

        Raises:
            SessionNotFound, MessageNotFound: as `add`.
            InvalidInput: as `add`; its field begins with the place in the list.
        """
        if not isinstance(annotations, Iterable):
            raise InvalidInput("annotations", f"must be a list of annotations, not {type(annotations).__name__}")
        given = []
        for place, annotation in enumerate(annotations):
            try:
                given.append(checked(validated(NewAnnotation, annotation)))
            except InvalidInput as error:
                raise InvalidInput(f"annotations[{place}].{error.field}", error.reason) from None
        return self._add(session_id, given)

    def get(self, annotation_id: str) -> Annotation:
        """One annotation.

        Raises:
            AnnotationNotFound: no such annotation, or its session belongs to another user.
        """
        session_id, number = parts_of(identifier(annotation_id, "annotation_id"))
        if number is not None:
            here = (notes.c.session_id == session_id) & (notes.c.annotation_number == number)
            row = self._context.execute(select(*notes.c).where(here)).one_or_none()
            if row is not None and is_visible(self._context, session_id):
                return to_annotation(row)
        raise AnnotationNotFound(annotation_id)

    def list(
        self,
        *,
        session_id: str | None = None,
        sequence_number: int | None = None,
        label: str | None = None,
        author: str | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Annotation]:
        """Annotations, newest first. At most 1,000 a page. Those of expired sessions only when the session is named.

        Both scores belong to the range. `since` is the earliest time wanted, `until` the first not wanted.

        Raises:
            SessionNotFound: the session that is named is not there, or belongs to another user.
            InvalidInput: a cursor of another list, or a filter that is none.
        """
        limit = limited(limit)
        conditions = chosen(
            self._context,
            {
                "session_id": session_id, "sequence_number": sequence_number, "label": label, "author": author,
                "min_score": min_score, "max_score": max_score, "since": since, "until": until,
            },
        )  # fmt: skip
        if cursor is not None:
            conditions.append(behind(cursor, "annotations"))
        rows = self._context.execute(newest_first(conditions).limit(limit + 1)).all()
        items = tuple(map(to_annotation, rows[:limit]))
        return Page[Annotation](items=items, next_cursor=_next(items, "annotations") if len(rows) > limit else None)

    def update(
        self,
        annotation_id: str,
        *,
        label: str | Keep | None = KEEP,
        score: float | Keep | None = KEEP,
        text: str | Keep | None = KEEP,
        author: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
    ) -> Annotation:
        """Change what is given; None clears. What it is about stays.

        Raises:
            AnnotationNotFound: no such annotation, or its session belongs to another user.
            InvalidInput: a value that cannot be stored, or neither a label nor a score nor a text would be left.
        """
        given = {"label": label, "score": score, "text": text, "author": author, "metadata": metadata}
        changes = {name: value for name, value in given.items() if value is not KEEP}
        old = self._locked(annotation_id)
        new = checked(validated(NewAnnotation, {**old.model_dump(include=set(NewAnnotation.model_fields)), **changes}))
        values = {**stored(new), "updated_at": self._context.now()}
        self._context.execute(update(notes).where(this(old)).values(values))
        return self.get(annotation_id)

    def remove(self, annotation_id: str) -> None:
        """Take an annotation away. The last number of a session may be given again.

        Raises:
            AnnotationNotFound: no such annotation, or its session belongs to another user.
        """
        self._context.execute(delete(notes).where(this(self._locked(annotation_id))))

    def search(
        self,
        query: str,
        *,
        session_id: str | None = None,
        label: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
        highlight: tuple[str, str] = ("**", "**"),
    ) -> Page[AnnotationHit]:
        """Annotations whose text matches, newest first, in the query language of `uow.search`.

        Texts are read and not looked up in an index: a page reads 20,000 annotations that the filters leave, and is
        `truncated` where it stopped there; its cursor goes on.

        Raises:
            SessionNotFound, InvalidInput: as `list` (the query itself is never an error).
        """
        limit, marks = limited(limit, 200), marks_of(highlight)
        if not isinstance(query, str):
            raise InvalidInput("query", f"must be text, not {type(query).__name__}")
        filters = {"session_id": session_id, "label": label, "author": author, "since": since, "until": until}
        conditions = [*chosen(self._context, filters), notes.c.text.is_not(None)]
        if cursor is not None:
            conditions.append(behind(cursor, "found annotations"))
        asked = parse(query)
        if not asked.groups:
            return Page[AnnotationHit](items=())
        matcher, highlighter = Matcher(asked), Highlighter(asked, marks)
        hits: _Hits = []
        last = None
        for number, row in enumerate(self._context.execute(newest_first(conditions).limit(_READ)), 1):
            if len(hits) < limit:
                last = to_annotation(row)
            said = row.text[:_LOOKED_AT]
            if matcher.matches(said):
                if len(hits) == limit:
                    return Page[AnnotationHit](items=tuple(hits), next_cursor=_next(hits, "found annotations"))
                assert last is not None
                hits.append(AnnotationHit(**last.model_dump(), snippet=highlighter.snippet(said)))
            if number == _READ and last is not None:
                cursor = _next([last if len(hits) < limit else hits[-1]], "found annotations")
                return Page[AnnotationHit](items=tuple(hits), next_cursor=cursor, truncated=True)
        return Page[AnnotationHit](items=tuple(hits))

    def summary(
        self,
        *,
        session_id: str | None = None,
        sequence_number: int | None = None,
        label: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AnnotationSummary:
        """How many there are, by label, and what their scores are on average.

        Raises:
            SessionNotFound, InvalidInput: as `list`.
        """
        conditions = chosen(
            self._context,
            {
                "session_id": session_id, "sequence_number": sequence_number, "label": label, "author": author,
                "since": since, "until": until,
            },
        )  # fmt: skip
        about = select(func.count(notes.c.session_id.distinct())).where(*conditions)
        rows = self._context.execute(counted(conditions)).all()
        scored, total = sum(row.scored for row in rows), sum(row.total or 0.0 for row in rows)
        return AnnotationSummary(
            count=sum(row.number for row in rows),
            sessions=self._context.execute(about).scalar_one(),
            scored=scored,
            mean_score=total / scored if scored else None,
            labels=tuple(
                LabelSummary(
                    label=row.label,
                    count=row.number,
                    scored=row.scored,
                    mean_score=row.total / row.scored if row.scored else None,
                    least_score=row.least,
                    greatest_score=row.greatest,
                )
                for row in rows
            ),
        )

    def _add(self, session_id: str, given: Sequence[NewAnnotation]) -> _Many:
        lock(self._context, identifier(session_id, "session_id"))
        require_messages(self._context, session_id, {item.sequence_number for item in given if item.sequence_number})
        highest = select(func.coalesce(func.max(notes.c.annotation_number), 0))
        number: int = self._context.execute(highest.where(notes.c.session_id == session_id)).scalar_one()
        now = self._context.now()
        added, rows = [], []
        for place, item in enumerate(given, number + 1):
            key = {"session_id": session_id, "annotation_number": place, "created_at": now, "updated_at": now}
            row = {**key, "sequence_number": item.sequence_number, **stored(item)}
            written = encode_json(item.metadata or {}, "metadata")
            rows.append({**row, "metadata": written if item.metadata else None})
            fields = {**row, "metadata": from_json(written)}
            added.append(Annotation(annotation_id=f"{session_id}:{place}", **fields))
        if rows:
            self._context.insert_rows(notes, rows)
        return added

    def _locked(self, annotation_id: str) -> Annotation:
        session_id, number = parts_of(identifier(annotation_id, "annotation_id"))
        if number is None or not is_visible(self._context, session_id):
            raise AnnotationNotFound(annotation_id)
        lock(self._context, session_id)
        return self.get(annotation_id)


def _next(items: Sequence[Annotation], kind: str) -> str:
    return encode_cursor(kind, items[-1].created_at.isoformat(), items[-1].annotation_id)
