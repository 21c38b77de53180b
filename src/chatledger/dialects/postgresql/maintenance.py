"""Copies, maintenance and diagnostics of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from chatledger.dialects.maintenance import Diagnostics, Maintenance, PageProgress, StepResult, Steps
from chatledger.dialects.postgresql import vacuum
from chatledger.errors import Conflict, CorruptDatabase

# A table is vacuumed when it has more dead rows than this part of its rows.
_DEAD = 0.1


class PostgreSQLMaintenance(Maintenance):
    """How a ledger on a server is kept. Its pages, its log and its disk are the server's own matter."""

    def identity(self, connection: Connection) -> tuple[Any, ...]:
        statement = "SELECT pg_postmaster_start_time(), current_setting('port'), current_database(), current_schema()"
        return tuple(connection.execute(text(statement)).one())

    def lasting_identity(self, connection: Connection) -> tuple[Any, ...]:
        statement = """
            SELECT (SELECT system_identifier FROM pg_control_system()), d.oid, current_schema()
            FROM pg_database AS d WHERE d.datname = current_database()
        """
        return tuple(connection.execute(text(statement)).one())

    def arrival_order(self, table: Table) -> Sequence[ColumnElement[Any]]:
        return [table.c.created_at, table.c.session_id, table.c.sequence_number]  # the first has an index

    def copy_pages(self, connection: Connection, target: Path, progress: PageProgress) -> bool:
        return False

    def lock_tables(self, connection: Connection, tables: Sequence[Table]) -> None:
        connection.execute(text(f"LOCK TABLE {_named(tables)} IN EXCLUSIVE MODE"))

    def clear(self, connection: Connection, tables: Sequence[Table]) -> None:
        try:
            connection.execute(text(f"TRUNCATE {_named(tables)}"))
            return
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != "0A000":
                raise
        raise Conflict("tables of an application refer to the ledger's: restore into another database or schema")

    @contextmanager
    def triggers_disabled(self, connection: Connection, tables: Sequence[Table]) -> Iterator[None]:
        statement = """
            SELECT quote_ident(c.relname), quote_ident(t.tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgenabled = 'O'
                AND c.relname = ANY(:tables) ORDER BY t.oid"""
        triggers = connection.execute(text(statement), {"tables": [table.name for table in tables]}).all()
        for table, trigger in triggers:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        for table, trigger in triggers:
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")

    def load(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        driver: Any = connection.connection.dbapi_connection
        columns = ", ".join(f'"{name}"' for name in names)
        with driver.cursor() as cursor:
            cursor.execute("SET LOCAL TimeZone = 'UTC'")  # which the times are in, and do not say
            try:
                with cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
                    for row in rows:
                        copy.write_row(row)
                return
            except Exception as error:
                if getattr(error, "sqlstate", None) not in ("22P02", "22007"):
                    raise
        raise CorruptDatabase(
            f"a value of {table.name} is no JSON or no time, so that it cannot be kept there:"
            " run `chatledger db check` on the source"
        )

    def last_number(self, connection: Connection, table: Table, column: str) -> int:
        sequence = "SELECT pg_get_serial_sequence(:table, :column)"
        name = connection.execute(text(sequence), {"table": table.name, "column": column}).scalar_one()
        last, used = connection.execute(text(f"SELECT last_value, is_called FROM {name}")).one()
        return int(last) if used else int(last) - 1

    def continue_numbering(self, connection: Connection, table: Table, column: str, last: int) -> None:
        statement = "SELECT setval(pg_get_serial_sequence(:table, :column), greatest(:last, 1), :last > 0)"
        connection.execute(text(statement), {"table": table.name, "column": column, "last": last})

    def maintain(self, engine: Engine, tables: Sequence[Table], steps: Steps, wait: float) -> list[StepResult]:
        done: list[StepResult] = []
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if steps.rebuild_full_text:
                done.append(_rebuild_indexes(connection))
            if steps.full_text:
                done.append(_flush_index(connection))
            if steps.vacuum is not False:
                done.append(_vacuum(connection, tables, asked=steps.vacuum is True))
            if steps.analyze:
                connection.execute(text(f"ANALYZE {_named(tables)}"))
                done.append(StepResult("analyze", True))
            if steps.checkpoint:
                done.append(StepResult("checkpoint", False, "the server does that by itself"))
        return done

    def remove_deleted_content(self, engine: Engine, wait: float) -> bool:
        return vacuum.remove_deleted_content(engine)

    def checkpoint_writes(self, engine: Engine, wait: float) -> None:
        """The server does."""

    def sizes(self, connection: Connection, tables: Sequence[Table]) -> dict[str, Any]:
        names = {"tables": [table.name for table in tables]}
        of_tables = """
            SELECT relname, pg_table_size(oid) FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname = ANY(:tables)
            ORDER BY 2 DESC, 1"""
        of_indexes = """
            SELECT i.relname, pg_relation_size(i.oid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            JOIN pg_class t ON t.oid = x.indrelid
            WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(:tables)
            ORDER BY 2 DESC, 1"""
        dead = """
            SELECT relname, n_dead_tup FROM pg_stat_user_tables
            WHERE schemaname = current_schema() AND relname = ANY(:tables) AND n_dead_tup > 0 ORDER BY 2 DESC, 1"""
        return {
            "tables": {name: int(size) for name, size in connection.execute(text(of_tables), names)},
            "indexes": {name: int(size) for name, size in connection.execute(text(of_indexes), names)},
            "dead_rows": {name: int(rows) for name, rows in connection.execute(text(dead), names)},
        }

    def diagnostics(self, connection: Connection, url: URL) -> Diagnostics:
        statement = """
            SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool,
                coalesce(has_table_privilege(to_regclass('chatledger_messages'), 'INSERT'), true)"""
        standby, read_only, allowed = connection.execute(text(statement)).one()
        if standby:
            return Diagnostics(unwritable="the server is a standby: name the primary")
        if read_only:
            return Diagnostics(unwritable="the server allows reading only (default_transaction_read_only)")
        if not allowed:
            return Diagnostics(unwritable="this user may not insert into chatledger_messages: grant the right")
        return Diagnostics()


def _named(tables: Sequence[Table]) -> str:
    return ", ".join(f'"{table.name}"' for table in tables)


_FULL_TEXT = (
    "ix_chatledger_messages_search_vector",
    "ix_chatledger_sessions_search_title",
    "ix_chatledger_sessions_search_system_prompt",
)


def _rebuild_indexes(connection: Connection) -> StepResult:
    """Build the indexes of full text again, while others read and write."""
    try:
        for name in _FULL_TEXT:
            connection.execute(text(f"REINDEX INDEX CONCURRENTLY {name}"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        return StepResult("rebuild_full_text", False, "only the owner of the index may do that")
    return StepResult("rebuild_full_text", True)


def _flush_index(connection: Connection) -> StepResult:
    """Move what waits in the list beside the full-text index into it: each search reads all of that list."""
    try:
        connection.execute(text("SELECT gin_clean_pending_list(to_regclass('ix_chatledger_messages_search_vector'))"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        return StepResult("full_text", False, "only the owner of the index may do that")
    return StepResult("full_text", True)


def _vacuum(connection: Connection, tables: Sequence[Table], *, asked: bool) -> StepResult:
    statement = """
        SELECT coalesce(sum(n_dead_tup), 0), coalesce(sum(n_live_tup), 0) FROM pg_stat_user_tables
        WHERE schemaname = current_schema() AND relname = ANY(:tables)"""
    found = connection.execute(text(statement), {"tables": [table.name for table in tables]}).one()
    dead, live = int(found[0]), int(found[1])
    if not asked and dead <= _DEAD * live:
        return StepResult("vacuum", False, f"{dead} of {dead + live} rows are dead: not worth it")
    connection.execute(text(f"VACUUM {_named(tables)}"))
    return StepResult("vacuum", True)
