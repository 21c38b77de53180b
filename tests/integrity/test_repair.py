"""A repair mends what can be mended, says what cannot, and loses nothing."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from chatledger import InvalidInput, Ledger, RepairReport, Status
from tests.faults.truth import require_sound
from tests.integrity.damage import CASES, DAMAGES, dump, fill, unguarded
from tests.support.flavors import open_ledger
from tests.support.raw import Raw

# Kinds that a repair mends only when it is told that the change was meant.
_ASKED = {"digest"}


def repaired(url: str, **how: object) -> RepairReport:
    with closing(Ledger(url)) as ledger:
        return ledger.repair(**{"backup": False, **how})  # type: ignore[arg-type]  # what a test varies


def kinds(report: RepairReport) -> set[str]:
    return {finding.kind for finding in report.left.findings if finding.severity == "defect"}


@pytest.mark.usefixtures("expected_once")
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_what_can_be_mended_is(filled: str, backend: str, name: str) -> None:
    damage = DAMAGES[name]
    damage.do(filled)
    before = dump(filled)
    rehearsed = repaired(filled, dry_run=True)
    assert before == dump(filled)
    done = repaired(filled, accept_changed="digest" in damage.found)
    if damage.mended:
        assert done.ok, done
    else:
        assert {kind for kind in damage.found if kind != "forks"} == kinds(done)
    if "digest" not in damage.found:
        assert [(act.kind, act.count) for act in rehearsed.actions] == [(act.kind, act.count) for act in done.actions]
        assert rehearsed.ok is done.ok
    with closing(Ledger(filled)) as ledger:
        assert done.left == ledger.check()
        with ledger.read() as uow:
            audited = [entry for entry in uow.audit.list() if entry.action.startswith("repair.")]
    assert {f"repair.{act.kind}" for act in done.actions} <= {entry.action for entry in audited}
    assert {"repair"} >= {entry.actor for entry in audited}
    if damage.mended:
        require_sound(filled)


def test_a_sound_ledger_is_left_alone(filled: str, tmp_path: Path) -> None:
    before = dump(filled)
    done = repaired(filled, backup=True)
    assert (True, (), None) == (done.ok, done.actions, done.backup)
    assert before == dump(filled)
    assert [] == list(tmp_path.glob("*before-repair*"))


def test_a_changed_message_is_named_and_left(filled: str) -> None:
    DAMAGES["a changed text"].do(filled)
    done = repaired(filled)
    assert {"digest"} == kinds(done)
    # Search finds what the message says now; the message itself stays as it is.
    assert ["full_text"] == [act.kind for act in done.actions]
    assert "--accept-changed" in done.left.findings[0].remedy
    accepted = repaired(filled, accept_changed=True)
    act = accepted.actions[0]
    assert ("digest", 1, ("'trip' #3",)) == (act.kind, act.count, act.examples)
    assert accepted.ok


def test_orphans_move_into_a_session_of_their_own(filled: str) -> None:
    with unguarded(filled) as connection:
        connection.execute(text("DELETE FROM chatledger_sessions WHERE session_id = 'home'"))
        connection.execute(text("INSERT INTO chatledger_sessions (session_id) VALUES ('recovered-home')"))
    done = repaired(filled)
    assert done.ok
    assert ("'home' into 'recovered-home-2'",) == done.actions[0].examples
    with closing(Ledger(filled)) as ledger, ledger.read() as uow:
        session = uow.sessions.get("recovered-home-2")
        assert (None, Status.ARCHIVED, 4, 4) == (
            session.user_id, session.status, session.message_count, session.last_sequence
        )  # fmt: skip
        assert session.held_at is not None
        assert {"rgb": [1, 2.5, None]} == session.metadata["colour"]
        assert "home" == session.metadata["recovered"]["from"]
        assert {
            "chatledger_messages": 4,
            "chatledger_session_metadata": 1,
            "chatledger_session_timeouts": 1,
        } == session.metadata["recovered"]["rows"]
        texts = [message.content for message in uow.messages.history("recovered-home-2")]
        assert [f"home {number} by the harbour of 東京" for number in range(1, 5)] == texts
        assert 4 == len([hit for hit in uow.search.messages("home") if hit.session_id == "recovered-home-2"])
        assert uow.sessions.find("home") is None
        entry = next(entry for entry in uow.audit.list(action="repair.recovered"))
        assert ("recovered-home-2", 6, "home") == (entry.session_id, entry.count, (entry.details or {})["from"])


def test_orphans_are_deleted_when_asked(filled: str) -> None:
    with unguarded(filled) as connection:
        connection.execute(text("DELETE FROM chatledger_sessions WHERE session_id = 'home'"))
    done = repaired(filled, orphans="drop")
    assert done.ok
    assert ("orphans", "deleted", 6) == (done.actions[0].kind, done.actions[0].what, done.actions[0].count)
    raw = Raw(filled)
    assert 12 == raw.count("chatledger_messages")
    assert [("repair.orphans", 6)] == [
        tuple(row) for row in raw("SELECT action, count FROM chatledger_audit_log WHERE action LIKE 'repair.%'")
    ]


def test_a_message_whose_number_is_none_keeps_its_text_and_its_digest(filled: str) -> None:
    DAMAGES["a number that is none"].do(filled)
    assert repaired(filled).ok
    with closing(Ledger(filled)) as ledger, ledger.read() as uow:
        assert [1, 3, 4, 5] == [message.sequence_number for message in uow.messages.history("work")]
        moved = uow.messages.history("recovered-work")
        assert [(1, "work 2 by the harbour of 東京")] == [(one.sequence_number, one.content) for one in moved]


def test_invalid_json_is_set_aside_as_its_text(migrated_sqlite_url: str) -> None:
    with closing(Ledger(migrated_sqlite_url)) as ledger, ledger.begin() as uow:
        uow.sessions.create("s", project_id="p", context={"a": 1}, metadata={"k": 1})
        uow.messages.append("s", "user", "one", payload={"a": 1})
    with unguarded(migrated_sqlite_url) as connection:
        connection.execute(text("UPDATE chatledger_sessions SET context = '{broken'"))
        connection.execute(text("UPDATE chatledger_messages SET payload = '[1,'"))
        connection.execute(text("UPDATE chatledger_session_metadata SET value = CAST(x'ff' AS TEXT)"))
        connection.execute(text("UPDATE chatledger_projects SET metadata = 'no'"))
    done = repaired(migrated_sqlite_url, accept_changed=True)
    assert done.ok, done
    with closing(Ledger(migrated_sqlite_url)) as ledger, ledger.read() as uow:
        session = uow.sessions.get("s")
        assert {} == session.context
        assert {
            "k": None,
            "repaired/chatledger_sessions/context": {"text": "{broken"},
            "repaired/chatledger_messages/1/payload": {"text": "[1,"},
            "repaired/chatledger_session_metadata/k/value": {"base64": "/w=="},
        } == session.metadata
        assert uow.messages.get("s", 1).payload is None
        kept = uow.sessions.get("recovered-projects").metadata
        assert {"text": "no"} == kept["repaired/chatledger_projects/p/metadata"]


def test_a_role_is_found_again_by_the_digest(filled: str) -> None:
    DAMAGES["an unknown role"].do(filled)
    assert repaired(filled).ok
    with closing(Ledger(filled)) as ledger, ledger.read() as uow:
        assert "user" == uow.messages.get("trip", 3).role


def test_an_unknown_status_is_kept_and_the_session_can_be_read(filled: str) -> None:
    DAMAGES["an unknown status"].do(filled)
    assert repaired(filled).ok
    with closing(Ledger(filled)) as ledger, ledger.read() as uow:
        session = uow.sessions.get("work")
        assert (Status.FAILED, {"text": "asleep"}) == (
            session.status,
            session.metadata["repaired/chatledger_sessions/status"],
        )


_UNCOUNTED = "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('trip', 9, 'user', 'uncounted')"
_SCHEMA = {
    "sqlite": [
        "DROP TRIGGER chatledger_messages_count_insert",
        "DROP TRIGGER chatledger_messages_fts_update",
        "CREATE TRIGGER chatledger_messages_fts_update AFTER UPDATE ON chatledger_messages BEGIN SELECT 1; END",
        _UNCOUNTED,
        "DROP INDEX ix_chatledger_sessions_user_activity",
        "DROP INDEX uq_chatledger_messages_session_id_key",
        "DROP VIEW chatledger_messages_text",
        "DROP TABLE chatledger_messages_fts",
        "DROP TABLE chatledger_full_text_mark",
        "DROP TABLE chatledger_session_timeouts",
    ],
    "postgresql": [
        "DROP TRIGGER chatledger_messages_count_insert ON chatledger_messages",
        "ALTER TABLE chatledger_sessions DISABLE TRIGGER USER",
        "CREATE OR REPLACE FUNCTION chatledger_touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "DROP FUNCTION chatledger_audit_messages() CASCADE",
        _UNCOUNTED,
        "DROP INDEX ix_chatledger_sessions_user_activity",
        "DROP INDEX uq_chatledger_messages_session_id_key",
        "DROP INDEX ix_chatledger_messages_search_vector",
        "ALTER TABLE chatledger_messages DROP CONSTRAINT fk_chatledger_messages_session_id",
        "ALTER TABLE chatledger_sessions DROP CONSTRAINT ck_chatledger_sessions_status",
    ],
}


def test_triggers_views_indexes_and_constraints_are_made_anew(filled: str, backend: str) -> None:
    raw = Raw(filled)
    for statement in _SCHEMA[backend]:
        raw(statement)
    if backend == "postgresql":
        raw(
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('gone', 1, 'user', 'orphaned')"
        )
    done = repaired(filled)
    assert done.ok, done
    with closing(Ledger(filled)) as ledger, ledger.begin() as uow:
        assert 10 == uow.messages.append("trip", "user", "counted").sequence_number
        assert 7 == uow.sessions.get("trip").message_count
        assert ["trip"] == [hit.session_id for hit in uow.search.messages("uncounted")]


def test_what_stands_in_the_way_of_an_index_is_left_and_said(filled: str) -> None:
    raw = Raw(filled)
    raw("DROP INDEX uq_chatledger_messages_session_id_key")
    raw("UPDATE chatledger_messages SET key = 'k-1' WHERE session_id = 'work' AND sequence_number = 2")
    done = repaired(filled)
    assert {"schema", "digest"} == kinds(done)
    assert "missing: index uq_chatledger_messages_session_id_key" in done.left.findings[0].examples


def test_somebody_elses_trigger_is_named_and_stays(migrated_sqlite_url: str) -> None:
    raw = Raw(migrated_sqlite_url)
    raw("CREATE TRIGGER theirs AFTER INSERT ON chatledger_messages BEGIN SELECT 1; END")
    done = repaired(migrated_sqlite_url)
    assert ((), ("unknown: trigger theirs",)) == (done.actions, done.left.findings[0].examples)
    assert [(1,)] == raw("SELECT count(*) FROM sqlite_master WHERE name = 'theirs'")


def test_many_defects_at_once(filled: str) -> None:
    names = (
        "a session that is gone from above its rows", "wrong totals", "a last number below the messages",
        "a project that is not there", "a context that is no object", "limits that nobody looks at", "a changed text",
    )  # fmt: skip
    for name in names:
        DAMAGES[name].do(filled)
    done = repaired(filled, accept_changed=True)
    assert done.ok, done
    assert {"orphans", "counters", "sequence", "names", "json", "timeouts", "digest"} <= {
        act.kind for act in done.actions
    }


def test_a_file_is_copied_before_and_only_its_owner_can_read_it(migrated_sqlite_url: str, tmp_path: Path) -> None:
    Raw(migrated_sqlite_url)("INSERT INTO chatledger_sessions (session_id, message_count) VALUES ('s', 3)")
    before = dump(migrated_sqlite_url)
    done = repaired(migrated_sqlite_url, backup=True)
    assert done.backup is not None
    assert (tmp_path, 0o600) == (done.backup.parent, stat.S_IMODE(done.backup.stat().st_mode))
    assert done.backup.name.startswith("chat.before-repair-")
    assert before == dump(f"sqlite:///{done.backup}")
    assert [done.backup] == list(tmp_path.glob("*before-repair*.db"))
    named = tmp_path / "mine.db"
    Raw(migrated_sqlite_url)("UPDATE chatledger_sessions SET message_count = 4")
    assert named == repaired(migrated_sqlite_url, backup=named).backup
    Raw(migrated_sqlite_url)("UPDATE chatledger_sessions SET message_count = 5")
    copied, damaged = named.read_bytes(), dump(migrated_sqlite_url)
    with pytest.raises(InvalidInput, match="is there already"):
        repaired(migrated_sqlite_url, backup=named)
    with pytest.raises(Exception, match="cannot be written: nothing was changed"):
        repaired(migrated_sqlite_url, backup=tmp_path / "nowhere" / "x.db")
    assert (copied, damaged) == (named.read_bytes(), dump(migrated_sqlite_url))


def test_a_server_is_not_copied(migrated_postgres_url: str, tmp_path: Path) -> None:
    Raw(migrated_postgres_url)("INSERT INTO chatledger_sessions (session_id, message_count) VALUES ('s', 3)")
    with pytest.raises(InvalidInput, match="pg_dump"):
        repaired(migrated_postgres_url, backup=tmp_path / "x.db")
    done = repaired(migrated_postgres_url, backup=True)
    assert (None, True, 1) == (done.backup, done.ok, len(done.actions))


def test_check_and_repair_sync_and_async(url: str, flavor: str) -> None:
    Raw(url)("INSERT INTO chatledger_sessions (session_id, message_count) VALUES ('s', 3)")
    told: list[tuple[str, int, int]] = []
    with open_ledger(flavor, url) as any_ledger:
        assert not any_ledger.check(progress=lambda *figures: told.append(figures))
        assert ("chatledger_sessions", 1, 0) in told
        assert any_ledger.repair(backup=False, actor="ada")
        assert any_ledger.check(False)
    assert [("ada",)] == Raw(url)("SELECT actor FROM chatledger_audit_log WHERE action = 'repair.counters'")


def test_what_is_asked_for_must_be_something(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="orphans"):
        ledger.repair(orphans="burn")  # type: ignore[arg-type]


def test_a_view_that_is_missing_or_changed_is_made_anew(url: str) -> None:
    fill(url)
    raw = Raw(url)
    raw("DROP VIEW chatledger_user_usage")
    raw("DROP VIEW chatledger_recent_sessions")
    raw("CREATE VIEW chatledger_recent_sessions AS SELECT session_id FROM chatledger_sessions")
    with closing(Ledger(url)) as ledger:
        (finding,) = [one for one in ledger.check(full=False).findings if one.kind == "schema"]
        assert {"changed: view chatledger_recent_sessions", "missing: view chatledger_user_usage"} == set(
            finding.examples
        )
        ledger.repair(backup=False)
        assert [] == [one for one in ledger.check(full=False).findings if one.kind == "schema"]
    assert "ada" in [row.user_id for row in raw("SELECT user_id, cost_usd FROM chatledger_user_usage")]
