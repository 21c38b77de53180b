"""Models, prompts or parameters side by side."""

from __future__ import annotations

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
)
from chatledger.schemas.fields import called, flags, identifier, several, stated, validated
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
    visible,
)
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.rows import sessions


class Comparisons(Service):
    """Groups of variants, the sessions in which they were recorded, what judges said, and what it comes to."""

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
        """Begin a comparison. The first variant is the one that others are held against; more can be added later.

        Raises:
            ComparisonExists: the id is taken.
            InvalidInput: no such kind, a variant twice, or another user than the one that this ledger is limited to.
        """
        owner = self._context.owner
        if user_id is not None:
            called(user_id, "user_id")
            if owner is not None and user_id != owner:
                raise InvalidInput("user_id", "is another user than the one that this ledger is limited to")
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
        """One comparison.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
        """
        return find(self._context, identifier(group_id, "group_id"))

    def list(
        self, *, kind: ComparisonKindLike | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ComparisonGroup]:
        """Comparisons, newest first. At most 1,000 a page.

        Raises:
            InvalidInput: no such kind, or a cursor of another list.
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
        self, group_id: str, variant: str, session_id: str | None = None, *, prompt_key: str | None = None
    ) -> ComparisonGroup:
        """Add a variant, where the group does not have it yet, and a session in which it was recorded.

        `prompt_key` says that the session is its answer to that prompt. A session stands in a group once; added again,
        what is given last counts. The session of a user's group is that user's.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            SessionNotFound: no such session, or it belongs to somebody else than the group.
            InvalidInput: a name that cannot be stored, or too many variants.
        """
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        called(variant, "variant")
        if prompt_key is not None:
            called(prompt_key, "prompt_key")
        if variant not in group.variants:
            names = (*group.variants, variant)
            if len(names) > MAX_VARIANTS:
                raise InvalidInput("variant", f"is one too many: a comparison has at most {MAX_VARIANTS}")
            self._context.execute(update(groups).where(groups.c.group_id == group_id).values(variants=list(names)))
            group = group.model_copy(update={"variants": names})
        if session_id is not None:
            self._add_session(group, variant, session_id, prompt_key)
        return group

    def sessions(self, group_id: str) -> Sequence[ComparisonSession]:
        """The sessions of a comparison, by prompt and in the order in which they were added.

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
        preference: float | None = None,
        first: str | None = None,
        scores_a: Mapping[str, float] | None = None,
        scores_b: Mapping[str, float] | None = None,
        cost_a: Any = None,
        cost_b: Any = None,
        duration_a_ms: int | None = None,
        duration_b_ms: int | None = None,
        prompt: str | None = None,
        notes: str | None = None,
        replace: bool = False,
    ) -> ComparisonResult:
        """Record what one judge says of two variants on a prompt, or with one variant what was measured of it.

        `preference` is how much better the second did: 1 it won, 0 it lost, 0.5 a draw, or a grade between. None is no
        verdict, and no draw. `first` is the variant that the judge saw first. A judge has one result for a prompt and a
        pair, in whatever order the two are named; `replace` puts the new one in its place.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            ResultExists: there is one, and `replace` was not said.
            InvalidInput: a variant that the group does not have, or a value out of bounds.
        """
        flags(replace=replace)
        fields: dict[str, Any] = {
            "prompt_key": prompt_key, "variant_a": variant_a, "variant_b": variant_b, "judge": judge,
            "judge_kind": judge_kind, "preference": preference, "first": first, "scores_a": scores_a,
            "scores_b": scores_b, "cost_a": cost_a, "cost_b": cost_b, "duration_a_ms": duration_a_ms,
            "duration_b_ms": duration_b_ms, "prompt": prompt, "notes": notes,
        }  # fmt: skip
        new = validated(NewComparisonResult, fields)
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        row = store(self._context, group, [new], replace=replace)[0]
        return ComparisonResult.model_validate({**row, "variant_b": row["variant_b"] or None})

    def record_many(
        self,
        group_id: str,
        results: Iterable[NewComparisonResult | Mapping[str, Any]],
        *,
        replace: bool = False,
    ) -> int:
        """Record many results in one go, all or none; how many. Dicts have the names of `NewComparisonResult`.

        Raises:
            ComparisonNotFound, ResultExists, InvalidInput: as `record`.
        """
        flags(replace=replace)
        group = find(self._context, identifier(group_id, "group_id"), lock=True)
        news = [validated(NewComparisonResult, new) for new in results]
        return len(store(self._context, group, news, replace=replace))

    def results(
        self, group_id: str, *, prompt_key: str | None = None, judge: str | None = None
    ) -> Iterator[ComparisonResult]:
        """The results of a comparison, by prompt, pair and judge. Read as they are asked for.

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
        """What the results come to, by pair and by variant; `judge` counts one judge's results only.

        A missing verdict counts nowhere but in `missing`. Where several judges spoke of a prompt, their mean counts, so
        that more judges do not make more prompts. What is random in it (the intervals of ratings) comes from a seed.

        Raises:
            ComparisonNotFound: no such group, or it belongs to another user.
            MissingExtra: SciPy is not installed.
            InvalidInput: a confidence that is not between 0.5 and 1.
        """
        from chatledger.services.comparisons.summary import summarise  # noqa: PLC0415 - brings SciPy

        group = self.get(group_id)
        return summarise(group, list(self.results(group_id, judge=judge)), confidence=confidence)

    def delete(self, group_id: str, *, reason: str | None = None) -> None:
        """Delete a comparison with its results. The sessions stay.

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

    def _add_session(self, group: ComparisonGroup, variant: str, session_id: str, prompt_key: str | None) -> None:
        there = select(sessions.c.user_id).where(sessions.c.session_id == called(session_id, "session_id"))
        row = self._context.execute(there).one_or_none()
        if row is None or (group.user_id is not None and row.user_id != group.user_id):
            raise SessionNotFound(session_id)
        statement = self._context.dialect.insert(members)
        changes = {name: statement.excluded[name] for name in ("variant", "prompt_key")}
        self._context.execute(
            statement.on_conflict_do_update(index_elements=list(members.primary_key), set_=changes),
            {
                "group_id": group.group_id,
                "session_id": session_id,
                "variant": variant,
                "prompt_key": prompt_key,
                "created_at": self._context.now(),
            },
        )


def _word(words: type[StrEnum], given: Any, field: str) -> StrEnum:
    try:
        return words(given)
    except ValueError:
        raise InvalidInput(field, f"is not one of {', '.join(words)}") from None
