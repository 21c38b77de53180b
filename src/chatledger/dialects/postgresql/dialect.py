"""PostgreSQL: many writers at once, row locks, several hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, Engine, QueuePool, Table, create_engine, event, text
from sqlalchemy import Dialect as SQLAlchemyDialect
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL
from sqlalchemy.pool import PoolProxiedConnection

from chatledger import errors
from chatledger.dialects.base import VERSION_TABLE, Dialect, Mode, State, bound_columns, scalars
from chatledger.dialects.postgresql import autocommit
from chatledger.dialects.postgresql import connection as connections
from chatledger.dialects.postgresql.arrays import array_literal
from chatledger.dialects.postgresql.search_path import own_schema, scratch_schema
from chatledger.dialects.postgresql.server_errors import classify, leave_standby
from chatledger.dialects.postgresql.url import prefer_primary, reader_url, split_hosts, take_prepared_statements
from chatledger.dialects.process_fork import survive_fork
from chatledger.dialects.types import wire
from chatledger.settings import Durability, Settings

if TYPE_CHECKING:
    from chatledger.dialects.full_text import FullText
    from chatledger.dialects.integrity import Integrity
    from chatledger.dialects.maintenance import Maintenance

MINIMUM = 130000
# "chlg" as a number: the advisory lock under which schemas change.
_SCHEMA_LOCK = 0x63686C67
# How far the log was written, or replayed on a standby.
_POSITION = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END"


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
            "ix_chatledger_sessions_search_title",
            "ix_chatledger_sessions_search_system_prompt",
            # The newest first, which the models do not say: they declare an index once for both databases.
            *(f"ix_chatledger_sessions_{whose}_activity" for whose in ("user", "project", "model")),
            "ix_chatledger_sessions_user_created",
            # The beginning of the value, for the same reason.
            "ix_chatledger_session_metadata_value",
        }
    )

    @cached_property
    def full_text(self) -> FullText:
        from chatledger.dialects.postgresql.full_text import PostgreSQLFullText  # noqa: PLC0415 - see `Dialect`

        return PostgreSQLFullText()

    @cached_property
    def integrity(self) -> Integrity:
        from chatledger.dialects.postgresql.integrity import PostgreSQLIntegrity  # noqa: PLC0415 - see `Dialect`

        return PostgreSQLIntegrity()

    @cached_property
    def maintenance(self) -> Maintenance:
        from chatledger.dialects.postgresql.maintenance import PostgreSQLMaintenance  # noqa: PLC0415 - see `Dialect`

        return PostgreSQLMaintenance()

    def create_engine(self, url: URL, settings: Settings) -> Engine:
        try:
            import psycopg  # noqa: F401, PLC0415 - an extra, looked for when it is needed
        except ImportError:
            raise errors.MissingExtra("postgres", "a PostgreSQL ledger") from None
        url, prepared = take_prepared_statements(prefer_primary(split_hosts(url)))
        if prepared is not None:
            settings = settings.model_copy(update={"prepared_statements": prepared})
        # Here and not by a statement: the driver reads the version of the server before.
        connect: dict[str, Any] = {"client_encoding": "utf8"}
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
        event.listen(engine, "connect", connections.Configure(settings))
        event.listen(engine, "checkin", connections.note_time)
        event.listen(engine, "checkout", connections.ping_after_rest)
        event.listen(engine, "handle_error", leave_standby)
        return survive_fork(engine, file=False)

    def reader_url(self, url: URL) -> URL:
        return reader_url(url)

    def position(self, connect: Callable[[], AbstractContextManager[Connection]]) -> str | None:
        with connect() as connection:
            return str(connections.ask(connection, f"SELECT ({_POSITION})::text"))

    def has_replayed(self, connection: Connection, position: str) -> bool:
        return bool(connections.ask(connection, f"SELECT ({_POSITION}) >= '{position}'::pg_lsn"))

    def begin(self, connection: Connection, mode: Mode, wait: float, durability: Durability | None = None) -> None:
        connections.begin(connection, mode, wait)
        if durability is not None:
            connections.set_durability(connection, durability)

    def end_read(self, connection: Connection) -> None:
        # The driver forgets its prepared statements at a rollback, and the server plans them again.
        connection.commit()

    def end(self, connection: Connection) -> None:
        connections.end(connection)

    def connection_alone(self, engine: Engine) -> PoolProxiedConnection:
        connection: PoolProxiedConnection = autocommit.borrowed(engine)
        return connection

    def fetch_alone(
        self,
        connection: PoolProxiedConnection,
        sql: str,
        parameters: Any,
        *,
        writing: bool,
        on_begin: Callable[[], None],
    ) -> Sequence[Sequence[Any]] | None:
        return autocommit.fetch_alone(connection, sql, parameters, writing=writing, on_begin=on_begin)

    def spelling_alone(self, dialect: SQLAlchemyDialect) -> SQLAlchemyDialect:
        return _numbered()

    def is_limited(self, connection: Connection | None) -> bool | None:
        if connection is None:
            return None
        from chatledger.dialects.postgresql import row_security  # noqa: PLC0415 - only where users are kept apart

        return row_security.is_limited(connection)

    def set_user(self, connection: Connection, user_id: str) -> None:
        from chatledger.dialects.postgresql import row_security  # noqa: PLC0415 - as above

        row_security.set_user(connection, user_id)

    def secure(self, connection: Connection, role: str, *, leakproof_search: bool) -> None:
        from chatledger.dialects.postgresql import row_security  # noqa: PLC0415 - as above

        row_security.secure(connection, role, leakproof_search=leakproof_search)

    def unsecure(self, connection: Connection, role: str) -> None:
        from chatledger.dialects.postgresql import row_security  # noqa: PLC0415 - as above

        row_security.unsecure(connection, role)

    def interrupt(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.cancel()

    def prepare(self, url: URL) -> None:
        """The server makes its own files."""

    def state(self, connection: Connection) -> State:
        found = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')"
        version, encoding = connection.execute(text(found)).one()
        if version < MINIMUM:
            raise errors.Unavailable("the server is too old: chatledger needs PostgreSQL 13 or newer")
        if encoding != "UTF8":
            raise errors.SchemaError(
                f"the encoding of the database is {encoding}, which cannot keep every text: create it with"
                " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            )
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
        # Definitions are compared as the server spells them, which may quote every name.
        spelling = "SELECT current_schema(), set_config('quote_all_identifiers', 'off', true)"
        schema, _ = connection.execute(text(spelling)).one()
        pinned = "SET search_path TO '{}', 'pg_temp'".format(schema.replace("'", "''"))  # another path is a difference
        for kind, query in _FINGERPRINT.items():
            for name, definition in connection.execute(text(query), {"tables": list(tables)}):
                plain = re.sub(rf'"?\b{re.escape(schema)}\b"?\.', "", definition).replace(pinned, "SET search_path")
                found[f"{kind} {name}"] = re.sub(r"\s+", " ", plain)
        return found

    def scratch(self, connection: Connection) -> AbstractContextManager[Connection]:
        return scratch_schema(connection)

    def fetch_planned(
        self, connection: Connection, sql: str, parameters: Any, *, by_index: bool
    ) -> Sequence[Sequence[Any]]:
        with connections.planned(connection, by_index=by_index):
            return self.fetch_all(connection, sql, parameters)

    def insert(self, table: Table) -> Insert:
        return insert(table)

    def insert_rows(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        # One statement over arrays: executemany would run the statement, and its triggers, once for each row. COPY is no
        # faster on the server, and is refused where row-level security holds.
        names = tuple(rows[0])
        arrays = [array_literal(column) for column in bound_columns(connection.dialect, table, names, rows)]
        if connection.dialect.paramstyle == "pyformat":
            connection.exec_driver_sql(_insertion(table, names), tuple(arrays))
        else:  # an application's connection with another driver, such as asyncpg
            statement = text(_insertion(table, names, "CAST(:array_{} AS text)"))
            connection.execute(statement, {f"array_{number}": array for number, array in enumerate(arrays)})

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

    def recognises(self, error: BaseException) -> bool:
        # The driver raises these while it writes a text for a server that keeps another encoding.
        return super().recognises(error) or isinstance(error, UnicodeError)

    def classify(self, error: BaseException) -> tuple[type[errors.ChatledgerError], str, str | None]:
        return classify(error)


@cache
def _numbered() -> SQLAlchemyDialect:
    """Writes the server's own notation, $1: the driver has nothing to rewrite, and a value used twice travels once."""
    dialect: Callable[..., SQLAlchemyDialect] = PGDialect_psycopg
    return dialect(paramstyle="numeric_dollar")


_COLLATION = ' COLLATE "C"'


@lru_cache(maxsize=100)
def _insertion(table: Table, names: tuple[str, ...], parameter: str = "%s") -> str:
    """An INSERT of the rows of arrays, in their order. `parameter` stands for one of them, numbered at its `{}`."""
    columns = ", ".join(f'"{name}"' for name in names)
    types = [wire(table.c[name].type).dialect_impl(_numbered()).compile(_numbered()) for name in names]
    arrays = ", ".join(
        f"CAST({parameter.format(number)} AS {kind.removesuffix(_COLLATION)}[])" for number, kind in enumerate(types)
    )
    given = f"unnest({arrays}) WITH ORDINALITY AS given ({columns}, place)"
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {given} ORDER BY place'


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
        WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'chatledger\\_%'
            AND proname <> 'chatledger_may_join'""",  # of `Ledger.secure`
}
