"""Annotations: labels, scores and texts by people and judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import delete, func, select, update

from chatledger.dialects.encoding import encode_json
from chatledger.errors import AnnotationNotFound, InvalidInput
from chatledger.full_text.matching import Matcher
from chatledger.full_text.query import parse
from chatledger.schemas import (
    Annotation,
    AnnotationHit,
    AnnotationSummary,
    ModelAnnotations,
    NewAnnotation,
    Page,
)
from chatledger.schemas.fields import called, identifier, several, validated
from chatledger.schemas.session import KEEP, Keep
from chatledger.services.annotations.statements import (
    behind,
    checked,
    chosen,
    counted,
    counted_by_model,
    is_visible,
    newest_first,
    notes,
    parts_of,
    require_messages,
    sessions_by_model,
    stored,
    this,
    to_annotation,
    totals,
)
from chatledger.services.base import Service
from chatledger.services.pagination import encode_cursor, limited
from chatledger.services.search.filters import marks_of
from chatledger.services.search.snippets import Highlighter
from chatledger.services.snapshots.statements import lock

# Annotations that a search reads for one page.
_READ = 20_000
# Characters of an annotation that a search reads.
_LOOKED_AT = 100_000

# Inside of the class, `list` is a method.
_Many = list[Annotation]
_Hits = list[AnnotationHit]
_Rows = list[Any]
_ByModel = list[ModelAnnotations]


class Annotations(Service):
    """Labels, scores and texts on sessions and messages.

    Closed sessions can be annotated too, and annotations do not count as activity. An annotation of a message is deleted
    with the message; `redact` removes its text and metadata. Forks and snapshots contain no annotations.
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
        """Annotate a session, or with `sequence_number` one of its messages.

        `score` is any finite number within ±1e300, on your own scale. An author can add several annotations to the same
        message. If an author should count only once, use `vote`.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MessageNotFound: the session has no message with this number.
            InvalidInput: a value that cannot be stored, or no label, score or text.
        """
        fields = {
            "sequence_number": sequence_number, "label": label, "score": score, "text": text, "author": author,
            "metadata": metadata,
        }  # fmt: skip
        return self._add(session_id, [checked(validated(NewAnnotation, fields))])[0]

    def add_many(self, session_id: str, annotations: Iterable[NewAnnotation | Mapping[str, Any]]) -> _Many:
        """Add several annotations to a session and its messages in one statement: all of them or none.

        Raises:
            SessionNotFound, MessageNotFound: as `add`.
            InvalidInput: as `add`. The field begins with the position in the list.
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

    def vote(
        self,
        session_id: str,
        label: str,
        *,
        author: str,
        sequence_number: int | None = None,
        choices: Iterable[str] = ("up", "down"),
        score: float | None = None,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Annotation:
        """Store the vote of an author on a session or a message: an annotation with one of the `choices` as its label.

        An author has one vote on each message. Voting again replaces it, whichever of the choices it was, and keeps its
        id: people change their minds, and a click that is sent twice must not count twice. Annotations with other labels
        are left alone.

        Raises:
            SessionNotFound, MessageNotFound: as `add`.
            InvalidInput: a label that is not one of the choices, or a value that cannot be stored.
        """
        possible = [called(choice, "choices") for choice in several(choices, "choices")]
        if label not in possible:
            raise InvalidInput("label", f"is not one of {', '.join(map(repr, possible))}")
        fields = {
            "label": label,
            "score": score,
            "text": text,
            "author": called(author, "author"),
            "metadata": metadata,
        }
        new = checked(validated(NewAnnotation, {**fields, "sequence_number": sequence_number}))
        lock(self._context, identifier(session_id, "session_id"))
        about = notes.c.sequence_number.is_not_distinct_from(new.sequence_number)
        by_author = (notes.c.session_id == session_id) & about & (notes.c.author == author)
        earlier = select(*notes.c).where(by_author, notes.c.label.in_(possible)).order_by(notes.c.annotation_number)
        found = [to_annotation(row) for row in self._context.execute(earlier)]
        if not found:
            return self._add(session_id, [new])[0]
        for extra in found[1:]:
            self._context.execute(delete(notes).where(this(extra)))
        values = {**stored(new), "updated_at": self._context.now()}
        self._context.execute(update(notes).where(this(found[0])).values(values))
        return self.get(found[0].annotation_id)

    def get(self, annotation_id: str) -> Annotation:
        """Return an annotation.

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
        """Return a page of annotations, newest first. A page has at most 1,000.

        Annotations of expired sessions are included only if you pass the session. `min_score` and `max_score` are part
        of the range. `since` is the earliest time to include, `until` the first to exclude.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a cursor of another list, or an invalid filter.
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
        """Change the given fields. None clears a field. The annotation stays on its session or message.

        Raises:
            AnnotationNotFound: no such annotation, or its session belongs to another user.
            InvalidInput: a value that cannot be stored, or no label, score or text would be left.
        """
        given = {"label": label, "score": score, "text": text, "author": author, "metadata": metadata}
        changes = {name: value for name, value in given.items() if value is not KEEP}
        old = self._locked(annotation_id)
        new = checked(validated(NewAnnotation, {**old.model_dump(include=set(NewAnnotation.model_fields)), **changes}))
        values = {**stored(new), "updated_at": self._context.now()}
        self._context.execute(update(notes).where(this(old)).values(values))
        return self.get(annotation_id)

    def remove(self, annotation_id: str) -> None:
        """Delete an annotation. If it was the last one of its session, its number may be used again.

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
        """Return a page of annotations whose text matches a query, newest first. See `uow.search` for the language.

        There is no index: each page reads up to 20,000 annotations that match the filters. If it stops there, the page
        is `truncated`, and its cursor continues.

        Raises:
            SessionNotFound, InvalidInput: as `list`. The query itself is never an error.
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
        """Count annotations by label, with the mean, the least and the greatest score.

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
        return AnnotationSummary(
            **totals(self._context.execute(counted(conditions)).all()),
            sessions=self._context.execute(about).scalar_one(),
        )

    def by_model(
        self,
        *,
        session_id: str | None = None,
        label: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> _ByModel:
        """Summarize annotations by the model of the message, or of the session if the message names none.

        Models with the most annotations come first. `model_id` is None for annotations without a model.

        Raises:
            SessionNotFound, InvalidInput: as `list`.
        """
        filters = {"session_id": session_id, "label": label, "author": author, "since": since, "until": until}
        conditions = chosen(self._context, filters)
        by_model: dict[str | None, _Rows] = {}
        for row in self._context.execute(counted_by_model(conditions)):
            by_model.setdefault(row.model_id, []).append(row)
        sessions = {row.model_id: row.sessions for row in self._context.execute(sessions_by_model(conditions))}
        found = [
            ModelAnnotations(model_id=model_id, **totals(rows), sessions=sessions[model_id])
            for model_id, rows in by_model.items()
        ]
        return sorted(found, key=lambda each: (-each.count, each.model_id or ""))

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
