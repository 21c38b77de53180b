"""Comparisons: groups, the sessions of their variants, and results.

Why: models, prompts and parameters are compared side by side, prompt by prompt. A result is a verdict on two variants
(`preference` is how much better the second did, from 0 to 1; NULL is no verdict, and no draw), or with an empty
`variant_b` a measurement of one. Its key makes a judge's second run replace the first. Nothing refers to sessions: which
of them a variant has is kept honest by the services, so that groups can be spread by their own key. The one index beside
the keys is for what happens when a session is deleted.
Unsafe: nothing; the tables are new, and an append does not touch them.
Down: every row is laid into the audit log, and is taken back on the way up; sessions that are gone meanwhile are left out.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"
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
        """CREATE TABLE chatledger_comparison_groups (
            group_id TEXT NOT NULL,
            user_id TEXT,
            kind TEXT NOT NULL CONSTRAINT ck_chatledger_comparison_groups_kind CHECK (kind IN ('model', 'prompt', 'parameters')),
            title TEXT,
            variants TEXT NOT NULL,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_comparison_groups PRIMARY KEY (group_id)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE chatledger_comparison_sessions (
            group_id TEXT NOT NULL,
            session_id TEXT NOT NULL,
            variant TEXT NOT NULL,
            prompt_key TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_comparison_sessions PRIMARY KEY (group_id, session_id)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE chatledger_comparison_results (
            group_id TEXT NOT NULL,
            prompt_key TEXT NOT NULL,
            variant_a TEXT NOT NULL,
            variant_b TEXT NOT NULL,
            judge TEXT NOT NULL,
            judge_kind TEXT NOT NULL
                CONSTRAINT ck_chatledger_comparison_results_judge_kind CHECK (judge_kind IN ('person', 'model', 'metric')),
            preference REAL CONSTRAINT ck_chatledger_comparison_results_preference CHECK (preference BETWEEN 0 AND 1),
            first TEXT,
            scores_a TEXT,
            scores_b TEXT,
            cost_a INTEGER,
            cost_b INTEGER,
            duration_a_ms INTEGER,
            duration_b_ms INTEGER,
            prompt TEXT,
            notes TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_comparison_results PRIMARY KEY (group_id, prompt_key, variant_a, variant_b, judge)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX ix_chatledger_comparison_sessions_session_id ON chatledger_comparison_sessions (session_id)",
        """INSERT INTO chatledger_comparison_groups (group_id, user_id, kind, title, variants, created_at)
        SELECT json_extract(details, '$.group_id'), json_extract(details, '$.user_id'), json_extract(details, '$.kind'),
            json_extract(details, '$.title'), json_extract(details, '$.variants'), json_extract(details, '$.created_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND json_extract(details, '$.table') = 'chatledger_comparison_groups'""",
        """INSERT INTO chatledger_comparison_sessions (group_id, session_id, variant, prompt_key, created_at)
        SELECT json_extract(details, '$.group_id'), session_id, json_extract(details, '$.variant'),
            json_extract(details, '$.prompt_key'), json_extract(details, '$.created_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND json_extract(details, '$.table') = 'chatledger_comparison_sessions'
            AND session_id IN (SELECT session_id FROM chatledger_sessions)""",
        f"""INSERT INTO chatledger_comparison_results (group_id, prompt_key, variant_a, variant_b, judge, judge_kind, preference, first,
            scores_a, scores_b, cost_a, cost_b, duration_a_ms, duration_b_ms, prompt, notes, created_at)
        SELECT json_extract(details, '$.group_id'), json_extract(details, '$.prompt_key'),
            json_extract(details, '$.variant_a'), json_extract(details, '$.variant_b'), json_extract(details, '$.judge'),
            json_extract(details, '$.judge_kind'), {_read("json_extract(details, '$.preference')")},
            json_extract(details, '$.first'), json_extract(details, '$.scores_a'), json_extract(details, '$.scores_b'),
            json_extract(details, '$.cost_a'), json_extract(details, '$.cost_b'),
            json_extract(details, '$.duration_a_ms'), json_extract(details, '$.duration_b_ms'),
            json_extract(details, '$.prompt'), json_extract(details, '$.notes'), json_extract(details, '$.created_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND json_extract(details, '$.table') = 'chatledger_comparison_results'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0009'",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_comparison_groups (
            group_id TEXT COLLATE "C" NOT NULL,
            user_id TEXT COLLATE "C",
            kind TEXT NOT NULL CONSTRAINT ck_chatledger_comparison_groups_kind CHECK (kind IN ('model', 'prompt', 'parameters')),
            title TEXT,
            variants JSON NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_comparison_groups PRIMARY KEY (group_id)
        )""",
        """CREATE TABLE chatledger_comparison_sessions (
            group_id TEXT COLLATE "C" NOT NULL,
            session_id TEXT COLLATE "C" NOT NULL,
            variant TEXT COLLATE "C" NOT NULL,
            prompt_key TEXT COLLATE "C",
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_comparison_sessions PRIMARY KEY (group_id, session_id)
        )""",
        """CREATE TABLE chatledger_comparison_results (
            group_id TEXT COLLATE "C" NOT NULL,
            prompt_key TEXT COLLATE "C" NOT NULL,
            variant_a TEXT COLLATE "C" NOT NULL,
            variant_b TEXT COLLATE "C" NOT NULL,
            judge TEXT COLLATE "C" NOT NULL,
            judge_kind TEXT NOT NULL
                CONSTRAINT ck_chatledger_comparison_results_judge_kind CHECK (judge_kind IN ('person', 'model', 'metric')),
            preference DOUBLE PRECISION
                CONSTRAINT ck_chatledger_comparison_results_preference CHECK (preference BETWEEN 0 AND 1),
            first TEXT COLLATE "C",
            scores_a JSON,
            scores_b JSON,
            cost_a BIGINT,
            cost_b BIGINT,
            duration_a_ms BIGINT,
            duration_b_ms BIGINT,
            prompt TEXT,
            notes TEXT,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_comparison_results PRIMARY KEY (group_id, prompt_key, variant_a, variant_b, judge)
        )""",
        "CREATE INDEX ix_chatledger_comparison_sessions_session_id ON chatledger_comparison_sessions (session_id)",
        """INSERT INTO chatledger_comparison_groups (group_id, user_id, kind, title, variants, created_at)
        SELECT details ->> 'group_id', details ->> 'user_id', details ->> 'kind', details ->> 'title',
            (details ->> 'variants')::json, (details ->> 'created_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND details ->> 'table' = 'chatledger_comparison_groups'""",
        """INSERT INTO chatledger_comparison_sessions (group_id, session_id, variant, prompt_key, created_at)
        SELECT details ->> 'group_id', session_id, details ->> 'variant', details ->> 'prompt_key',
            (details ->> 'created_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND details ->> 'table' = 'chatledger_comparison_sessions'
            AND session_id IN (SELECT session_id FROM chatledger_sessions)""",
        """INSERT INTO chatledger_comparison_results (group_id, prompt_key, variant_a, variant_b, judge, judge_kind, preference, first,
            scores_a, scores_b, cost_a, cost_b, duration_a_ms, duration_b_ms, prompt, notes, created_at)
        SELECT details ->> 'group_id', details ->> 'prompt_key', details ->> 'variant_a', details ->> 'variant_b',
            details ->> 'judge', details ->> 'judge_kind', (details ->> 'preference')::double precision,
            details ->> 'first', (details ->> 'scores_a')::json, (details ->> 'scores_b')::json,
            (details ->> 'cost_a')::bigint, (details ->> 'cost_b')::bigint,
            (details ->> 'duration_a_ms')::bigint, (details ->> 'duration_b_ms')::bigint,
            details ->> 'prompt', details ->> 'notes', (details ->> 'created_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0009' AND details ->> 'table' = 'chatledger_comparison_results'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0009'",
    ],
}

# A preference is kept as text: json_object would write 15 digits of it.
DOWN = {
    "sqlite": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0009', json_object('table', 'chatledger_comparison_groups', 'group_id', group_id, 'user_id', user_id,
            'kind', kind, 'title', title, 'variants', variants, 'created_at', created_at)
        FROM chatledger_comparison_groups""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0009', session_id, json_object('table', 'chatledger_comparison_sessions', 'group_id', group_id,
            'variant', variant, 'prompt_key', prompt_key, 'created_at', created_at)
        FROM chatledger_comparison_sessions""",
        f"""INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0009', json_object('table', 'chatledger_comparison_results', 'group_id', group_id,
            'prompt_key', prompt_key, 'variant_a', variant_a, 'variant_b', variant_b, 'judge', judge,
            'judge_kind', judge_kind, 'preference', {_written("preference")},
            'first', first, 'scores_a', scores_a, 'scores_b', scores_b, 'cost_a', cost_a, 'cost_b', cost_b,
            'duration_a_ms', duration_a_ms, 'duration_b_ms', duration_b_ms, 'prompt', prompt, 'notes', notes,
            'created_at', created_at)
        FROM chatledger_comparison_results""",
        "DROP TABLE chatledger_comparison_results",
        "DROP TABLE chatledger_comparison_sessions",
        "DROP TABLE chatledger_comparison_groups",
    ],
    "postgresql": [
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0009', json_build_object('table', 'chatledger_comparison_groups', 'group_id', group_id, 'user_id', user_id,
            'kind', kind, 'title', title, 'variants', variants::text, 'created_at', created_at)
        FROM chatledger_comparison_groups""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0009', session_id, json_build_object('table', 'chatledger_comparison_sessions', 'group_id', group_id,
            'variant', variant, 'prompt_key', prompt_key, 'created_at', created_at)
        FROM chatledger_comparison_sessions""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0009', json_build_object('table', 'chatledger_comparison_results', 'group_id', group_id,
            'prompt_key', prompt_key, 'variant_a', variant_a, 'variant_b', variant_b, 'judge', judge,
            'judge_kind', judge_kind, 'preference', preference::text,
            'first', first, 'scores_a', scores_a::text, 'scores_b', scores_b::text, 'cost_a', cost_a, 'cost_b', cost_b,
            'duration_a_ms', duration_a_ms, 'duration_b_ms', duration_b_ms, 'prompt', prompt, 'notes', notes,
            'created_at', created_at)
        FROM chatledger_comparison_results""",
        "DROP TABLE chatledger_comparison_results",
        "DROP TABLE chatledger_comparison_sessions",
        "DROP TABLE chatledger_comparison_groups",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
