"""What a lifecycle needs: default limits, holds, the moment to look again, the trail of deleted messages.

Why: limits for a user, a project or the whole ledger (`chatledger_timeout_defaults`, read by the sweep and when a session begins); a
third limit, after which an inactive session is archived, and how long before a limit to warn; `held_at`, which keeps
everything automatic away from a session. `next_check_at` is a lower bound that the sweep goes by; when a session changes
its status it is put back to the last activity by a trigger, so that an idle session that is woken by a message is looked
at again (or to now, where that lies ahead: a wrong time would keep it for as long), and emptied when the session closes, so that closed sessions leave the index. No append touches it: on SQLite
the trigger is on the status alone, on PostgreSQL its condition is looked at and not met. A new session for which a
default holds is looked at by the next sweep, whoever inserted it. The index over `next_check_at` gets the session as well,
for a default makes it one moment for every session: a page must be found without reading and sorting those before it.
Purging goes by two partial indexes over closed sessions, made likewise, expiring by one over those that rest beside the
one over active ones that is there. Messages deleted in any way leave one audit row for each statement and session, unless
they go with their session, which has a row of its own; TRUNCATE leaves one too.
Unsafe: nothing is rewritten; ADD COLUMN without a default is immediate on both.
Down: what has no place below (holds, defaults, the new limits) is laid into the audit log as `kept by 0005`, one row
each, and taken out of there on the way up again. Sessions that were made meanwhile are looked at by the next sweep.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        "ALTER TABLE chatledger_sessions ADD COLUMN held_at TEXT",
        "ALTER TABLE chatledger_session_timeouts ADD COLUMN archive_limit INTEGER",
        "ALTER TABLE chatledger_session_timeouts ADD COLUMN warn_before INTEGER",
        "ALTER TABLE chatledger_session_timeouts ADD COLUMN idle_from TEXT",
        "ALTER TABLE chatledger_session_timeouts ADD COLUMN idle_sequence INTEGER",
        "ALTER TABLE chatledger_session_timeouts ADD COLUMN hard_from TEXT",
        """CREATE TABLE chatledger_timeout_defaults (
            scope TEXT NOT NULL,
            scope_id TEXT NOT NULL,
            idle_limit INTEGER,
            archive_limit INTEGER,
            hard_limit INTEGER,
            warn_before INTEGER,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_timeout_defaults PRIMARY KEY (scope, scope_id),
            CONSTRAINT ck_chatledger_timeout_defaults_scope CHECK (scope IN ('ledger', 'project', 'user'))
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX ix_chatledger_sessions_resting_activity ON chatledger_sessions (activity_minute) WHERE status IN ('idle', 'paused')",
        "CREATE INDEX ix_chatledger_sessions_archived_at ON chatledger_sessions (archived_at, session_id) WHERE status = 'archived'",
        "CREATE INDEX ix_chatledger_sessions_expired_at ON chatledger_sessions (expired_at, session_id) WHERE status = 'expired'",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at, session_id)",
        "CREATE INDEX ix_chatledger_audit_log_user_id ON chatledger_audit_log (user_id)",
        """UPDATE chatledger_sessions SET held_at = (
            SELECT json_extract(details, '$.held_at') FROM chatledger_audit_log
            WHERE action = 'kept by 0005' AND chatledger_audit_log.session_id = chatledger_sessions.session_id
                AND json_extract(details, '$.table') = 'sessions'
        ) WHERE session_id IN (SELECT session_id FROM chatledger_audit_log WHERE action = 'kept by 0005')""",
        """UPDATE chatledger_session_timeouts SET (archive_limit, warn_before, idle_from, idle_sequence, hard_from) = (
            SELECT json_extract(details, '$.archive_limit'), json_extract(details, '$.warn_before'),
                json_extract(details, '$.idle_from'), json_extract(details, '$.idle_sequence'),
                json_extract(details, '$.hard_from')
            FROM chatledger_audit_log
            WHERE action = 'kept by 0005' AND chatledger_audit_log.session_id = chatledger_session_timeouts.session_id
                AND json_extract(details, '$.table') = 'chatledger_session_timeouts'
        ) WHERE session_id IN (SELECT session_id FROM chatledger_audit_log WHERE action = 'kept by 0005')""",
        """INSERT INTO chatledger_timeout_defaults
            (scope, scope_id, idle_limit, archive_limit, hard_limit, warn_before, created_at, updated_at)
        SELECT json_extract(details, '$.scope'), json_extract(details, '$.scope_id'),
            json_extract(details, '$.idle_limit'), json_extract(details, '$.archive_limit'),
            json_extract(details, '$.hard_limit'), json_extract(details, '$.warn_before'),
            json_extract(details, '$.created_at'), json_extract(details, '$.updated_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0005' AND json_extract(details, '$.table') = 'chatledger_timeout_defaults'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0005'",
        """INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
        SELECT session_id, created_at FROM chatledger_sessions AS s
        WHERE status IN ('active', 'idle', 'paused')
            AND NOT EXISTS (SELECT 1 FROM chatledger_session_timeouts AS t WHERE t.session_id = s.session_id)
            AND EXISTS (
                SELECT 1 FROM chatledger_timeout_defaults
                WHERE scope = 'ledger'
                    OR (scope = 'project' AND scope_id = s.project_id) OR (scope = 'user' AND scope_id = s.user_id)
            )""",
        """CREATE TRIGGER chatledger_sessions_limit AFTER INSERT ON chatledger_sessions
        WHEN EXISTS (
            SELECT 1 FROM chatledger_timeout_defaults
            WHERE scope = 'ledger'
                OR (scope = 'project' AND scope_id = new.project_id) OR (scope = 'user' AND scope_id = new.user_id)
        )
        BEGIN
            INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
            VALUES (new.session_id, min(new.created_at, strftime('%Y-%m-%d %H:%M:%f000', 'now')));
        END""",
        """CREATE TRIGGER chatledger_sessions_rearm AFTER UPDATE OF status ON chatledger_sessions
        WHEN new.status IS NOT old.status
        BEGIN
            UPDATE chatledger_session_timeouts SET next_check_at =
                CASE WHEN new.status IN ('active', 'idle', 'paused')
                    THEN min(new.last_activity, strftime('%Y-%m-%d %H:%M:%f000', 'now')) END
            WHERE session_id = new.session_id;
        END""",
        """CREATE TRIGGER chatledger_messages_audit_delete AFTER DELETE ON chatledger_messages
        WHEN EXISTS (SELECT 1 FROM chatledger_sessions WHERE session_id = old.session_id)
        BEGIN
            UPDATE chatledger_audit_log SET count = count + 1
            WHERE audit_id = (SELECT max(audit_id) FROM chatledger_audit_log)
                AND action = 'messages.deleted' AND session_id = old.session_id AND actor IS NULL
                AND at = strftime('%Y-%m-%d %H:%M:%f000', 'now');
            INSERT INTO chatledger_audit_log (action, session_id, user_id)
            SELECT 'messages.deleted', session_id, user_id FROM chatledger_sessions
            WHERE session_id = old.session_id AND NOT EXISTS (
                SELECT 1 FROM chatledger_audit_log
                WHERE audit_id = (SELECT max(audit_id) FROM chatledger_audit_log)
                    AND action = 'messages.deleted' AND session_id = old.session_id AND actor IS NULL
                    AND at = strftime('%Y-%m-%d %H:%M:%f000', 'now')
            );
        END""",
    ],
    "postgresql": [
        "ALTER TABLE chatledger_sessions ADD COLUMN held_at TIMESTAMP WITH TIME ZONE",
        """ALTER TABLE chatledger_session_timeouts
            ADD COLUMN archive_limit BIGINT,
            ADD COLUMN warn_before BIGINT,
            ADD COLUMN idle_from TIMESTAMP WITH TIME ZONE,
            ADD COLUMN idle_sequence BIGINT,
            ADD COLUMN hard_from TIMESTAMP WITH TIME ZONE""",
        """CREATE TABLE chatledger_timeout_defaults (
            scope TEXT NOT NULL,
            scope_id TEXT COLLATE "C" NOT NULL,
            idle_limit BIGINT,
            archive_limit BIGINT,
            hard_limit BIGINT,
            warn_before BIGINT,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_timeout_defaults PRIMARY KEY (scope, scope_id),
            CONSTRAINT ck_chatledger_timeout_defaults_scope CHECK (scope IN ('ledger', 'project', 'user'))
        )""",
        "CREATE INDEX ix_chatledger_sessions_resting_activity ON chatledger_sessions (activity_minute) WHERE status IN ('idle', 'paused')",
        "CREATE INDEX ix_chatledger_sessions_archived_at ON chatledger_sessions (archived_at, session_id) WHERE status = 'archived'",
        "CREATE INDEX ix_chatledger_sessions_expired_at ON chatledger_sessions (expired_at, session_id) WHERE status = 'expired'",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at, session_id)",
        "CREATE INDEX ix_chatledger_audit_log_user_id ON chatledger_audit_log (user_id)",
        """UPDATE chatledger_sessions SET held_at = (kept.details ->> 'held_at')::timestamptz
        FROM chatledger_audit_log AS kept
        WHERE kept.action = 'kept by 0005' AND kept.session_id = chatledger_sessions.session_id
            AND kept.details ->> 'table' = 'sessions'""",
        """UPDATE chatledger_session_timeouts SET
            archive_limit = (kept.details ->> 'archive_limit')::bigint,
            warn_before = (kept.details ->> 'warn_before')::bigint,
            idle_from = (kept.details ->> 'idle_from')::timestamptz,
            idle_sequence = (kept.details ->> 'idle_sequence')::bigint,
            hard_from = (kept.details ->> 'hard_from')::timestamptz
        FROM chatledger_audit_log AS kept
        WHERE kept.action = 'kept by 0005' AND kept.session_id = chatledger_session_timeouts.session_id
            AND kept.details ->> 'table' = 'chatledger_session_timeouts'""",
        """INSERT INTO chatledger_timeout_defaults
            (scope, scope_id, idle_limit, archive_limit, hard_limit, warn_before, created_at, updated_at)
        SELECT details ->> 'scope', details ->> 'scope_id',
            (details ->> 'idle_limit')::bigint, (details ->> 'archive_limit')::bigint,
            (details ->> 'hard_limit')::bigint, (details ->> 'warn_before')::bigint,
            (details ->> 'created_at')::timestamptz, (details ->> 'updated_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0005' AND details ->> 'table' = 'chatledger_timeout_defaults'""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0005'",
        """INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
        SELECT session_id, created_at FROM chatledger_sessions AS s
        WHERE status IN ('active', 'idle', 'paused')
            AND NOT EXISTS (SELECT 1 FROM chatledger_session_timeouts AS t WHERE t.session_id = s.session_id)
            AND EXISTS (
                SELECT 1 FROM chatledger_timeout_defaults
                WHERE scope = 'ledger'
                    OR (scope = 'project' AND scope_id = s.project_id) OR (scope = 'user' AND scope_id = s.user_id)
            )""",
        """CREATE FUNCTION chatledger_rearm() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE chatledger_session_timeouts SET next_check_at =
                CASE WHEN NEW.status IN ('active', 'idle', 'paused')
                    THEN least(NEW.last_activity, CURRENT_TIMESTAMP) END
            WHERE session_id = NEW.session_id;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            added record;
        BEGIN
            FOR added IN
                SELECT session_id, created_at FROM new_rows AS n
                WHERE EXISTS (
                    SELECT 1 FROM chatledger_timeout_defaults
                    WHERE scope = 'ledger'
                        OR (scope = 'project' AND scope_id = n.project_id) OR (scope = 'user' AND scope_id = n.user_id)
                )
                ORDER BY session_id
            LOOP
                INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
                VALUES (added.session_id, least(added.created_at, CURRENT_TIMESTAMP));
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_audit_messages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            removed record;
        BEGIN
            FOR removed IN
                SELECT session_id, count(*) AS messages FROM old_rows GROUP BY session_id ORDER BY session_id
            LOOP
                INSERT INTO chatledger_audit_log (action, session_id, user_id, count)
                SELECT 'messages.deleted', session_id, user_id, removed.messages
                FROM chatledger_sessions WHERE session_id = removed.session_id;
            END LOOP;
            RETURN NULL;
        END $$""",
        """CREATE FUNCTION chatledger_audit_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF TG_TABLE_NAME = 'chatledger_sessions' THEN
                INSERT INTO chatledger_audit_log (action, count) SELECT 'sessions.truncated', count(*) FROM chatledger_sessions;
            ELSE
                INSERT INTO chatledger_audit_log (action, count) SELECT 'messages.truncated', count(*) FROM chatledger_messages;
            END IF;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER chatledger_sessions_limit AFTER INSERT ON chatledger_sessions
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_limit()""",
        """CREATE TRIGGER chatledger_sessions_rearm AFTER UPDATE OF status ON chatledger_sessions
        FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION chatledger_rearm()""",
        """CREATE TRIGGER chatledger_messages_audit_delete AFTER DELETE ON chatledger_messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_messages()""",
        """CREATE TRIGGER chatledger_sessions_audit_truncate BEFORE TRUNCATE ON chatledger_sessions
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_truncate()""",
        """CREATE TRIGGER chatledger_messages_audit_truncate BEFORE TRUNCATE ON chatledger_messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_truncate()""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_messages_audit_delete",
        "DROP TRIGGER chatledger_sessions_rearm",
        "DROP TRIGGER chatledger_sessions_limit",
        """INSERT INTO chatledger_audit_log (action, session_id, user_id, details)
        SELECT 'kept by 0005', session_id, user_id, json_object('table', 'sessions', 'held_at', held_at)
        FROM chatledger_sessions WHERE held_at IS NOT NULL""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0005', session_id, json_object('table', 'chatledger_session_timeouts', 'archive_limit', archive_limit,
            'warn_before', warn_before, 'idle_from', idle_from, 'idle_sequence', idle_sequence, 'hard_from', hard_from)
        FROM chatledger_session_timeouts
        WHERE coalesce(archive_limit, warn_before, idle_from, idle_sequence, hard_from) IS NOT NULL""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0005', json_object('table', 'chatledger_timeout_defaults', 'scope', scope, 'scope_id', scope_id,
            'idle_limit', idle_limit, 'archive_limit', archive_limit, 'hard_limit', hard_limit,
            'warn_before', warn_before, 'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_timeout_defaults""",
        "DROP INDEX ix_chatledger_audit_log_user_id",
        "DROP INDEX ix_chatledger_sessions_expired_at",
        "DROP INDEX ix_chatledger_sessions_archived_at",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at)",
        "DROP INDEX ix_chatledger_sessions_resting_activity",
        "DROP TABLE chatledger_timeout_defaults",
        "ALTER TABLE chatledger_session_timeouts DROP COLUMN hard_from",
        "ALTER TABLE chatledger_session_timeouts DROP COLUMN idle_sequence",
        "ALTER TABLE chatledger_session_timeouts DROP COLUMN idle_from",
        "ALTER TABLE chatledger_session_timeouts DROP COLUMN warn_before",
        "ALTER TABLE chatledger_session_timeouts DROP COLUMN archive_limit",
        "ALTER TABLE chatledger_sessions DROP COLUMN held_at",
    ],
    "postgresql": [
        "DROP TRIGGER chatledger_messages_audit_truncate ON chatledger_messages",
        "DROP TRIGGER chatledger_sessions_audit_truncate ON chatledger_sessions",
        "DROP TRIGGER chatledger_messages_audit_delete ON chatledger_messages",
        "DROP TRIGGER chatledger_sessions_rearm ON chatledger_sessions",
        "DROP TRIGGER chatledger_sessions_limit ON chatledger_sessions",
        "DROP FUNCTION chatledger_audit_truncate()",
        "DROP FUNCTION chatledger_audit_messages()",
        "DROP FUNCTION chatledger_rearm()",
        "DROP FUNCTION chatledger_limit()",
        """INSERT INTO chatledger_audit_log (action, session_id, user_id, details)
        SELECT 'kept by 0005', session_id, user_id, json_build_object('table', 'sessions', 'held_at', held_at)
        FROM chatledger_sessions WHERE held_at IS NOT NULL""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0005', session_id, json_build_object('table', 'chatledger_session_timeouts', 'archive_limit', archive_limit,
            'warn_before', warn_before, 'idle_from', idle_from, 'idle_sequence', idle_sequence, 'hard_from', hard_from)
        FROM chatledger_session_timeouts
        WHERE num_nonnulls(archive_limit, warn_before, idle_from, idle_sequence, hard_from) > 0""",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0005', json_build_object('table', 'chatledger_timeout_defaults', 'scope', scope, 'scope_id', scope_id,
            'idle_limit', idle_limit, 'archive_limit', archive_limit, 'hard_limit', hard_limit,
            'warn_before', warn_before, 'created_at', created_at, 'updated_at', updated_at)
        FROM chatledger_timeout_defaults""",
        "DROP INDEX ix_chatledger_audit_log_user_id",
        "DROP INDEX ix_chatledger_sessions_expired_at",
        "DROP INDEX ix_chatledger_sessions_archived_at",
        "DROP INDEX ix_chatledger_session_timeouts_next_check_at",
        "CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at)",
        "DROP INDEX ix_chatledger_sessions_resting_activity",
        "DROP TABLE chatledger_timeout_defaults",
        """ALTER TABLE chatledger_session_timeouts
            DROP COLUMN hard_from,
            DROP COLUMN idle_sequence,
            DROP COLUMN idle_from,
            DROP COLUMN warn_before,
            DROP COLUMN archive_limit""",
        "ALTER TABLE chatledger_sessions DROP COLUMN held_at",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
