"""Comparisons of models, prompts or parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update

from chatledger.dialects.types import Identifier, Timestamp
from chatledger.enums import ComparisonKind, ComparisonKindLike, JudgeKind, JudgeKindLike
from chatledger.errors import ComparisonExists, InvalidInput, SessionNotFound
from chatledger.ids import new_id
from chatledger.schemas import (
    ComparisonGroup,
    ComparisonResult,
    ComparisonSession,
    ComparisonSummary,
    NewComparisonResult,
    Page,
    PassRate,
    ResultsReport,
)
from chatledger.schemas.fields import called, flags, identifier, number, several, stated, validated, whole
from chatledger.services.audit import audit_log
from chatledger.services.base import Service, logger
from chatledger.services.comparisons.statements import (
    MAX_VARIANTS,
    find,
    groups,
    members,
    results,
    store,
    to_group,
    to_result,
    to_row,
    visible,
)
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.rows import sessions
from chatledger.services.visibility import SESSION_KEY, keep_session

# Inside of the class, `list` is a method.
Rates = list[PassRate]


class Comparisons(Service):
    """Groups of variants with their sessions, the results of judges, and their statistics."""

    __slots__ = ()

    def create(
        self,
        group_id: str | None = None,
        *,
        kind: ComparisonKindLike = ComparisonKind.MODEL,
        variants: Iterable[str] = (),
        title: str | None = None,
        user_id: str | None = None,
    ) -> ComparisonGroup:
        """Create a comparison. The other variants are compared with the first one. You can add more variants later.

        Raises:
            ComparisonExists: the id is taken.
            InvalidInput: an unknown kind, a variant twice, or a user different from the one that this ledger is
                limited to.
        """
        owner = self._context.owner
        if user_id is not None:
            called(user_id, "user_id")
            if owner is not None and user_id != owner:
                raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        names = [called(name, "variants") for name in several(variants, "variants")]
        if len(set(names)) < len(names) or len(names) > MAX_VARIANTS:
            raise InvalidInput("variants", f"must be different names, and at most {MAX_VARIANTS}")
        values = {
            "group_id": new_id() if group_id is None else called(group_id, "group_id"),
            "user_id": owner if user_id is None else user_id,
            "kind": _word(ComparisonKind, kind, "kind"),
            "title": title if title is None else identifier(title, "title"),
            "variants": names,
            "created_at": self._context.now(),
        }
        statement = self._context.dialect.insert(groups).on_conflict_do_nothing(index_elements=[groups.c.group_id])
        if self._context.execute(statement.returning(groups.c.group_id), values).scalar_one_or_none() is None:
            raise ComparisonExists(str(values["group_id"]))
        return ComparisonGroup.model_validate(values)

    def get(self, group_id: str) -> ComparisonGroup:
        """Return a comparison.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        return find(self._context, identifier(group_id, "group_id"))

    def list(
        self, *, kind: ComparisonKindLike | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ComparisonGroup]:
        """Return a page of comparisons, newest first. A page has at most 1,000.

        Raises:
            InvalidInput: an unknown kind, or a cursor of another list.
        """
        limit = limited(limit)
        statement = select(groups).where(visible(self._context))
        if kind is not None:
            statement = statement.where(groups.c.kind == _word(ComparisonKind, kind, "kind"))
        if cursor is not None:
            at, last = decode_moment_cursor("comparisons", cursor, str)
            place = tuple_(bindparam("at", at, type_=Timestamp()), bindparam("last", last, type_=Identifier()))
            statement = statement.where(tuple_(groups.c.created_at, groups.c.group_id) < place)
        statement = statement.order_by(groups.c.created_at.desc(), groups.c.group_id.desc()).limit(limit + 1)
        found = [to_group(row) for row in self._context.execute(statement)]
        items = found[:limit]
        following = None
        if len(found) > limit:
            following = encode_cursor("comparisons", items[-1].created_at.isoformat(), items[-1].group_id)
        return Page[ComparisonGroup](items=tuple(items), next_cursor=following)

    def add(
        self,
        group_id: str,
        variant: str,
        session_id: str | None = None,
        *,
        prompt_key: str | None = None,
        trial: int = 1,
    ) -> ComparisonGroup:
        """Add a variant if the group does not have it yet, and optionally a session in which it was recorded.

        `prompt_key` is the prompt that the session answers, and `trial` which run of the prompt it is. A group contains
        a session only once: if you add it again, the new values replace the old ones. A session of a group with an
        owner must have the same owner.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            SessionNotFound: no such session, or its owner is not the owner of the group.
            InvalidInput: a name that cannot be stored, or too many variants.
        """
        identifier(group_id, "group_id")
        if session_id is not None:
            # Before the group, as in a deletion of the session: in another order the two would deadlock.
            self._context.execute(_KEPT, {"session": called(session_id, "session_id")})
        group = find(self._context, group_id, lock=True)
        called(variant, "variant")
        whole(trial, "trial", 1, 1_000_000)
        if prompt_key is not None:
            called(prompt_key, "prompt_key")
        if variant not in group.variants:
            names = (*group.variants, variant)
            if len(names) > MAX_VARIANTS:
                raise InvalidInput("variant", f"is one too many: a comparison has at most {MAX_VARIANTS}")
            self._context.execute(update(groups).where(groups.c.group_id == group_id).values(variants=list(names)))
            group = group.model_copy(update={"variants": names})
        if session_id is not None:
            self._add_session(group, variant, session_id, prompt_key, trial)
        return group

    def sessions(self, group_id: str) -> Sequence[ComparisonSession]:
        """Return the sessions of a comparison, sorted by prompt, then in the order in which they were added.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        self.get(group_id)
        statement = (
            select(*(column for column in members.c if column.name != "group_id"))
            .where(members.c.group_id == group_id)
            .order_by(func.coalesce(members.c.prompt_key, ""), members.c.created_at, members.c.session_id)
        )
        return [ComparisonSession.model_validate(dict(row._mapping)) for row in self._context.execute(statement)]

    def record(
        self,
        group_id: str,
        prompt_key: str,
        variant_a: str,
        variant_b: str | None = None,
        *,
        judge: str,
        judge_kind: JudgeKindLike = JudgeKind.PERSON,
        trial: int = 1,
        preference: float | None = None,
        first: str | None = None,
        scores_a: Mapping[str, float] | None = None,
        scores_b: Mapping[str, float] | None = None,
        cost_a: Any = None,
        cost_b: Any = None,
        duration_a_ms: int | None = None,
        duration_b_ms: int | None = None,
        judge_cost: Any = None,
        judge_duration_ms: int | None = None,
        prompt: str | None = None,
        notes: str | None = None,
        replace: bool = False,
    ) -> ComparisonResult:
        """Record the verdict of a judge about two variants on a prompt, or measurements of one variant.

        `preference` is how much better the second variant was: 1 if it won, 0 if it lost, 0.5 for a draw, or a grade
        between them. None means that there is no verdict. `first` is the variant that the judge saw first. Costs are in
        dollars. `judge_cost` and `judge_duration_ms` are those of the judgment itself.

        A judge has one result for each prompt, pair of variants and `trial`, regardless of the order in which the
        variants are named. To store a repeated run or a repeated judgment, pass the next trial number.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            ResultExists: the judge already has this result, and `replace` is not set.
            InvalidInput: a variant that the group does not have, or a value out of bounds.
        """
        flags(replace=replace)
        fields: dict[str, Any] = {
            "prompt_key": prompt_key, "variant_a": variant_a, "variant_b": variant_b, "judge": judge,
            "judge_kind": judge_kind, "trial": trial, "preference": preference, "first": first, "scores_a": scores_a,
            "scores_b": scores_b, "cost_a": cost_a, "cost_b": cost_b, "duration_a_ms": duration_a_ms,
            "duration_b_ms": duration_b_ms, "judge_cost": judge_cost, "judge_duration_ms": judge_duration_ms,
            "prompt": prompt, "notes": notes,
        }  # fmt: skip
        new = validated(NewComparisonResult, fields)
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        row = store(self._context, group, [to_row(group, new)], replace=replace)[0]
        return ComparisonResult.model_validate({**row, "variant_b": row["variant_b"] or None})

    def record_many(
        self,
        group_id: str,
        results: Iterable[NewComparisonResult | Mapping[str, Any]],
        *,
        replace: bool = False,
    ) -> int:
        """Record many results in one statement: all of them or none. Return their number.

        Dicts have the keys of `NewComparisonResult`.

        Raises:
            ComparisonNotFound, ResultExists: as `record`.
            InvalidInput: as `record`. The field begins with the position in the list, such as `results[3].preference`.
        """
        flags(replace=replace)
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        rows = []
        for position, new in enumerate(several(results, "results")):
            try:
                rows.append(to_row(group, validated(NewComparisonResult, new)))
            except InvalidInput as error:
                raise InvalidInput(f"results[{position}].{error.field}", error.reason) from None
        return len(store(self._context, group, rows, replace=replace))

    def import_results(
        self, group_id: str, results: Iterable[Mapping[str, Any]], *, replace: bool = False, dry_run: bool = False
    ) -> ResultsReport:
        """Store the valid rows of a file, such as those of `exchange.read_results`. Invalid rows are reported by place.

        Rows that the comparison already has are left alone, so that you can import a file again after correcting it. A
        row that differs from the stored result of the same judge, prompt, pair and trial is a problem unless `replace`
        is set. With `dry_run`, nothing is stored. To store all rows or none, use `record_many`.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        flags(replace=replace, dry_run=dry_run)
        from chatledger.services.comparisons.results_import import import_results  # noqa: PLC0415 - few programs import

        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        return import_results(self._context, group, several(results, "results"), replace=replace, dry_run=dry_run)

    def results(
        self, group_id: str, *, prompt_key: str | None = None, judge: str | None = None
    ) -> Iterator[ComparisonResult]:
        """Iterate over the results of a comparison, sorted by prompt, pair, judge and trial.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        self.get(group_id)
        statement = select(results).where(results.c.group_id == group_id)
        for name, value in (("prompt_key", prompt_key), ("judge", judge)):
            if value is not None:
                statement = statement.where(results.c[name] == identifier(value, name))
        return map(to_result, self._context.execute(statement.order_by(*results.primary_key)))

    def summary(self, group_id: str, *, confidence: float = 0.95, judge: str | None = None) -> ComparisonSummary:
        """Summarize the results by pair, by variant and by judge. With `judge`, only the results of that judge.

        A missing verdict counts only in `missing`. Each prompt counts once: the trials of a judge are averaged, then
        the judges. The intervals of ratings are sampled with a fixed seed, so that the summary is the same each time.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            MissingExtra: SciPy is not installed.
            InvalidInput: a confidence that is not between 0.5 and 1.
        """
        from chatledger.services.comparisons.summary import summarise  # noqa: PLC0415 - brings SciPy

        group = self.get(group_id)
        return summarise(group, list(self.results(group_id, judge=judge)), confidence=confidence)

    def pass_rates(
        self,
        group_id: str,
        criterion: str,
        *,
        threshold: float = 1.0,
        k: int | Iterable[int] | None = None,
        judge: str | None = None,
        confidence: float = 0.95,
    ) -> Rates:
        """Return pass@k and pass^k of each variant, from the scores of repeated trials.

        A trial passes if its score of `criterion` is at least `threshold`. pass@k is the probability that at least one
        of `k` trials of a prompt passes, pass^k that all of them do; both are unbiased estimates, averaged over the
        prompts. By default `k` goes from 1 up to the number of trials that every prompt of the variant has. A prompt
        with fewer than `k` trials is left out. If several results score the same trial, their mean counts.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            MissingExtra: SciPy is not installed.
            InvalidInput: no result has a score of the criterion, or no prompt has `k` trials.
        """
        from chatledger.services.comparisons import repeated  # noqa: PLC0415 - brings SciPy
        from chatledger.services.comparisons.summary import require_confidence  # noqa: PLC0415

        group = self.get(group_id)
        return repeated.pass_rates(
            group.variants,
            self.results(group_id, judge=judge),
            identifier(criterion, "criterion"),
            threshold=number(threshold, "threshold", -math.inf),
            k=k,
            confidence=require_confidence(confidence),
        )

    def delete(self, group_id: str, *, reason: str | None = None) -> None:
        """Delete a comparison with its results. Its sessions are kept.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        why = stated(reason)
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        gone = self._context.change(delete(results).where(results.c.group_id == group_id))
        for table in (members, groups):
            self._context.execute(delete(table).where(table.c.group_id == group_id))
        entry = {
            "at": self._context.now(), "actor": self._context.actor, "action": "comparison.deleted", "reason": why,
            "user_id": group.user_id, "count": gone, "details": {"group": group_id},
        }  # fmt: skip
        self._context.execute(insert(audit_log), entry)
        logger.info("comparison deleted", extra={"count": gone})

    def _add_session(
        self, group: ComparisonGroup, variant: str, session_id: str, prompt_key: str | None, trial: int
    ) -> None:
        there = select(sessions.c.user_id).where(sessions.c.session_id == session_id)
        row = self._context.execute(there).one_or_none()
        if row is None or (group.user_id is not None and row.user_id != group.user_id):
            raise SessionNotFound(session_id)
        statement = self._context.dialect.insert(members)
        changes = {name: statement.excluded[name] for name in ("variant", "prompt_key", "trial")}
        self._context.execute(
            statement.on_conflict_do_update(index_elements=list(members.primary_key), set_=changes),
            {
                "group_id": group.group_id,
                "session_id": session_id,
                "variant": variant,
                "prompt_key": prompt_key,
                "trial": trial,
                "created_at": self._context.now(),
            },
        )


_KEPT = keep_session(select(sessions.c.session_id).where(sessions.c.session_id == SESSION_KEY))


def _word(words: type[StrEnum], given: Any, field: str) -> StrEnum:
    try:
        return words(given)
    except ValueError:
        raise InvalidInput(field, f"is not one of {', '.join(words)}") from None
