"""Whether stored messages are still what was stored."""

from __future__ import annotations

from sqlalchemy import Connection

from chatledger.backup.row_copy import OnProgress, Tally, columns_of, rows_of
from chatledger.dialects.base import Dialect
from chatledger.dialects.types import to_moment
from chatledger.schemas.digest import message_digest
from chatledger.services.rows import messages


def first_changed(connection: Connection, dialect: Dialect, on_progress: OnProgress) -> tuple[str, int] | None:
    """The first message that its digest does not fit, by session and number; None when all are as they were stored.

    Messages without a digest, which other programs wrote, are passed over. Reads all of them, in constant memory.
    """
    names = [column.name for column in columns_of(messages)]
    for done, values in enumerate(rows_of(connection, dialect, messages, Tally())):
        row = dict(zip(names, values, strict=True))
        if done % 5000 == 0:
            on_progress("comparing digests", done, None)
        if row["digest"] is not None and row["digest"] != _digest(row):
            return row["session_id"], row["sequence_number"]
    return None


def _digest(row: dict[str, object]) -> bytes | None:
    try:
        return message_digest(row, to_moment(str(row["created_at"])))
    except ValueError:  # no time any more
        return None
