"""`ledger.check()` compares the database with a freshly migrated one, triggers and full text included."""

from __future__ import annotations

from contextlib import closing

import pytest

from chatledger import Ledger
from tests.migrations.contents import fill, fingerprint
from tests.support.raw import Raw

_ON_SQLITE = {
    "a dropped trigger": (["DROP TRIGGER messages_count_delete"], "missing: trigger messages_count_delete"),
    "a changed trigger": (
        [
            "DROP TRIGGER messages_count_insert",
            "CREATE TRIGGER messages_count_insert AFTER INSERT ON messages BEGIN SELECT 1; END",
        ],
        "changed: trigger messages_count_insert",
    ),
    "another trigger": (
        ["CREATE TRIGGER intruder AFTER INSERT ON messages BEGIN SELECT 1; END"],
        "unknown: trigger intruder",
    ),
    "a dropped full-text trigger": (["DROP TRIGGER messages_fts_update"], "missing: trigger messages_fts_update"),
    "a dropped index": (["DROP INDEX ix_sessions_user_activity"], "missing: index ix_sessions_user_activity"),
    "a unique index made plain": (
        [
            "DROP INDEX uq_messages_session_id_key",
            "CREATE INDEX uq_messages_session_id_key ON messages (session_id, key)",
        ],
        "changed: index uq_messages_session_id_key",
    ),
    "a dropped view": (["DROP VIEW messages_text"], "missing: view messages_text"),
    "a dropped full text": (["DROP TABLE messages_fts"], "missing: table messages_fts"),
    "a dropped table": (["DROP TABLE session_timeouts"], "missing: table session_timeouts"),
    "a dropped column": (["ALTER TABLE session_timeouts DROP COLUMN warned_for"], "changed: table session_timeouts"),
    "another column": (["ALTER TABLE sessions ADD COLUMN mood TEXT"], "changed: table sessions"),
}
_ON_POSTGRESQL = {
    "a dropped trigger": (["DROP TRIGGER messages_count_delete ON messages"], "missing: trigger messages_count_delete"),
    "a disabled trigger": (
        ["ALTER TABLE messages DISABLE TRIGGER messages_count_insert"],
        "changed: trigger messages_count_insert",
    ),
    "all triggers disabled": (
        ["ALTER TABLE sessions DISABLE TRIGGER USER"],
        "changed: trigger sessions_audit_delete",
    ),
    "a changed trigger": (
        [
            "DROP TRIGGER messages_count_truncate ON messages",
            (
                "CREATE TRIGGER messages_count_truncate BEFORE TRUNCATE ON messages"
                " FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_truncate()"
            ),
        ],
        "changed: trigger messages_count_truncate",
    ),
    "a changed function": (
        [
            (
                "CREATE OR REPLACE FUNCTION chatledger_touch() RETURNS trigger LANGUAGE plpgsql"
                " AS $$ BEGIN RETURN NEW; END $$"
            )
        ],
        "changed: function chatledger_touch",
    ),
    "another trigger": (
        [
            (
                "CREATE TRIGGER intruder AFTER INSERT ON messages FOR EACH STATEMENT"
                " EXECUTE FUNCTION chatledger_count_truncate()"
            )
        ],
        "unknown: trigger intruder",
    ),
    "a dropped index": (["DROP INDEX ix_sessions_user_activity"], "missing: index ix_sessions_user_activity"),
    "a dropped full-text index": (
        ["DROP INDEX ix_messages_search_vector"],
        "missing: index ix_messages_search_vector",
    ),
    "a dropped full-text column": (
        ["ALTER TABLE messages DROP COLUMN search_vector"],
        "missing: column messages.search_vector",
    ),
    "a changed configuration": (
        ["ALTER TEXT SEARCH CONFIGURATION chatledger ALTER MAPPING FOR word WITH simple"],
        "changed: text search chatledger",
    ),
    "a dropped table": (["DROP TABLE session_timeouts"], "missing: constraint session_timeouts.pk_session_timeouts"),
    "a dropped column": (
        ["ALTER TABLE session_timeouts DROP COLUMN warned_for"],
        "missing: column session_timeouts.warned_for",
    ),
    "a dropped check": (
        ["ALTER TABLE sessions DROP CONSTRAINT ck_sessions_status"],
        "missing: constraint sessions.ck_sessions_status",
    ),
    "a dropped foreign key": (
        ["ALTER TABLE messages DROP CONSTRAINT fk_messages_session_id"],
        "missing: constraint messages.fk_messages_session_id",
    ),
    "a column made nullable": (
        ["ALTER TABLE sessions ALTER COLUMN last_activity DROP NOT NULL"],
        "changed: column sessions.last_activity",
    ),
}


@pytest.mark.parametrize("change", _ON_SQLITE)
def test_check_finds_on_sqlite(migrated_sqlite_url: str, change: str) -> None:
    _found(migrated_sqlite_url, *_ON_SQLITE[change])


@pytest.mark.parametrize("change", _ON_POSTGRESQL)
def test_check_finds_on_postgresql(migrated_postgres_url: str, change: str) -> None:
    _found(migrated_postgres_url, *_ON_POSTGRESQL[change])


def _found(url: str, statements: list[str], expected: str) -> None:
    raw = Raw(url)
    for statement in statements:
        raw(statement)
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
    assert not report
    assert expected in report.findings[0].examples
    assert report.findings[0].count == len(report.findings[0].examples)


def test_a_freshly_migrated_database_has_no_difference_and_check_leaves_no_trace(url: str) -> None:
    fill(url)
    before = fingerprint(url)
    with closing(Ledger(url)) as ledger:
        for _ in range(2):
            report = ledger.check()
            assert report, report
        ledger.run(lambda uow: uow.messages.append("first", "user", "after"))
    assert before == fingerprint(url)
    if url.startswith("postgresql"):
        assert 0 == Raw(url)("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'chatledger%'")[0][0]


def test_tables_of_an_application_are_no_difference(url: str) -> None:
    raw = Raw(url)
    raw("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)")
    raw("CREATE INDEX ix_orders_state ON orders (state)")
    raw("CREATE VIEW open_orders AS SELECT id FROM orders WHERE state = 'open'")
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
    assert report, report


def test_a_trigger_on_an_applications_own_table_is_no_difference_whatever_it_is_called(url: str) -> None:
    raw = Raw(url)
    raw("CREATE TABLE mail_messages (id INTEGER PRIMARY KEY)")
    if url.startswith("sqlite"):
        raw("CREATE TRIGGER mail AFTER INSERT ON mail_messages BEGIN SELECT 1; END")
    else:
        raw("CREATE FUNCTION mail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        raw("CREATE TRIGGER mail AFTER INSERT ON mail_messages FOR EACH ROW EXECUTE FUNCTION mail()")
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
    assert report, report


def test_a_foreign_trigger_on_sessions_is_found(url: str) -> None:
    raw = Raw(url)
    if url.startswith("sqlite"):
        raw("CREATE TRIGGER intruder AFTER UPDATE ON sessions BEGIN DELETE FROM session_metadata; END")
    else:
        raw("CREATE FUNCTION intruder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        raw("CREATE TRIGGER intruder AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION intruder()")
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
    assert "unknown: trigger intruder" in [line for finding in report.findings for line in finding.examples]
