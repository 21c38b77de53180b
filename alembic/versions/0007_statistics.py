"""What is used, by quarter of an hour, and views over it for those who bring their own SQL.

Why: totals by day, model, user or project over a million messages answer at once only where they are kept.
`chatledger_session_usage` holds, for each session, quarter of an hour (counted from 1970 in UTC), role and own model of the messages, how
many they were and what they took. Every time zone since 1972 lies whole quarters from UTC, so the days of any zone
fold exactly from it. `model_id` is the message's own, or '' where it has none: the session's is looked up when asked,
so that changing the session changes no row here. Nothing indexed changes with an append to a quarter that is there.
Percentiles need every duration: `ix_chatledger_messages_durations` holds them by session and time, and only messages that have one.
The views run with the rights of who asks (`security_invoker`), which PostgreSQL knows from 15 on; before, row-level
security does not reach through them. A time that is none counts as 1970.
Unsafe: counts every message once; a large ledger takes a while.
Down: drops what can be counted again; no row is lost.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        """CREATE TABLE chatledger_session_usage (
            session_id TEXT NOT NULL,
            quarter INTEGER NOT NULL,
            role TEXT NOT NULL,
            model_id TEXT NOT NULL,
            messages INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER NOT NULL DEFAULT 0,
            output_tokens INTEGER NOT NULL DEFAULT 0,
            cached_tokens INTEGER NOT NULL DEFAULT 0,
            reasoning_tokens INTEGER NOT NULL DEFAULT 0,
            total_tokens INTEGER NOT NULL DEFAULT 0,
            cost INTEGER NOT NULL DEFAULT 0,
            priced INTEGER NOT NULL DEFAULT 0,
            duration_ms INTEGER NOT NULL DEFAULT 0,
            timed INTEGER NOT NULL DEFAULT 0,
            outcomes INTEGER NOT NULL DEFAULT 0,
            errors INTEGER NOT NULL DEFAULT 0,
            interruptions INTEGER NOT NULL DEFAULT 0,
            CONSTRAINT pk_chatledger_session_usage PRIMARY KEY (session_id, quarter, role, model_id),
            CONSTRAINT fk_chatledger_session_usage_session_id FOREIGN KEY (session_id)
                REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID""",
        """INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id,
            messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
        SELECT session_id, coalesce((strftime('%s', substr(created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0),
            role, coalesce(model_id, ''),
            count(*),
            sum(coalesce(input_tokens, 0)),
            sum(coalesce(output_tokens, 0)),
            sum(coalesce(cached_tokens, 0)),
            sum(coalesce(reasoning_tokens, 0)),
            sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))),
            sum(coalesce(cost, 0)),
            sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END),
            sum(coalesce(duration_ms, 0)),
            sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END),
            sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END)
        FROM chatledger_messages WHERE session_id IN (SELECT session_id FROM chatledger_sessions)
        GROUP BY 1, 2, 3, 4""",
        "CREATE INDEX ix_chatledger_session_usage_quarter ON chatledger_session_usage (quarter)",
        """CREATE INDEX ix_chatledger_messages_durations ON chatledger_messages (session_id, created_at, role, model_id, duration_ms)
            WHERE duration_ms IS NOT NULL""",
        """CREATE TRIGGER chatledger_messages_usage_insert AFTER INSERT ON chatledger_messages BEGIN
            INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id,
                messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
            VALUES (new.session_id,
                coalesce((strftime('%s', substr(new.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0),
                new.role,
                coalesce(new.model_id, ''),
                1,
                coalesce(new.input_tokens, 0),
                coalesce(new.output_tokens, 0),
                coalesce(new.cached_tokens, 0),
                coalesce(new.reasoning_tokens, 0),
                coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
                coalesce(new.cost, 0),
                CASE WHEN new.cost IS NULL THEN 0 ELSE 1 END,
                coalesce(new.duration_ms, 0),
                CASE WHEN new.duration_ms IS NULL THEN 0 ELSE 1 END,
                CASE WHEN new.outcome IS NULL THEN 0 ELSE 1 END,
                CASE WHEN new.outcome = 'error' THEN 1 ELSE 0 END,
                CASE WHEN new.outcome = 'interrupted' THEN 1 ELSE 0 END)
            ON CONFLICT (session_id, quarter, role, model_id) DO UPDATE SET
                messages = messages + excluded.messages,
                input_tokens = input_tokens + excluded.input_tokens,
                output_tokens = output_tokens + excluded.output_tokens,
                cached_tokens = cached_tokens + excluded.cached_tokens,
                reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
                total_tokens = total_tokens + excluded.total_tokens,
                cost = cost + excluded.cost,
                priced = priced + excluded.priced,
                duration_ms = duration_ms + excluded.duration_ms,
                timed = timed + excluded.timed,
                outcomes = outcomes + excluded.outcomes,
                errors = errors + excluded.errors,
                interruptions = interruptions + excluded.interruptions;
        END""",
        """CREATE TRIGGER chatledger_messages_usage_delete AFTER DELETE ON chatledger_messages BEGIN
            UPDATE chatledger_session_usage SET
                messages = messages - 1,
                input_tokens = input_tokens - coalesce(old.input_tokens, 0),
                output_tokens = output_tokens - coalesce(old.output_tokens, 0),
                cached_tokens = cached_tokens - coalesce(old.cached_tokens, 0),
                reasoning_tokens = reasoning_tokens - coalesce(old.reasoning_tokens, 0),
                total_tokens = total_tokens - coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0)),
                cost = cost - coalesce(old.cost, 0),
                priced = priced - (CASE WHEN old.cost IS NULL THEN 0 ELSE 1 END),
                duration_ms = duration_ms - coalesce(old.duration_ms, 0),
                timed = timed - (CASE WHEN old.duration_ms IS NULL THEN 0 ELSE 1 END),
                outcomes = outcomes - (CASE WHEN old.outcome IS NULL THEN 0 ELSE 1 END),
                errors = errors - (CASE WHEN old.outcome = 'error' THEN 1 ELSE 0 END),
                interruptions = interruptions - (CASE WHEN old.outcome = 'interrupted' THEN 1 ELSE 0 END)
            WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
                AND role = old.role AND model_id = coalesce(old.model_id, '');
            DELETE FROM chatledger_session_usage WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
                AND role = old.role AND model_id = coalesce(old.model_id, '') AND messages = 0;
        END""",
        """CREATE TRIGGER chatledger_messages_usage_update AFTER UPDATE OF session_id, role, model_id, input_tokens, output_tokens, cached_tokens, reasoning_tokens, tokens_used,
            duration_ms, cost, outcome, created_at ON chatledger_messages
        BEGIN
            UPDATE chatledger_session_usage SET
                messages = messages - 1,
                input_tokens = input_tokens - coalesce(old.input_tokens, 0),
                output_tokens = output_tokens - coalesce(old.output_tokens, 0),
                cached_tokens = cached_tokens - coalesce(old.cached_tokens, 0),
                reasoning_tokens = reasoning_tokens - coalesce(old.reasoning_tokens, 0),
                total_tokens = total_tokens - coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0)),
                cost = cost - coalesce(old.cost, 0),
                priced = priced - (CASE WHEN old.cost IS NULL THEN 0 ELSE 1 END),
                duration_ms = duration_ms - coalesce(old.duration_ms, 0),
                timed = timed - (CASE WHEN old.duration_ms IS NULL THEN 0 ELSE 1 END),
                outcomes = outcomes - (CASE WHEN old.outcome IS NULL THEN 0 ELSE 1 END),
                errors = errors - (CASE WHEN old.outcome = 'error' THEN 1 ELSE 0 END),
                interruptions = interruptions - (CASE WHEN old.outcome = 'interrupted' THEN 1 ELSE 0 END)
            WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
                AND role = old.role AND model_id = coalesce(old.model_id, '');
            DELETE FROM chatledger_session_usage WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
                AND role = old.role AND model_id = coalesce(old.model_id, '') AND messages = 0;
            INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id,
                messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
            VALUES (new.session_id,
                coalesce((strftime('%s', substr(new.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0),
                new.role,
                coalesce(new.model_id, ''),
                1,
                coalesce(new.input_tokens, 0),
                coalesce(new.output_tokens, 0),
                coalesce(new.cached_tokens, 0),
                coalesce(new.reasoning_tokens, 0),
                coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
                coalesce(new.cost, 0),
                CASE WHEN new.cost IS NULL THEN 0 ELSE 1 END,
                coalesce(new.duration_ms, 0),
                CASE WHEN new.duration_ms IS NULL THEN 0 ELSE 1 END,
                CASE WHEN new.outcome IS NULL THEN 0 ELSE 1 END,
                CASE WHEN new.outcome = 'error' THEN 1 ELSE 0 END,
                CASE WHEN new.outcome = 'interrupted' THEN 1 ELSE 0 END)
            ON CONFLICT (session_id, quarter, role, model_id) DO UPDATE SET
                messages = messages + excluded.messages,
                input_tokens = input_tokens + excluded.input_tokens,
                output_tokens = output_tokens + excluded.output_tokens,
                cached_tokens = cached_tokens + excluded.cached_tokens,
                reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
                total_tokens = total_tokens + excluded.total_tokens,
                cost = cost + excluded.cost,
                priced = priced + excluded.priced,
                duration_ms = duration_ms + excluded.duration_ms,
                timed = timed + excluded.timed,
                outcomes = outcomes + excluded.outcomes,
                errors = errors + excluded.errors,
                interruptions = interruptions + excluded.interruptions;
        END""",
        """CREATE VIEW chatledger_recent_sessions AS
        SELECT s.session_id, s.title, s.user_id, s.project_id, s.model_id, s.status, s.message_count, s.total_tokens,
            s.total_duration_ms, s.total_cost AS cost_nanodollars, s.total_cost / 1000000000.0 AS cost_usd,
            s.created_at, s.last_activity,
            (SELECT substr(m.content, 1, 200) FROM chatledger_messages AS m WHERE m.session_id = s.session_id
                ORDER BY m.sequence_number DESC LIMIT 1) AS last_message
        FROM chatledger_sessions AS s""",
        """CREATE VIEW chatledger_model_statistics AS
        SELECT coalesce(nullif(u.model_id, ''), s.model_id) AS model_id, max(r.provider) AS provider, max(r.context_window) AS context_window,
            count(DISTINCT u.session_id) AS sessions,
            sum(u.messages) AS messages,
            sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
            sum(u.input_tokens) AS input_tokens,
            sum(u.output_tokens) AS output_tokens,
            sum(u.cached_tokens) AS cached_tokens,
            sum(u.reasoning_tokens) AS reasoning_tokens,
            sum(u.total_tokens) AS total_tokens,
            sum(u.cost) AS cost_nanodollars,
            sum(u.cost) / 1000000000.0 AS cost_usd,
            sum(u.priced) AS priced_messages,
            sum(u.timed) AS timed_messages,
            sum(u.duration_ms) AS duration_ms,
            CAST(sum(u.duration_ms) AS REAL) / nullif(sum(u.timed), 0) AS average_duration_ms,
            sum(u.errors) AS errors,
            sum(u.interruptions) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        LEFT JOIN chatledger_models AS r ON r.model_id = coalesce(nullif(u.model_id, ''), s.model_id)
        GROUP BY coalesce(nullif(u.model_id, ''), s.model_id)""",
        """CREATE VIEW chatledger_daily_usage AS
        SELECT date(u.quarter * 900, 'unixepoch') AS day, s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id) AS model_id,
            count(DISTINCT u.session_id) AS sessions,
            sum(u.messages) AS messages,
            sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
            sum(u.input_tokens) AS input_tokens,
            sum(u.output_tokens) AS output_tokens,
            sum(u.cached_tokens) AS cached_tokens,
            sum(u.reasoning_tokens) AS reasoning_tokens,
            sum(u.total_tokens) AS total_tokens,
            sum(u.cost) AS cost_nanodollars,
            sum(u.cost) / 1000000000.0 AS cost_usd,
            sum(u.priced) AS priced_messages,
            sum(u.timed) AS timed_messages,
            sum(u.duration_ms) AS duration_ms,
            CAST(sum(u.duration_ms) AS REAL) / nullif(sum(u.timed), 0) AS average_duration_ms,
            sum(u.errors) AS errors,
            sum(u.interruptions) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY date(u.quarter * 900, 'unixepoch'), s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id)""",
        """CREATE VIEW chatledger_hourly_activity AS
        SELECT (CAST(strftime('%w', u.quarter * 900, 'unixepoch') AS INTEGER) + 6) % 7 + 1 AS weekday, CAST(strftime('%H', u.quarter * 900, 'unixepoch') AS INTEGER) AS hour, u.role,
            count(DISTINCT u.session_id) AS sessions, sum(u.messages) AS messages,
            sum(u.total_tokens) AS total_tokens
        FROM chatledger_session_usage AS u
        GROUP BY (CAST(strftime('%w', u.quarter * 900, 'unixepoch') AS INTEGER) + 6) % 7 + 1, CAST(strftime('%H', u.quarter * 900, 'unixepoch') AS INTEGER), u.role""",
        """CREATE VIEW chatledger_user_usage AS
        SELECT s.user_id,
            count(DISTINCT u.session_id) AS sessions,
            sum(u.messages) AS messages,
            sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
            sum(u.input_tokens) AS input_tokens,
            sum(u.output_tokens) AS output_tokens,
            sum(u.cached_tokens) AS cached_tokens,
            sum(u.reasoning_tokens) AS reasoning_tokens,
            sum(u.total_tokens) AS total_tokens,
            sum(u.cost) AS cost_nanodollars,
            sum(u.cost) / 1000000000.0 AS cost_usd,
            sum(u.priced) AS priced_messages,
            sum(u.timed) AS timed_messages,
            sum(u.duration_ms) AS duration_ms,
            CAST(sum(u.duration_ms) AS REAL) / nullif(sum(u.timed), 0) AS average_duration_ms,
            sum(u.errors) AS errors,
            sum(u.interruptions) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY s.user_id""",
        """CREATE VIEW chatledger_project_usage AS
        SELECT s.project_id,
            count(DISTINCT u.session_id) AS sessions,
            sum(u.messages) AS messages,
            sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
            sum(u.input_tokens) AS input_tokens,
            sum(u.output_tokens) AS output_tokens,
            sum(u.cached_tokens) AS cached_tokens,
            sum(u.reasoning_tokens) AS reasoning_tokens,
            sum(u.total_tokens) AS total_tokens,
            sum(u.cost) AS cost_nanodollars,
            sum(u.cost) / 1000000000.0 AS cost_usd,
            sum(u.priced) AS priced_messages,
            sum(u.timed) AS timed_messages,
            sum(u.duration_ms) AS duration_ms,
            CAST(sum(u.duration_ms) AS REAL) / nullif(sum(u.timed), 0) AS average_duration_ms,
            sum(u.errors) AS errors,
            sum(u.interruptions) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY s.project_id""",
        """CREATE VIEW chatledger_message_costs AS
        SELECT m.session_id, m.sequence_number, s.user_id, s.project_id,
            coalesce(nullif(m.model_id, ''), s.model_id) AS model_id, m.role, m.created_at, m.input_tokens, m.output_tokens,
            m.cached_tokens, m.reasoning_tokens, m.duration_ms, m.outcome, m.cost AS cost_nanodollars,
            m.cost / 1000000000.0 AS cost_usd
        FROM chatledger_messages AS m JOIN chatledger_sessions AS s ON s.session_id = m.session_id""",
    ],
    "postgresql": [
        """CREATE TABLE chatledger_session_usage (
            session_id TEXT COLLATE "C" NOT NULL,
            quarter BIGINT NOT NULL,
            role TEXT COLLATE "C" NOT NULL,
            model_id TEXT COLLATE "C" NOT NULL,
            messages BIGINT NOT NULL DEFAULT 0,
            input_tokens BIGINT NOT NULL DEFAULT 0,
            output_tokens BIGINT NOT NULL DEFAULT 0,
            cached_tokens BIGINT NOT NULL DEFAULT 0,
            reasoning_tokens BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            cost BIGINT NOT NULL DEFAULT 0,
            priced BIGINT NOT NULL DEFAULT 0,
            duration_ms BIGINT NOT NULL DEFAULT 0,
            timed BIGINT NOT NULL DEFAULT 0,
            outcomes BIGINT NOT NULL DEFAULT 0,
            errors BIGINT NOT NULL DEFAULT 0,
            interruptions BIGINT NOT NULL DEFAULT 0,
            CONSTRAINT pk_chatledger_session_usage PRIMARY KEY (session_id, quarter, role, model_id),
            CONSTRAINT fk_chatledger_session_usage_session_id FOREIGN KEY (session_id)
                REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
        )""",
        """INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id,
            messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
        SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END,
            role, coalesce(model_id, ''),
            count(*),
            sum(coalesce(input_tokens, 0)),
            sum(coalesce(output_tokens, 0)),
            sum(coalesce(cached_tokens, 0)),
            sum(coalesce(reasoning_tokens, 0)),
            sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))),
            sum(coalesce(cost, 0)),
            sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END),
            sum(coalesce(duration_ms, 0)),
            sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END),
            sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END)
        FROM chatledger_messages WHERE session_id IN (SELECT session_id FROM chatledger_sessions)
        GROUP BY 1, 2, 3, 4""",
        "CREATE INDEX ix_chatledger_session_usage_quarter ON chatledger_session_usage (quarter)",
        """CREATE INDEX ix_chatledger_messages_durations ON chatledger_messages (session_id, created_at, role, model_id, duration_ms)
            WHERE duration_ms IS NOT NULL""",
        """CREATE FUNCTION chatledger_usage_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                    role, coalesce(model_id, '') AS model_id,
                    count(*) AS messages,
                    sum(coalesce(input_tokens, 0)) AS input_tokens,
                    sum(coalesce(output_tokens, 0)) AS output_tokens,
                    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                    sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                    sum(coalesce(cost, 0)) AS cost,
                    sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                    sum(coalesce(duration_ms, 0)) AS duration_ms,
                    sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                    sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                    sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                    sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                FROM new_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE chatledger_session_usage AS u SET
                    messages = u.messages + cell.messages,
                    input_tokens = u.input_tokens + cell.input_tokens,
                    output_tokens = u.output_tokens + cell.output_tokens,
                    cached_tokens = u.cached_tokens + cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens + cell.reasoning_tokens,
                    total_tokens = u.total_tokens + cell.total_tokens,
                    cost = u.cost + cell.cost,
                    priced = u.priced + cell.priced,
                    duration_ms = u.duration_ms + cell.duration_ms,
                    timed = u.timed + cell.timed,
                    outcomes = u.outcomes + cell.outcomes,
                    errors = u.errors + cell.errors,
                    interruptions = u.interruptions + cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                IF NOT FOUND THEN
                    INSERT INTO chatledger_session_usage AS u (session_id, quarter, role, model_id,
                        messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
                    SELECT cell.session_id, cell.quarter, cell.role, cell.model_id,
                        cell.messages,
                        cell.input_tokens,
                        cell.output_tokens,
                        cell.cached_tokens,
                        cell.reasoning_tokens,
                        cell.total_tokens,
                        cell.cost,
                        cell.priced,
                        cell.duration_ms,
                        cell.timed,
                        cell.outcomes,
                        cell.errors,
                        cell.interruptions
                    WHERE cell.messages > 0 AND EXISTS (SELECT FROM chatledger_sessions AS s WHERE s.session_id = cell.session_id)
                    ON CONFLICT ON CONSTRAINT pk_chatledger_session_usage DO UPDATE SET
                        messages = u.messages + excluded.messages,
                        input_tokens = u.input_tokens + excluded.input_tokens,
                        output_tokens = u.output_tokens + excluded.output_tokens,
                        cached_tokens = u.cached_tokens + excluded.cached_tokens,
                        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
                        total_tokens = u.total_tokens + excluded.total_tokens,
                        cost = u.cost + excluded.cost,
                        priced = u.priced + excluded.priced,
                        duration_ms = u.duration_ms + excluded.duration_ms,
                        timed = u.timed + excluded.timed,
                        outcomes = u.outcomes + excluded.outcomes,
                        errors = u.errors + excluded.errors,
                        interruptions = u.interruptions + excluded.interruptions;
                END IF;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_usage_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                    role, coalesce(model_id, '') AS model_id,
                    count(*) AS messages,
                    sum(coalesce(input_tokens, 0)) AS input_tokens,
                    sum(coalesce(output_tokens, 0)) AS output_tokens,
                    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                    sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                    sum(coalesce(cost, 0)) AS cost,
                    sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                    sum(coalesce(duration_ms, 0)) AS duration_ms,
                    sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                    sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                    sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                    sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                FROM old_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE chatledger_session_usage AS u SET
                    messages = u.messages - cell.messages,
                    input_tokens = u.input_tokens - cell.input_tokens,
                    output_tokens = u.output_tokens - cell.output_tokens,
                    cached_tokens = u.cached_tokens - cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens - cell.reasoning_tokens,
                    total_tokens = u.total_tokens - cell.total_tokens,
                    cost = u.cost - cell.cost,
                    priced = u.priced - cell.priced,
                    duration_ms = u.duration_ms - cell.duration_ms,
                    timed = u.timed - cell.timed,
                    outcomes = u.outcomes - cell.outcomes,
                    errors = u.errors - cell.errors,
                    interruptions = u.interruptions - cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                DELETE FROM chatledger_session_usage AS u WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id
                    AND u.messages = 0;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_usage_update() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, quarter, role, model_id,
                    sum(messages) AS messages,
                    sum(input_tokens) AS input_tokens,
                    sum(output_tokens) AS output_tokens,
                    sum(cached_tokens) AS cached_tokens,
                    sum(reasoning_tokens) AS reasoning_tokens,
                    sum(total_tokens) AS total_tokens,
                    sum(cost) AS cost,
                    sum(priced) AS priced,
                    sum(duration_ms) AS duration_ms,
                    sum(timed) AS timed,
                    sum(outcomes) AS outcomes,
                    sum(errors) AS errors,
                    sum(interruptions) AS interruptions
                FROM (
                    (SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                        role, coalesce(model_id, '') AS model_id,
                        count(*) AS messages,
                        sum(coalesce(input_tokens, 0)) AS input_tokens,
                        sum(coalesce(output_tokens, 0)) AS output_tokens,
                        sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                        sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                        sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                        sum(coalesce(cost, 0)) AS cost,
                        sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                        sum(coalesce(duration_ms, 0)) AS duration_ms,
                        sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                        sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                        sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                        sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                    FROM new_rows GROUP BY 1, 2, 3, 4)
                    UNION ALL
                    (SELECT session_id, quarter, role, model_id,
                        -messages,
                        -input_tokens,
                        -output_tokens,
                        -cached_tokens,
                        -reasoning_tokens,
                        -total_tokens,
                        -cost,
                        -priced,
                        -duration_ms,
                        -timed,
                        -outcomes,
                        -errors,
                        -interruptions
                    FROM (SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                        role, coalesce(model_id, '') AS model_id,
                        count(*) AS messages,
                        sum(coalesce(input_tokens, 0)) AS input_tokens,
                        sum(coalesce(output_tokens, 0)) AS output_tokens,
                        sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                        sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                        sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                        sum(coalesce(cost, 0)) AS cost,
                        sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                        sum(coalesce(duration_ms, 0)) AS duration_ms,
                        sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                        sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                        sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                        sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                    FROM old_rows GROUP BY 1, 2, 3, 4) AS before)
                ) AS difference
                GROUP BY 1, 2, 3, 4
                HAVING sum(messages) <> 0
                    OR sum(input_tokens) <> 0
                    OR sum(output_tokens) <> 0
                    OR sum(cached_tokens) <> 0
                    OR sum(reasoning_tokens) <> 0
                    OR sum(total_tokens) <> 0
                    OR sum(cost) <> 0
                    OR sum(priced) <> 0
                    OR sum(duration_ms) <> 0
                    OR sum(timed) <> 0
                    OR sum(outcomes) <> 0
                    OR sum(errors) <> 0
                    OR sum(interruptions) <> 0
                ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE chatledger_session_usage AS u SET
                    messages = u.messages + cell.messages,
                    input_tokens = u.input_tokens + cell.input_tokens,
                    output_tokens = u.output_tokens + cell.output_tokens,
                    cached_tokens = u.cached_tokens + cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens + cell.reasoning_tokens,
                    total_tokens = u.total_tokens + cell.total_tokens,
                    cost = u.cost + cell.cost,
                    priced = u.priced + cell.priced,
                    duration_ms = u.duration_ms + cell.duration_ms,
                    timed = u.timed + cell.timed,
                    outcomes = u.outcomes + cell.outcomes,
                    errors = u.errors + cell.errors,
                    interruptions = u.interruptions + cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                IF NOT FOUND THEN
                    INSERT INTO chatledger_session_usage AS u (session_id, quarter, role, model_id,
                        messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
                    SELECT cell.session_id, cell.quarter, cell.role, cell.model_id,
                        cell.messages,
                        cell.input_tokens,
                        cell.output_tokens,
                        cell.cached_tokens,
                        cell.reasoning_tokens,
                        cell.total_tokens,
                        cell.cost,
                        cell.priced,
                        cell.duration_ms,
                        cell.timed,
                        cell.outcomes,
                        cell.errors,
                        cell.interruptions
                    WHERE cell.messages > 0 AND EXISTS (SELECT FROM chatledger_sessions AS s WHERE s.session_id = cell.session_id)
                    ON CONFLICT ON CONSTRAINT pk_chatledger_session_usage DO UPDATE SET
                        messages = u.messages + excluded.messages,
                        input_tokens = u.input_tokens + excluded.input_tokens,
                        output_tokens = u.output_tokens + excluded.output_tokens,
                        cached_tokens = u.cached_tokens + excluded.cached_tokens,
                        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
                        total_tokens = u.total_tokens + excluded.total_tokens,
                        cost = u.cost + excluded.cost,
                        priced = u.priced + excluded.priced,
                        duration_ms = u.duration_ms + excluded.duration_ms,
                        timed = u.timed + excluded.timed,
                        outcomes = u.outcomes + excluded.outcomes,
                        errors = u.errors + excluded.errors,
                        interruptions = u.interruptions + excluded.interruptions;
                END IF;
                DELETE FROM chatledger_session_usage AS u WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id
                    AND u.messages = 0;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_usage_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM chatledger_session_usage;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER chatledger_messages_usage_insert AFTER INSERT ON chatledger_messages
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_insert()""",
        """CREATE TRIGGER chatledger_messages_usage_delete AFTER DELETE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_delete()""",
        """CREATE TRIGGER chatledger_messages_usage_update AFTER UPDATE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_update()""",
        """CREATE TRIGGER chatledger_messages_usage_truncate AFTER TRUNCATE ON chatledger_messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_truncate()""",
        """CREATE VIEW chatledger_recent_sessions AS
        SELECT s.session_id, s.title, s.user_id, s.project_id, s.model_id, s.status, s.message_count, s.total_tokens,
            s.total_duration_ms, s.total_cost AS cost_nanodollars, CAST(s.total_cost AS numeric) / 1000000000 AS cost_usd,
            s.created_at, s.last_activity,
            (SELECT substr(m.content, 1, 200) FROM chatledger_messages AS m WHERE m.session_id = s.session_id
                ORDER BY m.sequence_number DESC LIMIT 1) AS last_message
        FROM chatledger_sessions AS s""",
        """CREATE VIEW chatledger_model_statistics AS
        SELECT coalesce(nullif(u.model_id, ''), s.model_id) AS model_id, max(r.provider) AS provider, max(r.context_window) AS context_window,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        LEFT JOIN chatledger_models AS r ON r.model_id = coalesce(nullif(u.model_id, ''), s.model_id)
        GROUP BY coalesce(nullif(u.model_id, ''), s.model_id)""",
        """CREATE VIEW chatledger_daily_usage AS
        SELECT CAST(to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC' AS date) AS day, s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id) AS model_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY CAST(to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC' AS date), s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id)""",
        """CREATE VIEW chatledger_hourly_activity AS
        SELECT CAST(extract(isodow FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer) AS weekday, CAST(extract(hour FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer) AS hour, u.role,
            count(DISTINCT u.session_id) AS sessions, CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens
        FROM chatledger_session_usage AS u
        GROUP BY CAST(extract(isodow FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer), CAST(extract(hour FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer), u.role""",
        """CREATE VIEW chatledger_user_usage AS
        SELECT s.user_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY s.user_id""",
        """CREATE VIEW chatledger_project_usage AS
        SELECT s.project_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id
        GROUP BY s.project_id""",
        """CREATE VIEW chatledger_message_costs AS
        SELECT m.session_id, m.sequence_number, s.user_id, s.project_id,
            coalesce(nullif(m.model_id, ''), s.model_id) AS model_id, m.role, m.created_at, m.input_tokens, m.output_tokens,
            m.cached_tokens, m.reasoning_tokens, m.duration_ms, m.outcome, m.cost AS cost_nanodollars,
            CAST(m.cost AS numeric) / 1000000000 AS cost_usd
        FROM chatledger_messages AS m JOIN chatledger_sessions AS s ON s.session_id = m.session_id""",
        """DO $$
        BEGIN
            IF current_setting('server_version_num')::integer >= 150000 THEN
                ALTER VIEW chatledger_recent_sessions SET (security_invoker = true);
                ALTER VIEW chatledger_model_statistics SET (security_invoker = true);
                ALTER VIEW chatledger_daily_usage SET (security_invoker = true);
                ALTER VIEW chatledger_hourly_activity SET (security_invoker = true);
                ALTER VIEW chatledger_user_usage SET (security_invoker = true);
                ALTER VIEW chatledger_project_usage SET (security_invoker = true);
                ALTER VIEW chatledger_message_costs SET (security_invoker = true);
            END IF;
        END $$""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP VIEW chatledger_message_costs",
        "DROP VIEW chatledger_project_usage",
        "DROP VIEW chatledger_user_usage",
        "DROP VIEW chatledger_hourly_activity",
        "DROP VIEW chatledger_daily_usage",
        "DROP VIEW chatledger_model_statistics",
        "DROP VIEW chatledger_recent_sessions",
        "DROP TRIGGER chatledger_messages_usage_update",
        "DROP TRIGGER chatledger_messages_usage_delete",
        "DROP TRIGGER chatledger_messages_usage_insert",
        "DROP INDEX ix_chatledger_messages_durations",
        "DROP TABLE chatledger_session_usage",
    ],
    "postgresql": [
        "DROP VIEW chatledger_message_costs",
        "DROP VIEW chatledger_project_usage",
        "DROP VIEW chatledger_user_usage",
        "DROP VIEW chatledger_hourly_activity",
        "DROP VIEW chatledger_daily_usage",
        "DROP VIEW chatledger_model_statistics",
        "DROP VIEW chatledger_recent_sessions",
        "DROP TRIGGER chatledger_messages_usage_truncate ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_usage_update ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_usage_delete ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_usage_insert ON chatledger_messages",
        "DROP FUNCTION chatledger_usage_truncate()",
        "DROP FUNCTION chatledger_usage_update()",
        "DROP FUNCTION chatledger_usage_delete()",
        "DROP FUNCTION chatledger_usage_insert()",
        "DROP INDEX ix_chatledger_messages_durations",
        "DROP TABLE chatledger_session_usage",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
