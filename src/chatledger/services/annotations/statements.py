"""The statements of annotations: filters, lists and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, delete, exists, func, or_, select, tuple_, update

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Status
from chatledger.errors import InvalidInput, MessageNotFound
from chatledger.models import tables
from chatledger.schemas import Annotation, LabelSummary, NewAnnotation
from chatledger.schemas.fields import identifier, moment, whole
from chatledger.services.base import ServiceContext
from chatledger.services.pagination import NOT_A_CURSOR, decode_moment_cursor
from chatledger.services.rows import messages, sessions
from chatledger.services.visibility import require_visible

notes = tables.annotations

# Messages that one statement looks for.
_BATCH = 500

ORDER = (notes.c.created_at, notes.c.session_id, notes.c.annotation_number)


def chosen(context: ServiceContext, filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions of a list.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
        InvalidInput: an invalid filter.
    """
    conditions: list[ColumnElement[bool]] = []
    for name in ("session_id", "label", "author"):
        value = filters.get(name)
        conditions += [] if value is None else [notes.c[name] == identifier(value, name)]
    if (number := filters.get("sequence_number")) is not None:
        if filters.get("session_id") is None:
            raise InvalidInput("sequence_number", "needs session_id as well")
        conditions.append(notes.c.sequence_number == whole(number, "sequence_number"))
    for name, bound in (("min_score", notes.c.score.__ge__), ("max_score", notes.c.score.__le__)):
        if (value := filters.get(name)) is not None:
            conditions.append(bound(_number(value, name)))
    if (since := filters.get("since")) is not None:
        conditions.append(notes.c.created_at >= moment(since, "since"))
    if (until := filters.get("until")) is not None:
        conditions.append(notes.c.created_at < moment(until, "until"))
    if filters.get("session_id") is not None:
        require_visible(context, filters["session_id"])
    else:
        conditions.append(_in_live_session(context.owner))
    return conditions


def behind(cursor: str, kind: str) -> ColumnElement[bool]:
    """Return the condition for what comes after a cursor in the list, newest first.

    Raises:
        InvalidInput: not a cursor of this list.
    """
    at, last = decode_moment_cursor(kind, cursor, str)
    session_id, number = parts_of(last)
    if number is None:
        raise InvalidInput("cursor", NOT_A_CURSOR)
    place = (
        bindparam("last_at", at, type_=Timestamp()),
        bindparam("last_session", session_id, type_=Identifier()),
        bindparam("last_number", number, type_=Whole),
    )
    return tuple_(*ORDER) < tuple_(*place)


def parts_of(annotation_id: str) -> tuple[str, int | None]:
    """Return the session and the number of an id, or None for an invalid number."""
    session_id, _, number = annotation_id.rpartition(":")
    written = number.isascii() and number.isdecimal() and len(number) <= 18 and number[0] != "0"
    return session_id, int(number) if written else None


def newest_first(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    return select(*notes.c).where(*conditions).order_by(*(column.desc() for column in ORDER))


def to_annotation(row: Any) -> Annotation:
    values = dict(row._mapping)
    values["metadata"] = values["metadata"] or {}
    return Annotation(annotation_id=f"{row.session_id}:{row.annotation_number}", **values)


def redact(context: ServiceContext, session_id: str, number: int) -> None:
    """Remove texts and metadata from the annotations of a message. Labels and scores are kept."""
    _drop_words(context, (notes.c.session_id == session_id) & (notes.c.sequence_number == number), {}, context.now())


def forget_author(context: ServiceContext, author: str) -> None:
    """Remove an author's name, texts and metadata from the annotations of sessions that are kept."""
    _drop_words(context, notes.c.author == author, {"author": None}, context.now())


def _drop_words(context: ServiceContext, these: ColumnElement[bool], more: dict[str, Any], now: datetime) -> None:
    remains = or_(notes.c.label.is_not(None), notes.c.score.is_not(None))
    context.execute(delete(notes).where(these, ~remains))
    context.execute(update(notes).where(these).values(text=None, metadata=None, updated_at=now, **more))


def _in_live_session(owner: str | None) -> ColumnElement[bool]:
    there = select(1).where(sessions.c.session_id == notes.c.session_id, sessions.c.status != Status.EXPIRED)
    return exists(there if owner is None else there.where(sessions.c.user_id == owner))


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidInput(field, "must be a number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidInput(field, "must be a number within ±1e308") from None


_SCORE = notes.c.score
_COUNTS = (
    func.count().label("number"),
    func.count(_SCORE).label("scored"),
    func.sum(_SCORE).label("total"),
    func.min(_SCORE).label("least"),
    func.max(_SCORE).label("greatest"),
)
# By an alias, because the conditions may ask for the session too.
_annotated = sessions.alias("annotated")
_MODEL = func.coalesce(messages.c.model_id, _annotated.c.model_id).label("model_id")


def counted(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Count annotations and their scores by label."""
    statement = select(notes.c.label, *_COUNTS).where(*conditions).group_by(notes.c.label)
    return statement.order_by(func.count().desc(), notes.c.label)


def counted_by_model(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """As `counted`, by model and label."""
    statement = select(_MODEL, notes.c.label, *_COUNTS).select_from(_with_model()).where(*conditions)
    return statement.group_by(_MODEL, notes.c.label).order_by(func.count().desc(), notes.c.label)


def sessions_by_model(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Count the annotated sessions of each model."""
    number: ColumnElement[Any] = func.count(notes.c.session_id.distinct()).label("sessions")
    statement: Select[Any] = select(_MODEL, number)
    return statement.select_from(_with_model()).where(*conditions).group_by(_MODEL)


def _with_model() -> FromClause:
    of_message = (messages.c.session_id == notes.c.session_id) & (messages.c.sequence_number == notes.c.sequence_number)
    joined = notes.join(_annotated, _annotated.c.session_id == notes.c.session_id)
    return joined.outerjoin(messages, of_message)


def totals(rows: Sequence[Any]) -> dict[str, Any]:
    """Return the fields of a summary from its rows by label."""
    scored, total = sum(row.scored for row in rows), sum(row.total or 0.0 for row in rows)
    return {
        "count": sum(row.number for row in rows),
        "scored": scored,
        "mean_score": total / scored if scored else None,
        "labels": tuple(
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
    }


def checked(annotation: NewAnnotation) -> NewAnnotation:
    """Return the annotation if it has a label, a score or a text, and can be stored."""
    if annotation.label is None and annotation.score is None and annotation.text is None:
        raise InvalidInput("annotation", "needs a label, a score or a text")
    encode_json(annotation.metadata, "metadata")
    return annotation


def stored(annotation: NewAnnotation) -> dict[str, Any]:
    """Return the columns of an annotation, except for its session and message."""
    fields = annotation.model_dump(exclude={"sequence_number"})
    return {**fields, "metadata": annotation.metadata or None}


def this(annotation: Annotation) -> ColumnElement[bool]:
    """Return the condition for the row of an annotation."""
    return (notes.c.session_id == annotation.session_id) & (notes.c.annotation_number == annotation.annotation_number)


def require_messages(context: ServiceContext, session_id: str, numbers: set[int]) -> None:
    """Raise MessageNotFound if the session does not have one of the messages."""
    wanted = sorted(numbers)
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        there = select(messages.c.sequence_number).where(
            messages.c.session_id == session_id, messages.c.sequence_number.in_(some)
        )
        missing = set(some) - set(context.execute(there).scalars())
        if missing:
            raise MessageNotFound(session_id, min(missing))


def is_visible(context: ServiceContext, session_id: str) -> bool:
    """Whether the session exists and is visible to this ledger."""
    try:
        require_visible(context, session_id)
    except LookupError:
        return False
    return True
