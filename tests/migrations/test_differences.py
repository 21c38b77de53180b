"""`ledger.check()` compares the database with a freshly migrated one, triggers and full text included."""

from __future__ import annotations

from contextlib import closing

import pytest

from chatledger import Ledger
from tests.migrations.contents import fingerprint
from tests.support.raw import Raw

_ON_SQLITE = {
    "a dropped trigger": (
        ["DROP TRIGGER chatledger_messages_count_delete"],
        "missing: trigger chatledger_messages_count_delete",
    ),
    "a changed trigger": (
        [
            "DROP TRIGGER chatledger_messages_count_insert",
            "CREATE TRIGGER chatledger_messages_count_insert AFTER INSERT ON chatledger_messages BEGIN SELECT 1; END",
        ],
        "changed: trigger chatledger_messages_count_insert",
    ),
    "another trigger": (
        ["CREATE TRIGGER intruder AFTER INSERT ON chatledger_messages BEGIN SELECT 1; END"],
        "unknown: trigger intruder",
    ),
    "a dropped full-text trigger": (
        ["DROP TRIGGER chatledger_messages_fts_update"],
        "missing: trigger chatledger_messages_fts_update",
    ),
    "a dropped index": (
        ["DROP INDEX ix_chatledger_sessions_user_activity"],
        "missing: index ix_chatledger_sessions_user_activity",
    ),
    "a unique index made plain": (
        [
            "DROP INDEX uq_chatledger_messages_session_id_key",
            "CREATE INDEX uq_chatledger_messages_session_id_key ON chatledger_messages (session_id, key)",
        ],
        "changed: index uq_chatledger_messages_session_id_key",
    ),
    "a dropped view": (["DROP VIEW chatledger_messages_text"], "missing: view chatledger_messages_text"),
    "a dropped full text": (["DROP TABLE chatledger_messages_fts"], "missing: table chatledger_messages_fts"),
    "a dropped table": (["DROP TABLE chatledger_session_timeouts"], "missing: table chatledger_session_timeouts"),
    "a dropped column": (
        ["ALTER TABLE chatledger_session_timeouts DROP COLUMN warned_for"],
        "changed: table chatledger_session_timeouts",
    ),
    "another column": (["ALTER TABLE chatledger_sessions ADD COLUMN mood TEXT"], "changed: table chatledger_sessions"),
}
_ON_POSTGRESQL = {
    "a dropped trigger": (
        ["DROP TRIGGER chatledger_messages_count_delete ON chatledger_messages"],
        "missing: trigger chatledger_messages_count_delete",
    ),
    "a disabled trigger": (
        ["ALTER TABLE chatledger_messages DISABLE TRIGGER chatledger_messages_count_insert"],
        "changed: trigger chatledger_messages_count_insert",
    ),
    "all triggers disabled": (
        ["ALTER TABLE chatledger_sessions DISABLE TRIGGER USER"],
        "changed: trigger chatledger_sessions_audit_delete",
    ),
    "a changed trigger": (
        [
            "DROP TRIGGER chatledger_messages_count_truncate ON chatledger_messages",
            (
                "CREATE TRIGGER chatledger_messages_count_truncate BEFORE TRUNCATE ON chatledger_messages"
                " FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_truncate()"
            ),
        ],
        "changed: trigger chatledger_messages_count_truncate",
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
    "a function with another search path": (
        ["ALTER FUNCTION chatledger_count_insert() SET search_path = pg_catalog"],
        "changed: function chatledger_count_insert",
    ),
    "a function without a search path": (
        ["ALTER FUNCTION chatledger_count_insert() RESET search_path"],
        "changed: function chatledger_count_insert",
    ),
    "another trigger": (
        [
            (
                "CREATE TRIGGER intruder AFTER INSERT ON chatledger_messages FOR EACH STATEMENT"
                " EXECUTE FUNCTION chatledger_count_truncate()"
            )
        ],
        "unknown: trigger intruder",
    ),
    "a dropped index": (
        ["DROP INDEX ix_chatledger_sessions_user_activity"],
        "missing: index ix_chatledger_sessions_user_activity",
    ),
    "a dropped full-text index": (
        ["DROP INDEX ix_chatledger_messages_search_vector"],
        "missing: index ix_chatledger_messages_search_vector",
    ),
    "a dropped full-text column": (
        ["ALTER TABLE chatledger_messages DROP COLUMN search_vector"],
        "missing: column chatledger_messages.search_vector",
    ),
    "another full text": (
        [
            "ALTER TABLE chatledger_messages DROP COLUMN search_vector",
            (
                "ALTER TABLE chatledger_messages ADD COLUMN search_vector TSVECTOR"
                " GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', content)) STORED"
            ),
        ],
        "changed: column chatledger_messages.search_vector",
    ),
    "a dropped table": (
        ["DROP TABLE chatledger_session_timeouts"],
        "missing: constraint chatledger_session_timeouts.pk_chatledger_session_timeouts",
    ),
    "a dropped column": (
        ["ALTER TABLE chatledger_session_timeouts DROP COLUMN warned_for"],
        "missing: column chatledger_session_timeouts.warned_for",
    ),
    "a dropped check": (
        ["ALTER TABLE chatledger_sessions DROP CONSTRAINT ck_chatledger_sessions_status"],
        "missing: constraint chatledger_sessions.ck_chatledger_sessions_status",
    ),
    "a dropped foreign key": (
        ["ALTER TABLE chatledger_messages DROP CONSTRAINT fk_chatledger_messages_session_id"],
        "missing: constraint chatledger_messages.fk_chatledger_messages_session_id",
    ),
    "a column made nullable": (
        ["ALTER TABLE chatledger_sessions ALTER COLUMN last_activity DROP NOT NULL"],
        "changed: column chatledger_sessions.last_activity",
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


def test_a_freshly_migrated_database_has_no_difference_and_check_leaves_no_trace(filled_url: str) -> None:
    before = fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        for _ in range(2):
            report = ledger.check()
            assert report, report
        ledger.run(lambda uow: uow.messages.append("first", "user", "after"))
    assert before == fingerprint(filled_url)
    if filled_url.startswith("postgresql"):
        assert 0 == Raw(filled_url)("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'chatledger%'")[0][0]


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
        raw(
            "CREATE TRIGGER intruder AFTER UPDATE ON chatledger_sessions BEGIN DELETE FROM chatledger_session_metadata; END"
        )
    else:
        raw("CREATE FUNCTION intruder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        raw("CREATE TRIGGER intruder AFTER UPDATE ON chatledger_sessions FOR EACH ROW EXECUTE FUNCTION intruder()")
    with closing(Ledger(url)) as ledger:
        report = ledger.check()
    assert "unknown: trigger intruder" in [line for finding in report.findings for line in finding.examples]
