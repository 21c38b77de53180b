"""Indexes for the lists, the idempotency key, the sweep and the audit log.

Why: `sessions.list` by user, project, model or none, newest activity first (one index each: the minute narrows, the
few rows of the last minute are sorted); the sweep over active sessions (partial); `key=` (unique and partial, so that an
append without a key never touches it); timeouts by the moment they may be due; audit rows of a session and of a time.
None of them holds a counter or last_activity itself, which every append changes.
Unsafe: two messages of one session with the same key, written by raw SQL before, make the unique index fail; nothing is
changed then.
Down: drops the indexes.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        "CREATE INDEX ix_chatledger_sessions_activity ON chatledger_sessions (activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_user_activity ON chatledger_sessions (user_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_project_activity ON chatledger_sessions (project_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_model_activity ON chatledger_sessions (model_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_active_activity ON chatledger_sessions (activity_minute) WHERE status = 'active'",
        "CREATE UNIQUE INDEX uq_chatledger_messages_session_id_key ON chatledger_messages (session_id, key) WHERE key IS NOT NULL",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at)",
        "CREATE INDEX ix_chatledger_audit_log_session_id ON chatledger_audit_log (session_id)",
        "CREATE INDEX ix_chatledger_audit_log_at ON chatledger_audit_log (at)",
    ],
    "postgresql": [
        "CREATE INDEX ix_chatledger_sessions_activity ON chatledger_sessions (activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_user_activity ON chatledger_sessions (user_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_project_activity ON chatledger_sessions (project_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_model_activity ON chatledger_sessions (model_id, activity_minute)",
        "CREATE INDEX ix_chatledger_sessions_active_activity ON chatledger_sessions (activity_minute) WHERE status = 'active'",
        "CREATE UNIQUE INDEX uq_chatledger_messages_session_id_key ON chatledger_messages (session_id, key) WHERE key IS NOT NULL",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at)",
        "CREATE INDEX ix_chatledger_audit_log_session_id ON chatledger_audit_log (session_id)",
        "CREATE INDEX ix_chatledger_audit_log_at ON chatledger_audit_log (at)",
    ],
}

DOWN = {
    "sqlite": [
        "DROP INDEX ix_chatledger_audit_log_at",
        "DROP INDEX ix_chatledger_audit_log_session_id",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "DROP INDEX uq_chatledger_messages_session_id_key",
        "DROP INDEX ix_chatledger_sessions_active_activity",
        "DROP INDEX ix_chatledger_sessions_model_activity",
        "DROP INDEX ix_chatledger_sessions_project_activity",
        "DROP INDEX ix_chatledger_sessions_user_activity",
        "DROP INDEX ix_chatledger_sessions_activity",
    ],
    "postgresql": [
        "DROP INDEX ix_chatledger_audit_log_at",
        "DROP INDEX ix_chatledger_audit_log_session_id",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "DROP INDEX uq_chatledger_messages_session_id_key",
        "DROP INDEX ix_chatledger_sessions_active_activity",
        "DROP INDEX ix_chatledger_sessions_model_activity",
        "DROP INDEX ix_chatledger_sessions_project_activity",
        "DROP INDEX ix_chatledger_sessions_user_activity",
        "DROP INDEX ix_chatledger_sessions_activity",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
