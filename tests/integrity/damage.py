"""A ledger with something of everything, and ways to damage it that no service would allow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from chatledger import Ledger
from chatledger.models import Base
from tests.support.raw import Raw


def fill(url: str) -> None:
    """Three sessions with messages, metadata, limits and a snapshot, and a fork."""
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        for name in ("trip", "work", "home"):
            uow.sessions.create(
                name, user_id="ada", project_id="travel", model_id="m-1", context={"of": name}, idle_timeout=60.0
            )
            uow.metadata.set(name, "colour", {"rgb": [1, 2.5, None]})
            for number in range(1, 6):
                uow.messages.append(
                    name, "user", f"{name} {number} by the harbour of 東京", payload={"n": number},
                    metadata={"m": number}, name="n", tool_call_id="t", model_id="m-2", input_tokens=3, output_tokens=4,
                    cached_tokens=1, reasoning_tokens=2, outcome="complete", hidden=number == 5, duration_ms=5, cost="0.000000006",
                    key=f"k-{number}",
                )  # fmt: skip
        uow.messages.pop("home")  # the last number stays above the count
        uow.snapshots.take("trip", "manual")
        uow.sessions.fork("trip", at=2, new_session_id="branch")


def dump(url: str) -> dict[str, list[str]]:
    """Every row of every table, and everything that the schema holds."""
    if url.startswith("sqlite"):
        queries = {table.name: f"SELECT * FROM {table.name}" for table in Base.metadata.sorted_tables}
        queries |= {
            "schema": "SELECT type, name, sql FROM sqlite_master",
            "index": "SELECT * FROM chatledger_messages_fts_data",
        }
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            connection.text_factory = bytes  # what is no text any more is compared, too
            return {name: sorted(map(repr, connection.execute(query))) for name, query in queries.items()}
    queries = {table.name: f"SELECT t::text FROM {table.name} AS t" for table in Base.metadata.sorted_tables}
    queries |= {
        "triggers": "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal",
        "constraints": "SELECT conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    }
    with Raw(url).engine.connect() as connection:
        return {name: sorted(map(repr, connection.execute(text(query)))) for name, query in queries.items()}


@contextmanager
def unguarded(url: str) -> Iterator[Connection]:
    """A transaction in which triggers do not fire, foreign keys do not hold and words may be any.

    Constraints and triggers are back afterwards, so that the schema shows nothing.
    """
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
            triggers = connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            ).all()  # fmt: skip
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            yield connection
            for _, sql in triggers:
                connection.exec_driver_sql(sql)
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield connection
        connection.commit()
    engine.dispose()


@dataclass(frozen=True)
class Damage:
    """Something that was done to a ledger, and what a check says of it."""

    statements: tuple[str, ...]
    """Statements, run without guards. On a server, with the CHECK constraints gone where `unchecked`."""
    found: dict[str, int]
    """Every kind of finding that there must be, with its count, and no other."""
    example: str
    """One of the examples."""
    quick: dict[str, int] | None = None
    """What a quick check finds of it."""
    mended: bool = True
    """Whether a repair mends it, with `accept_changed` where that is needed."""
    on: tuple[str, ...] = ("sqlite", "postgresql")
    """Databases on which it can be done."""
    unchecked: bool = False
    """Whether CHECK constraints stand in the way on a server."""

    def do(self, url: str) -> None:
        server = url.startswith("postgresql")
        definitions: list[tuple[str, str, str]] = []
        if server and self.unchecked:
            definitions = [
                tuple(row)
                for row in Raw(url)(
                    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
                    " WHERE contype = 'c' AND conrelid = ANY(ARRAY['chatledger_messages', 'chatledger_sessions', 'chatledger_session_snapshots',"
                    " 'chatledger_timeout_defaults']::regclass[])"
                )
            ]
            for table, name, _ in definitions:
                Raw(url)(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        with unguarded(url) as connection:
            for statement in self.statements:
                connection.execute(text(statement))
        for table, name, definition in definitions:
            # NOT VALID: the rows that are there are not looked at. Marked as valid, for the schema is not the damage.
            Raw(url)(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID".replace(":", r"\:"))
            Raw(url)("UPDATE pg_constraint SET convalidated = true WHERE conname = :name", name=name)


_MESSAGE = "WHERE session_id = 'trip' AND sequence_number = 3"

DAMAGES: dict[str, Damage] = {
    "a message of a missing session": Damage(
        (
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('gone', 4, 'user', 'lost')",
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('gone', 7, 'user', 'lost')",
        ),
        {"orphans": 2, "no_digest": 2},
        "messages: 2 of missing session 'gone'",
        {"orphans": 2},
    ),
    "metadata, limits and a snapshot of a missing session": Damage(
        (
            "UPDATE chatledger_session_metadata SET session_id = 'gone' WHERE session_id = 'work'",
            "UPDATE chatledger_session_timeouts SET session_id = 'gone' WHERE session_id = 'work'",
            "UPDATE chatledger_session_snapshots SET session_id = 'gone' WHERE session_id = 'trip'",
        ),
        {"orphans": 3},
        "chatledger_session_snapshots: 1 of missing session 'gone'",
        {"orphans": 3},
    ),
    "a session that is gone from above its rows": Damage(
        ("DELETE FROM chatledger_sessions WHERE session_id = 'home'",),
        {"orphans": 6},
        "messages: 4 of missing session 'home'",
        {"orphans": 6},
    ),
    "a full-text index of which nobody knows what it holds": Damage(
        ("DELETE FROM chatledger_full_text_mark",),
        {"full_text": 1},
        "it is not known up to which message the index is complete",
        {},
        on=("sqlite",),
    ),
    "a full-text index that holds more than it says": Damage(
        ("UPDATE chatledger_full_text_mark SET message_id = message_id - 1",),
        {"full_text": 1},
        "the index does not agree with the messages",
        {},
        on=("sqlite",),
    ),
    "a project that is not there": Damage(
        ("DELETE FROM chatledger_projects",), {"names": 1}, "project_id 'travel', in 4 rows", {}
    ),
    "a model that is not there": Damage(
        ("UPDATE chatledger_sessions SET model_id = 'unheard' WHERE session_id = 'work'",),
        {"names": 1},
        "model_id 'unheard', in 1 rows",
        {},
    ),
    "a wrong message count": Damage(
        ("UPDATE chatledger_sessions SET message_count = 7 WHERE session_id = 'work'",),
        {"counters": 1},
        "'work': message_count is 7 and should be 5",
        {"counters": 1},
    ),
    "wrong totals": Damage(
        (
            "UPDATE chatledger_sessions SET total_tokens = 1, total_duration_ms = 2 WHERE session_id = 'work'",
            "UPDATE chatledger_sessions SET total_cost = -1 WHERE session_id = 'home'",
        ),
        {"counters": 2},
        "'work': total_tokens is 1 and should be 35; total_duration_ms is 2 and should be 25",
        {"counters": 2},
    ),
    "a cost that was changed": Damage(
        (f"UPDATE chatledger_messages SET cost = 7 {_MESSAGE}",),
        {"counters": 1, "usage": 1},
        "'trip': total_cost is 30 and should be 31",
        {"counters": 1, "usage": 1},
    ),
    "usage that was changed, and some of nobody": Damage(
        (
            "UPDATE chatledger_session_usage SET output_tokens = 5 WHERE session_id = 'trip'",
            "DELETE FROM chatledger_session_usage WHERE session_id = 'home'",
            ("INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id, copied, messages)"
            " VALUES ('nobody', 1, 'user', '', 0, 2)"),
        ),
        {"usage": 3},
        "'trip'",
        {"usage": 3},
    ),
    "a last activity before the newest message": Damage(
        ("UPDATE chatledger_sessions SET last_activity = '2001-01-01 00:00:00.000000' WHERE session_id = 'home'",),
        {"counters": 1},
        "'home': last_activity is before the newest message",
        {"counters": 1},
    ),
    "a last number below the messages": Damage(
        ("UPDATE chatledger_sessions SET last_sequence = 2 WHERE session_id = 'trip'",),
        {"sequence": 1},
        "'trip': last_sequence is 2, and there is a message 5",
        {"sequence": 1},
    ),
    "a number that is none": Damage(
        ("UPDATE chatledger_messages SET sequence_number = 0 WHERE session_id = 'work' AND sequence_number = 2",),
        {"sequence": 1},
        "'work' #0",
        unchecked=True,
    ),
    "a changed text": Damage(
        (f"UPDATE chatledger_messages SET name = 'N' {_MESSAGE}",), {"digest": 1, "full_text": 1}, "'trip' #3", {}
    ),
    "a changed time": Damage(
        (f"UPDATE chatledger_messages SET created_at = '2001-01-01 00:00:00.000000' {_MESSAGE}",),
        {"digest": 1, "usage": 1},
        "'trip' #3",
        {"usage": 1},
    ),
    "no digest": Damage(
        (f"UPDATE chatledger_messages SET digest = NULL {_MESSAGE}",), {"no_digest": 1}, "'trip' #3", {}
    ),
    "a text that search does not know": Damage(
        (f"UPDATE chatledger_messages SET search_text = 'another' {_MESSAGE}",),
        {"full_text": 1},
        "'trip' #3 search_text",
        {},
        on=("postgresql",),
    ),
    "an index that does not know a text": Damage(
        (f"UPDATE chatledger_messages SET search_text = 'another' {_MESSAGE}",),
        {"full_text": 2},
        "the index does not agree with the messages",
        {},
        on=("sqlite",),
    ),
    "a context that is no JSON": Damage(
        ("UPDATE chatledger_sessions SET context = '{broken' WHERE session_id = 'trip'",),
        {"json": 1},
        "sessions 'trip' context",
        {},
        on=("sqlite",),
    ),
    "a context that is no object": Damage(
        ("UPDATE chatledger_sessions SET context = '[1]' WHERE session_id = 'trip'",), {"json": 1}, "sessions 'trip' context", {}
    ),
    "NaN in metadata": Damage(
        ("UPDATE chatledger_session_metadata SET value = '[NaN]' WHERE session_id = 'trip'",),
        {"json": 1},
        "chatledger_session_metadata 'trip' 'colour' value",
        {},
        on=("sqlite",),
    ),
    "half of a surrogate pair": Damage(
        (r"""UPDATE chatledger_session_metadata SET value = '["\ud800"]' WHERE session_id = 'trip'""",),
        {"json": 1},
        "chatledger_session_metadata 'trip' 'colour' value",
        {},
    ),
    "a payload that is no JSON": Damage(
        (f"UPDATE chatledger_messages SET payload = '{{' {_MESSAGE}",),
        {"json": 1, "digest": 1},
        "'trip' #3 payload",
        {},
        on=("sqlite",),
    ),
    "JSON of a project that is none": Damage(
        ("UPDATE chatledger_projects SET metadata = '1'",), {"json": 1}, "projects 'travel' metadata", {}
    ),
    "details of the audit log that are none": Damage(
        ("INSERT INTO chatledger_audit_log (action, details) VALUES ('tested', '2')",), {"json": 1}, "details", {}
    ),
    "an unknown status": Damage(
        ("UPDATE chatledger_sessions SET status = 'asleep' WHERE session_id = 'work'",),
        {"words": 1},
        "sessions 'work' status",
        unchecked=True,
    ),
    "an unknown role": Damage(
        (f"UPDATE chatledger_messages SET role = 'userr' {_MESSAGE}",), {"words": 1, "digest": 1, "usage": 1}, "'trip' #3 role",
        unchecked=True,
    ),
    "an unknown outcome": Damage(
        (f"UPDATE chatledger_messages SET outcome = 'undone' {_MESSAGE}",),
        {"words": 1, "digest": 1},
        "'trip' #3 outcome",
        unchecked=True,
    ),
    "an unknown kind of snapshot": Damage(
        ("UPDATE chatledger_session_snapshots SET kind = 'polaroid'",),
        {"words": 1},
        "chatledger_session_snapshots 'trip' 1 kind",
        unchecked=True,
    ),
    "an unknown scope": Damage(
        ("INSERT INTO chatledger_timeout_defaults (scope, scope_id, hard_limit) VALUES ('galaxy', 'm31', 5)",),
        {"words": 1},
        "chatledger_timeout_defaults 'galaxy' 'm31' scope",
        mended=False,
        unchecked=True,
    ),
    "a time that is none": Damage(
        ("UPDATE chatledger_sessions SET archived_at = 'yesterday' WHERE session_id = 'work'",),
        {"times": 1},
        "sessions 'work' archived_at",
        {},
        on=("sqlite",),
    ),
    "a time without end": Damage(
        ("UPDATE chatledger_sessions SET archived_at = 'infinity' WHERE session_id = 'work'",),
        {"times": 1},
        "sessions 'work' archived_at",
        {},
        on=("postgresql",),
    ),
    "a time that is written another way": Damage(
        ("UPDATE chatledger_sessions SET created_at = '2026-05-01T10:00:00.000000' WHERE session_id = 'work'",),
        {"times": 1},
        "sessions 'work' created_at",
        {},
        mended=False,
        on=("sqlite",),
    ),
    "bytes that are no text": Damage(
        ("UPDATE chatledger_sessions SET user_id = CAST(x'ff41' AS TEXT) WHERE session_id = 'work'",),
        {"values": 1},
        "sessions 'work' user_id",
        {},
        mended=False,
        on=("sqlite",),
    ),
    "a snapshot that was cut off": Damage(
        ("UPDATE chatledger_session_snapshots SET body = substr(body, 1, 20)",), {"snapshots": 1}, "trip:1", {}, mended=False
    ),
    "a snapshot of another size": Damage(
        ("UPDATE chatledger_session_snapshots SET size = size + 1",), {"snapshots": 1}, "trip:1", {}, mended=False
    ),
    "limits that nobody looks at": Damage(
        ("UPDATE chatledger_session_timeouts SET next_check_at = NULL WHERE session_id = 'work'",), {"timeouts": 1}, "'work'", {}
    ),
    "a default limit that nobody looks at": Damage(
        ("INSERT INTO chatledger_timeout_defaults (scope, scope_id, hard_limit) VALUES ('ledger', '', 5)",
         "DELETE FROM chatledger_session_timeouts WHERE session_id = 'home'"),
        {"timeouts": 1},
        "'home'",
        {},
    ),
    "an index that is not valid": Damage(
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_chatledger_sessions_activity'::regclass",),
        {"indexes": 1},
        "index ix_chatledger_sessions_activity is not valid",
        {"indexes": 1},
        on=("postgresql",),
    ),
    "a name that is not entered": Damage(
        ("UPDATE chatledger_sessions SET name = 'main' WHERE session_id = 'work'", "DELETE FROM chatledger_session_names"),
        {"session_names": 1},
        "'work' is named 'main'",
        {"session_names": 1},
    ),
    "a name of a session that is gone": Damage(
        ("INSERT INTO chatledger_session_names (user_id, project_id, name, session_id) VALUES ('', '', 'main', 'gone')",),
        {"session_names": 1},
        "name 'main' of 'gone'",
        {"session_names": 1},
    ),
    "a child without its parent": Damage(
        ("UPDATE chatledger_sessions SET parent_id = 'gone' WHERE session_id = 'branch'",), {"parents": 1}, "'branch'", {}
    ),
    "a fork without a root": Damage(
        ("UPDATE chatledger_sessions SET forked_from = 'gone' WHERE session_id = 'branch'",), {"forks": 1}, "'branch'", {}
    ),
}  # fmt: skip

CASES = [(backend, name) for name, damage in DAMAGES.items() for backend in damage.on]
"""Each damage on each database on which it can be done."""
