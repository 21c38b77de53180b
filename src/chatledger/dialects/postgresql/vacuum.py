"""Giving back the place of what was deleted."""

from __future__ import annotations

from sqlalchemy import Engine, text

_TABLES = (
    "chatledger_messages",
    "chatledger_sessions",
    "chatledger_session_metadata",
    "chatledger_session_snapshots",
    "chatledger_graph_checkpoints",
    "chatledger_graph_writes",
    "chatledger_audit_log",
)


def remove_deleted_content(engine: Engine) -> bool:
    """VACUUM the tables that hold content; False where this role may not.

    Room is given back within the files; that the bytes are written over, no statement can promise.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Without the right VACUUM passes a table over with a warning, and ends well.
        if not connection.execute(_MAY_VACUUM, {"tables": list(_TABLES)}).scalar():
            return False
        connection.execute(text(f"VACUUM {', '.join(_TABLES)}"))
    return True


# A privilege of its own since version 17; before, it belongs to the owners.
_MAY_VACUUM = text("""
    SELECT bool_and(
        pg_has_role(relowner, 'USAGE') OR pg_has_role(datdba, 'USAGE')
        OR CASE WHEN current_setting('server_version_num')::int >= 170000
            THEN has_table_privilege(pg_class.oid, 'MAINTAIN') ELSE false END
    )
    FROM pg_class, pg_database
    WHERE datname = current_database()
        AND pg_class.oid IN (SELECT name::regclass FROM unnest(CAST(:tables AS text[])) AS name)
""")
