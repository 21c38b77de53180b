"""Erasing a user: nothing is left in any table, nor in the file; figures can stay; nobody else is touched."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger, Status
from chatledger.services.retention.traces import digest_of_user
from tests.services.messages.test_counters import WRONG
from tests.support.clock import StoppedClock
from tests.support.contents import contents, places_of
from tests.support.full_text import index_waiting
from tests.support.raw import Raw

ADA = "zqada"
"""Who is erased, and what is only hers: names, texts, keys. None of it is a word that anything else could hold."""
WORDS = [
    ADA, "zqname", "zqtitle", "zqprompt", "zqcontext", "zqmetakey", "zqmetavalue", "zqcontent", "zqpayload", "zqspeaker",
    "zqcall", "zqkey", "zqpopped", "zqredacted", "zqrewritten", "zqreason", "zqdeleted", "zq漢字", "zqsaid",
]  # fmt: skip


@pytest.fixture
def lived(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    """A ledger in which Ada has left traces everywhere, and Bob has lived beside her."""
    any_ledger = timed_ledger
    with any_ledger.begin(actor="bob") as uow:
        uow.sessions.create("zqname given", title="of nobody yet")  # hers later
        uow.sessions.hold("zqname given", reason="zqreason")
        uow.sessions.release("zqname given")
        uow.sessions.create("bob's", user_id="bob", title="Bob's", metadata={"k": 1}, project_id="p", idle_timeout=60)
        uow.messages.append("bob's", "user", "otter", input_tokens=100, cost=5)
    with any_ledger.begin(actor=ADA) as uow:
        for number in range(3):
            uow.sessions.create(
                f"zqname {number}", user_id=ADA, project_id="p", model_id="m", title="zqtitle", system_prompt="zqprompt",
                context={"zqcontext": "zqcontext"}, metadata={"zqmetakey": "zqmetavalue"}, archive_timeout=60,
            )  # fmt: skip
            for cost in ("0.1", "0.000000001"):
                uow.messages.append(
                    f"zqname {number}", "user", "zqcontent zq漢字", payload={"zqpayload": 1}, metadata={"zqmetakey": 1},
                    name="zqspeaker", tool_call_id="zqcall", key=f"zqkey{cost}", model_id="m", input_tokens=5, cost=cost,
                    duration_ms=7,
                )  # fmt: skip
        uow.messages.append("zqname 0", "user", "zqredacted")
        uow.messages.append("zqname 0", "user", "zqpopped", tokens_used=1)
        uow.snapshots.take("zqname 0", reason="zqreason")
        uow.messages.redact("zqname 0", 3, replacement="zqrewritten")
        uow.messages.pop("zqname 0")
        uow.annotations.add("zqname 0", sequence_number=1, label="zqsaid", text="zqsaid", author="bob")
        uow.annotations.add("bob's", label="good", text="zqsaid", author=ADA, metadata={"zqmetakey": 1})
        uow.metrics.record("zqsaid", 1, session_id="zqname 0")
        uow.metrics.record("zqsaid", 1, user_id=ADA)
        uow.sessions.archive("zqname 1", reason="zqreason")
        uow.sessions.expire("zqname 2", reason="zqreason")
        uow.sessions.update("zqname given", user_id=ADA, title="zqtitle")
        uow.sessions.create("zqdeleted", user_id=ADA)
        for original in ("zqname 0", "zqdeleted"):
            forked = uow.sessions.fork(original, at=None, new_session_id=f"bob's fork of {len(original)}")
            uow.messages.clear(forked.session_id)
            uow.metadata.delete(forked.session_id, "zqmetakey") if original == "zqname 0" else None
            uow.sessions.update(forked.session_id, user_id="bob", title="Bob's", system_prompt=None, context={})
        uow.sessions.delete("zqdeleted", reason="zqreason")
        uow.timeouts.configure_default(user_id=ADA)
        job = uow.batches.create(
            "zqjob", [{"key": "zqkey", "payload": "zqpayload"}], name="zqname", user_id=ADA, metadata={"zqmetakey": 1}
        )
        uow.batches.fail(uow.batches.claim(job.job_id, worker=ADA)[0], "zqreason")
        uow.batches.create("bob's", [{"key": "zqkey", "payload": "zqprompt"}, {"key": "other"}], user_id="bob")
        first, second = uow.batches.claim("bob's", worker=ADA, limit=2)
        uow.batches.complete(first, "zqcontent", session_id="zqname 0")
        uow.batches.complete(second, "otter")
        uow.snapshots.take("bob's", reason="zqreason")
        uow.sessions.hold("bob's", reason="zqreason")
        uow.sessions.release("bob's")
    clock.advance(days=1)
    return any_ledger


def test_nothing_of_her_is_left_in_any_table(lived: Ledger, raw: Raw) -> None:
    everywhere = {table for table, _ in places_of(raw, WORDS)}
    tables = {"chatledger_sessions", "chatledger_messages", "chatledger_session_metadata", "chatledger_session_timeouts", "chatledger_session_snapshots", "chatledger_timeout_defaults",
              "chatledger_batch_jobs", "chatledger_batch_items", "chatledger_annotations", "chatledger_performance_metrics"}  # fmt: skip
    assert {*tables, "chatledger_audit_log"} <= everywhere
    with lived.read() as uow:
        bobs = uow.sessions.get("bob's"), uow.messages.history("bob's"), uow.timeouts.get("bob's")
    rehearsed = lived.erase_user(ADA, dry_run=True)
    receipt = lived.erase_user(ADA, actor="dpo", reason="request 12")
    assert [] == places_of(raw, WORDS)
    assert (ADA, 4, 7, 2, False) == (
        receipt.user_id, receipt.sessions, receipt.messages, receipt.snapshots, receipt.kept_totals,
    )  # fmt: skip
    assert {"tokens": 30, "duration_ms": 42, "cost": Decimal("0.300000003")} == receipt.totals
    assert receipt.scrubbed is True
    assert rehearsed == receipt.model_copy(update={"dry_run": True, "scrubbed": None})
    with lived.read() as uow:
        assert bobs == (uow.sessions.get("bob's"), uow.messages.history("bob's"), uow.timeouts.get("bob's"))
        for fork in ("bob's fork of 8", "bob's fork of 9"):
            assert (None, None) == ((session := uow.sessions.get(fork)).forked_from, session.forked_at)
        entry = uow.audit.list(action="user.erased").items[0]
        assert ("dpo", "request 12", 4, digest_of_user(ADA)) == (
            entry.actor, entry.reason, entry.count, entry.details and entry.details["user"],
        )  # fmt: skip
        assert 4 == len(uow.audit.list(action="session.erased").items)
        # What she did to Bob's is still known, but for who did it.
        held = uow.audit.list(session_id="bob's", action="session.held").items[0]
        assert (None, None, "bob") == (held.actor, held.reason, held.user_id)
        assert "otter" in uow.search.messages("otter").items[0].snippet
    with lived.read() as uow:  # that Bob's items are done is still known
        assert [None, "otter"] == [item.result for item in uow.batches.iterate("bob's", status="done")]
    assert [] == raw(WRONG)
    again = lived.erase_user(ADA, scrub=False)
    assert (0, 0, 0, None) == (again.sessions, again.messages, again.audit_entries, again.scrubbed)
    # Who was erased is known, and a name that is misspelled is not.
    assert (True, False) == (again.found, lived.erase_user("adda", dry_run=True).found)


def test_a_user_without_sessions_is_found_by_any_trace(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.annotations.add("s", label="good", author="cleo")
        uow.timeouts.configure_default(user_id="dora", idle_timeout=60)
    with ledger.begin(actor="eve") as uow:
        uow.sessions.archive("s")
    found = {name: ledger.erase_user(name, dry_run=True).found for name in ("cleo", "dora", "eve", "fay")}
    assert {"cleo": True, "dora": True, "eve": True, "fay": False} == found


def test_a_rehearsal_changes_nothing(lived: Ledger, raw: Raw) -> None:
    before = contents(raw)
    told: list[Any] = []
    receipt = lived.erase_user(ADA, dry_run=True, keep_totals=True, progress=lambda *figures: told.append(figures))
    with lived.begin() as uow:
        assert receipt.at == uow.sessions.erase_user(ADA, dry_run=True, keep_totals=True).at
    assert [(4, 7)] == told
    assert before == contents(raw)


def totals(raw: Raw) -> dict[tuple[Any, ...], tuple[int, ...]]:
    rows = raw(
        "SELECT s.project_id, m.model_id, count(*), sum(m.input_tokens), sum(m.cost), sum(m.duration_ms)"
        " FROM chatledger_messages AS m JOIN chatledger_sessions AS s ON s.session_id = m.session_id GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return {(row[0], row[1]): tuple(int(value or 0) for value in row[2:]) for row in rows}


def test_totals_can_stay_by_project_and_model_without_content(lived: Ledger, raw: Raw) -> None:
    before = totals(raw)
    sums = (
        "SELECT sum(message_count), sum(total_tokens), sum(total_cost), sum(total_duration_ms) FROM chatledger_sessions"
    )
    figures = [int(value) for value in raw(sums)[0]]
    receipt = lived.erase_user(ADA, keep_totals=True)
    assert (True, 4, 7) == (receipt.kept_totals, receipt.sessions, receipt.messages)
    assert before == totals(raw)
    assert figures == [int(value) for value in raw(sums)[0]]
    assert [] == raw(WRONG)
    assert [] == places_of(raw, WORDS)
    with lived.read() as uow:
        kept = [session for session in uow.sessions.list(status=list(Status)) if "bob" not in session.session_id]
        assert {(Status.ARCHIVED, None, None, None)} == {(s.status, s.user_id, s.title, s.forked_from) for s in kept}
        assert [3, 2, 2, 0] == sorted((session.message_count for session in kept), reverse=True)
        assert {("", None, None, None)} == {
            (message.content, message.payload, message.key, message.name)
            for session in kept
            for message in uow.messages.history(session.session_id)
        }
        assert {"bob"} == {due.user_id for due in uow.timeouts.due()}
    assert {"bob"} == {due.user_id for due in lived.sweep().sessions}


def test_held_sessions_are_erased_only_when_asked_for(lived: Ledger, raw: Raw) -> None:
    lived.run(lambda uow: uow.sessions.hold("zqname 1"))
    with lived.begin() as uow:
        receipt = uow.sessions.erase_user(ADA, include_held=True)
        assert (4, 2, None) == (receipt.sessions, receipt.snapshots, receipt.scrubbed)
    assert {"chatledger_messages_fts_data", "chatledger_sessions_fts_data"} >= {
        table for table, _ in places_of(raw, WORDS)
    }  # the file was not asked for


def test_a_user_is_erased_in_batches(timed_ledger: Ledger, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatledger.services.retention.erasure.BATCH", 3)
    with timed_ledger.begin() as uow:
        for number in range(7):
            uow.sessions.create(f"s{number}", user_id="ada")
            uow.messages.append(f"s{number}", "user", "x")
    told: list[tuple[int, int]] = []
    how: dict[str, Any] = {"keep_totals": True, "progress": lambda *figures: told.append(figures), "scrub": False}
    timed_ledger.erase_user("ada", dry_run=True, **how)
    timed_ledger.erase_user("ada", **how)
    assert [(3, 3), (6, 6), (7, 7)] * 2 == told
    assert [(7,)] == [tuple(row) for row in raw("SELECT count(*) FROM chatledger_sessions WHERE user_id IS NULL")]


@pytest.mark.parametrize("indexed", [False, True], ids=["waiting for the index", "indexed"])
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_no_byte_of_the_file_or_its_log_holds_a_word_of_hers(lived: Ledger, tmp_path: Path, indexed: bool) -> None:
    for text in ("zqredacted", "zqpopped", "zqcontent"):
        number = lived.run(lambda uow, text=text: uow.messages.append("zqname 0", "user", text)).sequence_number  # type: ignore[misc]
    if indexed:
        index_waiting(lived)
    lived.run(lambda uow: uow.messages.redact("zqname 0", number - 2))
    lived.run(lambda uow: uow.messages.delete("zqname 0", number - 1))
    encoded = [word.encode() for word in WORDS]
    assert any(word in file.read_bytes() for file in tmp_path.iterdir() for word in encoded)
    assert lived.erase_user(ADA).scrubbed is True
    found = {
        (file.name, word)
        for file in tmp_path.iterdir()
        for word in encoded
        if word in file.read_bytes() or word.decode().upper().encode() in file.read_bytes()
    }
    assert set() == found
    assert {"chat.db", "chat.db-wal", "chat.db-shm"} >= {file.name for file in tmp_path.iterdir()}
    with lived.begin() as uow:
        assert 1 == len(uow.search.messages("otter").items)
        uow.messages.append("bob's", "user", "goes on")
