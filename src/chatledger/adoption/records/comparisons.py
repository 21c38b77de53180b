"""Comparisons of a source: a group, its sessions by variant, and the results of its judges."""

from __future__ import annotations

from sqlalchemy import update

from chatledger.adoption.records.target import Target
from chatledger.adoption.source.records import OldComparison, OldResult
from chatledger.errors import ComparisonNotFound
from chatledger.models import ComparisonGroup as GroupRow
from chatledger.models import ComparisonResult as ResultRow
from chatledger.models import ComparisonSession as MemberRow
from chatledger.schemas import ComparisonGroup
from chatledger.services.comparisons.statements import MAX_VARIANTS

Key = tuple[str, str, str, int]


def take(target: Target, old: OldComparison) -> None:
    """Go through one comparison. What is there already stays as it is; what came since is added."""
    group = _find(target, old)
    if len(old.variants) > MAX_VARIANTS:
        return  # more than can be compared: kept with the rows that belong to no session
    if group is not None:
        group_id = group.group_id
        if old.whole:
            target.settle(old.row, "already")
    else:
        group_id = next(name for name in target.name_for(old.group_id) if _get(target, name) is None)
        if target.writing:
            target.uow.comparisons.create(group_id, kind=old.kind, variants=old.variants, title=old.title)
            if old.created_at is not None:
                target.uow.session.execute(
                    update(GroupRow).where(GroupRow.group_id == group_id).values(created_at=old.created_at)
                )
            given = {"kind": old.kind, "title": old.title, "variants": tuple(old.variants)}
            times = {} if old.created_at is None else {"created_at": old.created_at}
            target.require(target.uow.comparisons.get(group_id).model_dump(), {**given, **times}, old.row)
        if old.whole:
            target.settle(old.row, "copied")
    _members(target, old, group_id, new=group is None)
    _results(target, old, group_id, new=group is None)


def _find(target: Target, old: OldComparison) -> ComparisonGroup | None:
    """The group that an earlier adoption made of it: it has no metadata, so its title and its time tell."""
    for name in target.name_for(old.group_id):
        found = _get(target, name)
        if found is not None and found.title == old.title and old.created_at in (None, found.created_at):
            return found
    return None


def _get(target: Target, group_id: str) -> ComparisonGroup | None:
    try:
        return target.uow.comparisons.get(group_id)
    except ComparisonNotFound:
        return None


def _members(target: Target, old: OldComparison, group_id: str, *, new: bool) -> None:
    there = set() if new else {member.session_id for member in target.uow.comparisons.sessions(group_id)}
    for member in old.members:
        session_id = target.session_id(member.session)
        known = session_id is not None and session_id in there
        if target.writing and not known:
            if session_id is None:
                continue  # left out: kept with the rows that belong to no session
            target.uow.comparisons.add(group_id, member.variant, session_id)
            if member.created_at is not None:
                this = (MemberRow.group_id == group_id) & (MemberRow.session_id == session_id)
                target.uow.session.execute(update(MemberRow).where(this).values(created_at=member.created_at))
        if member.whole:
            target.settle(member.row, "already" if known else "copied")


def _results(target: Target, old: OldComparison, group_id: str, *, new: bool) -> None:
    there = set() if new else _keys_of(target, group_id)
    added = [result for result in old.results if _key(result) not in there]
    if target.writing and added:
        target.uow.comparisons.record_many(
            group_id,
            [
                {
                    "prompt_key": result.prompt_key, "variant_a": result.variant, "judge": result.judge,
                    "judge_kind": result.judge_kind, "trial": result.trial, "scores_a": result.scores,
                    "notes": result.notes,
                }
                for result in added
            ],
        )  # fmt: skip
        for result in added:
            if result.created_at is not None:
                this = (ResultRow.group_id == group_id) & (ResultRow.prompt_key == result.prompt_key)
                this &= (ResultRow.variant_a == result.variant) & (ResultRow.judge == result.judge)
                this &= ResultRow.trial == result.trial
                target.uow.session.execute(update(ResultRow).where(this).values(created_at=result.created_at))
        stored = {
            (one.prompt_key, one.variant_a, one.judge, one.trial): one
            for one in target.uow.comparisons.results(group_id)
        }
        for result in added:
            given = {"scores_a": result.scores, "notes": result.notes, "judge_kind": result.judge_kind}
            found = stored.get(_key(result))
            target.require({} if found is None else found.model_dump(), given, result.rows[0])
    for result in old.results:
        for row in result.rows:
            if row not in result.partly:
                target.settle(row, "already" if _key(result) in there else "copied")


def _key(result: OldResult) -> Key:
    return (result.prompt_key, result.variant, result.judge, result.trial)


def _keys_of(target: Target, group_id: str) -> set[Key]:
    found = target.uow.comparisons.results(group_id)
    return {(one.prompt_key, one.variant_a, one.judge, one.trial) for one in found if one.variant_b is None}
