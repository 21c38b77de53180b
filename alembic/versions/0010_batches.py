"""Jobs of many items, each done once by whichever worker claims it.

Why: a claim must be quick when a million items wait, whatever else is in the table. So what a claim reads has a partial
index of its own in its own order (waiting), and what comes back by itself (a lease that ends, an attempt that is due)
another one by time. Progress is counted on the partial indexes: counters on the job's row would make every worker wait
for every other.
Unsafe: nothing; the tables are new.
Down: a row of the audit log for each job and item; they are taken back on the way up.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        """CREATE TABLE chatledger_batch_jobs (
            job_id TEXT NOT NULL,
            user_id TEXT,
            name TEXT,
            status TEXT NOT NULL DEFAULT 'open',
            last_item INTEGER NOT NULL DEFAULT 0,
            max_attempts INTEGER NOT NULL,
            backoff_ms INTEGER NOT NULL,
            backoff_limit_ms INTEGER NOT NULL,
            max_running INTEGER,
            time_limit_ms INTEGER,
            metadata TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_batch_jobs PRIMARY KEY (job_id),
            CONSTRAINT ck_chatledger_batch_jobs_status CHECK (status IN ('open', 'paused', 'cancelled'))
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE chatledger_batch_items (
            job_id TEXT NOT NULL,
            item_number INTEGER NOT NULL,
            key TEXT NOT NULL,
            payload TEXT,
            rank INTEGER NOT NULL DEFAULT 0,
            status TEXT NOT NULL DEFAULT 'waiting',
            attempts INTEGER NOT NULL DEFAULT 0,
            lease INTEGER NOT NULL DEFAULT 0,
            worker TEXT,
            due_at TEXT,
            claimed_at TEXT,
            finished_at TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            result TEXT,
            session_id TEXT,
            error_kind TEXT,
            error TEXT,
            CONSTRAINT pk_chatledger_batch_items PRIMARY KEY (job_id, item_number),
            CONSTRAINT uq_chatledger_batch_items_job_id_key UNIQUE (job_id, key),
            CONSTRAINT ck_chatledger_batch_items_status CHECK (status IN ('waiting', 'delayed', 'running', 'done', 'failed'))
        ) STRICT""",
        """INSERT INTO chatledger_batch_jobs
            (job_id, user_id, name, status, last_item, max_attempts, backoff_ms, backoff_limit_ms, max_running,
            time_limit_ms, metadata, created_at, updated_at)
        SELECT json_extract(details, '$.job_id'), json_extract(details, '$.user_id'),
            json_extract(details, '$.name'), json_extract(details, '$.status'),
            json_extract(details, '$.last_item'), json_extract(details, '$.max_attempts'),
            json_extract(details, '$.backoff_ms'), json_extract(details, '$.backoff_limit_ms'),
            json_extract(details, '$.max_running'), json_extract(details, '$.time_limit_ms'),
            json_extract(details, '$.metadata'), json_extract(details, '$.created_at'),
            json_extract(details, '$.updated_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0010' AND json_extract(details, '$.table') = 'chatledger_batch_jobs'""",
        """INSERT INTO chatledger_batch_items
            (job_id, item_number, key, payload, rank, status, attempts, lease, worker, due_at, claimed_at,
            finished_at, created_at, result, session_id, error_kind, error)
        SELECT json_extract(details, '$.job_id'), json_extract(details, '$.item_number'),
            json_extract(details, '$.key'), json_extract(details, '$.payload'), json_extract(details, '$.rank'),
            json_extract(details, '$.status'), json_extract(details, '$.attempts'),
            json_extract(details, '$.lease'), json_extract(details, '$.worker'),
            json_extract(details, '$.due_at'), json_extract(details, '$.claimed_at'),
            json_extract(details, '$.finished_at'), json_extract(details, '$.created_at'),
            json_extract(details, '$.result'),
            (SELECT session_id FROM chatledger_sessions WHERE session_id = json_extract(details, '$.session_id')),
            json_extract(details, '$.error_kind'), json_extract(details, '$.error')
        FROM chatledger_audit_log WHERE action = 'kept by 0010' AND json_extract(details, '$.table') = 'chatledger_batch_items'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0010'",
        "CREATE INDEX ix_chatledger_batch_jobs_created_at ON chatledger_batch_jobs (created_at, job_id)",
        "CREATE INDEX ix_chatledger_batch_jobs_user_created_at ON chatledger_batch_jobs (user_id, created_at, job_id)",
        """CREATE INDEX ix_chatledger_batch_items_waiting ON chatledger_batch_items (job_id, rank, item_number)
            WHERE status = 'waiting'""",
        """CREATE INDEX ix_chatledger_batch_items_due ON chatledger_batch_items (job_id, status, due_at, item_number)
            WHERE status IN ('delayed', 'running')""",
        "CREATE INDEX ix_chatledger_batch_items_done ON chatledger_batch_items (job_id, finished_at) WHERE status = 'done'",
        "CREATE INDEX ix_chatledger_batch_items_failed ON chatledger_batch_items (job_id, error_kind) WHERE status = 'failed'",
        "CREATE INDEX ix_chatledger_batch_items_session_id ON chatledger_batch_items (session_id) WHERE session_id IS NOT NULL",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_batch_jobs (
            job_id TEXT COLLATE "C" NOT NULL,
            user_id TEXT COLLATE "C",
            name TEXT,
            status TEXT NOT NULL DEFAULT 'open',
            last_item BIGINT NOT NULL DEFAULT 0,
            max_attempts BIGINT NOT NULL,
            backoff_ms BIGINT NOT NULL,
            backoff_limit_ms BIGINT NOT NULL,
            max_running BIGINT,
            time_limit_ms BIGINT,
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_batch_jobs PRIMARY KEY (job_id),
            CONSTRAINT ck_chatledger_batch_jobs_status CHECK (status IN ('open', 'paused', 'cancelled'))
        )""",
        """CREATE TABLE chatledger_batch_items (
            job_id TEXT COLLATE "C" NOT NULL,
            item_number BIGINT NOT NULL,
            key TEXT COLLATE "C" NOT NULL,
            payload JSON,
            rank BIGINT NOT NULL DEFAULT 0,
            status TEXT NOT NULL DEFAULT 'waiting',
            attempts BIGINT NOT NULL DEFAULT 0,
            lease BIGINT NOT NULL DEFAULT 0,
            worker TEXT,
            due_at TIMESTAMP WITH TIME ZONE,
            claimed_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            result JSON,
            session_id TEXT COLLATE "C",
            error_kind TEXT COLLATE "C",
            error TEXT,
            CONSTRAINT pk_chatledger_batch_items PRIMARY KEY (job_id, item_number),
            CONSTRAINT uq_chatledger_batch_items_job_id_key UNIQUE (job_id, key),
            CONSTRAINT ck_chatledger_batch_items_status CHECK (status IN ('waiting', 'delayed', 'running', 'done', 'failed'))
        )""",
        """INSERT INTO chatledger_batch_jobs
            (job_id, user_id, name, status, last_item, max_attempts, backoff_ms, backoff_limit_ms, max_running,
            time_limit_ms, metadata, created_at, updated_at)
        SELECT details ->> 'job_id', details ->> 'user_id', details ->> 'name', details ->> 'status',
            (details ->> 'last_item')::bigint, (details ->> 'max_attempts')::bigint,
            (details ->> 'backoff_ms')::bigint, (details ->> 'backoff_limit_ms')::bigint,
            (details ->> 'max_running')::bigint, (details ->> 'time_limit_ms')::bigint,
            (details ->> 'metadata')::json, (details ->> 'created_at')::timestamptz,
            (details ->> 'updated_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0010' AND details ->> 'table' = 'chatledger_batch_jobs'""",
        """INSERT INTO chatledger_batch_items
            (job_id, item_number, key, payload, rank, status, attempts, lease, worker, due_at, claimed_at,
            finished_at, created_at, result, session_id, error_kind, error)
        SELECT details ->> 'job_id', (details ->> 'item_number')::bigint, details ->> 'key',
            (details ->> 'payload')::json, (details ->> 'rank')::bigint, details ->> 'status',
            (details ->> 'attempts')::bigint, (details ->> 'lease')::bigint, details ->> 'worker',
            (details ->> 'due_at')::timestamptz, (details ->> 'claimed_at')::timestamptz,
            (details ->> 'finished_at')::timestamptz, (details ->> 'created_at')::timestamptz,
            (details ->> 'result')::json,
            (SELECT session_id FROM chatledger_sessions WHERE session_id = (details ->> 'session_id')),
            details ->> 'error_kind', details ->> 'error'
        FROM chatledger_audit_log WHERE action = 'kept by 0010' AND details ->> 'table' = 'chatledger_batch_items'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0010'",
        "CREATE INDEX ix_chatledger_batch_jobs_created_at ON chatledger_batch_jobs (created_at, job_id)",
        "CREATE INDEX ix_chatledger_batch_jobs_user_created_at ON chatledger_batch_jobs (user_id, created_at, job_id)",
        """CREATE INDEX ix_chatledger_batch_items_waiting ON chatledger_batch_items (job_id, rank, item_number)
            WHERE status = 'waiting'""",
        """CREATE INDEX ix_chatledger_batch_items_due ON chatledger_batch_items (job_id, status, due_at, item_number)
            WHERE status IN ('delayed', 'running')""",
        "CREATE INDEX ix_chatledger_batch_items_done ON chatledger_batch_items (job_id, finished_at) WHERE status = 'done'",
        "CREATE INDEX ix_chatledger_batch_items_failed ON chatledger_batch_items (job_id, error_kind) WHERE status = 'failed'",
        "CREATE INDEX ix_chatledger_batch_items_session_id ON chatledger_batch_items (session_id) WHERE session_id IS NOT NULL",
    ],
}

DOWN = {
    "sqlite": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0010', json_object('table', 'chatledger_batch_items', 'job_id', job_id, 'item_number', item_number, 'key', key,
            'payload', payload, 'rank', rank, 'status', status, 'attempts', attempts, 'lease', lease,
            'worker', worker, 'due_at', due_at, 'claimed_at', claimed_at, 'finished_at', finished_at,
            'created_at', created_at, 'result', result, 'session_id', session_id, 'error_kind', error_kind,
            'error', error)
        FROM chatledger_batch_items""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0010', json_object('table', 'chatledger_batch_jobs', 'job_id', job_id, 'user_id', user_id, 'name', name, 'status', status,
            'last_item', last_item, 'max_attempts', max_attempts, 'backoff_ms', backoff_ms,
            'backoff_limit_ms', backoff_limit_ms, 'max_running', max_running, 'time_limit_ms', time_limit_ms,
            'metadata', metadata, 'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_batch_jobs""",
        "DROP TABLE chatledger_batch_items",
        "DROP TABLE chatledger_batch_jobs",
    ],
    "postgresql": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0010', json_build_object('table', 'chatledger_batch_items', 'job_id', job_id, 'item_number', item_number, 'key', key,
            'payload', payload::text, 'rank', rank, 'status', status, 'attempts', attempts, 'lease', lease,
            'worker', worker, 'due_at', due_at, 'claimed_at', claimed_at, 'finished_at', finished_at,
            'created_at', created_at, 'result', result::text, 'session_id', session_id,
            'error_kind', error_kind, 'error', error)
        FROM chatledger_batch_items""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0010', json_build_object('table', 'chatledger_batch_jobs', 'job_id', job_id, 'user_id', user_id, 'name', name, 'status', status,
            'last_item', last_item, 'max_attempts', max_attempts, 'backoff_ms', backoff_ms,
            'backoff_limit_ms', backoff_limit_ms, 'max_running', max_running, 'time_limit_ms', time_limit_ms,
            'metadata', metadata::text, 'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_batch_jobs""",
        "DROP TABLE chatledger_batch_items",
        "DROP TABLE chatledger_batch_jobs",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
