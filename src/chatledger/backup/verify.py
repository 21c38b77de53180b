"""Looking at a backup file before it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatledger import migrate as migrations
from chatledger.backup.row_copy import count_all
from chatledger.dialects import backup_file, dialect_of, parse_url
from chatledger.dialects.base import Dialect, State
from chatledger.errors import ChatledgerError, CorruptDatabase, NotALedger, SchemaAhead


def dialect_of_files() -> Dialect:
    """The dialect of every backup, whatever it was made of."""
    return dialect_of(parse_url(Path("backup")).get_backend_name())


def require_known(state: State, name: str) -> str:
    """The revision of what is to be backed up or restored.

    Raises:
        NotALedger, SchemaAhead: it is something else, or newer than this release.
    """
    if state.revision is None:
        raise NotALedger(f"{name} holds no ledger: it is the database of something else, or an empty one")
    if state.revision not in migrations.REVISIONS:
        raise SchemaAhead(state.revision, migrations.HEAD)
    return state.revision


def examine(path: Path, name: str, *, quick: bool, rows: Mapping[str, int] | None) -> str:
    """Look into a backup that nobody else has open; its revision.

    `quick` leaves out what a checksum has shown already. `rows` are how many there must be in each table.

    Raises:
        CorruptDatabase: pages are damaged, or rows are missing.
        NotALedger, SchemaAhead: as `require_known`.
    """
    dialect = dialect_of_files()
    try:
        with backup_file.unpooled(path) as connection:
            found = backup_file.faults(connection, quick=quick)
            if found:
                raise backup_file.damaged(name, found)
            state = dialect.state(connection)
            revision = require_known(state, repr(name))
            if rows is not None and count_all(connection, state.tables) != dict(rows):
                raise CorruptDatabase(f"{name!r} has other rows than were written: take another backup")
            return revision
    except Exception as error:
        if isinstance(error, ChatledgerError) or not dialect.recognises(error):
            raise
        failure = dialect.translate(error)
    raise failure
