"""purge, erase-user, cleanup, audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chatledger import Ledger
from chatledger.database import Database
from tests.cli.conftest import Command
from tests.support.once import ONE_DATABASE

LONG_AGO = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def old(run: Command, url: str) -> Command:
    """Two archived sessions, one of them held, and one expired; all long ago."""
    with Ledger(url, clock=lambda: LONG_AGO) as ledger, ledger.begin(actor="then") as uow:
        for name in ("archived", "held", "expired"):
            uow.sessions.create(name, user_id="ada", created_at=LONG_AGO)
            uow.messages.append(name, "user", "Where to in May?", tokens_used=7, cost="0.25", created_at=LONG_AGO)
            getattr(uow.sessions, "expire" if name == "expired" else "archive")(name)
        uow.sessions.hold("held")
    return run


def test_a_purge_without_yes_is_refused_and_says_what_would_go(old: Command) -> None:
    refused = old.error("purge", "--older-than", "30d")
    assert (
        "chatledger: would purge 1 session with 1 message (1 held session passed over) for good (--dry-run shows "
        "which): add --yes to do it"
    ) == refused
    assert {"archived", "held", "expired"} == ids(old)


def test_a_rehearsed_purge_names_the_sessions(old: Command) -> None:
    said = old.text("purge", "--older-than", "30d", "--status", "archived", "--status", "expired", "--dry-run")
    assert ["would purge 2 sessions with 2 messages (1 held session passed over)", "  archived", "  expired"] == (
        said.splitlines()
    )
    assert {"archived", "held", "expired"} == ids(old)


def test_a_purge_deletes_what_is_old_enough(old: Command) -> None:
    assert 0 == old.json("purge", "--older-than", "36500d", "--yes")["sessions"]
    assert 0 == old.json("purge", "--older-than", "30d", "--yes", "--user-id", "bob")["sessions"]
    said = old.text("purge", "--older-than", "30d", "--yes", "--reason", "policy")
    assert "purged 1 session with 1 message (1 held session passed over)" == said
    done = old.json("purge", "--older-than", "30d", "--status", "expired", "--yes")
    assert {"dry_run": False, "sessions": 1, "messages": 1, "held": 0, "session_ids": ["expired"]} == done
    assert {"held"} == ids(old)
    entry = old.json("audit", "archived", "--action", "session.purged")["items"][0]
    assert ("nina", "policy", "ada") == picked(entry, "actor", "reason", "user_id")


def test_a_purge_needs_an_age(run: Command) -> None:
    assert "'--older-than'" in run.misuse("purge", "--yes")
    assert "is not a duration" in run.misuse("purge", "--older-than", "last year", "--yes")
    assert "'--status'" in run.misuse("purge", "--older-than", "30d", "--status", "old")


def test_erasing_without_yes_is_refused_and_says_what_would_go(old: Command) -> None:
    old.text("release", "held")
    refused = old.error("erase-user", "ada")
    assert (
        "chatledger: would erase 3 sessions with 3 messages and 2 snapshots of user 'ada' for good: add --yes to do it"
    ) == refused
    assert "would erase ada" == old.text("erase-user", "ada", "--dry-run").splitlines()[0]
    assert 3 == len(ids(old))


def test_a_held_session_stops_the_erasure_unless_named(old: Command) -> None:
    refused = "chatledger: session 'held' is held and not deleted: release first"
    assert refused == old.error("erase-user", "ada", "--yes")
    assert 3 == len(ids(old))
    assert 3 == old.json("erase-user", "ada", "--yes", "--include-held")["sessions"]
    assert set() == ids(old)


def test_the_receipt_for_people(old: Command) -> None:
    lines = old.text("erase-user", "ada", "--yes", "--include-held").splitlines()
    facts = dict(line.rsplit("  ", 1) for line in lines[1:])
    assert "erased ada" == lines[0]
    assert ("3", "3", "2", "21", "$0.75", "no", "yes") == tuple(
        {name.strip(): fact for name, fact in facts.items()}[name]
        for name in ("sessions", "messages", "snapshots", "tokens", "cost", "totals kept", "files rewritten")
    )
    assert [] == old.json("audit", "--user-id", "ada")["items"]
    assert 1 == len(old.json("audit", "--action", "user.erased", "--actor", "nina")["items"])


def test_the_receipt_for_programs(old: Command) -> None:
    old.text("release", "held")
    receipt = old.json("erase-user", "ada", "--yes", "--keep-totals", "--no-scrub", "--reason", "asked to")
    assert (True, None, 3) == picked(receipt, "kept_totals", "scrubbed", "sessions")
    assert {"tokens": 21, "duration_ms": 0, "cost": "0.75"} == receipt["totals"]
    left = old.json("list", "--status", "archived")["items"]
    assert [(None, 7, "0.25")] * 3 == [picked(session, "user_id", "total_tokens", "total_cost") for session in left]
    assert "asked to" == old.json("audit", "--action", "user.erased")["items"][0]["reason"]


def test_files_that_could_not_be_rewritten_are_an_error(old: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "remove_deleted_content", lambda _: False)
    result = old("erase-user", "ada", "--yes", "--include-held")
    assert 1 == result.exit_code
    assert "files rewritten  no" in result.stdout
    assert "may hold erased text in free pages: run the same again" in result.stderr


def test_nobody_is_not_erased(run: Command) -> None:
    for options in ([], ["--yes"], ["--dry-run"]):
        assert "chatledger: no user 'adda': nothing was erased" == run.error("erase-user", "adda", *options)
    assert [] == run.json("audit")["items"]
    assert "chatledger: user_id: must not be empty" == run.error("erase-user", "", "--yes")


def test_a_clean_up_does_all_that_is_due(old: Command, ledger: Ledger) -> None:
    make_overdue(ledger)
    done = old.json("cleanup", "--max-age-hours", "24", "--purge-after", "30d", "--actor", "cron")
    assert (1, 0, 1) == picked(done["swept"], "archived", "idled", "warned")
    assert (2, 2, 1) == (done["expired"], done["purged"]["sessions"], done["purged"]["held"])
    assert (False, True) == (done["dry_run"], done["now"].endswith("+00:00"))
    actors = {(entry["actor"], entry["action"]) for entry in old.json("audit", "--since", "2026-06-01")["items"]}
    assert {("cron", "session.archived"), ("cron", "session.expired"), ("cron", "session.purged")} <= actors


def test_a_rehearsed_clean_up_foretells_the_real_one(old: Command, ledger: Ledger) -> None:
    make_overdue(ledger)
    options = ("cleanup", "--max-age-hours", "24", "--purge-after", "30d")
    foretold = old.text(*options, "--dry-run")
    assert (
        "would warn 1, archive 1; would expire 2 sessions; "
        "would purge 2 sessions with 2 messages (1 held session passed over)"
    ) == foretold
    assert foretold == old.text(*options, "--dry-run")
    assert (
        "warned 1, archived 1; expired 2 sessions; purged 2 sessions with 2 messages (1 held session passed over)"
    ) == old.text(*options)


def test_a_clean_up_without_options_only_sweeps(old: Command, ledger: Ledger) -> None:
    make_overdue(ledger)
    done = old.json("cleanup")
    assert (1, None, None) == (done["swept"]["archived"], done["expired"], done["purged"])
    assert "no session is due; expired 2 sessions" == old.text("chat-cleanup", "--max-age-hours", "2")
    assert "no session is due" == old.text("cleanup", "--user-id", "bob")


def test_a_clean_up_expires_in_batches(run: Command, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatledger.cli.retention.cleanup._BATCH", 2)
    with ledger.begin() as uow:
        for number in range(5):
            uow.sessions.create(f"s{number}", created_at=LONG_AGO)
    assert 5 == run.json("cleanup", "--max-age-hours", "24", "--reason", "yearly")["expired"]
    assert ["yearly"] * 5 == [entry["reason"] for entry in run.json("audit")["items"]]


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "1e9", "a day"])
@ONE_DATABASE
def test_hours_that_are_none_are_misuse(run: Command, hours: str) -> None:
    assert "is not a number of hours above zero" in run.misuse("cleanup", "--max-age-hours", hours)


def test_a_warning_that_a_clean_up_could_not_send_is_an_error(run: Command, ledger: Ledger) -> None:
    make_overdue(ledger)
    result = run("cleanup", "--notify-exec", "false")
    assert (1, "archived 1, 1 failed\n") == (result.exit_code, result.stdout)
    assert "session 'near': the warning could not be sent: 'false' exited with 1" in result.stderr


def test_the_audit_log_is_filtered_and_paged(old: Command) -> None:
    old.text("delete", "expired", "--yes", "--actor", "bob", "--reason", "tidy\nup")
    assert {"session.archived", "session.held"} == acts(old, "held")
    assert {"session.deleted"} == acts(old, "--actor", "bob")
    assert {"session.archived"} == acts(old, "--action", "session.archived")
    assert {"session.deleted"} == acts(old, "--since", "2026-06-01")
    assert {"session.archived", "session.expired", "session.held"} == acts(old, "--until", "2026-06-01")
    assert 5 == len(old.json("audit", "--user-id", "ada")["items"])
    assert [] == old.json("audit", "--user-id", "bob")["items"]
    first = old.json("audit", "--limit", "2")
    rest = old.json("audit", "--limit", "4", "--cursor", first["next_cursor"])
    numbers = [entry["audit_id"] for entry in first["items"] + rest["items"]]
    assert (5, sorted(set(numbers), reverse=True), None) == (len(numbers), numbers, rest["next_cursor"])
    result = old("audit", "--limit", "1")
    assert f"more with --cursor {old.json('audit', '--limit', '1')['next_cursor']}\n" == result.stderr
    header, row = result.stdout.splitlines()
    assert ["When", "Who", "What", "Session", "User", "Count", "Why", "Details"] == header.split()
    assert row[19:].startswith("bob  session.deleted  expired  ada       1  tidy\\nup  messages 1")


def test_an_empty_audit_log_says_so(run: Command) -> None:
    result = run("audit", "--actor", "nobody")
    assert (0, "", "no entries\n") == (result.exit_code, result.stdout, result.stderr)


def make_overdue(ledger: Ledger) -> None:
    """One past its hard limit (and inactive), two inactive without limits, one held, one about to be idle."""
    now = datetime.now(UTC)
    with ledger.begin() as uow:
        uow.sessions.create("past", hard_timeout=timedelta(hours=1), created_at=now - timedelta(hours=30))
        for name in ("lonely", "lost", "kept"):
            uow.sessions.create(name, created_at=now - timedelta(hours=30))
        uow.sessions.hold("kept")
        uow.sessions.create("near", idle_timeout=timedelta(hours=1), created_at=now - timedelta(minutes=57))


def ids(run: Command) -> set[str]:
    statuses = ("--status", "active", "--status", "archived", "--status", "expired")
    return {session["session_id"] for session in run.json("list", *statuses)["items"]}


def acts(run: Command, *options: str) -> set[str]:
    return {entry["action"] for entry in run.json("audit", *options)["items"]}


def picked(document: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(document[name] for name in names)
