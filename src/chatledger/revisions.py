"""Runs the Alembic revisions on a database, from a checkout or an installed wheel.

All revisions of one call run in one transaction that takes the schema's lock before it reads the current revision:
a killed migration leaves the old schema or the new one, and of several at once each finds the work of the one before.
No `env.py` is involved, so that a migration can run inside another program's Alembic command.
Alembic is imported when something is migrated, not before.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from chatledger.dialects import dialect_of
from chatledger.dialects.base import TABLE_PREFIX, VERSION_TABLE, Dialect, State
from chatledger.errors import Conflict, InvalidInput, NotALedger, SchemaAhead, SchemaBehind, SchemaError
from chatledger.schemas.fields import flags

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every revision that this release knows, oldest first. A test holds it against the files."""
HEAD = REVISIONS[-1]

# The revisions use `alembic.op`, which is global: two threads must not migrate at once.
_alembic = threading.RLock()

# Seconds that a migration waits for writers, or for another migration.
_WAIT = 60.0

# Chooses the steps to run, given the scripts and the current revision.
_Steps = Callable[["ScriptDirectory", Any], Iterable[Any]]


def upgrade(engine: Engine, revision: str = "head", *, dialect: Dialect | None = None) -> None:
    """Bring the database up to a revision. Does nothing where it is there already.

    Raises:
        SchemaAhead: the database was migrated by a newer release.
        NotALedger: it has tables of its own whose names begin with `chatledger_`.
        Busy: another migration or writer held the lock for too long.
    """
    dialect = dialect or dialect_of(engine.dialect.name)
    _known(revision, "head")
    # Many processes may start at once: those that find nothing to do wait for nobody, and the one that migrates keeps
    # the others out for no longer than it takes.
    with _reading(engine, dialect) as connection:
        if _is_at(_checked(connection, dialect), revision):
            return
    _scripts()
    with locked(engine, dialect) as connection:
        _upgrade_known(connection, dialect, revision)


def downgrade(engine: Engine, revision: str, *, drop_content: bool = False, dialect: Dialect | None = None) -> None:
    """Take the database down to a revision, or to `base`, which drops every table of the ledger.

    A way down drops only what the way up makes again: triggers, indexes, views, totals. Where it would have to drop
    content it is refused, unless `drop_content` says so.

    Raises:
        InvalidInput: no such revision, or one above the current revision of the database.
        Conflict: content would be dropped; the error says how many rows of which tables. Nothing was changed.
    """
    flags(drop_content=drop_content)
    dialect = dialect or dialect_of(engine.dialect.name)
    _known(revision, "base")
    with locked(engine, dialect) as connection:
        state = _checked(connection, dialect)
        stands = state.revision
        if revision != "base" and (stands is None or REVISIONS.index(revision) > REVISIONS.index(stands)):
            raise InvalidInput("revision", f"the database is at {stands or 'base'}, below {revision}: upgrade instead")
        _downgrade_on(connection, revision, drop_content=drop_content)
        if dialect.state(connection).revision is not None:
            dialect.mark(connection, alone=state.empty or state.ours)


def stamp(engine: Engine, revision: str = "head", *, dialect: Dialect | None = None) -> None:
    """Write down that the database is at a revision, without looking. For repairs."""
    dialect = dialect or dialect_of(engine.dialect.name)
    _known(revision, "head")
    with locked(engine, dialect) as connection:
        state = _checked(connection, dialect)
        _run_on(connection, lambda scripts, at: scripts._stamp_revs((revision,), at))
        dialect.mark(connection, alone=state.empty or state.ours)


def script(dialect: Dialect, revision: str = "head", *, start: str | None = None) -> str:
    """The SQL of an upgrade from a revision (from nothing by default) to another, for somebody else to run."""
    _known(revision, "head")
    first = None if start is None else _known(start, "base")
    written = io.StringIO()
    _run(
        lambda scripts, at: scripts._upgrade_revs(revision, at),
        offline={"as_sql": True, "starting_rev": first},
        # A URL without a place, to spell SQL with.
        url=f"{dialect.name}://",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        output_buffer=written,
    )
    return written.getvalue()


def current(connection: Connection, dialect: Dialect) -> str | None:
    """The current revision of the database, or None."""
    return dialect.state(connection).revision


def require_released(state: State) -> None:
    """Refuse a ledger that a version before the first release made: its revisions have the same names as today's."""
    if state.is_unreleased:
        raise SchemaError(
            "a version of chatledger from before the first release made this ledger: export it with that version "
            "(`chatledger export --output ledger.jsonl`), and import the file into a new database with this one "
            "(`chatledger import ledger.jsonl`)"
        )


def require_head(state: State) -> None:
    """Raise what is wrong with a database that is not at this release's newest revision."""
    require_released(state)
    if state.revision == HEAD:
        return
    if state.revision is not None and state.revision not in REVISIONS:
        raise SchemaAhead(state.revision, HEAD)
    if state.empty:
        raise NotALedger("the database is empty: check its URL, or run `chatledger db upgrade` to make it a ledger")
    if state.revision is None and not state.ours:
        raise NotALedger(
            "the database holds tables of something else: give another one, "
            "or run `chatledger db upgrade` to put a ledger beside them"
        )
    raise SchemaBehind(state.revision, HEAD)


def install(bind: Engine | Connection) -> None:
    """Create everything of a ledger where there is none: tables, indexes, views, triggers and full text.

    A ledger at this release's newest revision is left alone. On a connection everything runs in its transaction, under
    a savepoint; committing is up to the caller.

    Raises:
        SchemaBehind, SchemaAhead: there is a ledger of another release.
        NotALedger: there are tables whose names begin with `chatledger_`, and no version.
    """
    with _connected(bind) as (connection, dialect):
        state = dialect.state(connection)
        if state.revision is not None:
            require_head(state)
            return
        _upgrade_known(connection, dialect, "head")


def uninstall(bind: Engine | Connection) -> None:
    """Drop everything of a ledger with its rows, the version table included. Does nothing where there is none.

    Raises:
        SchemaAhead: the database was migrated by a newer release.
    """
    with _connected(bind) as (connection, dialect):
        if _checked(connection, dialect).revision is not None:
            _downgrade_on(connection, "base", drop_content=True)
        with dialect.own_schema(connection):
            connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


def upgrade_on(connection: Connection) -> None:
    """Upgrade to head in the transaction that a connection is in, without looking at what is there."""
    _run_on(connection, lambda scripts, at: scripts._upgrade_revs("head", at))


@contextmanager
def locked(engine: Engine, dialect: Dialect) -> Iterator[Connection]:
    """A connection in a transaction that holds the schema's lock. Commits at the end."""
    with _alembic, dialect.writer_queue(engine.url, _WAIT), engine.connect() as connection:
        try:
            dialect.begin(connection, "migrate", _WAIT)
            dialect.lock_schema(connection)
            yield connection
            dialect.verify_migration(connection)
            connection.commit()
        finally:
            connection.rollback()
            dialect.end(connection)


@contextmanager
def _reading(engine: Engine, dialect: Dialect) -> Iterator[Connection]:
    """A connection in a reading transaction, which waits for no writer."""
    with engine.connect() as connection:
        try:
            dialect.begin(connection, "read", _WAIT)
            yield connection
        finally:
            connection.rollback()
            dialect.end(connection)


@contextmanager
def _connected(bind: Engine | Connection) -> Iterator[tuple[Connection, Dialect]]:
    dialect = dialect_of(bind.dialect.name)
    if isinstance(bind, Engine):
        with locked(bind, dialect) as connection:
            yield connection, dialect
        return
    with _alembic:
        dialect.lock_schema(bind)
        with bind.begin_nested():
            yield bind, dialect


def _known(revision: str, word: str) -> str:
    if revision != word and revision not in REVISIONS:
        raise InvalidInput("revision", f"is not one of {', '.join(REVISIONS)} or {word!r}")
    return revision


def _checked(connection: Connection, dialect: Dialect) -> State:
    """The state of a database whose revision, if any, this release knows."""
    state = dialect.state(connection)
    require_released(state)
    if state.revision is not None and state.revision not in REVISIONS:
        raise SchemaAhead(state.revision, HEAD)
    taken = sorted(name for name in state.tables if name.startswith(TABLE_PREFIX) and name != VERSION_TABLE)
    if state.revision is None and taken:
        more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""
        raise NotALedger(
            f"the database has tables of its own by the names of {', '.join(taken[:3])}{more}: "
            "give the ledger another database (or, on a server, a schema of its own in the search path)"
        )
    return state


def _is_at(state: State, revision: str) -> bool:
    return state.revision == (HEAD if revision == "head" else revision)


def _upgrade_known(connection: Connection, dialect: Dialect, revision: str) -> None:
    state = _checked(connection, dialect)
    if not _is_at(state, revision):  # another process may have been first
        _run_on(connection, lambda scripts, at: scripts._upgrade_revs(revision, at))
    dialect.mark(connection, alone=state.empty or state.ours)


def _downgrade_on(connection: Connection, revision: str, *, drop_content: bool) -> None:
    from alembic.util import CommandError  # noqa: PLC0415 - costs as much as opening a ledger

    try:
        # Revisions read `drop_content` from the options of their context.
        _run_on(connection, lambda scripts, at: scripts._downgrade_revs(revision, at), drop_content=drop_content)
        return
    except CommandError as error:
        refused = Conflict(str(error))
    raise refused


def _run_on(connection: Connection, steps: _Steps, **how: Any) -> None:
    with dialect_of(connection.dialect.name).own_schema(connection):
        _run(steps, connection=connection, **how)


def _run(steps: _Steps, *, offline: dict[str, Any] | None = None, **how: Any) -> None:
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415 - costs as much as opening a ledger

    with _alembic, _outer_operations_kept():
        config, scripts = _scripts()
        # Not entered as a context manager: that would replace the global `alembic.context`.
        environment = EnvironmentContext(config, scripts, fn=lambda at, _context: steps(scripts, at), **(offline or {}))
        environment.configure(
            version_table=VERSION_TABLE, transactional_ddl=True, transaction_per_migration=False, **how
        )
        # A connection's transaction is the caller's: Alembic joins it and leaves the commit to it.
        with environment.begin_transaction():
            environment.run_migrations()


@contextmanager
def _outer_operations_kept() -> Iterator[None]:
    """Put back the global `alembic.op`, which Alembic removes after a migration and leaves behind after an error.

    An application's own revision or autogenerate may be running, and goes on with it.
    """
    from alembic import op  # noqa: PLC0415 - as above

    outer = vars(op).get("_proxy")
    try:
        yield
    finally:
        left = vars(op).get("_proxy")
        if outer is not None:
            outer._install_proxy()
        elif left is not None:
            left._remove_proxy()


@cache
def _scripts() -> tuple[Config, ScriptDirectory]:
    """The revisions, loaded. Loading Alembic and them takes longer than running them."""
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.runtime.environment import EnvironmentContext  # noqa: F401, PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    checkout = Path(__file__).parents[2] / "alembic"
    # A checkout's own revisions before the copy that an editable install made of them.
    location = checkout if (checkout / "env.py").is_file() else Path(__file__).parent / "_migrations"
    config = Config()
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    list(scripts.walk_revisions())
    return config, scripts
