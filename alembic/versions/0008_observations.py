"""Observations: what is said of conversations, and numbers that were measured.

Why: `annotations` hold a label, a score, a text on a session or one of its messages; they are numbered within their session
and go with it. One on a message goes with the message, whoever deletes it: a trigger sees to that, since nothing refers to a
message by foreign key. `chatledger_performance_metrics` hold any named number, with or without a session; a metric that names a
session goes with it, by a trigger too, for its key has no session in it. Indexes: annotations by message (the trigger), by
time (lists), by label (`sessions.list(annotated=…)`); metrics by name and time (series), by time (purges), by session and
by user, both partial.
Unsafe: nothing; the tables are new.
Down: every row is laid into the audit log as `kept by 0008` and taken back on the way up, but for those whose session or
message is gone by then. Numbers are laid down as text that is read back bit for bit.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# 2 to the power of 720, exact: a product of whole powers of two.
_POWER = "(1152921504606846976.0" + " * 1152921504606846976.0" * 11 + ")"


def _written(number: str) -> str:
    """SQLite's text of a float that it reads back bit for bit, the same as what PostgreSQL writes by itself.

    17 digits say everything, but SQLite rounds when it reads or writes numbers beyond 1e100 or below 1e-290. These are
    brought into its range by a power of two, which changes no digit, and marked with what brings them back.
    """
    return f"""CASE WHEN {number} IS NULL THEN NULL
            WHEN CAST(printf('%!.17g', {number}) AS REAL) = {number} THEN printf('%!.17g', {number})
            WHEN abs({number}) < 1 THEN '/' || printf('%!.17g', {number} * {_POWER})
            ELSE '*' || printf('%!.17g', {number} / {_POWER}) END"""


def _read(text_: str) -> str:
    """The float that such a text says."""
    return f"""CASE substr({text_}, 1, 1) WHEN '/' THEN CAST(substr({text_}, 2) AS REAL) / {_POWER}
            WHEN '*' THEN CAST(substr({text_}, 2) AS REAL) * {_POWER}
            ELSE CAST({text_} AS REAL) END"""


UP = {
    "sqlite": [
        """CREATE TABLE chatledger_annotations (
            session_id TEXT NOT NULL,
            annotation_number INTEGER NOT NULL,
            sequence_number INTEGER,
            label TEXT,
            score REAL,
            text TEXT,
            author TEXT,
            metadata TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_annotations PRIMARY KEY (session_id, annotation_number),
            CONSTRAINT ck_chatledger_annotations_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_chatledger_annotations_says CHECK (label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL),
            CONSTRAINT fk_chatledger_annotations_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        ) STRICT""",
        """CREATE TABLE chatledger_performance_metrics (
            metric_id INTEGER NOT NULL CONSTRAINT pk_chatledger_performance_metrics PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            value REAL NOT NULL,
            unit TEXT,
            session_id TEXT,
            user_id TEXT,
            model_id TEXT,
            project_id TEXT,
            metadata TEXT,
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
        ) STRICT""",
        "CREATE INDEX ix_chatledger_annotations_message ON chatledger_annotations (session_id, sequence_number)",
        "CREATE INDEX ix_chatledger_annotations_created_at ON chatledger_annotations (created_at, session_id, annotation_number)",
        "CREATE INDEX ix_chatledger_annotations_label ON chatledger_annotations (label, session_id)",
        "CREATE INDEX ix_chatledger_performance_metrics_name_at ON chatledger_performance_metrics (name, at)",
        "CREATE INDEX ix_chatledger_performance_metrics_at ON chatledger_performance_metrics (at)",
        "CREATE INDEX ix_chatledger_performance_metrics_session_id ON chatledger_performance_metrics (session_id) WHERE session_id IS NOT NULL",
        "CREATE INDEX ix_chatledger_performance_metrics_user_id ON chatledger_performance_metrics (user_id) WHERE user_id IS NOT NULL",
        f"""INSERT INTO chatledger_annotations
            (session_id, annotation_number, sequence_number, label, score, text, author, metadata, created_at, updated_at)
        SELECT json_extract(details, '$.session_id'), json_extract(details, '$.annotation_number'),
            json_extract(details, '$.sequence_number'), json_extract(details, '$.label'),
            {_read("json_extract(details, '$.score')")}, json_extract(details, '$.text'),
            json_extract(details, '$.author'), json_extract(details, '$.metadata'),
            json_extract(details, '$.created_at'), json_extract(details, '$.updated_at')
        FROM chatledger_audit_log AS kept WHERE action = 'kept by 0008' AND json_extract(details, '$.table') = 'annotations'
            AND EXISTS (SELECT 1 FROM chatledger_sessions AS s WHERE s.session_id = json_extract(kept.details, '$.session_id'))
            AND (json_extract(kept.details, '$.sequence_number') IS NULL OR EXISTS (SELECT 1 FROM chatledger_messages AS m
                WHERE m.session_id = json_extract(kept.details, '$.session_id') AND m.sequence_number = json_extract(kept.details, '$.sequence_number')))""",
        f"""INSERT INTO chatledger_performance_metrics
            (metric_id, name, value, unit, session_id, user_id, model_id, project_id, metadata, at)
        SELECT json_extract(details, '$.metric_id'), json_extract(details, '$.name'),
            {_read("json_extract(details, '$.value')")}, json_extract(details, '$.unit'),
            json_extract(details, '$.session_id'), json_extract(details, '$.user_id'),
            json_extract(details, '$.model_id'), json_extract(details, '$.project_id'),
            json_extract(details, '$.metadata'), json_extract(details, '$.at')
        FROM chatledger_audit_log AS kept WHERE action = 'kept by 0008' AND json_extract(details, '$.table') = 'chatledger_performance_metrics'
            AND (json_extract(kept.details, '$.session_id') IS NULL OR EXISTS (SELECT 1 FROM chatledger_sessions AS s WHERE s.session_id = json_extract(kept.details, '$.session_id')))""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0008'",
        """CREATE TRIGGER chatledger_messages_annotations_delete AFTER DELETE ON chatledger_messages BEGIN
            DELETE FROM chatledger_annotations
            WHERE session_id = old.session_id AND sequence_number = old.sequence_number;
        END""",
        """CREATE TRIGGER chatledger_sessions_metrics_delete AFTER DELETE ON chatledger_sessions BEGIN
            DELETE FROM chatledger_performance_metrics WHERE session_id = old.session_id;
        END""",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_annotations (
            session_id TEXT COLLATE "C" NOT NULL,
            annotation_number BIGINT NOT NULL,
            sequence_number BIGINT,
            label TEXT COLLATE "C",
            score DOUBLE PRECISION,
            text TEXT,
            author TEXT COLLATE "C",
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_annotations PRIMARY KEY (session_id, annotation_number),
            CONSTRAINT ck_chatledger_annotations_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_chatledger_annotations_says CHECK (label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL),
            CONSTRAINT fk_chatledger_annotations_session_id FOREIGN KEY (session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        )""",
        """CREATE TABLE chatledger_performance_metrics (
            metric_id BIGINT GENERATED BY DEFAULT AS IDENTITY,
            name TEXT COLLATE "C" NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            unit TEXT COLLATE "C",
            session_id TEXT COLLATE "C",
            user_id TEXT COLLATE "C",
            model_id TEXT COLLATE "C",
            project_id TEXT COLLATE "C",
            metadata JSON,
            at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_performance_metrics PRIMARY KEY (metric_id)
        )""",
        "CREATE INDEX ix_chatledger_annotations_message ON chatledger_annotations (session_id, sequence_number)",
        "CREATE INDEX ix_chatledger_annotations_created_at ON chatledger_annotations (created_at, session_id, annotation_number)",
        "CREATE INDEX ix_chatledger_annotations_label ON chatledger_annotations (label, session_id)",
        "CREATE INDEX ix_chatledger_performance_metrics_name_at ON chatledger_performance_metrics (name, at)",
        "CREATE INDEX ix_chatledger_performance_metrics_at ON chatledger_performance_metrics (at)",
        "CREATE INDEX ix_chatledger_performance_metrics_session_id ON chatledger_performance_metrics (session_id) WHERE session_id IS NOT NULL",
        "CREATE INDEX ix_chatledger_performance_metrics_user_id ON chatledger_performance_metrics (user_id) WHERE user_id IS NOT NULL",
        """INSERT INTO chatledger_annotations
            (session_id, annotation_number, sequence_number, label, score, text, author, metadata, created_at, updated_at)
        SELECT details ->> 'session_id', (details ->> 'annotation_number')::bigint,
            (details ->> 'sequence_number')::bigint, details ->> 'label', (details ->> 'score')::float8,
            details ->> 'text', details ->> 'author', (details ->> 'metadata')::json,
            (details ->> 'created_at')::timestamptz, (details ->> 'updated_at')::timestamptz
        FROM chatledger_audit_log AS kept WHERE action = 'kept by 0008' AND details ->> 'table' = 'annotations'
            AND EXISTS (SELECT 1 FROM chatledger_sessions AS s WHERE s.session_id = (kept.details ->> 'session_id'))
            AND ((kept.details ->> 'sequence_number')::bigint IS NULL OR EXISTS (SELECT 1 FROM chatledger_messages AS m
                WHERE m.session_id = (kept.details ->> 'session_id') AND m.sequence_number = (kept.details ->> 'sequence_number')::bigint))""",
        """INSERT INTO chatledger_performance_metrics
            (metric_id, name, value, unit, session_id, user_id, model_id, project_id, metadata, at)
        SELECT (details ->> 'metric_id')::bigint, details ->> 'name', (details ->> 'value')::float8, details ->> 'unit',
            details ->> 'session_id', details ->> 'user_id', details ->> 'model_id', details ->> 'project_id',
            (details ->> 'metadata')::json, (details ->> 'at')::timestamptz
        FROM chatledger_audit_log AS kept WHERE action = 'kept by 0008' AND details ->> 'table' = 'chatledger_performance_metrics'
            AND ((kept.details ->> 'session_id') IS NULL OR EXISTS (SELECT 1 FROM chatledger_sessions AS s WHERE s.session_id = (kept.details ->> 'session_id')))""",
        """SELECT setval(pg_get_serial_sequence('chatledger_performance_metrics', 'metric_id'), max(metric_id))
        FROM chatledger_performance_metrics HAVING max(metric_id) IS NOT NULL""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0008'",
        """CREATE FUNCTION chatledger_annotations_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            gone record;
        BEGIN
            FOR gone IN
                SELECT session_id, array_agg(sequence_number) AS numbers
                FROM old_rows GROUP BY session_id ORDER BY session_id
            LOOP
                DELETE FROM chatledger_annotations WHERE session_id = gone.session_id AND sequence_number = ANY(gone.numbers);
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_annotations_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM chatledger_annotations WHERE sequence_number IS NOT NULL;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_metrics_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            gone record;
        BEGIN
            FOR gone IN SELECT session_id FROM old_rows ORDER BY session_id
            LOOP
                DELETE FROM chatledger_performance_metrics WHERE session_id = gone.session_id;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_metrics_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM chatledger_performance_metrics WHERE session_id IS NOT NULL;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER chatledger_messages_annotations_delete AFTER DELETE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_annotations_delete()""",
        """CREATE TRIGGER chatledger_messages_annotations_truncate AFTER TRUNCATE ON chatledger_messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_annotations_truncate()""",
        """CREATE TRIGGER chatledger_sessions_metrics_delete AFTER DELETE ON chatledger_sessions
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_metrics_delete()""",
        """CREATE TRIGGER chatledger_sessions_metrics_truncate AFTER TRUNCATE ON chatledger_sessions
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_metrics_truncate()""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_sessions_metrics_delete",
        "DROP TRIGGER chatledger_messages_annotations_delete",
        f"""INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0008', session_id, json_object('table', 'annotations', 'session_id', session_id, 'annotation_number', annotation_number, 'sequence_number', sequence_number,
            'label', label, 'score', {_written("score")}, 'text', text,
            'author', author, 'metadata', metadata, 'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_annotations""",
        f"""INSERT INTO chatledger_audit_log (action, session_id, user_id, details)
        SELECT 'kept by 0008', session_id, user_id, json_object('table', 'chatledger_performance_metrics', 'metric_id', metric_id, 'name', name, 'value', {_written("value")}, 'unit', unit,
            'session_id', session_id, 'user_id', user_id, 'model_id', model_id, 'project_id', project_id,
            'metadata', metadata, 'at', at)
        FROM chatledger_performance_metrics""",
        "DROP TABLE chatledger_performance_metrics",
        "DROP TABLE chatledger_annotations",
    ],
    "postgresql": [
        "DROP TRIGGER chatledger_sessions_metrics_truncate ON chatledger_sessions",
        "DROP TRIGGER chatledger_sessions_metrics_delete ON chatledger_sessions",
        "DROP TRIGGER chatledger_messages_annotations_truncate ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_annotations_delete ON chatledger_messages",
        "DROP FUNCTION chatledger_metrics_truncate()",
        "DROP FUNCTION chatledger_metrics_delete()",
        "DROP FUNCTION chatledger_annotations_truncate()",
        "DROP FUNCTION chatledger_annotations_delete()",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0008', session_id, json_build_object('table', 'annotations', 'session_id', session_id, 'annotation_number', annotation_number, 'sequence_number', sequence_number,
            'label', label, 'score', score::text, 'text', text, 'author', author, 'metadata', metadata::text,
            'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_annotations""",
        """INSERT INTO chatledger_audit_log (action, session_id, user_id, details)
        SELECT 'kept by 0008', session_id, user_id, json_build_object('table', 'chatledger_performance_metrics', 'metric_id', metric_id, 'name', name, 'value', value::text, 'unit', unit, 'session_id', session_id,
            'user_id', user_id, 'model_id', model_id, 'project_id', project_id, 'metadata', metadata::text, 'at', at)
        FROM chatledger_performance_metrics""",
        "DROP TABLE chatledger_performance_metrics",
        "DROP TABLE chatledger_annotations",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
