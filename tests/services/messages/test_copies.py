"""A message counts once, however often it was copied, and one copy takes the place of an original that is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete

from chatledger import InvalidInput, Ledger, UnitOfWork, models
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

DOLLAR = Decimal(1)
Place = tuple[str | None, int | None]


@pytest.fixture
def forked(any_ledger: Ledger) -> Ledger:
    """A conversation of four messages that cost $1, a fork of it, and a fork of the fork."""
    with any_ledger.begin() as uow:
        uow.sessions.create("trunk", user_id="ada", project_id="p", model_id="m")
        uow.messages.append_many(
            "trunk",
            [
                {"role": "assistant", "content": f"otter {n}", "cost": "0.25", "input_tokens": 10, "duration_ms": n}
                for n in range(1, 5)
            ],
        )
        uow.sessions.fork("trunk", new_session_id="fork")
        uow.sessions.fork("fork", new_session_id="branch", at=3)
        uow.sessions.fork("branch", new_session_id="arm", at=2)
    return any_ledger


def origins(any_ledger: Ledger, session_id: str) -> list[Place]:
    with any_ledger.read() as uow:
        return [(one.copied_from, one.copied_sequence) for one in uow.messages.history(session_id)]


def cost(any_ledger: Ledger, **which: Any) -> Decimal:
    with any_ledger.read() as uow:
        return uow.statistics.overview(**which).cost


def require_sound(any_ledger: Ledger) -> None:
    report = any_ledger.check()
    assert report.ok, report.findings
    assert not {finding.kind for finding in report.findings} - {"forks", "no_digest", "unused"}


OWN: Place = (None, None)


def test_copies_name_the_original_and_never_another_copy(forked: Ledger) -> None:
    assert [OWN] * 4 == origins(forked, "trunk")
    assert [("trunk", n) for n in range(1, 5)] == origins(forked, "fork")
    assert [("trunk", n) for n in range(1, 4)] == origins(forked, "branch")
    assert [("trunk", n) for n in range(1, 3)] == origins(forked, "arm")
    require_sound(forked)


def test_two_forks_of_a_dollar_cost_a_dollar(forked: Ledger) -> None:
    with forked.read() as uow:
        statistics = uow.statistics
        assert (DOLLAR, 4, 1) == ((all_ := statistics.overview()).cost, all_.messages, all_.sessions)
        for found in (
            statistics.by_user(),
            statistics.by_project(),
            statistics.by_model(),
            statistics.by_role(),
            statistics.by_session(),
            statistics.by_day(),
            statistics.by_hour(),
            statistics.by_week(),
            statistics.by_month(),
        ):
            assert [DOLLAR] == [one.cost for one in found if one.messages]
        assert 4 == sum(one.messages for one in statistics.activity())
        assert (4, 2) == ((latency := statistics.latency()).messages, latency.p50_ms)
        assert [("trunk", 4)] == [(one.key, one.messages) for one in statistics.latency_by("session")]
        everything = statistics.overview(include_copies=True)
        assert (Decimal("3.25"), 13, 4) == (everything.cost, everything.messages, everything.sessions)
        assert 13 == statistics.latency(include_copies=True).messages
        assert [4, 4, 3, 2] == [one.messages for one in statistics.by_session(include_copies=True)]
        # A session's own totals are the sum of its rows.
        assert DOLLAR == uow.sessions.get("fork").total_cost


def test_copies_are_left_out_of_a_time_that_cuts_a_quarter(forked: Ledger) -> None:
    with forked.read() as uow:
        at = uow.messages.get("trunk", 1).created_at
    span = {"since": at - timedelta(seconds=1), "until": at + timedelta(seconds=1)}
    assert (DOLLAR, Decimal("3.25")) == (cost(forked, **span), cost(forked, include_copies=True, **span))


def test_a_context_window_is_filled_by_what_a_session_says_itself(forked: Ledger) -> None:
    with forked.begin() as uow:
        uow.models.register("m", context_window=100)
        assert ["trunk"] == [one.session_id for one in uow.statistics.context_use()]
        assert 4 == len(uow.statistics.context_use(include_copies=True))
        uow.messages.append("fork", "assistant", "on", input_tokens=50)
        assert ["fork", "trunk"] == [one.session_id for one in uow.statistics.context_use()]


def test_include_copies_is_a_flag(forked: Ledger) -> None:
    with forked.read() as uow:
        for refused in (
            lambda: uow.statistics.overview(include_copies="no"),  # type: ignore[arg-type]
            lambda: uow.search.messages("otter", include_copies=1),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidInput, match="include_copies"):
                refused()


def test_a_search_finds_the_original(forked: Ledger) -> None:
    with forked.read() as uow:
        assert {"trunk"} == {hit.session_id for hit in uow.search.messages("otter")}
        assert [("trunk", 4)] == [(hit.session_id, hit.hits) for hit in uow.search.sessions("otter")]
        assert 13 == len(uow.search.messages("otter", include_copies=True))
        assert 4 == len(uow.search.sessions("otter", include_copies=True))
        # The conversation that one looks at is searched whole.
        assert 3 == len(uow.search.messages("otter", session_id="branch"))


def test_a_copy_is_found_where_its_original_is_not_searched(forked: Ledger) -> None:
    with forked.begin() as uow:
        uow.sessions.update("fork", user_id="bob", project_id="q")
    for any_ledger in (forked, forked.for_user("bob")):
        with any_ledger.read() as uow:
            assert 4 == len(uow.search.messages("otter", user_id="bob"))
            assert 4 == len(uow.search.messages("otter", project_id="q"))
    with forked.begin() as uow:
        assert {"trunk"} == {hit.session_id for hit in uow.search.messages("otter")}
        uow.sessions.expire("trunk")
        assert {"fork", "branch", "arm"} == {hit.session_id for hit in uow.search.messages("otter")}


def _delete(uow: UnitOfWork) -> None:
    uow.sessions.delete("trunk")


def _clear(uow: UnitOfWork) -> None:
    uow.messages.clear("trunk")


def _purge(uow: UnitOfWork) -> None:
    uow.sessions.archive("trunk")
    uow.timeouts.purge(older_than=0)


def _by_orm(uow: UnitOfWork) -> None:
    uow.session.delete(uow.session.get_one(models.Session, "trunk"))
    uow.session.flush()


@pytest.mark.parametrize("act", [_delete, _clear, _purge])
@ONE_FLAVOR
def test_one_copy_takes_the_place_of_a_deleted_original(forked: Ledger, act: Callable[[UnitOfWork], None]) -> None:
    with forked.begin() as uow:
        act(uow)
    # The smallest id that has a copy.
    assert [OWN, OWN] == origins(forked, "arm")
    assert [("arm", 1), ("arm", 2), OWN] == origins(forked, "branch")
    assert [("arm", 1), ("arm", 2), ("branch", 3), OWN] == origins(forked, "fork")
    assert DOLLAR == cost(forked)
    with forked.read() as uow:
        assert 4 == len(uow.search.messages("otter"))
    require_sound(forked)


def test_a_session_deleted_through_the_orm_passes_on_as_well(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("trunk")
        uow.messages.append_many("trunk", [{"role": "user", "cost": "0.5"}] * 2)
        uow.sessions.fork("trunk", new_session_id="fork")
        uow.sessions.fork("trunk", new_session_id="arm")
    with ledger.begin() as uow:
        uow.session.delete(uow.session.get_one(models.Message, ("trunk", 2)))
    assert [OWN] == origins(ledger, "trunk")
    assert [("trunk", 1), OWN] == origins(ledger, "arm")
    with ledger.begin() as uow:
        _by_orm(uow)
    assert [OWN, OWN] == origins(ledger, "arm")
    assert [("arm", 1), ("arm", 2)] == origins(ledger, "fork")
    assert DOLLAR == cost(ledger)
    require_sound(ledger)


def test_pop_passes_on_one_message(forked: Ledger) -> None:
    with forked.begin() as uow:
        uow.messages.pop("trunk")
    assert [("trunk", 1), ("trunk", 2), ("trunk", 3), OWN] == origins(forked, "fork")
    assert DOLLAR == cost(forked)
    require_sound(forked)


def test_deleting_a_copy_changes_nothing_else(forked: Ledger) -> None:
    with forked.begin() as uow:
        uow.sessions.delete("fork")
        uow.messages.clear("arm")
    assert [OWN] * 4 == origins(forked, "trunk")
    assert [("trunk", n) for n in range(1, 4)] == origins(forked, "branch")
    require_sound(forked)


def test_the_last_copy_goes_with_its_session(forked: Ledger) -> None:
    for name in ("trunk", "arm", "branch"):
        with forked.begin() as uow:
            uow.sessions.delete(name)
        require_sound(forked)
        assert DOLLAR == cost(forked)
    assert [OWN] * 4 == origins(forked, "fork")
    with forked.begin() as uow:
        uow.sessions.delete("fork")
    assert 0 == cost(forked)


@pytest.mark.parametrize("keep_totals", [False, True])
def test_an_erasure_leaves_no_id_with_others(forked: Ledger, url: str, keep_totals: bool) -> None:
    with forked.begin() as uow:
        uow.sessions.update("fork", user_id="bob")
        uow.sessions.update("branch", user_id="bob")
        uow.snapshots.take("fork")
    forked.erase_user("ada", keep_totals=keep_totals)
    raw = Raw(url)
    for column in ("session_id", "copied_from"):
        named = raw(f"SELECT count(*) FROM chatledger_messages WHERE {column} IN ('trunk', 'arm')")
        assert [(0,)] == [tuple(row) for row in named]
    assert [OWN] * 3 == origins(forked, "branch")
    assert [("branch", 1), ("branch", 2), ("branch", 3), OWN] == origins(forked, "fork")
    assert DOLLAR == cost(forked) == cost(forked, user_id="bob")
    with forked.read() as uow:
        assert {"branch", "fork"} == {hit.session_id for hit in uow.search.messages("otter")}
    require_sound(forked)


def test_kept_totals_of_copies_count_once(forked: Ledger) -> None:
    forked.erase_user("ada", keep_totals=True)
    assert (DOLLAR, Decimal("3.25")) == (cost(forked), cost(forked, include_copies=True))
    require_sound(forked)


def test_restoring_as_a_new_session_copies_what_is_still_there(forked: Ledger) -> None:
    with forked.begin() as uow:
        snapshot = uow.snapshots.take("trunk")
        uow.messages.redact("trunk", 2)
        uow.snapshots.restore(snapshot.snapshot_id, as_session_id="early")
        uow.messages.pop("trunk")  # of which the fork has a copy
        uow.snapshots.restore(snapshot.snapshot_id, as_session_id="late")
    expected: list[Place] = [("trunk", 1), ("trunk", 2), ("trunk", 3)]
    assert [*expected, OWN] == origins(forked, "early")
    assert [*expected, ("early", 4)] == origins(forked, "late")
    require_sound(forked)


def test_restoring_over_a_session_loses_no_link(forked: Ledger) -> None:
    with forked.begin() as uow:
        snapshot = uow.snapshots.take("fork")
        uow.messages.append("fork", "user", "later")
        uow.sessions.fork("fork", new_session_id="after")
        uow.messages.pop("fork")
        uow.messages.pop("fork")
        uow.messages.append("fork", "user", "instead")
        uow.snapshots.restore(snapshot.snapshot_id)
    assert [("trunk", n) for n in range(1, 5)] == origins(forked, "fork")
    assert OWN == origins(forked, "after")[4]
    require_sound(forked)


def test_an_original_that_comes_back_is_a_copy_of_its_heir(forked: Ledger) -> None:
    with forked.begin() as uow:
        snapshot = uow.snapshots.take("trunk")
        uow.messages.pop("trunk")
        uow.snapshots.restore(snapshot.snapshot_id)
    assert [OWN, OWN, OWN, ("fork", 4)] == origins(forked, "trunk")
    assert OWN == origins(forked, "fork")[3]
    assert DOLLAR == cost(forked)
    with forked.begin() as uow:  # what the checkpoint before the restore would remove
        uow.snapshots.restore("trunk:2")
    assert DOLLAR == cost(forked)
    require_sound(forked)


def test_restoring_over_an_original_keeps_its_copies(forked: Ledger, url: str) -> None:
    with forked.begin() as uow:
        snapshot = uow.snapshots.take("trunk")
    Raw(url)("UPDATE chatledger_messages SET duration_ms = 77 WHERE session_id = 'trunk' AND sequence_number = 2")
    with forked.begin() as uow:
        uow.snapshots.restore(snapshot.snapshot_id)
    assert [OWN] * 4 == origins(forked, "trunk")
    assert [("trunk", n) for n in range(1, 5)] == origins(forked, "fork")
    require_sound(forked)


def test_a_check_finds_copies_whose_original_was_deleted_by_sql(forked: Ledger, url: str) -> None:
    Raw(url)("DELETE FROM chatledger_messages WHERE session_id = 'trunk' AND sequence_number IN (1, 3)")
    (finding,) = [finding for finding in forked.check().findings if finding.kind == "copies"]
    assert ("'arm'", "'branch'", "'fork'") == finding.examples
    assert Decimal("0.5") == cost(forked)
    assert "copies" in {action.kind for action in forked.repair().actions}
    assert DOLLAR == cost(forked)
    assert [OWN, ("trunk", 2)] == origins(forked, "arm")
    require_sound(forked)


def test_statements_over_tables_leave_copies_that_a_repair_promotes(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("trunk")
        uow.messages.append("trunk", "user", "Hello")
        uow.sessions.fork("trunk", new_session_id="fork")
        uow.session.execute(delete(models.Message).where(models.Message.session_id == "trunk"))
    assert ["copies"] == [finding.kind for finding in ledger.check().findings if finding.kind == "copies"]
    ledger.repair()
    assert [OWN] == origins(ledger, "fork")


def test_a_copy_of_the_ledger_keeps_what_is_copied(ledger: Ledger, sqlite_url: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("trunk")
        uow.messages.append("trunk", "user", "Hello")
        uow.sessions.fork("trunk", new_session_id="fork")
    target = sqlite_url.replace("chat.db", "target.db")
    ledger.copy_to(target)
    with Ledger(target) as other:
        assert [("trunk", 1)] == origins(other, "fork")
        require_sound(other)
