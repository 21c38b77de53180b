"""Batches: items added once, claimed under leases, tried again, counted; who comes late writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chatledger import (
    BatchExists,
    BatchItem,
    BatchItemNotFound,
    BatchNotFound,
    InvalidInput,
    LeaseLost,
    Ledger,
    SessionNotFound,
)
from tests.support.clock import StoppedClock
from tests.support.raw import Raw


def items(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"key": f"k{number}", "payload": {"n": number}, **more} for number in range(1, count + 1)]


def claim(any_ledger: Ledger, limit: int = 1, **how: Any) -> list[BatchItem]:
    return list(any_ledger.run(lambda uow: uow.batches.claim("job", worker="w", limit=limit, **how)))


def act_on(any_ledger: Ledger, method: str, *given: Any) -> Any:
    """Call a method of batches in a transaction of its own."""
    return any_ledger.run(lambda uow: getattr(uow.batches, method)(*given))


def numbers(found: list[BatchItem]) -> list[int]:
    return [item.item_number for item in found]


def test_a_key_is_added_once_whatever_its_payload(timed_ledger: Ledger) -> None:
    with timed_ledger.begin() as uow:
        uow.batches.create("job", items(3))
        assert 2 == uow.batches.add(
            "job", [{"key": "k2", "payload": "other"}, {"key": "new"}, {"key": "new"}, *items(4)]
        )
        assert 0 == uow.batches.add("job", items(4))
        assert {"n": 2} == uow.batches.item("job", "k2").payload
        assert ["k1", "k2", "k3", "new", "k4"] == [item.key for item in uow.batches.iterate("job")]
        assert (5, 5) == (uow.batches.get("job").last_item, uow.batches.progress("job").total)
        with pytest.raises(BatchExists):
            uow.batches.create("job")
        with pytest.raises(BatchItemNotFound):
            uow.batches.item("job", "nobody")


def test_items_beyond_one_statement_are_numbered_without_a_gap(timed_ledger: Ledger) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", (item for item in items(2345))))
    with timed_ledger.read() as uow:
        assert [*range(1, 2346)] == [item.item_number for item in uow.batches.iterate("job")]
        page = uow.batches.items("job", limit=1000)
        last = uow.batches.items("job", limit=1000, cursor=uow.batches.items("job", limit=2000).next_cursor)
        assert (1000, 1000, 2000) == (len(page), len(last), last[-1].item_number)


def test_the_most_urgent_come_first_and_then_in_the_order_of_adding(timed_ledger: Ledger) -> None:
    given = [{"key": str(priority) + key, "priority": priority} for key in "ab" for priority in (0, 5, -1)]
    timed_ledger.run(lambda uow: uow.batches.create("job", given))
    assert ["5a", "5b", "0a"] == [item.key for item in claim(timed_ledger, 3)]
    assert ["0b", "-1a", "-1b"] == [item.key for item in claim(timed_ledger, 10)]
    assert [] == claim(timed_ledger)


def test_an_item_comes_back_when_its_lease_ends_and_the_late_one_writes_nothing(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1)))
    (early,) = claim(timed_ledger, lease=60)
    clock.advance(seconds=59)
    assert [] == claim(timed_ledger)
    clock.advance(seconds=1)
    (late,) = claim(timed_ledger, lease=60)
    assert (1, 2, 2) == (early.lease, late.lease, late.attempts)
    acts: tuple[Callable[[Any], object], ...] = (
        lambda uow: uow.batches.complete(early, "stale"),
        lambda uow: uow.batches.fail(early, "stale"),
        lambda uow: uow.batches.heartbeat(early),
        lambda uow: uow.batches.release(early),
    )
    for done in (False, True):
        for act in acts:
            with pytest.raises(LeaseLost) as lost:
                timed_ledger.run(act)
            assert ("job", 1) == (lost.value.job_id, lost.value.item_number)
        if not done:
            assert timed_ledger.run(lambda uow: uow.batches.complete(late, "right"))
    with timed_ledger.read() as uow:
        assert "right" == uow.batches.item("job", "k1").result


def test_a_late_result_counts_while_nobody_else_has_the_item(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1)))
    (item,) = claim(timed_ledger, lease=60)
    clock.advance(hours=1)
    assert timed_ledger.run(lambda uow: uow.batches.complete(item, 1))
    assert not timed_ledger.run(lambda uow: uow.batches.complete(item, 1))  # an acknowledgement that was lost
    with timed_ledger.read() as uow:
        assert uow.batches.progress("job").finished


def test_a_heartbeat_keeps_an_item(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1)))
    (item,) = claim(timed_ledger, lease=60)
    for _ in range(5):
        clock.advance(seconds=50)
        assert clock.now + timedelta(minutes=1) == timed_ledger.run(lambda uow: uow.batches.heartbeat(item, lease=60))
        assert [] == claim(timed_ledger)


def test_a_failure_is_tried_again_after_a_growing_wait_and_parked_in_the_end(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1), max_attempts=6, backoff=10, backoff_limit=60))
    longest = []
    for attempt in range(1, 7):
        (item,) = claim(timed_ledger)
        assert attempt == item.attempts
        status = act_on(timed_ledger, "fail", item, ValueError(f"no {item.attempts}"))
        if attempt == 6:
            break
        assert "delayed" == status
        with timed_ledger.read() as uow:
            due = uow.batches.item("job", "k1").due_at
            assert {"ValueError": 1} == uow.batches.progress("job").errors
        assert due is not None
        assert timedelta(0) <= due - clock.now <= timedelta(seconds=min(10 * 2 ** (attempt - 1), 60))
        if due > clock.now:
            clock.now = due - timedelta(microseconds=1)
            assert [] == claim(timed_ledger)
        longest.append(due)
        clock.now = due
    assert "failed" == status
    assert [] == claim(timed_ledger)
    with timed_ledger.begin() as uow:
        item = uow.batches.item("job", "k1")
        assert ("failed", "ValueError", "no 6", 6) == (item.status, item.error_kind, item.error, item.attempts)
        assert (0, 1) == (uow.batches.retry_failed("job", kind="KeyError"), uow.batches.retry_failed("job"))
    (again,) = claim(timed_ledger)
    assert (1, 7) == (again.attempts, again.lease)


def test_a_worker_may_choose_the_wait_or_that_there_is_none(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(2)))
    first, second = claim(timed_ledger, 2)
    assert "delayed" == timed_ledger.run(lambda uow: uow.batches.fail(first, "later", kind="RateLimit", delay=90))
    assert "failed" == timed_ledger.run(lambda uow: uow.batches.fail(second, "never", retry=False))
    clock.advance(seconds=89)
    assert [] == claim(timed_ledger)
    clock.advance(seconds=1)
    assert [1] == numbers(claim(timed_ledger, 5))


def test_an_item_whose_workers_are_lost_again_and_again_is_parked(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1), max_attempts=2))
    for _ in range(2):
        assert [1] == numbers(claim(timed_ledger, lease=1))
        clock.advance(seconds=1)
    assert [] == claim(timed_ledger)
    with timed_ledger.read() as uow:
        assert {"LeaseExpired": 1} == uow.batches.progress("job").errors
        assert ("failed", None) == ((item := uow.batches.item("job", "k1")).status, item.due_at)


def test_what_is_given_back_counts_as_not_begun(timed_ledger: Ledger) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(1), max_attempts=1))
    for lease in (1, 2, 3):
        (item,) = claim(timed_ledger)
        assert (1, lease) == (item.attempts, item.lease)
        act_on(timed_ledger, "release", item)


def test_no_more_than_so_many_are_at_work(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(5), max_running=2))
    first = claim(timed_ledger, 5, lease=60)
    assert [1, 2] == numbers(first)
    assert [] == claim(timed_ledger)
    timed_ledger.run(lambda uow: uow.batches.complete(first[0]))
    assert [3] == numbers(claim(timed_ledger, 5, lease=600))
    clock.advance(seconds=60)  # the second one's worker is lost
    assert [2] == numbers(claim(timed_ledger, 5))


def test_a_paused_or_cancelled_job_hands_nothing_out_and_takes_results(timed_ledger: Ledger) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(3)))
    first, second = claim(timed_ledger, 2)
    for stop in ("pause", "cancel"):
        assert act_on(timed_ledger, stop, "job").status in (
            "paused",
            "cancelled",
        )
        assert [] == claim(timed_ledger)
    timed_ledger.run(lambda uow: uow.batches.complete(first))
    with timed_ledger.read() as uow:
        assert not uow.batches.progress("job").finished
    timed_ledger.run(lambda uow: uow.batches.complete(second))
    with timed_ledger.read() as uow:
        progress = uow.batches.progress("job")
        assert (True, 1, "cancelled") == (progress.finished, progress.waiting, progress.status)
    assert "open" == timed_ledger.run(lambda uow: uow.batches.resume("job")).status
    assert [3] == numbers(claim(timed_ledger, 5))


def test_progress_rate_and_time_left(timed_ledger: Ledger, clock: StoppedClock) -> None:
    timed_ledger.run(lambda uow: uow.batches.create("job", items(10)))
    for item in claim(timed_ledger, 5, lease=3600):
        clock.advance(seconds=2)
        act_on(timed_ledger, "complete", item)
    with timed_ledger.read() as uow:
        progress = uow.batches.progress("job")
    assert (10, 5, 0, 5) == (progress.total, progress.waiting, progress.running, progress.done)
    assert (0.5, timedelta(seconds=10)) == (progress.rate, progress.time_left)
    clock.advance(minutes=2)
    with timed_ledger.read() as uow:
        assert (None, None) == ((progress := uow.batches.progress("job")).rate, progress.time_left)


def test_a_result_may_be_a_session_which_may_be_deleted(timed_ledger: Ledger) -> None:
    with timed_ledger.begin() as uow:
        uow.batches.create("job", items(1))
        uow.sessions.create("s")
    (item,) = claim(timed_ledger)
    with pytest.raises(SessionNotFound):
        timed_ledger.run(lambda uow: uow.batches.complete(item, session_id="nobody"))
    with timed_ledger.begin() as uow:
        uow.batches.complete(item, [1.0, None], session_id="s")
        assert "s" == uow.batches.item("job", "k1").session_id
        uow.sessions.delete("s")
        assert (None, [1.0, None]) == ((done := uow.batches.item("job", "k1")).session_id, done.result)


def test_jobs_are_listed_newest_first_a_page_at_a_time(timed_ledger: Ledger, clock: StoppedClock) -> None:
    for number in range(5):
        with timed_ledger.begin() as uow:
            uow.batches.create(f"job {number}", user_id="ada" if number % 2 else None)
        clock.advance(seconds=1)
    with timed_ledger.begin() as uow:
        page = uow.batches.list(limit=3)
        rest = uow.batches.list(limit=3, cursor=page.next_cursor)
        assert ["job 4", "job 3", "job 2", "job 1", "job 0"] == [job.job_id for job in [*page, *rest]]
        assert ["job 3", "job 1"] == [job.job_id for job in uow.batches.list(user_id="ada")]
        uow.batches.pause("job 2")
        assert ["job 2"] == [job.job_id for job in uow.batches.list(status="paused")]


def test_a_deleted_job_is_gone_with_its_items(timed_ledger: Ledger, raw: Raw) -> None:
    for name in ("job", "other"):
        act_on(timed_ledger, "create", name, items(3))
    (item,) = claim(timed_ledger)
    assert 3 == timed_ledger.run(lambda uow: uow.batches.delete("job"))
    assert (1, 3) == (raw.count("chatledger_batch_jobs"), raw.count("chatledger_batch_items"))
    with pytest.raises(BatchNotFound):
        timed_ledger.run(lambda uow: uow.batches.complete(item))


REFUSED: list[tuple[str, Callable[[Any], object]]] = [
    ("items.1.key", lambda uow: uow.batches.create("new", [{"key": "a"}, {"payload": 1}])),
    ("items.0.payload", lambda uow: uow.batches.create("new", [{"key": "a", "payload": float("nan")}])),
    ("items.0.priority", lambda uow: uow.batches.create("new", [{"key": "a", "priority": 2**40}])),
    ("items", lambda uow: uow.batches.create("new", "text")),
    ("max_attempts", lambda uow: uow.batches.create("new", max_attempts=0)),
    ("backoff", lambda uow: uow.batches.create("new", backoff=-1)),
    ("time_limit", lambda uow: uow.batches.create("new", time_limit=0)),
    ("worker", lambda uow: uow.batches.claim("job", worker="")),
    ("limit", lambda uow: uow.batches.claim("job", worker="w", limit=0)),
    ("lease", lambda uow: uow.batches.claim("job", worker="w", lease=0)),
    ("lease", lambda uow: uow.batches.claim("job", worker="w", lease=float("nan"))),
    ("item", lambda uow: uow.batches.complete({"item_number": 1})),
    ("status", lambda uow: uow.batches.items("job", status="asleep")),
    ("cursor", lambda uow: uow.batches.items("job", cursor="x")),
    ("status", lambda uow: uow.batches.list(status="asleep")),
]


def test_bad_input_is_refused_by_name_and_changes_nothing(any_ledger: Ledger, raw: Raw) -> None:
    any_ledger.run(lambda uow: uow.batches.create("job", items(2)))
    before = (
        raw("SELECT job_id, status, lease FROM chatledger_batch_items"),
        raw("SELECT job_id, last_item FROM chatledger_batch_jobs"),
    )
    for field, act in REFUSED:
        with pytest.raises(InvalidInput) as refused:
            any_ledger.run(act)
        assert field == refused.value.field
    assert before == (
        raw("SELECT job_id, status, lease FROM chatledger_batch_items"), raw("SELECT job_id, last_item FROM chatledger_batch_jobs"),
    )  # fmt: skip


def test_an_error_of_any_text_is_kept_cut_and_harmless(any_ledger: Ledger, raw: Raw) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    any_ledger.run(lambda uow: uow.batches.create("job", items(3), max_attempts=1))
    errors: list[Exception] = [Unspeakable(), ValueError("a\x00b\ud800c"), KeyError("x" * 5000)]
    for item, error in zip(claim(any_ledger, 3), errors, strict=True):
        act_on(any_ledger, "fail", item, error)
    with any_ledger.read() as uow:
        found = [(item.error_kind, item.error) for item in uow.batches.iterate("job")]
    assert [("Unspeakable", ""), ("ValueError", "ab?c"), ("KeyError", ("'" + "x" * 5000)[:2000])] == found


def test_a_claim_and_the_progress_read_the_indexes_made_for_them(ledger: Ledger, raw: Raw) -> None:
    ledger.run(lambda uow: uow.batches.create("job", items(500)))
    where = "FROM chatledger_batch_items WHERE job_id = 'job' AND"
    coming_back = "status IN ('delayed', 'running')"
    plans = {
        f"SELECT item_number {where} status = 'waiting' ORDER BY rank, item_number LIMIT 1": "ix_chatledger_batch_items_waiting",
        f"SELECT item_number {where} {coming_back} AND due_at <= '2026-05-01 00:00:00.000000'": "ix_chatledger_batch_items_due",
        f"SELECT count(*) {where} {coming_back} AND status = 'running'": "ix_chatledger_batch_items_due",
        f"SELECT count(*) {where} status = 'done'": "ix_chatledger_batch_items_done",
        f"SELECT error_kind, count(*) {where} status = 'failed' GROUP BY error_kind": "ix_chatledger_batch_items_failed",
    }
    for statement, index in plans.items():
        plan = explained(ledger, raw, statement)
        assert index in plan, plan
        assert "sort" not in plan.lower().replace("sort key", "") or "GROUP" in statement, plan
        assert "TEMP B-TREE FOR ORDER" not in plan, plan


def explained(ledger: Ledger, raw: Raw, statement: str) -> str:
    if ledger.engine.dialect.name == "sqlite":
        return " ".join(row.detail for row in raw(f"EXPLAIN QUERY PLAN {statement}"))
    raw("ANALYZE chatledger_batch_items")
    with raw.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # 500 rows would be read through
        return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}"))
