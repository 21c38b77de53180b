"""The rows of comparisons: visible groups, results with their keys, and what happens when sessions are deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, or_, select, update

from chatledger.dialects.types import Identifier
from chatledger.errors import ComparisonNotFound, InvalidInput, ResultExists
from chatledger.models import tables
from chatledger.schemas import ComparisonGroup, ComparisonResult, NewComparisonResult
from chatledger.schemas.comparison import swapped
from chatledger.services.audit import audit_log
from chatledger.services.base import ServiceContext

groups = tables.comparison_groups
members = tables.comparison_sessions
results = tables.comparison_results

MAX_VARIANTS = 100
"""Variants of one group. More cannot be compared in pairs."""

_KEY = ("prompt_key", "variant_a", "variant_b", "judge", "trial")


def visible(context: ServiceContext) -> ColumnElement[bool]:
    """Return the condition for groups of the ledger's user, or for all groups if the ledger is not limited to one."""
    owner = bindparam("owner", context.owner, type_=Identifier())
    return or_(owner.is_(None), groups.c.user_id == owner)


def find(context: ServiceContext, group_id: str, *, lock: bool = False) -> ComparisonGroup:
    """Return a group. `lock` locks the group, its sessions and its results until the transaction ends.

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


def to_row(group: ComparisonGroup, new: NewComparisonResult) -> dict[str, Any]:
    """Return the row of a result, with its variants in the order of the group.

    Raises:
        InvalidInput: a variant that the group does not have, or a value for a variant that is not named.
    """
    fields = {"group_id": group.group_id, **new.model_dump()}
    a, b = new.variant_a, new.variant_b
    for field, variant in (("variant_a", a), ("variant_b", b)):
        if variant is not None and variant not in group.variants:
            raise InvalidInput(field, "is not a variant of this comparison: add it first")
    if a == b:
        raise InvalidInput("variant_b", "is the same variant as the first")
    if new.first is not None and new.first not in (a, b):
        raise InvalidInput("first", "is neither of the two variants")
    if b is None:
        of_two = ("preference", "first", "scores_b", "cost_b", "duration_b_ms")
        for field in of_two:
            if fields[field] is not None:
                raise InvalidInput(field, "belongs to a second variant: pass variant_b too")
        return {**fields, "variant_b": ""}
    if group.variants.index(a) > group.variants.index(b):
        return swapped(fields)
    return fields


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a result within its group."""
    return tuple(row[name] for name in _KEY)


def existing_keys(context: ServiceContext, group_id: str, judges: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Return the keys of the results that a group has from these judges."""
    statement = select(*(results.c[name] for name in _KEY))
    found = context.execute(statement.where(results.c.group_id == group_id, results.c.judge.in_(sorted(judges))))
    return map(tuple, found)


def store(
    context: ServiceContext, group: ComparisonGroup, given: Iterable[dict[str, Any]], *, replace: bool
) -> list[dict[str, Any]]:
    """Insert rows of `to_row` into a locked group. Return them as they were stored.

    Raises:
        ResultExists: the database has one of them already, or one is given twice.
    """
    now = context.now()
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in given:
        key = key_of(row)
        if key in rows and not replace:
            raise ResultExists(group.group_id, row["prompt_key"], row["judge"], row["trial"])
        rows[key] = {**row, "created_at": now}
    if not rows:
        return []
    statement = context.dialect.insert(results)
    if replace:
        others = [column.name for column in results.c if not column.primary_key]
        excluded = {name: statement.excluded[name] for name in others}
        statement = statement.on_conflict_do_update(index_elements=list(results.primary_key), set_=excluded)
    else:
        for key in existing_keys(context, group.group_id, {row["judge"] for row in rows.values()}):
            if key in rows:
                prompt_key, _, _, judge, trial = key
                raise ResultExists(group.group_id, prompt_key, judge, trial)
    written = list(rows.values())
    context.execute(statement, written)
    return written


def sessions_deleted(context: ServiceContext, names: Sequence[str]) -> None:
    """Remove deleted sessions from their groups. The audit log gets an entry for each."""
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
    """Delete the groups of a user, and remove the user from the audit entries of comparisons."""
    theirs = select(groups.c.group_id).where(groups.c.user_id == user_id).scalar_subquery()
    for table in (results, members):
        context.execute(delete(table).where(table.c.group_id.in_(theirs)))
    context.execute(delete(groups).where(groups.c.user_id == user_id))
    mine = audit_log.c.action.like("comparison.%") & (
        (audit_log.c.user_id == user_id) | audit_log.c.session_id.in_(sessions_of_user)
    )
    context.execute(update(audit_log).where(mine).values(details=None))


def forget_texts(context: ServiceContext, names: Sequence[str]) -> None:
    """Before sessions are erased: remove the texts of the same prompts from the results of other users' groups."""
    of_them = select(members.c.group_id, members.c.prompt_key).where(members.c.session_id.in_(list(names)))
    for row in context.execute(of_them).all():
        statement = update(results).where(results.c.group_id == row.group_id)
        if row.prompt_key is not None:
            statement = statement.where(results.c.prompt_key == row.prompt_key)
        context.execute(statement.values(prompt=None, notes=None))


def forget_judge(context: ServiceContext, user_id: str, name: str) -> None:
    """Rename a judge in all results, and remove the judge's notes."""
    context.execute(update(results).where(results.c.judge == user_id).values(judge=name, notes=None))
