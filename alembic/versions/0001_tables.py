"""Tables for sessions, messages and what hangs on them.

Why: the whole of the store. Every key of a table that belongs to a session begins with session_id, and foreign keys go
only to sessions or to the small tables of names, so that the same tables can later be partitioned or sharded by
session. `chatledger_messages.message_id` exists on SQLite alone, where full text needs an integer key that VACUUM leaves as it is.
Tables are STRICT on SQLite, so that a wrong type is refused there as it is on PostgreSQL. JSON is kept as text (json,
not jsonb), so that numbers and the order of keys come back unchanged. `chatledger_sessions.activity_minute` is what lists are
indexed by: an index on last_activity itself would make every append rewrite it (PostgreSQL: no HOT update); the free
space of the fill factor serves the same end.
Unsafe: nothing; the tables are new.
Down: drops the tables with everything in them.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        """CREATE TABLE chatledger_projects (
            project_id TEXT NOT NULL,
            name TEXT,
            description TEXT,
            metadata TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            archived_at TEXT,
            CONSTRAINT pk_chatledger_projects PRIMARY KEY (project_id)
        ) STRICT""",
        """CREATE TABLE chatledger_models (
            model_id TEXT NOT NULL,
            provider TEXT,
            name TEXT,
            context_window INTEGER,
            notes TEXT,
            metadata TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            archived_at TEXT,
            CONSTRAINT pk_chatledger_models PRIMARY KEY (model_id)
        ) STRICT""",
        """CREATE TABLE chatledger_sessions (
            session_id TEXT NOT NULL,
            user_id TEXT,
            project_id TEXT,
            model_id TEXT,
            title TEXT,
            system_prompt TEXT,
            status TEXT NOT NULL DEFAULT 'active',
            context TEXT NOT NULL DEFAULT '{}',
            message_count INTEGER NOT NULL DEFAULT 0,
            total_tokens INTEGER NOT NULL DEFAULT 0,
            total_duration_ms INTEGER NOT NULL DEFAULT 0,
            total_cost INTEGER NOT NULL DEFAULT 0,
            last_sequence INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            last_activity TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            expired_at TEXT,
            archived_at TEXT,
            forked_from TEXT,
            forked_at INTEGER,
            activity_minute TEXT GENERATED ALWAYS AS (substr(last_activity, 1, 16)) STORED,
            CONSTRAINT pk_chatledger_sessions PRIMARY KEY (session_id),
            CONSTRAINT fk_chatledger_sessions_project_id FOREIGN KEY (project_id) REFERENCES chatledger_projects (project_id),
            CONSTRAINT fk_chatledger_sessions_model_id FOREIGN KEY (model_id) REFERENCES chatledger_models (model_id),
            CONSTRAINT ck_chatledger_sessions_status CHECK (status IN ('active', 'idle', 'paused', 'archived', 'expired', 'failed'))
        ) STRICT""",
        """CREATE TABLE chatledger_messages (
            message_id INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL,
            sequence_number INTEGER NOT NULL,
            role TEXT NOT NULL,
            content TEXT NOT NULL,
            payload TEXT,
            metadata TEXT,
            name TEXT,
            tool_call_id TEXT,
            model_id TEXT,
            input_tokens INTEGER,
            output_tokens INTEGER,
            cached_tokens INTEGER,
            tokens_used INTEGER,
            duration_ms INTEGER,
            cost INTEGER,
            key TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            digest BLOB,
            search_text TEXT,
            CONSTRAINT uq_chatledger_messages_session_id_sequence_number UNIQUE (session_id, sequence_number),
            CONSTRAINT fk_chatledger_messages_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_messages_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_chatledger_messages_role CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool'))
        ) STRICT""",
        """CREATE TABLE chatledger_session_metadata (
            session_id TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_session_metadata PRIMARY KEY (session_id, key),
            CONSTRAINT fk_chatledger_session_metadata_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE chatledger_session_timeouts (
            session_id TEXT NOT NULL,
            idle_limit INTEGER,
            hard_limit INTEGER,
            expires_at TEXT,
            next_check_at TEXT,
            warned_at TEXT,
            warned_for TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_session_timeouts PRIMARY KEY (session_id),
            CONSTRAINT fk_chatledger_session_timeouts_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        ) STRICT""",
        """CREATE TABLE chatledger_session_snapshots (
            session_id TEXT NOT NULL,
            snapshot_number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            actor TEXT,
            reason TEXT,
            message_count INTEGER NOT NULL DEFAULT 0,
            total_tokens INTEGER NOT NULL DEFAULT 0,
            total_duration_ms INTEGER NOT NULL DEFAULT 0,
            total_cost INTEGER NOT NULL DEFAULT 0,
            last_sequence INTEGER NOT NULL DEFAULT 0,
            encoding TEXT NOT NULL,
            body BLOB NOT NULL,
            size INTEGER NOT NULL,
            digest BLOB NOT NULL,
            CONSTRAINT pk_chatledger_session_snapshots PRIMARY KEY (session_id, snapshot_number),
            CONSTRAINT fk_chatledger_session_snapshots_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_session_snapshots_kind CHECK (kind IN ('checkpoint', 'timeout_warning', 'pre_archive', 'manual'))
        ) STRICT""",
        """CREATE TABLE chatledger_audit_log (
            audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            action TEXT NOT NULL,
            actor TEXT,
            reason TEXT,
            session_id TEXT,
            user_id TEXT,
            count INTEGER NOT NULL DEFAULT 1,
            details TEXT
        ) STRICT""",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_projects (
            project_id TEXT COLLATE "C" NOT NULL,
            name TEXT,
            description TEXT,
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            archived_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_chatledger_projects PRIMARY KEY (project_id)
        )""",
        """CREATE TABLE chatledger_models (
            model_id TEXT COLLATE "C" NOT NULL,
            provider TEXT,
            name TEXT,
            context_window BIGINT,
            notes TEXT,
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            archived_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_chatledger_models PRIMARY KEY (model_id)
        )""",
        """CREATE TABLE chatledger_sessions (
            session_id TEXT COLLATE "C" NOT NULL,
            user_id TEXT COLLATE "C",
            project_id TEXT COLLATE "C",
            model_id TEXT COLLATE "C",
            title TEXT,
            system_prompt TEXT,
            status TEXT NOT NULL DEFAULT 'active',
            context JSON NOT NULL DEFAULT '{}',
            message_count BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            total_duration_ms BIGINT NOT NULL DEFAULT 0,
            total_cost BIGINT NOT NULL DEFAULT 0,
            last_sequence BIGINT NOT NULL DEFAULT 0,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            last_activity TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            expired_at TIMESTAMP WITH TIME ZONE,
            archived_at TIMESTAMP WITH TIME ZONE,
            forked_from TEXT COLLATE "C",
            forked_at BIGINT,
            activity_minute TIMESTAMP WITHOUT TIME ZONE GENERATED ALWAYS AS (date_trunc('minute', (last_activity AT TIME ZONE 'UTC'))) STORED,
            CONSTRAINT pk_chatledger_sessions PRIMARY KEY (session_id),
            CONSTRAINT fk_chatledger_sessions_project_id FOREIGN KEY (project_id) REFERENCES chatledger_projects (project_id),
            CONSTRAINT fk_chatledger_sessions_model_id FOREIGN KEY (model_id) REFERENCES chatledger_models (model_id),
            CONSTRAINT ck_chatledger_sessions_status CHECK (status IN ('active', 'idle', 'paused', 'archived', 'expired', 'failed'))
        ) WITH (fillfactor = 70)""",
        """CREATE TABLE chatledger_messages (
            session_id TEXT COLLATE "C" NOT NULL,
            sequence_number BIGINT NOT NULL,
            role TEXT NOT NULL,
            content TEXT NOT NULL,
            payload JSON,
            metadata JSON,
            name TEXT,
            tool_call_id TEXT,
            model_id TEXT COLLATE "C",
            input_tokens BIGINT,
            output_tokens BIGINT,
            cached_tokens BIGINT,
            tokens_used BIGINT,
            duration_ms BIGINT,
            cost BIGINT,
            key TEXT COLLATE "C",
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            digest BYTEA,
            search_text TEXT,
            CONSTRAINT pk_chatledger_messages PRIMARY KEY (session_id, sequence_number),
            CONSTRAINT fk_chatledger_messages_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_messages_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_chatledger_messages_role CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool'))
        )""",
        """CREATE TABLE chatledger_session_metadata (
            session_id TEXT COLLATE "C" NOT NULL,
            key TEXT COLLATE "C" NOT NULL,
            value JSON NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_session_metadata PRIMARY KEY (session_id, key),
            CONSTRAINT fk_chatledger_session_metadata_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        )""",
        """CREATE TABLE chatledger_session_timeouts (
            session_id TEXT COLLATE "C" NOT NULL,
            idle_limit BIGINT,
            hard_limit BIGINT,
            expires_at TIMESTAMP WITH TIME ZONE,
            next_check_at TIMESTAMP WITH TIME ZONE,
            warned_at TIMESTAMP WITH TIME ZONE,
            warned_for TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_session_timeouts PRIMARY KEY (session_id),
            CONSTRAINT fk_chatledger_session_timeouts_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        )""",
        """CREATE TABLE chatledger_session_snapshots (
            session_id TEXT COLLATE "C" NOT NULL,
            snapshot_number BIGINT NOT NULL,
            kind TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            actor TEXT,
            reason TEXT,
            message_count BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            total_duration_ms BIGINT NOT NULL DEFAULT 0,
            total_cost BIGINT NOT NULL DEFAULT 0,
            last_sequence BIGINT NOT NULL DEFAULT 0,
            encoding TEXT NOT NULL,
            body BYTEA NOT NULL,
            size BIGINT NOT NULL,
            digest BYTEA NOT NULL,
            CONSTRAINT pk_chatledger_session_snapshots PRIMARY KEY (session_id, snapshot_number),
            CONSTRAINT fk_chatledger_session_snapshots_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_session_snapshots_kind CHECK (kind IN ('checkpoint', 'timeout_warning', 'pre_archive', 'manual'))
        )""",
        """CREATE TABLE chatledger_audit_log (
            audit_id BIGINT GENERATED BY DEFAULT AS IDENTITY,
            at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            action TEXT NOT NULL,
            actor TEXT,
            reason TEXT,
            session_id TEXT COLLATE "C",
            user_id TEXT COLLATE "C",
            count BIGINT NOT NULL DEFAULT 1,
            details JSON,
            CONSTRAINT pk_chatledger_audit_log PRIMARY KEY (audit_id)
        )""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TABLE chatledger_audit_log",
        "DROP TABLE chatledger_session_snapshots",
        "DROP TABLE chatledger_session_timeouts",
        "DROP TABLE chatledger_session_metadata",
        "DROP TABLE chatledger_messages",
        "DROP TABLE chatledger_sessions",
        "DROP TABLE chatledger_models",
        "DROP TABLE chatledger_projects",
    ],
    "postgresql": [
        "DROP TABLE chatledger_audit_log",
        "DROP TABLE chatledger_session_snapshots",
        "DROP TABLE chatledger_session_timeouts",
        "DROP TABLE chatledger_session_metadata",
        "DROP TABLE chatledger_messages",
        "DROP TABLE chatledger_sessions",
        "DROP TABLE chatledger_models",
        "DROP TABLE chatledger_projects",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
