"""Results from a file: each row is checked by itself, and the valid ones are stored together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from chatledger.errors import InvalidInput
from chatledger.schemas import ComparisonGroup, NewComparisonResult, ResultProblem, ResultsReport
from chatledger.schemas.fields import validated
from chatledger.services.base import ServiceContext
from chatledger.services.comparisons.statements import key_of, results, store, to_row

_EXISTS = "the judge already has another result for this prompt, pair and trial: replace it, or give it another trial"


def import_results(
    context: ServiceContext,
    group: ComparisonGroup,
    given: Iterable[Any],
    *,
    replace: bool,
    dry_run: bool,
) -> ResultsReport:
    """Store the valid rows in a locked group, unless it is a dry run. Return what was done."""
    problems: list[ResultProblem] = []
    rows: list[tuple[str, dict[str, Any]]] = []
    number = 0
    for number, item in enumerate(given, 1):
        place = str(item.get("place", f"item {number}")) if isinstance(item, Mapping) else f"item {number}"
        try:
            rows.append((place, _row(group, item)))
        except InvalidInput as error:
            problems.append(ResultProblem(place=place, field=error.field, reason=error.reason))
    known = _known(context, group, {row["judge"] for _, row in rows})
    wanted: dict[tuple[Any, ...], dict[str, Any]] = {}
    stored = replaced = unchanged = 0
    for place, row in rows:
        key = key_of(row)
        before = wanted.get(key, known.get(key))
        if before == row:
            unchanged += 1
        elif before is None:
            stored += 1
            wanted[key] = row
        elif replace:
            replaced += 1
            wanted[key] = row
        else:
            problems.append(ResultProblem(place=place, field="judge", reason=_EXISTS))
    if wanted and not dry_run:
        store(context, group, wanted.values(), replace=replace)
    return ResultsReport(
        dry_run=dry_run,
        rows=number,
        stored=stored,
        replaced=replaced,
        unchanged=unchanged,
        problems=tuple(problems),
    )


def _row(group: ComparisonGroup, item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise InvalidInput("result", "must be a mapping")
    if "problem" in item:
        raise InvalidInput("result", str(item["problem"]))
    fields = {name: value for name, value in item.items() if name != "place"}
    return to_row(group, validated(NewComparisonResult, fields))


def _known(context: ServiceContext, group: ComparisonGroup, judges: set[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the stored results of these judges, in the form of `to_row`."""
    columns = [column for column in results.c if column.name != "created_at"]
    statement = select(*columns).where(results.c.group_id == group.group_id, results.c.judge.in_(sorted(judges)))
    found = (dict(row._mapping) for row in context.execute(statement))
    return {key_of(row): row for row in found}
