"""The rows of comparisons: groups as one may see them, results with their keys, and what becomes of deleted sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, or_, select, update

from chatledger.dialects.types import Identifier
from chatledger.errors import ComparisonNotFound, InvalidInput, ResultExists
from chatledger.models import ComparisonGroup as GroupRow
from chatledger.models import ComparisonResult as ResultRow
from chatledger.models import ComparisonSession as SessionRow
from chatledger.models.base import table_of
from chatledger.schemas import ComparisonGroup, ComparisonResult, NewComparisonResult
from chatledger.schemas.comparison import turned
from chatledger.services.audit import audit_log
from chatledger.services.base import ServiceContext

groups = table_of(GroupRow)
members = table_of(SessionRow)
results = table_of(ResultRow)

#: Variants of one group: more than can be compared in pairs.
MAX_VARIANTS = 100

_KEY = ("prompt_key", "variant_a", "variant_b", "judge")


def visible(context: ServiceContext) -> ColumnElement[bool]:
    """Groups of the owner of this work, or all where it has none."""
    owner = bindparam("owner", context.owner, type_=Identifier())
    return or_(owner.is_(None), groups.c.user_id == owner)


def find(context: ServiceContext, group_id: str, *, lock: bool = False) -> ComparisonGroup:
    """A group. `lock` keeps others from changing it, or what belongs to it, until the transaction ends.

    Raises:
        ComparisonNotFound: no such group, or it belongs to another user.
    """
    statement = select(groups).where(groups.c.group_id == group_id, visible(context))
    row = context.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise ComparisonNotFound(group_id)
    return to_group(row)


def to_group(row: Any) -> ComparisonGroup:
    return ComparisonGroup.model_validate(dict(row._mapping))


def to_result(row: Any) -> ComparisonResult:
    return ComparisonResult.model_validate({**row._mapping, "variant_b": row.variant_b or None})


def store(
    context: ServiceContext, group: ComparisonGroup, given: Iterable[NewComparisonResult], *, replace: bool
) -> list[Any]:
    """Insert results of a group that is locked; their rows.

    Raises:
        InvalidInput: a variant that the group does not have, or a result that says nothing.
        ResultExists: one of them is there already, or is given twice.
    """
    now = context.now()
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for new in given:
        row = {"group_id": group.group_id, **_ordered(group, new), "created_at": now}
        key = tuple(row[name] for name in _KEY)
        if key in rows and not replace:
            raise ResultExists(group.group_id, new.prompt_key, new.judge)
        rows[key] = row
    if not rows:
        return []
    statement = context.dialect.insert(results)
    if replace:
        others = [column.name for column in results.c if not column.primary_key]
        excluded = {name: statement.excluded[name] for name in others}
        statement = statement.on_conflict_do_update(index_elements=list(results.primary_key), set_=excluded)
    else:
        judges = {row["judge"] for row in rows.values()}
        there = select(*(results.c[name] for name in _KEY)).where(
            results.c.group_id == group.group_id, results.c.judge.in_(judges)
        )
        for found in context.execute(there):
            if tuple(found) in rows:
                raise ResultExists(group.group_id, found.prompt_key, found.judge)
    written = list(rows.values())
    context.execute(statement, written)
    return written


def sessions_deleted(context: ServiceContext, names: Sequence[str]) -> None:
    """Take deleted sessions out of the groups that have them; each time, the audit log says so."""
    gone = delete(members).where(members.c.session_id.in_(list(names)))
    rows = context.execute(gone.returning(members.c.group_id, members.c.session_id, members.c.variant)).all()
    if not rows:
        return
    whose = select(groups.c.group_id, groups.c.user_id).where(groups.c.group_id.in_({row.group_id for row in rows}))
    owners = {row.group_id: row.user_id for row in context.execute(whose)}
    shared = {"at": context.now(), "actor": context.actor, "action": "comparison.session_deleted", "count": 1}
    entries = [
        {
            **shared,
            "session_id": row.session_id,
            "user_id": owners.get(row.group_id),
            "details": {"group": row.group_id, "variant": row.variant},
        }
        for row in rows
    ]
    context.execute(insert(audit_log), entries)


def erase(context: ServiceContext, user_id: str, sessions_of_user: Any) -> None:
    """Delete the groups of a user, and take the user out of those of others.

    What others recorded of the user's sessions keeps its figures and loses its texts. Verdicts stay; the judge's name
    becomes one that says nothing.
    """
    theirs = select(groups.c.group_id).where(groups.c.user_id == user_id).scalar_subquery()
    for table in (results, members):
        context.execute(delete(table).where(table.c.group_id.in_(theirs)))
    context.execute(delete(groups).where(groups.c.user_id == user_id))
    mine = audit_log.c.action.like("comparison.%") & (
        (audit_log.c.user_id == user_id) | audit_log.c.session_id.in_(sessions_of_user)
    )
    context.execute(update(audit_log).where(mine).values(details=None))


def forget_texts(context: ServiceContext, names: Sequence[str]) -> None:
    """Before sessions are erased: the texts that results of others repeat of the same prompts."""
    of_them = select(members.c.group_id, members.c.prompt_key).where(members.c.session_id.in_(list(names)))
    for row in context.execute(of_them).all():
        statement = update(results).where(results.c.group_id == row.group_id)
        if row.prompt_key is not None:
            statement = statement.where(results.c.prompt_key == row.prompt_key)
        context.execute(statement.values(prompt=None, notes=None))


def forget_judge(context: ServiceContext, user_id: str, name: str) -> None:
    """Give the verdicts of somebody another name."""
    context.execute(update(results).where(results.c.judge == user_id).values(judge=name, notes=None))


def _ordered(group: ComparisonGroup, new: NewComparisonResult) -> dict[str, Any]:
    """The fields of a result, its variants in the order of the group."""
    fields = new.model_dump()
    a, b = new.variant_a, new.variant_b
    for field, variant in (("variant_a", a), ("variant_b", b)):
        if variant is not None and variant not in group.variants:
            raise InvalidInput(field, "is no variant of this comparison: add it first")
    if a == b:
        raise InvalidInput("variant_b", "is the same variant as the first")
    if new.first is not None and new.first not in (a, b):
        raise InvalidInput("first", "is neither of the two variants")
    if b is None:
        of_two = ("preference", "first", "scores_b", "cost_b", "duration_b_ms")
        for field in of_two:
            if fields[field] is not None:
                raise InvalidInput(field, "is about a second variant, and none is named")
        return {**fields, "variant_b": ""}
    if group.variants.index(a) > group.variants.index(b):
        return turned(fields)
    return fields
