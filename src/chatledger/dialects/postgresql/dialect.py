"""PostgreSQL: many writers at once, row locks, several hosts."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from sqlalchemy import ARRAY, Connection, Engine, QueuePool, Table, bindparam, create_engine, event, func, select, text
from sqlalchemy import exc as sa
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from chatledger import errors
from chatledger.dialects.base import VERSION_TABLE, Dialect, Mode, State, original, scalars
from chatledger.dialects.postgresql.full_text import PostgreSQLFullText
from chatledger.dialects.postgresql.integrity import PostgreSQLIntegrity
from chatledger.dialects.postgresql.maintenance import PostgreSQLMaintenance
from chatledger.dialects.postgresql.search_path import own_schema, scratch_schema
from chatledger.dialects.process_fork import survive_fork
from chatledger.dialects.types import wire
from chatledger.settings import Settings

MINIMUM = 130000
#: "chlg" as a number: the advisory lock under which schemas change.
_SCHEMA_LOCK = 0x63686C67

#: A connection that lay unused for longer is asked whether it lives before it is handed out. A busy pool is not slowed;
#: one that slept through a restart of the server is not poisoned.
_PING_AFTER = 1.0

_STATES: dict[str, tuple[type[errors.ChatledgerError], str]] = {
    "25P02": (errors.ChatledgerError, "an earlier statement failed: this transaction can only end (see uow.savepoint)"),
    "25006": (errors.ReadOnly, "the transaction may only read: write in ledger.begin()"),
    "40001": (errors.Busy, "another transaction changed the same rows: try again (ledger.run does)"),
    "40P01": (errors.Busy, "two transactions waited for each other: try again (ledger.run does)"),
    "55P03": (errors.Busy, "another transaction holds the lock: try again, or raise busy_timeout"),
    "57014": (errors.Busy, "the statement took longer than the server allows"),
    "53100": (errors.OutOfSpace, "the server's disk is full: nothing was written"),
    "53300": (errors.Unavailable, "the server has no connection left: lower pool_size, or use a pooler"),
    "57P03": (errors.Unavailable, "the server is starting up or shutting down: try again"),
    "28P01": (errors.Unavailable, "the server refuses the user name or the password"),
    "28000": (errors.Unavailable, "the server refuses this user"),
    "3D000": (errors.Unavailable, "there is no such database on the server: create it first"),
    "42501": (errors.ReadOnly, "this user may not do that in the database: grant the rights to it"),
    "42P01": (errors.NotALedger, "a table of the ledger is missing: run `chatledger db upgrade`"),
    "42703": (errors.NotALedger, "a column of the ledger is missing: run `chatledger db upgrade`"),
    "54000": (errors.InvalidInput, "a value is larger than the database can hold"),
    "22021": (errors.InvalidInput, "a text holds characters that the database cannot keep"),
    "22003": (errors.InvalidInput, "a number is larger than the database can hold"),
    "22008": (errors.InvalidInput, "a time is outside of what the database can hold"),
}
_CLASSES: dict[str, tuple[type[errors.ChatledgerError], str]] = {
    "08": (errors.Unavailable, "the connection to the server was lost"),
    "57": (errors.Unavailable, "the server ended the connection"),
    "53": (errors.Unavailable, "the server is out of resources"),
    "23": (errors.Conflict, "a constraint of the database refused the row"),
    "XX": (errors.CorruptDatabase, "the server reports damaged data"),
    "58": (errors.Unavailable, "the server cannot read or write its files"),
}


#: A failed connection carries no code, whatever the server said.
_NO_CONNECTION = (
    "no connection to the server: see that it runs, and that the host, port, database, user and password"
    " of the URL are right"
)


class PostgreSQL(Dialect):
    """How a ledger lives in a PostgreSQL database."""

    name: ClassVar[str] = "postgresql"
    title: ClassVar[str] = "PostgreSQL"
    driver: ClassVar[str] = "psycopg"
    undeclared: ClassVar[frozenset[str]] = frozenset(
        {
            "search_vector",
            "ix_chatledger_messages_search_vector",
            "ix_chatledger_messages_created_at",
            # The newest first, which the models do not say: they declare an index once for both databases.
            *(f"ix_chatledger_sessions_{whose}_activity" for whose in ("user", "project", "model")),
            # The beginning of the value, for the same reason.
            "ix_chatledger_session_metadata_value",
        }
    )
    full_text = PostgreSQLFullText()
    integrity = PostgreSQLIntegrity()
    maintenance = PostgreSQLMaintenance()

    def create_engine(self, url: URL, settings: Settings) -> Engine:
        try:
            import psycopg  # noqa: F401, PLC0415 - an extra, looked for when it is needed
        except ImportError:
            raise errors.MissingExtra("postgres", "a PostgreSQL ledger") from None
        connect: dict[str, Any] = {}
        if "application_name" not in url.query:
            connect["application_name"] = "chatledger"
        if not settings.prepared_statements:
            connect["prepare_threshold"] = None
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=QueuePool,
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.pool_timeout,
            pool_recycle=settings.pool_recycle,
            pool_use_lifo=True,  # idle connections age out instead of being kept warm in turn
            isolation_level="READ COMMITTED",  # stated: a server's default may be another
            hide_parameters=True,
            connect_args=connect,
        )
        event.listen(engine, "connect", _Configure(settings))
        event.listen(engine, "checkin", _note_time)
        event.listen(engine, "checkout", _ping_after_rest)
        return survive_fork(engine, file=False)

    def begin(self, connection: Connection, mode: Mode, wait: float) -> None:
        if mode == "read":
            # REPEATABLE READ: every statement of the block sees the same moment.
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif getattr(connection.connection.dbapi_connection, "autocommit", False):
            # An application's engine in AUTOCOMMIT: a unit of work is a transaction all the same.
            connection.execution_options(isolation_level="READ COMMITTED")
        connection.begin()

    def interrupt(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.cancel()

    def prepare(self, url: URL) -> None:
        """The server makes its own files."""

    def state(self, connection: Connection) -> State:
        version = connection.execute(text("SELECT current_setting('server_version_num')::int")).scalar_one()
        if version < MINIMUM:
            raise errors.Unavailable("the server is too old: chatledger needs PostgreSQL 13 or newer")
        tables = set(scalars(connection, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
        revision = None
        if VERSION_TABLE in tables:
            revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
        return State(
            revision=revision, empty=not tables - {VERSION_TABLE}, tables=frozenset(tables), ours=revision is not None
        )

    def lock_schema(self, connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))

    def own_schema(self, connection: Connection) -> AbstractContextManager[None]:
        return own_schema(connection)

    def mark(self, connection: Connection, *, alone: bool) -> None:
        """The version table is the mark."""

    def verify_migration(self, connection: Connection) -> None:
        """Foreign keys were never off."""

    def fingerprint(self, connection: Connection, tables: Collection[str]) -> dict[str, str]:
        found = {}
        schema = connection.execute(text("SELECT current_schema()")).scalar_one()
        pinned = "SET search_path TO '{}', 'pg_temp'".format(schema.replace("'", "''"))  # another path is a difference
        for kind, query in _FINGERPRINT.items():
            for name, definition in connection.execute(text(query), {"tables": list(tables)}):
                plain = re.sub(rf'"?\b{re.escape(schema)}\b"?\.', "", definition).replace(pinned, "SET search_path")
                found[f"{kind} {name}"] = re.sub(r"\s+", " ", plain)
        return found

    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        return scratch_schema(connection)

    def insert(self, table: Table) -> Insert:
        return insert(table)

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        # One statement over arrays: executemany would run the statement, and its triggers, once for each row.
        names = list(rows[0])
        arrays = [bindparam(f"{name}_", type_=ARRAY(wire(table.c[name].type))) for name in names]
        given = func.unnest(*arrays).table_valued(*names, with_ordinality="place", name="given").render_derived()
        ordered = select(*(given.c[name] for name in names)).order_by(given.c.place)
        statement = table.insert().from_select(names, ordered, include_defaults=False)
        connection.execute(statement, {f"{name}_": [row[name] for row in rows] for name in names})

    def facts(self, connection: Connection) -> dict[str, Any]:
        def one(query: str) -> Any:
            return connection.execute(text(query)).scalar()

        settings = (
            "synchronous_commit",
            "server_encoding",
            "TimeZone",
            "lock_timeout",
            "default_transaction_isolation",
        )
        return {
            "database": self.title,
            "version": one("SHOW server_version"),
            "name": one("SELECT current_database()"),
            "schema": one("SELECT current_schema()"),
            "bytes": {"total": one("SELECT pg_database_size(current_database())")},
            "settings": {name: one(f"SHOW {name}") for name in settings},
        }

    def classify(self, error: BaseException) -> tuple[type[errors.ChatledgerError], str, str | None]:
        state = getattr(original(error), "sqlstate", None)
        known = _STATES.get(state or "") or _CLASSES.get((state or "")[:2])
        if known is not None and not (state or "").startswith("57P0"):
            return *known, state
        lost = (isinstance(error, sa.DBAPIError) and error.connection_invalidated) or state is None or state[:2] == "57"
        # Failed connections and failovers carry no code.
        if lost and (
            isinstance(error, sa.OperationalError | sa.InterfaceError | sa.InternalError) or _is_driver(error)
        ):
            return errors.Unavailable, _NO_CONNECTION, state
        if isinstance(original(error), UnicodeError):
            return errors.InvalidInput, "a text holds characters that the database cannot keep", state
        return errors.ChatledgerError, f"the database refused the statement ({state or type(error).__name__})", state


def _is_driver(error: BaseException) -> bool:
    return type(error).__module__.startswith("psycopg") and "Operational" in type(error).__name__


class _Configure:
    """Settings of every connection. Set by statement, for a pooler refuses them as startup options; most are left out
    for a pooler in transaction mode, where they would stay behind for another client.
    """

    def __init__(self, settings: Settings) -> None:
        # In another zone the driver cannot read the first and the last day of the calendar. Poolers keep this one apart.
        self._statement = "SET TIME ZONE 'UTC'"
        if settings.prepared_statements:
            # Zero would mean to wait for ever.
            self._statement += f"; SET lock_timeout = {max(1, round(settings.busy_timeout * 1000))}"
            if settings.durability == "full":
                self._statement += "; SET synchronous_commit = on"

    def __call__(self, connection: Any, record: ConnectionPoolEntry) -> None:
        connection.execute(self._statement)
        connection.commit()


def _note_time(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["chatledger_rested_since"] = time.monotonic()


def _ping_after_rest(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    rested = record.info.get("chatledger_rested_since")
    if rested is None or time.monotonic() - rested < _PING_AFTER:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception:  # noqa: BLE001 - whatever it is, this connection is of no use
        raise sa.DisconnectionError from None


_FINGERPRINT = {
    "column": """
        SELECT c.relname || '.' || a.attname,
            format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
                || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || ' ' || a.attgenerated::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
            AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY(:tables)""",
    "constraint": """
        SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND k.contype <> 'n' AND c.relname = ANY(:tables)""",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
    "AND tablename = ANY(:tables)",
    "trigger": """
        SELECT t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
            AND c.relname = ANY(:tables)""",
    "view": """
        SELECT c.relname, pg_get_viewdef(c.oid) || coalesce(array_to_string(c.reloptions, ','), '') FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v' AND c.relname = ANY(:tables)""",
    "function": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'chatledger\\_%'""",
    "text search": """
        SELECT c.cfgname, string_agg(m.maptokentype || ':' || d.dictname, ',' ORDER BY m.maptokentype, m.mapseqno)
        FROM pg_ts_config c JOIN pg_ts_config_map m ON m.mapcfg = c.oid JOIN pg_ts_dict d ON d.oid = m.mapdict
        WHERE c.cfgnamespace = current_schema()::regnamespace AND c.cfgname = 'chatledger' GROUP BY c.cfgname""",
}
