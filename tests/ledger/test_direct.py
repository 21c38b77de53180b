"""`ledger.append` and its like do what the unit of work does, in one statement of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chatledger import ChatledgerError, Ledger, UnitOfWork, transactions
from chatledger.ledger import direct
from chatledger.ledger.user_ledger import UserLedger
from tests.support.flavors import open_ledger
from tests.support.once import ONE_FLAVOR
from tests.support.templates import Copy

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Direct:
    """The methods of the ledger."""

    def __init__(self, ledger: UserLedger) -> None:
        self.create, self.append = ledger.create, ledger.append
        self.append_many, self.history = ledger.append_many, ledger.history


class InUnitOfWork:
    """The same methods of the services, each called in a unit of work."""

    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def create(self, *args: Any, **given: Any) -> Any:
        return self._ledger.run(lambda uow: uow.sessions.create(*args, **given))

    def append(self, *args: Any, **given: Any) -> Any:
        return self._ledger.run(lambda uow: uow.messages.append(*args, **given))

    def append_many(self, *args: Any, **given: Any) -> Any:
        return self._ledger.run(lambda uow: uow.messages.append_many(*args, **given))

    def history(self, *args: Any, **given: Any) -> Any:
        return self._ledger.view(lambda uow: uow.messages.history(*args, **given))


def fill(url: str) -> None:
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.models.price("priced", input=2, output="8.5", effective_from=AT - timedelta(days=9))


@pytest.fixture
def filled(copied: Copy, flavor: str) -> Iterator[Ledger]:
    with open_ledger(flavor, copied(fill), clock=lambda: AT) as any_ledger:
        yield any_ledger


def pair_of_sessions(ledger: Ledger, case: str) -> tuple[str, str]:
    """Two sessions that are alike but for their names."""
    names = f"{case} in a unit of work", f"{case} by itself"
    with ledger.begin() as uow:
        for name in names:
            uow.sessions.create(name, user_id="ada", title="Trip", model_id="priced")
            for number in range(3):
                uow.messages.append(name, "user", f"word {number}", key=f"k{number}")
    return names


Case = Callable[[Any, str], Any]

ONE_STATEMENT: dict[str, Case] = {
    "a text": lambda do, s: do.append(s, "user", "Grüße 数据库 🙂"),
    "nothing": lambda do, s: do.append(s, "user"),
    "parts": lambda do, s: do.append(s, "user", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
    "every field": lambda do, s: do.append(
        s, "tool", "x", payload={"a": [1, 2.5, None]}, metadata={"k": "v"}, name="n", tool_call_id="c",
        input_tokens=70_000, output_tokens=2, cached_tokens=1, reasoning_tokens=1, duration_ms=9, cost="0.25",
        outcome="complete", hidden=True, key="new", created_at=AT - timedelta(days=1),
    ),
    "a total": lambda do, s: do.append(s, "assistant", "x", tokens_used=9),
    "details": lambda do, s: do.append(s, "assistant", input_tokens=9, cache_write_tokens=3, service_tier="batch"),
    "tokens of the session's model": lambda do, s: do.append(s, "assistant", input_tokens=1000, output_tokens=10),
    "counts beyond 32 bits": lambda do, s: do.append(s, "assistant", input_tokens=10**11, duration_ms=10**12),
    "a number that is expected": lambda do, s: do.append(s, "user", "x", expected_sequence=4),
    "a key": lambda do, s: do.append(s, "user", "x", key="new", expected_sequence=4),
    "many of one": lambda do, s: do.append_many(s, [{"role": "user", "content": "x"}], expected_sequence=4),
    "a session": lambda do, s: do.create(f"{s} again", title="Trip", system_prompt="Be kind.", context={"a": 1}),
    "a session of yesterday": lambda do, s: do.create(f"{s} again", created_at=AT - timedelta(days=1), user_id="ada"),
    "history": lambda do, s: do.history(s),
    "history in bounds": lambda do, s: do.history(s, after=1, before=3, limit=5, include_unfinished=False),
    "last": lambda do, s: do.history(s, last=2),
    "after a key": lambda do, s: do.history(s, after_key="k0", until=AT + timedelta(seconds=1)),
}  # fmt: skip
"""What one statement does, and no unit of work."""

IN_A_UNIT_OF_WORK: dict[str, Case] = {
    "a model seen for the first time": lambda do, s: do.append(s, "assistant", "x", model_id=f"{s} model"),
    "a key again": lambda do, s: do.append(s, "user", "word 1", key="k1"),
    "a key for something else": lambda do, s: do.append(s, "user", "other", key="k1"),
    "a number that is taken": lambda do, s: do.append(s, "user", "x", expected_sequence=2),
    "no such session": lambda do, s: do.append(f"{s}?", "user"),
    "many": lambda do, s: do.append_many(s, [{"role": "user", "content": str(n)} for n in range(3)]),
    "many of none": lambda do, s: do.append_many(s, []),
    "many of one key": lambda do, s: do.append_many(s, [{"role": "user", "key": "k2"}], on_key="keep"),
    "a session with metadata": lambda do, s: do.create(f"{s} again", metadata={"k": [1]}, project_id=f"{s} project"),
    "a session with limits": lambda do, s: do.create(f"{s} again", idle_timeout=60),
    "a session that exists": lambda do, s: do.create(s, user_id="ada"),
    "whole turns": lambda do, s: do.history(s, last=1, whole_turns=True),
    "no more messages": lambda do, s: do.history(s, after=3),
    "history of no session": lambda do, s: do.history(f"{s}?"),
    "a key that nobody has": lambda do, s: do.history(s, after_key="nobody"),
}
REFUSED: dict[str, Case] = {
    "a role": lambda do, s: do.append(s, "nobody"),
    "NaN": lambda do, s: do.append(s, "user", payload={"a": math.nan}),
    "NUL": lambda do, s: do.append(s, "user", "\x00"),
    "a set": lambda do, s: do.append(s, "user", metadata={"a": {1}}),
    "no id": lambda do, _: do.append(3, "user"),
    "a number": lambda do, s: do.append(s, "user", expected_sequence=-1),
    "a naive time": lambda do, s: do.append(s, "user", created_at=datetime(2026, 1, 1)),
    "one of many": lambda do, s: do.append_many(s, [{"role": "user", "payload": {"a": math.inf}}]),
    "no list": lambda do, s: do.append_many(s, 3),
    "both bounds": lambda do, s: do.history(s, last=1, limit=1),
    "a session's context": lambda do, s: do.create(f"{s} again", context={"a": math.nan}),
}


def outcome(ledger: Ledger, do: Any, name: str, case: Case) -> str:
    """What a case returned or raised, and what it left, without the name of the session."""
    try:
        result = case(do, name)
    except (ChatledgerError, TypeError) as error:
        result = (type(error), str(error), str(getattr(error, "code", None)))

    def left(uow: UnitOfWork) -> list[Any]:
        found = []
        for session_id in (name, f"{name} again"):
            session = uow.sessions.find(session_id)
            found.append(
                # Which the database sets, by its own clock.
                session and (session.model_dump(exclude={"updated_at"}), uow.messages.history(session_id))
            )
        return [found, uow.statistics.overview(session_id=name)]

    return f"{result} {ledger.view(left)}".replace(name, "NAME")


def compare(ledger: Ledger, name: str, case: Case, limited: UserLedger | None = None, change: str = "") -> str:
    pair = pair_of_sessions(ledger, name)
    if change:
        ledger.run(lambda uow: [getattr(uow.sessions, change)(session_id) for session_id in pair])
    by_hand, direct = (
        outcome(ledger, way(limited or ledger), session_id, case)
        for way, session_id in zip((InUnitOfWork, Direct), pair, strict=True)
    )
    assert by_hand == direct, name
    return direct


@pytest.fixture
def units_of_work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of units of work that the direct methods fall back on, in a list."""
    count = [0]
    run = transactions.run

    def counted(*args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        return run(*args, **kwargs)

    monkeypatch.setattr(direct, "run", counted)
    return count


def test_what_one_statement_does_needs_no_unit_of_work(filled: Ledger, units_of_work: list[int]) -> None:
    compare(filled, "one that finds prices", ONE_STATEMENT["tokens of the session's model"])
    assert [1] == units_of_work
    units_of_work[0] = 0
    for name, case in ONE_STATEMENT.items():
        compare(filled, name, case)
        assert [0] == units_of_work, name


@ONE_FLAVOR
def test_the_rest_is_done_in_one(filled: Ledger, units_of_work: list[int]) -> None:
    for count, (name, case) in enumerate(IN_A_UNIT_OF_WORK.items(), 1):
        compare(filled, name, case)
        assert [count] == units_of_work, name


@ONE_FLAVOR
def test_what_is_not_valid_is_refused_before_anything_is_waited_for(filled: Ledger, units_of_work: list[int]) -> None:
    for name, case in REFUSED.items():
        assert "InvalidInput" in compare(filled, name, case)
    assert [0] == units_of_work


@ONE_FLAVOR
def test_a_user_writes_and_reads_their_own_sessions_only(filled: Ledger) -> None:
    for name in ("every field", "many of one", "a key again", "last", "whole turns"):
        case = {**ONE_STATEMENT, **IN_A_UNIT_OF_WORK}[name]
        compare(filled, f"{name} of mine", case, filled.for_user("ada"))
        assert "SessionNotFound" in compare(filled, name, case, filled.for_user("eve"))
    for name in ("a session", "a session of yesterday", "a session that exists"):
        compare(filled, name, {**ONE_STATEMENT, **IN_A_UNIT_OF_WORK}[name], filled.for_user("eve"))


@ONE_FLAVOR
def test_sessions_are_woken_or_closed_alike(filled: Ledger) -> None:
    for change in ("pause", "mark_idle", "archive", "expire", "fail"):
        compare(filled, change, lambda do, s: do.append(s, "user", "x"), change=change)


def test_a_model_that_was_seen_costs_no_unit_of_work(filled: Ledger, units_of_work: list[int]) -> None:
    filled.create("s")
    for _ in range(2):  # registered, and then found, as are prices
        filled.append("s", "assistant", model_id="priced", input_tokens=1_000_000)
    units_of_work[0] = 0
    message = filled.append("s", "assistant", model_id="priced", input_tokens=1_000_000)
    assert (Decimal(2), AT - timedelta(days=9)) == (message.cost, message.priced_from)
    filled.create("new", model_id="priced")
    assert [0] == units_of_work


def test_numbers_go_on_from_each_other(filled: Ledger) -> None:
    filled.create("s")
    numbers = []
    for _ in range(3):
        numbers.append(filled.append("s", "user").sequence_number)
        numbers.append(filled.run(lambda uow: uow.messages.append("s", "user")).sequence_number)
        with suppress(ChatledgerError):
            filled.append("s", "user", expected_sequence=1)
    assert [1, 2, 3, 4, 5, 6] == numbers


def test_a_price_that_is_set_later_counts_from_then_on(any_ledger: Ledger, units_of_work: list[int]) -> None:
    any_ledger.create("s")

    def costs() -> list[Decimal | None]:
        return [any_ledger.append("s", "assistant", model_id="m", input_tokens=10**6).cost for _ in range(3)]

    assert [None] * 3 == costs()
    any_ledger.run(lambda uow: uow.models.price("m", input=2))
    units_of_work[0] = 0
    assert [Decimal(2)] * 3 == costs()
    assert [1] == units_of_work  # which found that there are prices now
