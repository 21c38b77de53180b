"""Migrations: upgrade, downgrade, check and stamp, from a checkout or an installed wheel.

All revisions of one call run in one transaction that takes the schema's lock before it reads where the database stands:
a killed migration leaves the old schema or the new one, and of several at once each finds the work of the one before.
Alembic is imported when something is migrated, not before.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import TEXT, Connection, Engine, MetaData

from chatledger.dialects import dialect_of, parse_url
from chatledger.dialects.base import VERSION_TABLE, Dialect, State
from chatledger.dialects.integrity import Definition
from chatledger.dialects.types import Identifier, OptionalIdentifier
from chatledger.errors import Conflict, InvalidInput, NotALedger, SchemaAhead, SchemaBehind, SchemaError
from chatledger.models.usage import VIEWS
from chatledger.schemas.fields import flags
from chatledger.settings import DEFAULT_URL, ENVIRONMENT_URL, Settings

if TYPE_CHECKING:
    from alembic.config import Config

#: Every revision that this release knows, oldest first. A test holds it against the files.
REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = REVISIONS[-1]

# alembic.context is global: two threads must not migrate at once.
_alembic = threading.RLock()

#: Seconds that a migration waits for writers, or for another migration.
_WAIT = 60.0


def upgrade(engine: Engine, revision: str = "head", *, dialect: Dialect | None = None) -> None:
    """Bring the database up to a revision. Does nothing where it stands there already.

    Raises:
        SchemaAhead: the database was migrated by a newer release.
        Busy: another migration or writer held the lock for too long.
    """
    _run(engine, dialect, lambda config, command: command.upgrade(config, _known(revision, "head")))


def downgrade(engine: Engine, revision: str, *, drop_content: bool = False, dialect: Dialect | None = None) -> None:
    """Take the database down to a revision, or to `base`, which drops every table of the ledger.

    A way down drops only what the way up makes again: triggers, indexes, views, totals. Where it would have to drop
    content it is refused, unless `drop_content` says so.

    Raises:
        InvalidInput: no such revision, or one that is not below where the database stands.
        Conflict: content would be dropped. Nothing was changed.
    """
    flags(drop_content=drop_content)
    dialect = dialect or dialect_of(engine.dialect.name)
    _known(revision, "base")

    def down(config: Config, command: Any) -> None:
        stands = dialect.state(config.attributes["connection"]).revision
        if revision != "base" and (stands is None or REVISIONS.index(revision) > REVISIONS.index(stands)):
            raise InvalidInput("revision", f"the database is at {stands or 'base'}, below {revision}: upgrade instead")
        command.downgrade(config, revision)

    _run(engine, dialect, down, drop_content=drop_content)


def stamp(engine: Engine, revision: str = "head", *, dialect: Dialect | None = None) -> None:
    """Write down that the database stands at a revision, without looking. For repairs."""
    _run(engine, dialect, lambda config, command: command.stamp(config, _known(revision, "head")))


def script(dialect: Dialect, revision: str = "head", *, start: str | None = None) -> str:
    """The SQL of an upgrade from a revision (from nothing by default) to another, for somebody else to run."""
    from alembic import command  # noqa: PLC0415 - costs as much as opening a ledger

    span = _known(revision, "head") if start is None else f"{_known(start, 'base')}:{_known(revision, 'head')}"
    with _alembic:
        config = _config()
        config.attributes["dialect"] = dialect
        config.output_buffer = io.StringIO()
        command.upgrade(config, span, sql=True)
        return config.output_buffer.getvalue()


def current(connection: Connection, dialect: Dialect) -> str | None:
    """The revision that the database stands at, or None."""
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
    if state.revision is None and not state.ours:
        raise NotALedger(
            "the database holds tables of something else: give another one, "
            "or run `chatledger db upgrade` to put a ledger beside them"
        )
    raise SchemaBehind(state.revision, HEAD)


class Expected(NamedTuple):
    """What a freshly migrated database is made of."""

    fingerprint: dict[str, str]
    #: The statements behind it, under the same names, where something can be made anew.
    definitions: dict[str, Definition]


def expected(connection: Connection, dialect: Dialect) -> Expected:
    """Migrate from nothing beside the ledger, look at what that makes, and throw it away."""
    with dialect.scratch(connection) as scratch:
        _migrate_on(scratch, lambda config, command: command.upgrade(config, "head"))
        return Expected(dialect.fingerprint(scratch, _names()), dialect.integrity.definitions(scratch, _names()))


def differences(connection: Connection, dialect: Dialect, wanted: Expected) -> list[str]:
    """What differs between the database and a freshly migrated one, a line each; empty when nothing does.

    Columns, constraints, indexes, triggers, functions, views and full text are compared. Foreign tables are left alone.
    """
    actual, fresh = dialect.fingerprint(connection, _names()), wanted.fingerprint
    found = [f"missing: {name}" for name in fresh if name not in actual]
    found += [f"changed: {name}" for name in fresh if name in actual and actual[name] != fresh[name]]
    # An index that somebody added is theirs to keep; a trigger on our tables may undo what we promise.
    found += [f"unknown: {name}" for name in actual if name not in fresh and not name.startswith("index")]
    return sorted(found)


def include_object(thing: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """For an application's own `env.py`: keeps its autogenerate from dropping our tables.

    `context.configure(…, include_object=chatledger.migrate.include_object)`

    Only what is found in the database and not declared by the application is passed over.
    """
    if not reflected or compare_to is not None:
        return True
    table = name if type_ == "table" else getattr(getattr(thing, "table", None), "name", None)
    return table not in _names() and table != VERSION_TABLE and not (table or "").startswith("chatledger_messages_fts")


def run_environment() -> None:
    """What `alembic/env.py` calls: migrate on the connection that was handed over, or on the URL that was named."""
    from alembic import context  # noqa: PLC0415 - costs as much as opening a ledger

    handed = context.config.attributes.get("connection")
    if isinstance(handed, Connection):
        _configure_and_run(handed, dialect_of(handed.dialect.name))
        return
    spelled_for: Dialect | None = context.config.attributes.get("dialect")
    if spelled_for is not None:
        _write_script(spelled_for)
        return
    url = context.get_x_argument(as_dictionary=True).get("url") or os.environ.get(ENVIRONMENT_URL) or DEFAULT_URL
    parsed = parse_url(url)
    dialect = dialect_of(parsed.get_backend_name())
    if context.is_offline_mode():
        _write_script(dialect)
        return
    if isinstance(handed, Engine):
        engine = handed
    else:
        dialect.prepare(parsed)
        engine = dialect.create_engine(parsed, Settings.preset("cli"))
    with _alembic, _locked(engine, dialect) as connection:
        _configure_and_run(connection, dialect)


def _write_script(dialect: Dialect) -> None:
    from alembic import context  # noqa: PLC0415

    # A URL without a place, to spell SQL with.
    _configure(dialect, url=f"{dialect.name}://", literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def _known(revision: str, word: str) -> str:
    if revision != word and revision not in REVISIONS:
        raise InvalidInput("revision", f"is not one of {', '.join(REVISIONS)} or {word!r}")
    return revision


def _run(
    engine: Engine, dialect: Dialect | None, work: Callable[[Config, Any], None], *, drop_content: bool = False
) -> None:
    dialect = dialect or dialect_of(engine.dialect.name)
    with _alembic, _locked(engine, dialect) as connection:
        state = dialect.state(connection)
        require_released(state)
        if state.revision is not None and state.revision not in REVISIONS:
            raise SchemaAhead(state.revision, HEAD)
        taken = sorted(state.tables & _names())
        if state.revision is None and taken:
            raise NotALedger(
                f"the database has tables of its own by the names of {', '.join(taken)}: "
                "give the ledger another database (or, on a server, a schema of its own in the search path)"
            )
        _migrate_on(connection, work, drop_content=drop_content)
        if dialect.state(connection).revision is not None:
            dialect.mark(connection, alone=state.empty or state.ours)


@contextmanager
def _locked(engine: Engine, dialect: Dialect) -> Iterator[Connection]:
    """A connection in a transaction that holds the schema's lock. Commits at the end."""
    with dialect.gate(engine.url, _WAIT), engine.connect() as connection:
        try:
            dialect.begin(connection, "migrate", _WAIT)
            dialect.lock_schema(connection)
            yield connection
            dialect.verify_migration(connection)
            connection.commit()
        finally:
            connection.rollback()
            dialect.end(connection)


def _migrate_on(connection: Connection, work: Callable[[Config, Any], None], *, drop_content: bool = False) -> None:
    from alembic import command  # noqa: PLC0415 - costs as much as opening a ledger
    from alembic.util import CommandError  # noqa: PLC0415

    with _alembic:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["drop_content"] = drop_content
        try:
            work(config, command)
        except CommandError as error:  # a revision refuses
            raise Conflict(str(error)) from None


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    checkout = Path(__file__).parents[2] / "alembic"
    # A checkout's own revisions before the copy that an editable install made of them.
    scripts = checkout if (checkout / "env.py").is_file() else Path(__file__).parent / "_migrations"
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _configure_and_run(connection: Connection, dialect: Dialect) -> None:
    from alembic import context  # noqa: PLC0415

    _configure(dialect, connection=connection)
    # The transaction is the caller's: Alembic joins it and leaves the commit to it.
    with context.begin_transaction():
        context.run_migrations()


def _configure(dialect: Dialect, **how: Any) -> None:
    from alembic import context  # noqa: PLC0415

    def include(thing: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
        table = name if type_ == "table" else getattr(getattr(thing, "table", None), "name", None)
        return table in _ours() and dialect.is_ours(name)

    context.configure(
        target_metadata=_declared(),
        version_table=VERSION_TABLE,
        drop_content=_may_drop_content(),
        transactional_ddl=True,
        transaction_per_migration=False,
        include_object=include,
        compare_type=_type_differs,
        **how,
    )


def _may_drop_content() -> bool:
    """What a revision asks before it drops rows: `drop_content=True`, or `alembic -x drop_content=yes`."""
    from alembic import context  # noqa: PLC0415

    said = context.get_x_argument(as_dictionary=True).get("drop_content", "no")
    if said not in ("yes", "no"):
        raise InvalidInput("drop_content", "must be yes or no")
    return said == "yes" or bool(context.config.attributes.get("drop_content"))


def _type_differs(
    _context: Any, _inspected: Any, _declared: Any, inspected_type: Any, declared_type: Any
) -> bool | None:
    """Alembic's own comparison, but for identifiers: it does not see that their collation is the same."""
    if isinstance(declared_type, Identifier | OptionalIdentifier):
        return not isinstance(inspected_type, TEXT)
    return None


def _declared() -> MetaData:
    from chatledger.models import Base  # noqa: PLC0415 - all the tables, which an opening of a ledger at head needs not

    return Base.metadata


def _ours() -> frozenset[str]:
    return frozenset(_declared().tables)


def _names() -> frozenset[str]:
    """Tables and views."""
    return _ours() | VIEWS
