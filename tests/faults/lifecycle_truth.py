"""What must be true of a ledger, whatever happened to those who swept and purged it."""

from __future__ import annotations

from tests.faults.truth import require_sound
from tests.support.raw import Raw

_CHILDREN = (
    "chatledger_messages",
    "chatledger_session_metadata",
    "chatledger_session_timeouts",
    "chatledger_session_snapshots",
)


def require_whole(url: str) -> None:
    """Every session is there with all that hangs on it, counted, or gone with all of it; archived ones exactly once."""
    raw = Raw(url)
    for table in _CHILDREN:
        assert [] == raw(
            f"SELECT session_id FROM {table} WHERE session_id NOT IN (SELECT session_id FROM chatledger_sessions)"
        )
    assert [] == raw(
        "SELECT session_id FROM chatledger_sessions AS s WHERE message_count <> (SELECT count(*) FROM chatledger_messages AS m"
        " WHERE m.session_id = s.session_id) OR last_sequence <> (SELECT coalesce(max(sequence_number), 0)"
        " FROM chatledger_messages AS m WHERE m.session_id = s.session_id)"
    )
    assert [] == wrongly_archived(url)
    require_sound(url)


def wrongly_archived(url: str) -> list[tuple[object, ...]]:
    """Archived sessions without their one snapshot of all messages or their one audit row; open ones that have any."""
    rows = Raw(url)(
        "SELECT * FROM (SELECT s.session_id, s.status, s.message_count,"
        " (SELECT count(*) FROM chatledger_session_snapshots AS n WHERE n.session_id = s.session_id AND kind = 'pre_archive'"
        "  AND n.message_count = s.message_count) AS complete,"
        " (SELECT count(*) FROM chatledger_session_snapshots AS n WHERE n.session_id = s.session_id) AS snapshots,"
        " (SELECT count(*) FROM chatledger_audit_log AS a WHERE a.session_id = s.session_id AND action = 'session.archived')"
        "  AS entries FROM chatledger_sessions AS s) AS counted"
        " WHERE NOT ((status = 'archived' AND complete = 1 AND snapshots = 1 AND entries = 1)"
        "  OR (status <> 'archived' AND snapshots = 0 AND entries = 0))"
    )
    return [tuple(row) for row in rows]
