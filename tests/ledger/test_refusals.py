"""What is wrong with an argument is said in our own words, with the field and without the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Settings, UnitOfWork

REFUSALS: list[tuple[Callable[[UnitOfWork], object], str]] = [
    (lambda uow: uow.sessions.create(title=3), "title: must be text"),  # type: ignore[arg-type]
    (lambda uow: uow.sessions.create("x" * 256), "session_id: must have at most 255 characters"),
    (lambda uow: uow.sessions.create(metadata="x"), "metadata: must be a mapping"),  # type: ignore[arg-type]
    (
        lambda uow: uow.messages.append("s", "nobody", "x"),  # type: ignore[arg-type]
        "role: must be 'system', 'developer', 'user', 'assistant' or 'tool'",
    ),
    (
        lambda uow: uow.messages.append("s", "user", {}),  # type: ignore[arg-type]
        "content: must be text; structured content belongs in `payload`",
    ),
    (lambda uow: uow.messages.append("s", "user", "x", input_tokens=1.5), "input_tokens: must be a whole number"),  # type: ignore[arg-type]
    (lambda uow: uow.messages.append("s", "user", "x", duration_ms=-1), "duration_ms: must be at least 0"),
    (lambda uow: uow.batches.create("j", max_attempts=0), "max_attempts: must be at least 1"),
    (lambda uow: uow.metrics.record("x", float("nan")), "value: must be a finite number"),
    (lambda uow: uow.metrics.record("x", "many"), "value: must be a number"),  # type: ignore[arg-type]
    (lambda uow: uow.workflows.define({"name": "x"}), "steps: is missing"),
    (lambda _: Settings(pool_size=-1), "pool_size: must be at least 1"),
    (lambda _: Settings(foo=1), "foo: is not a known name"),  # type: ignore[call-arg]
    (
        lambda _: Settings(prepared_statements="no"),  # type: ignore[arg-type]
        "prepared_statements: must be True or False",
    ),
]


@pytest.mark.parametrize(("act", "expected"), REFUSALS, ids=[expected for _, expected in REFUSALS])
def test_a_refusal_says_what_is_wanted(
    act: Callable[[UnitOfWork], Any], expected: str, migrated_sqlite_url: str
) -> None:
    with Ledger(migrated_sqlite_url) as ledger, pytest.raises(InvalidInput) as caught, ledger.begin() as uow:
        act(uow)
    assert expected == str(caught.value)
