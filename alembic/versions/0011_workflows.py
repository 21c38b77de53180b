"""Workflows: definitions in versions, their executions, and the steps of each.

Why: `uow.workflows`. A definition is kept in every version; an execution carries a copy of the one that it began with, so
that it can be read and gone on with by itself. `chatledger_workflow_steps` has a row for each step (item -1) and, where a step is
done for every item of a list, one for each item. `fence` rises with each runner that takes an execution up: what an older
one still writes is refused. A step's session is a soft reference. A definition of nobody has the empty user.
Unsafe: nothing; the tables are new.
Down: every row is laid into the audit log, and is taken back on the way up.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        """CREATE TABLE chatledger_workflows (
            user_id TEXT NOT NULL,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            definition TEXT NOT NULL,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_workflows PRIMARY KEY (user_id, name, version)
        ) STRICT""",
        """CREATE TABLE chatledger_workflow_executions (
            execution_id TEXT NOT NULL,
            user_id TEXT,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            definition TEXT NOT NULL,
            input TEXT NOT NULL,
            state TEXT NOT NULL,
            error TEXT,
            runner TEXT,
            fence INTEGER NOT NULL DEFAULT 0,
            lease_until TEXT,
            cancel_requested_at TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            started_at TEXT,
            finished_at TEXT,
            CONSTRAINT pk_chatledger_workflow_executions PRIMARY KEY (execution_id),
            CONSTRAINT ck_chatledger_workflow_executions_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled'))
        ) STRICT""",
        """CREATE TABLE chatledger_workflow_steps (
            execution_id TEXT NOT NULL,
            step TEXT NOT NULL,
            item INTEGER NOT NULL,
            state TEXT NOT NULL,
            attempt INTEGER NOT NULL DEFAULT 0,
            items INTEGER,
            input TEXT,
            output TEXT,
            error TEXT,
            session_id TEXT,
            history TEXT,
            not_before TEXT,
            started_at TEXT,
            finished_at TEXT,
            CONSTRAINT pk_chatledger_workflow_steps PRIMARY KEY (execution_id, step, item),
            CONSTRAINT fk_chatledger_workflow_steps_execution_id FOREIGN KEY (execution_id) REFERENCES chatledger_workflow_executions (execution_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_workflow_steps_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled'))
        ) STRICT""",
        "CREATE INDEX ix_chatledger_workflow_executions_user_id ON chatledger_workflow_executions (user_id, created_at, execution_id)",
        "CREATE INDEX ix_chatledger_workflow_executions_created_at ON chatledger_workflow_executions (created_at, execution_id)",
        "CREATE INDEX ix_chatledger_workflow_steps_session_id ON chatledger_workflow_steps (session_id) WHERE session_id IS NOT NULL",
        """INSERT INTO chatledger_workflows
            (user_id, name, version, definition, created_at)
        SELECT json_extract(details, '$.user_id'), json_extract(details, '$.name'), json_extract(details, '$.version'), json_extract(details, '$.definition'), json_extract(details, '$.created_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND json_extract(details, '$.table') = 'workflows'""",
        """INSERT INTO chatledger_workflow_executions
            (execution_id, user_id, name, version, definition, input, state, error, runner, fence, lease_until, cancel_requested_at, created_at, started_at, finished_at)
        SELECT json_extract(details, '$.execution_id'), json_extract(details, '$.user_id'), json_extract(details, '$.name'), json_extract(details, '$.version'), json_extract(details, '$.definition'), json_extract(details, '$.input'), json_extract(details, '$.state'), json_extract(details, '$.error'), json_extract(details, '$.runner'), json_extract(details, '$.fence'), json_extract(details, '$.lease_until'), json_extract(details, '$.cancel_requested_at'), json_extract(details, '$.created_at'), json_extract(details, '$.started_at'), json_extract(details, '$.finished_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND json_extract(details, '$.table') = 'chatledger_workflow_executions'""",
        """INSERT INTO chatledger_workflow_steps
            (execution_id, step, item, state, attempt, items, input, output, error, session_id, history, not_before, started_at, finished_at)
        SELECT json_extract(details, '$.execution_id'), json_extract(details, '$.step'), json_extract(details, '$.item'), json_extract(details, '$.state'), json_extract(details, '$.attempt'), json_extract(details, '$.items'), json_extract(details, '$.input'), json_extract(details, '$.output'), json_extract(details, '$.error'), json_extract(details, '$.session_id'), json_extract(details, '$.history'), json_extract(details, '$.not_before'), json_extract(details, '$.started_at'), json_extract(details, '$.finished_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND json_extract(details, '$.table') = 'chatledger_workflow_steps'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0011'",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_workflows (
            user_id TEXT COLLATE "C" NOT NULL,
            name TEXT COLLATE "C" NOT NULL,
            version BIGINT NOT NULL,
            definition JSON NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_workflows PRIMARY KEY (user_id, name, version)
        )""",
        """CREATE TABLE chatledger_workflow_executions (
            execution_id TEXT COLLATE "C" NOT NULL,
            user_id TEXT COLLATE "C",
            name TEXT COLLATE "C" NOT NULL,
            version BIGINT NOT NULL,
            definition JSON NOT NULL,
            input JSON NOT NULL,
            state TEXT NOT NULL,
            error TEXT,
            runner TEXT,
            fence BIGINT NOT NULL DEFAULT 0,
            lease_until TIMESTAMP WITH TIME ZONE,
            cancel_requested_at TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            started_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_chatledger_workflow_executions PRIMARY KEY (execution_id),
            CONSTRAINT ck_chatledger_workflow_executions_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled'))
        )""",
        """CREATE TABLE chatledger_workflow_steps (
            execution_id TEXT COLLATE "C" NOT NULL,
            step TEXT COLLATE "C" NOT NULL,
            item BIGINT NOT NULL,
            state TEXT NOT NULL,
            attempt BIGINT NOT NULL DEFAULT 0,
            items BIGINT,
            input JSON,
            output JSON,
            error TEXT,
            session_id TEXT COLLATE "C",
            history JSON,
            not_before TIMESTAMP WITH TIME ZONE,
            started_at TIMESTAMP WITH TIME ZONE,
            finished_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_chatledger_workflow_steps PRIMARY KEY (execution_id, step, item),
            CONSTRAINT fk_chatledger_workflow_steps_execution_id FOREIGN KEY (execution_id) REFERENCES chatledger_workflow_executions (execution_id) ON DELETE CASCADE,
            CONSTRAINT ck_chatledger_workflow_steps_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled'))
        )""",
        "CREATE INDEX ix_chatledger_workflow_executions_user_id ON chatledger_workflow_executions (user_id, created_at, execution_id)",
        "CREATE INDEX ix_chatledger_workflow_executions_created_at ON chatledger_workflow_executions (created_at, execution_id)",
        "CREATE INDEX ix_chatledger_workflow_steps_session_id ON chatledger_workflow_steps (session_id) WHERE session_id IS NOT NULL",
        """INSERT INTO chatledger_workflows
            (user_id, name, version, definition, created_at)
        SELECT details ->> 'user_id', details ->> 'name', (details ->> 'version')::bigint, (details ->> 'definition')::json, (details ->> 'created_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND details ->> 'table' = 'workflows'""",
        """INSERT INTO chatledger_workflow_executions
            (execution_id, user_id, name, version, definition, input, state, error, runner, fence, lease_until, cancel_requested_at, created_at, started_at, finished_at)
        SELECT details ->> 'execution_id', details ->> 'user_id', details ->> 'name', (details ->> 'version')::bigint, (details ->> 'definition')::json, (details ->> 'input')::json, details ->> 'state', details ->> 'error', details ->> 'runner', (details ->> 'fence')::bigint, (details ->> 'lease_until')::timestamptz, (details ->> 'cancel_requested_at')::timestamptz, (details ->> 'created_at')::timestamptz, (details ->> 'started_at')::timestamptz, (details ->> 'finished_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND details ->> 'table' = 'chatledger_workflow_executions'""",
        """INSERT INTO chatledger_workflow_steps
            (execution_id, step, item, state, attempt, items, input, output, error, session_id, history, not_before, started_at, finished_at)
        SELECT details ->> 'execution_id', details ->> 'step', (details ->> 'item')::bigint, details ->> 'state', (details ->> 'attempt')::bigint, (details ->> 'items')::bigint, (details ->> 'input')::json, (details ->> 'output')::json, details ->> 'error', details ->> 'session_id', (details ->> 'history')::json, (details ->> 'not_before')::timestamptz, (details ->> 'started_at')::timestamptz, (details ->> 'finished_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0011' AND details ->> 'table' = 'chatledger_workflow_steps'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0011'",
    ],
}

DOWN = {
    "sqlite": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_object('table', 'workflows', 'user_id', user_id, 'name', name, 'version', version, 'definition', definition, 'created_at', created_at)
        FROM chatledger_workflows""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_object('table', 'chatledger_workflow_executions', 'execution_id', execution_id, 'user_id', user_id, 'name', name, 'version', version, 'definition', definition, 'input', input, 'state', state, 'error', error, 'runner', runner, 'fence', fence, 'lease_until', lease_until, 'cancel_requested_at', cancel_requested_at, 'created_at', created_at, 'started_at', started_at, 'finished_at', finished_at)
        FROM chatledger_workflow_executions""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_object('table', 'chatledger_workflow_steps', 'execution_id', execution_id, 'step', step, 'item', item, 'state', state, 'attempt', attempt, 'items', items, 'input', input, 'output', output, 'error', error, 'session_id', session_id, 'history', history, 'not_before', not_before, 'started_at', started_at, 'finished_at', finished_at)
        FROM chatledger_workflow_steps""",
        "DROP TABLE chatledger_workflow_steps",
        "DROP TABLE chatledger_workflow_executions",
        "DROP TABLE chatledger_workflows",
    ],
    "postgresql": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_build_object('table', 'workflows', 'user_id', user_id, 'name', name, 'version', version, 'definition', definition::text, 'created_at', created_at)
        FROM chatledger_workflows""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_build_object('table', 'chatledger_workflow_executions', 'execution_id', execution_id, 'user_id', user_id, 'name', name, 'version', version, 'definition', definition::text, 'input', input::text, 'state', state, 'error', error, 'runner', runner, 'fence', fence, 'lease_until', lease_until, 'cancel_requested_at', cancel_requested_at, 'created_at', created_at, 'started_at', started_at, 'finished_at', finished_at)
        FROM chatledger_workflow_executions""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0011', json_build_object('table', 'chatledger_workflow_steps', 'execution_id', execution_id, 'step', step, 'item', item, 'state', state, 'attempt', attempt, 'items', items, 'input', input::text, 'output', output::text, 'error', error, 'session_id', session_id, 'history', history::text, 'not_before', not_before, 'started_at', started_at, 'finished_at', finished_at)
        FROM chatledger_workflow_steps""",
        "DROP TABLE chatledger_workflow_steps",
        "DROP TABLE chatledger_workflow_executions",
        "DROP TABLE chatledger_workflows",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
