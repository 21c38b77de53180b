"""Triggers that keep counters, times and the trail of deletions.

Why: counters equal the rows after any mix of appends, deletes, cascades and raw SQL (DESIGN, promise 4). They count
what changed and never recount: an append costs the same in a long session as in a short one. On PostgreSQL they run
once a statement over transition tables, because a row trigger makes a bulk load super-linear, and visit sessions in
order, because two loads that meet in different orders deadlock. A message to an idle session wakes it. `updated_at`
follows changes of the session itself, not its messages. Deleted sessions leave a row in the audit log, without content.
Unsafe: rows written while the triggers were missing are counted once, here.
Down: drops the triggers; the counters keep their last values.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        """UPDATE chatledger_sessions SET
            message_count = counted.messages,
            total_tokens = counted.tokens,
            total_duration_ms = counted.duration_ms,
            total_cost = counted.cost,
            last_sequence = CASE WHEN counted.last > chatledger_sessions.last_sequence THEN counted.last ELSE chatledger_sessions.last_sequence END
        FROM (
            SELECT s.session_id,
                count(m.session_id) AS messages,
                coalesce(sum(coalesce(m.tokens_used, coalesce(m.input_tokens, 0) + coalesce(m.output_tokens, 0))), 0) AS tokens,
                coalesce(sum(m.duration_ms), 0) AS duration_ms,
                coalesce(sum(m.cost), 0) AS cost,
                coalesce(max(m.sequence_number), 0) AS last
            FROM chatledger_sessions AS s LEFT JOIN chatledger_messages AS m ON m.session_id = s.session_id
            GROUP BY s.session_id
        ) AS counted
        WHERE counted.session_id = chatledger_sessions.session_id""",
        """CREATE TRIGGER chatledger_messages_count_insert AFTER INSERT ON chatledger_messages BEGIN
            UPDATE chatledger_sessions SET
                message_count = message_count + 1,
                total_tokens = total_tokens + coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
                total_duration_ms = total_duration_ms + coalesce(new.duration_ms, 0),
                total_cost = total_cost + coalesce(new.cost, 0),
                last_sequence = max(last_sequence, new.sequence_number),
                last_activity = max(last_activity, new.created_at)
            WHERE session_id = new.session_id;
        END""",
        """CREATE TRIGGER chatledger_messages_count_delete AFTER DELETE ON chatledger_messages BEGIN
            UPDATE chatledger_sessions SET
                message_count = message_count - 1,
                total_tokens = total_tokens - coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0)),
                total_duration_ms = total_duration_ms - coalesce(old.duration_ms, 0),
                total_cost = total_cost - coalesce(old.cost, 0)
            WHERE session_id = old.session_id;
        END""",
        """CREATE TRIGGER chatledger_messages_count_update
        AFTER UPDATE OF session_id, sequence_number, input_tokens, output_tokens, tokens_used, duration_ms, cost ON chatledger_messages
        BEGIN
            UPDATE chatledger_sessions SET
                message_count = message_count - 1,
                total_tokens = total_tokens - coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0)),
                total_duration_ms = total_duration_ms - coalesce(old.duration_ms, 0),
                total_cost = total_cost - coalesce(old.cost, 0)
            WHERE session_id = old.session_id;
            UPDATE chatledger_sessions SET
                message_count = message_count + 1,
                total_tokens = total_tokens + coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
                total_duration_ms = total_duration_ms + coalesce(new.duration_ms, 0),
                total_cost = total_cost + coalesce(new.cost, 0),
                last_sequence = max(last_sequence, new.sequence_number)
            WHERE session_id = new.session_id;
        END""",
        """CREATE TRIGGER chatledger_messages_wake AFTER INSERT ON chatledger_messages
        WHEN (SELECT status FROM chatledger_sessions WHERE session_id = new.session_id) = 'idle'
        BEGIN
            UPDATE chatledger_sessions SET status = 'active', updated_at = max(updated_at, new.created_at)
            WHERE session_id = new.session_id;
        END""",
        """CREATE TRIGGER chatledger_sessions_updated_at
        AFTER UPDATE OF user_id, project_id, model_id, title, system_prompt, status, context, expired_at, archived_at ON chatledger_sessions
        WHEN new.updated_at IS old.updated_at
        BEGIN
            UPDATE chatledger_sessions SET updated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now') WHERE session_id = new.session_id;
        END""",
        """CREATE TRIGGER chatledger_sessions_audit_delete AFTER DELETE ON chatledger_sessions BEGIN
            INSERT INTO chatledger_audit_log (action, session_id, user_id, count, details)
            VALUES ('session.deleted', old.session_id, old.user_id, 1, json_object('messages', old.message_count));
        END""",
    ],
    "postgresql": [
        """UPDATE chatledger_sessions SET
            message_count = counted.messages,
            total_tokens = counted.tokens,
            total_duration_ms = counted.duration_ms,
            total_cost = counted.cost,
            last_sequence = CASE WHEN counted.last > chatledger_sessions.last_sequence THEN counted.last ELSE chatledger_sessions.last_sequence END
        FROM (
            SELECT s.session_id,
                count(m.session_id) AS messages,
                coalesce(sum(coalesce(m.tokens_used, coalesce(m.input_tokens, 0) + coalesce(m.output_tokens, 0))), 0) AS tokens,
                coalesce(sum(m.duration_ms), 0) AS duration_ms,
                coalesce(sum(m.cost), 0) AS cost,
                coalesce(max(m.sequence_number), 0) AS last
            FROM chatledger_sessions AS s LEFT JOIN chatledger_messages AS m ON m.session_id = s.session_id
            GROUP BY s.session_id
        ) AS counted
        WHERE counted.session_id = chatledger_sessions.session_id""",
        """CREATE FUNCTION chatledger_count_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            added record;
        BEGIN
            FOR added IN
                SELECT session_id,
                    count(*) AS messages,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS tokens,
                    coalesce(sum(duration_ms), 0) AS duration_ms,
                    coalesce(sum(cost), 0) AS cost,
                    max(sequence_number) AS last,
                    max(created_at) AS newest
                FROM new_rows GROUP BY session_id ORDER BY session_id
            LOOP
                UPDATE chatledger_sessions SET
                    message_count = message_count + added.messages,
                    total_tokens = total_tokens + added.tokens,
                    total_duration_ms = total_duration_ms + added.duration_ms,
                    total_cost = total_cost + added.cost,
                    last_sequence = greatest(last_sequence, added.last),
                    last_activity = greatest(last_activity, added.newest),
                    updated_at = CASE WHEN status = 'idle' THEN greatest(updated_at, added.newest) ELSE updated_at END,
                    status = CASE WHEN status = 'idle' THEN 'active' ELSE status END
                WHERE session_id = added.session_id;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_count_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            removed record;
        BEGIN
            FOR removed IN
                SELECT session_id,
                    count(*) AS messages,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS tokens,
                    coalesce(sum(duration_ms), 0) AS duration_ms,
                    coalesce(sum(cost), 0) AS cost
                FROM old_rows GROUP BY session_id ORDER BY session_id
            LOOP
                UPDATE chatledger_sessions SET
                    message_count = message_count - removed.messages,
                    total_tokens = total_tokens - removed.tokens,
                    total_duration_ms = total_duration_ms - removed.duration_ms,
                    total_cost = total_cost - removed.cost
                WHERE session_id = removed.session_id;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_count_update() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            changed record;
        BEGIN
            FOR changed IN
                SELECT session_id,
                    sum(messages) AS messages,
                    sum(tokens) AS tokens,
                    sum(duration_ms) AS duration_ms,
                    sum(cost) AS cost,
                    max(last) AS last
                FROM (
                    SELECT session_id, 1 AS messages,
                        coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS tokens,
                        coalesce(duration_ms, 0) AS duration_ms, coalesce(cost, 0) AS cost, sequence_number AS last
                    FROM new_rows
                    UNION ALL
                    SELECT session_id, -1,
                        -coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0)),
                        -coalesce(duration_ms, 0), -coalesce(cost, 0), 0
                    FROM old_rows
                ) AS difference
                GROUP BY session_id ORDER BY session_id
            LOOP
                UPDATE chatledger_sessions SET
                    message_count = message_count + changed.messages,
                    total_tokens = total_tokens + changed.tokens,
                    total_duration_ms = total_duration_ms + changed.duration_ms,
                    total_cost = total_cost + changed.cost,
                    last_sequence = greatest(last_sequence, changed.last)
                WHERE session_id = changed.session_id
                    AND (changed.messages <> 0 OR changed.tokens <> 0 OR changed.duration_ms <> 0 OR changed.cost <> 0
                        OR changed.last > last_sequence);
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_count_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE chatledger_sessions SET message_count = 0, total_tokens = 0, total_duration_ms = 0, total_cost = 0
            WHERE message_count <> 0;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_touch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END $$""",
        """CREATE FUNCTION chatledger_audit_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO chatledger_audit_log (action, session_id, user_id, count, details)
            SELECT 'session.deleted', session_id, user_id, 1, json_build_object('messages', message_count)
            FROM old_rows ORDER BY session_id;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER chatledger_messages_count_insert AFTER INSERT ON chatledger_messages
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_insert()""",
        """CREATE TRIGGER chatledger_messages_count_delete AFTER DELETE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_delete()""",
        """CREATE TRIGGER chatledger_messages_count_update AFTER UPDATE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_update()""",
        """CREATE TRIGGER chatledger_messages_count_truncate AFTER TRUNCATE ON chatledger_messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_truncate()""",
        """CREATE TRIGGER chatledger_sessions_updated_at
        BEFORE UPDATE OF user_id, project_id, model_id, title, system_prompt, status, context, expired_at, archived_at ON chatledger_sessions
        FOR EACH ROW WHEN (
            NEW.updated_at = OLD.updated_at AND (
                NEW.user_id IS DISTINCT FROM OLD.user_id
                OR NEW.project_id IS DISTINCT FROM OLD.project_id
                OR NEW.model_id IS DISTINCT FROM OLD.model_id
                OR NEW.title IS DISTINCT FROM OLD.title
                OR NEW.system_prompt IS DISTINCT FROM OLD.system_prompt
                OR NEW.status IS DISTINCT FROM OLD.status
                OR NEW.context::text IS DISTINCT FROM OLD.context::text
                OR NEW.expired_at IS DISTINCT FROM OLD.expired_at
                OR NEW.archived_at IS DISTINCT FROM OLD.archived_at
            )
        )
        EXECUTE FUNCTION chatledger_touch()""",
        """CREATE TRIGGER chatledger_sessions_audit_delete AFTER DELETE ON chatledger_sessions
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_delete()""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_messages_count_update",
        "DROP TRIGGER chatledger_messages_count_delete",
        "DROP TRIGGER chatledger_messages_count_insert",
        "DROP TRIGGER chatledger_messages_wake",
        "DROP TRIGGER chatledger_sessions_updated_at",
        "DROP TRIGGER chatledger_sessions_audit_delete",
    ],
    "postgresql": [
        "DROP TRIGGER chatledger_sessions_audit_delete ON chatledger_sessions",
        "DROP TRIGGER chatledger_sessions_updated_at ON chatledger_sessions",
        "DROP TRIGGER chatledger_messages_count_truncate ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_count_update ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_count_delete ON chatledger_messages",
        "DROP TRIGGER chatledger_messages_count_insert ON chatledger_messages",
        "DROP FUNCTION chatledger_audit_delete()",
        "DROP FUNCTION chatledger_touch()",
        "DROP FUNCTION chatledger_count_truncate()",
        "DROP FUNCTION chatledger_count_update()",
        "DROP FUNCTION chatledger_count_delete()",
        "DROP FUNCTION chatledger_count_insert()",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
