"""Triggers: counters, usage, times, and what is deleted with a message or a session.

Why: counters and usage equal the rows whoever writes, raw SQL included, and are moved by what is added or taken away, never
recounted. On PostgreSQL each is one function for a statement, over its transition table: a function for each row made a
bulk insert twenty times slower. Rules that keep the tables ready for sharding: a function visits sessions one by one, in
the order of their ids, so that two statements cannot wait for each other in a circle; it writes only rows of the session
that it visits; it joins its transition table with no other table; the current time is never read inside a CASE.

- Counters of the session and its usage by quarter of an hour (counted from 1970 in UTC, which the days of any time zone
  fold into exactly), role, own model, and whether the message is a copy. `model_id` is '' where a message has none: the
  session's is looked up when asked for. A time that cannot be read counts as 1970.
- Usage is kept in the append, not behind it. Without it an append takes 0.88 of the time on either database. A row of
  differences for each append, added up later, takes as long on SQLite (1.00), and on PostgreSQL 0.92 of the time, but 12 %
  more WAL (1,416 bytes an append, not 1,265), to which the adding up would come.
- A message wakes an idle session. A session that changes its status is looked at again by the next sweep: `next_check_at`
  goes back to its last activity (or to now, should that lie ahead). A new session for which a default limit holds is
  looked at by the next sweep.
- `activity_hour` follows `last_activity` when the hour changes, so that an append rewrites no index.
- The name of a session is entered in `session_names`, under its user and project, and taken out again when any of the
  three changes or the session is deleted. A name that another session has is a violation of that table's key.
- `updated_at` follows a change of the session's own fields; messages do not move it.
- Annotations of a message go with it, metrics and state of a session with the session. Each statement that deletes messages leaves an
  audit row for each session, and so does the deletion of a session. TRUNCATE is covered, too.

Functions on PostgreSQL have the schema of the tables as their only search path, so that a table of the same name elsewhere
never gets their writes.
Unsafe: the way up counts every message once; a large ledger takes a while.
Down: drops what the way up makes again and counts.

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


def _tokens(row: str) -> str:
    return f"coalesce({row}tokens_used, coalesce({row}input_tokens, 0) + coalesce({row}output_tokens, 0))"


def _measures(row: str) -> dict[str, str]:
    """What one message adds to each measure. `row` is `new.` or `old.`, or empty inside an aggregate."""
    return {
        "messages": "1",
        "input_tokens": f"coalesce({row}input_tokens, 0)",
        "output_tokens": f"coalesce({row}output_tokens, 0)",
        "cached_tokens": f"coalesce({row}cached_tokens, 0)",
        "cache_write_tokens": f"coalesce({row}cache_write_tokens, 0)",
        "reasoning_tokens": f"coalesce({row}reasoning_tokens, 0)",
        "total_tokens": _tokens(row),
        "cost": f"coalesce({row}cost, 0)",
        "priced": f"CASE WHEN {row}cost IS NULL THEN 0 ELSE 1 END",
        "duration_ms": f"coalesce({row}duration_ms, 0)",
        "timed": f"CASE WHEN {row}duration_ms IS NULL THEN 0 ELSE 1 END",
        "outcomes": f"CASE WHEN {row}outcome IS NULL THEN 0 ELSE 1 END",
        "errors": f"CASE WHEN {row}outcome = 'error' THEN 1 ELSE 0 END",
        "interruptions": f"CASE WHEN {row}outcome = 'interrupted' THEN 1 ELSE 0 END",
    }


NAMES = tuple(_measures(""))
LINES = ",\n            "
KEY = ("session_id", "quarter", "role", "model_id", "copied")
COLUMNS = ", ".join((*KEY, *NAMES))
SUMS = LINES.join(f"sum({expression}) AS {name}" for name, expression in _measures("").items())


def _add_excluded(row: str) -> str:
    return LINES.join(f"{name} = {row}{name} + excluded.{name}" for name in NAMES)


# Counters of a session from its messages, for a ledger that was written to while the triggers were away.
RECOUNT = f"""UPDATE chatledger_sessions SET
    message_count = counted.messages,
    total_tokens = counted.tokens,
    total_duration_ms = counted.duration_ms,
    total_cost = counted.cost,
    last_sequence = CASE WHEN counted.last > last_sequence THEN counted.last ELSE last_sequence END
FROM (
    SELECT s.session_id AS counted_id,
        count(m.session_id) AS messages,
        coalesce(sum({_tokens("m.")}), 0) AS tokens,
        coalesce(sum(m.duration_ms), 0) AS duration_ms,
        coalesce(sum(m.cost), 0) AS cost,
        coalesce(max(m.sequence_number), 0) AS last
    FROM chatledger_sessions AS s LEFT JOIN chatledger_messages AS m ON m.session_id = s.session_id
    GROUP BY s.session_id
) AS counted
WHERE counted.counted_id = session_id"""


def _count_usage(key: str) -> str:
    return f"""INSERT INTO chatledger_session_usage ({COLUMNS})
    SELECT {key},
        {SUMS}
    FROM chatledger_messages WHERE session_id IN (SELECT session_id FROM chatledger_sessions)
    GROUP BY 1, 2, 3, 4, 5"""


# ---------------------------------------------------------------------------------------------------------------- SQLite


def _sqlite_quarter(row: str) -> str:
    # Counted from the year 1, whose seconds are not negative: a division of integers cuts towards zero.
    return f"coalesce((strftime('%s', substr({row}created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)"


def _sqlite_key(row: str) -> str:
    return (
        f"{row}session_id, {_sqlite_quarter(row)}, {row}role, coalesce({row}model_id, ''), {row}copied_from IS NOT NULL"
    )


NAME_KEY = "user_id = coalesce({0}.user_id, '') AND project_id = coalesce({0}.project_id, '') AND name = {0}.name"
TAKE_OUT_NAME = f"DELETE FROM chatledger_session_names WHERE {NAME_KEY.format('old')} AND session_id = old.session_id;"
# A service has entered it before, to learn whether it is free.
ENTER_NAME = f"""INSERT INTO chatledger_session_names (user_id, project_id, name, session_id)
    SELECT coalesce(new.user_id, ''), coalesce(new.project_id, ''), new.name, new.session_id
    WHERE new.name IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM chatledger_session_names WHERE {NAME_KEY.format("new")} AND session_id = new.session_id
    );"""
# Of sessions that have one name, which triggers would have refused, the oldest keeps it.
ENTER_ALL_NAMES = """INSERT INTO chatledger_session_names (user_id, project_id, name, session_id)
SELECT coalesce(user_id, ''), coalesce(project_id, ''), name, session_id FROM chatledger_sessions
WHERE name IS NOT NULL ORDER BY created_at, session_id
ON CONFLICT DO NOTHING"""

NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"

COUNT_NEW = f"""UPDATE chatledger_sessions SET
        message_count = message_count + 1,
        total_tokens = total_tokens + {_tokens("new.")},
        total_duration_ms = total_duration_ms + coalesce(new.duration_ms, 0),
        total_cost = total_cost + coalesce(new.cost, 0),
        last_sequence = max(last_sequence, new.sequence_number)"""
UNCOUNT_OLD = f"""UPDATE chatledger_sessions SET
        message_count = message_count - 1,
        total_tokens = total_tokens - {_tokens("old.")},
        total_duration_ms = total_duration_ms - coalesce(old.duration_ms, 0),
        total_cost = total_cost - coalesce(old.cost, 0)
    WHERE session_id = old.session_id;"""
USE_NEW = f"""INSERT INTO chatledger_session_usage ({COLUMNS})
    VALUES ({_sqlite_key("new.")},
            {LINES.join(_measures("new.").values())})
    ON CONFLICT ({", ".join(KEY)}) DO UPDATE SET
            {_add_excluded("")};"""
OLD_CELL = f"""session_id = old.session_id AND quarter = {_sqlite_quarter("old.")}
        AND role = old.role AND model_id = coalesce(old.model_id, '') AND copied = (old.copied_from IS NOT NULL)"""
UNUSE_OLD = f"""UPDATE chatledger_session_usage SET
            {LINES.join(f"{name} = {name} - ({expression})" for name, expression in _measures("old.").items())}
    WHERE {OLD_CELL};
    DELETE FROM chatledger_session_usage WHERE {OLD_CELL} AND messages = 0;"""
LAST_AUDIT = f"""audit_id = (SELECT max(audit_id) FROM chatledger_audit_log)
            AND action = 'messages.deleted' AND session_id = old.session_id AND actor IS NULL AND at = {NOW}"""

SQLITE = {
    "chatledger_messages_count_insert": f"""AFTER INSERT ON chatledger_messages
BEGIN
    {COUNT_NEW},
        last_activity = max(last_activity, new.created_at)
    WHERE session_id = new.session_id;
END""",
    "chatledger_messages_count_delete": f"""AFTER DELETE ON chatledger_messages
BEGIN
    {UNCOUNT_OLD}
END""",
    "chatledger_messages_count_update": f"""
AFTER UPDATE OF session_id, sequence_number, input_tokens, output_tokens, tokens_used, duration_ms, cost
ON chatledger_messages
BEGIN
    {UNCOUNT_OLD}
    {COUNT_NEW}
    WHERE session_id = new.session_id;
END""",
    "chatledger_messages_usage_insert": f"""AFTER INSERT ON chatledger_messages
BEGIN
    {USE_NEW}
END""",
    "chatledger_messages_usage_delete": f"""AFTER DELETE ON chatledger_messages
BEGIN
    {UNUSE_OLD}
END""",
    "chatledger_messages_usage_update": f"""
AFTER UPDATE OF session_id, role, model_id, input_tokens, output_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, tokens_used, duration_ms, cost, outcome, created_at, copied_from
ON chatledger_messages
BEGIN
    {UNUSE_OLD}
    {USE_NEW}
END""",
    "chatledger_messages_wake": """AFTER INSERT ON chatledger_messages
WHEN (SELECT status FROM chatledger_sessions WHERE session_id = new.session_id) = 'idle'
BEGIN
    UPDATE chatledger_sessions SET status = 'active', updated_at = max(updated_at, new.created_at)
    WHERE session_id = new.session_id;
END""",
    "chatledger_messages_annotations_delete": """AFTER DELETE ON chatledger_messages
BEGIN
    DELETE FROM chatledger_annotations
    WHERE session_id = old.session_id AND sequence_number = old.sequence_number;
END""",
    # One row for a statement: the rows that follow find the row of the first.
    "chatledger_messages_audit_delete": f"""AFTER DELETE ON chatledger_messages
WHEN EXISTS (SELECT 1 FROM chatledger_sessions WHERE session_id = old.session_id)
BEGIN
    UPDATE chatledger_audit_log SET count = count + 1
    WHERE {LAST_AUDIT};
    INSERT INTO chatledger_audit_log (action, session_id, user_id)
    SELECT 'messages.deleted', session_id, user_id FROM chatledger_sessions
    WHERE session_id = old.session_id AND NOT EXISTS (
        SELECT 1 FROM chatledger_audit_log
        WHERE {LAST_AUDIT}
    );
END""",
    "chatledger_sessions_activity_insert": """AFTER INSERT ON chatledger_sessions
WHEN new.activity_hour IS NOT substr(new.last_activity, 1, 13)
BEGIN
    UPDATE chatledger_sessions SET activity_hour = substr(new.last_activity, 1, 13)
    WHERE session_id = new.session_id;
END""",
    "chatledger_sessions_activity_update": """AFTER UPDATE OF last_activity, activity_hour ON chatledger_sessions
WHEN new.activity_hour IS NOT substr(new.last_activity, 1, 13)
BEGIN
    UPDATE chatledger_sessions SET activity_hour = substr(new.last_activity, 1, 13)
    WHERE session_id = new.session_id;
END""",
    "chatledger_sessions_updated_at": f"""
AFTER UPDATE OF user_id, project_id, model_id, title, system_prompt, status, context, expired_at, archived_at, name,
    parent_id
ON chatledger_sessions
WHEN new.updated_at IS old.updated_at
BEGIN
    UPDATE chatledger_sessions SET updated_at = {NOW} WHERE session_id = new.session_id;
END""",
    "chatledger_sessions_name_insert": f"""AFTER INSERT ON chatledger_sessions
WHEN new.name IS NOT NULL
BEGIN
    {ENTER_NAME}
END""",
    "chatledger_sessions_name_update": f"""AFTER UPDATE OF session_id, user_id, project_id, name ON chatledger_sessions
WHEN coalesce(new.name, old.name) IS NOT NULL
    AND (new.name IS NOT old.name OR new.user_id IS NOT old.user_id OR new.project_id IS NOT old.project_id
        OR new.session_id <> old.session_id)
BEGIN
    {TAKE_OUT_NAME}
    {ENTER_NAME}
END""",
    "chatledger_sessions_name_delete": f"""AFTER DELETE ON chatledger_sessions
WHEN old.name IS NOT NULL
BEGIN
    {TAKE_OUT_NAME}
END""",
    "chatledger_sessions_limit": f"""AFTER INSERT ON chatledger_sessions
WHEN EXISTS (
    SELECT 1 FROM chatledger_timeout_defaults
    WHERE scope = 'ledger'
        OR (scope = 'project' AND scope_id = new.project_id) OR (scope = 'user' AND scope_id = new.user_id)
)
BEGIN
    INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
    VALUES (new.session_id, min(new.created_at, {NOW}));
END""",
    "chatledger_sessions_rearm": f"""AFTER UPDATE OF status ON chatledger_sessions
WHEN new.status IS NOT old.status
BEGIN
    UPDATE chatledger_session_timeouts SET next_check_at =
        CASE WHEN new.status IN ('active', 'idle', 'paused') THEN min(new.last_activity, {NOW}) END
    WHERE session_id = new.session_id;
END""",
    "chatledger_sessions_metrics_delete": """AFTER DELETE ON chatledger_sessions
BEGIN
    DELETE FROM chatledger_performance_metrics WHERE session_id = old.session_id;
    DELETE FROM chatledger_state WHERE scope = 'session' AND scope_id = old.session_id;
END""",
    "chatledger_sessions_audit_delete": """AFTER DELETE ON chatledger_sessions
BEGIN
    INSERT INTO chatledger_audit_log (action, session_id, user_id, count, details)
    VALUES ('session.deleted', old.session_id, old.user_id, 1, json_object('messages', old.message_count));
END""",
}

UP_SQLITE = [
    "UPDATE chatledger_sessions SET activity_hour = substr(last_activity, 1, 13)",
    RECOUNT,
    "DELETE FROM chatledger_session_usage",
    _count_usage(_sqlite_key("")),
    "DELETE FROM chatledger_session_names",
    ENTER_ALL_NAMES,
    *(f"CREATE TRIGGER {name} {body.strip()}" for name, body in SQLITE.items()),
]
DOWN_SQLITE = [f"DROP TRIGGER {name}" for name in SQLITE]


# ------------------------------------------------------------------------------------------------------------ PostgreSQL

HOUR = "date_trunc('hour', last_activity AT TIME ZONE 'UTC')"
POSTGRESQL_KEY = (
    "session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END,"
    " role, coalesce(model_id, ''), (copied_from IS NOT NULL)::int"
)


def _cells(rows: str) -> str:
    """The usage of a statement's rows, and what sessions are to learn of them."""
    return f"""SELECT {POSTGRESQL_KEY.replace("END,", "END AS quarter,").replace("'')", "'') AS model_id")} AS copied,
            {SUMS},
            max(sequence_number) AS last, max(created_at) AS newest
        FROM {rows} GROUP BY 1, 2, 3, 4, 5"""


def _count_session(prefix: str) -> str:
    """Add up a session's messages: those of the cell, or with `all_` those of all its cells."""
    return f"""UPDATE chatledger_sessions SET
                message_count = message_count + cell.{prefix}messages,
                total_tokens = total_tokens + cell.{prefix}total_tokens,
                total_duration_ms = total_duration_ms + cell.{prefix}duration_ms,
                total_cost = total_cost + cell.{prefix}cost,
                last_sequence = greatest(last_sequence, cell.{prefix}last),
                last_activity = greatest(last_activity, cell.{prefix}newest),
                updated_at = CASE WHEN status = 'idle' THEN greatest(updated_at, cell.{prefix}newest) ELSE updated_at END,
                status = CASE WHEN status = 'idle' THEN 'active' ELSE status END
            WHERE session_id = cell.session_id;"""


# Beside each cell the sums of its session; the first cell of a session brings them to its row.
OF_SESSION = """sum(c.messages) OVER s AS all_messages, sum(c.total_tokens) OVER s AS all_total_tokens,
            sum(c.duration_ms) OVER s AS all_duration_ms, sum(c.cost) OVER s AS all_cost,
            max(c.last) OVER s AS all_last, max(c.newest) OVER s AS all_newest,
            row_number() OVER (PARTITION BY c.session_id ORDER BY c.quarter, c.role, c.model_id, c.copied) = 1 AS first"""
ORDERED = "ORDER BY c.session_id, c.quarter, c.role, c.model_id, c.copied"
CELL = " AND ".join(f"u.{name} = cell.{name}" for name in KEY)
MOVE_CELL = f"""UPDATE chatledger_session_usage AS u SET
            {LINES.join(f"{name} = u.{name} + cell.{name}" for name in NAMES)}
        WHERE {CELL};"""
# A message without a session, which a connection without foreign keys can leave behind, has no usage.
ADD_CELL = f"""IF NOT FOUND AND known AND cell.messages > 0 THEN
            INSERT INTO chatledger_session_usage AS u ({COLUMNS})
            VALUES ({", ".join(f"cell.{name}" for name in (*KEY, *NAMES))})
            ON CONFLICT ON CONSTRAINT pk_chatledger_session_usage DO UPDATE SET
            {_add_excluded("u.")};
        END IF;"""
DROP_EMPTY_CELL = f"DELETE FROM chatledger_session_usage AS u WHERE {CELL} AND u.messages = 0;"
# One message, as nearly every append is. Without groups and windows it is counted in half the time.
ONLY_CELL = f"""SELECT {POSTGRESQL_KEY.replace("END,", "END AS quarter,").replace("'')", "'') AS model_id")} AS copied,
        {LINES.join(f"{expression} AS {name}" for name, expression in _measures("").items())},
        sequence_number AS last, created_at AS newest, (SELECT count(*) FROM new_rows) AS rows
    INTO cell FROM new_rows LIMIT 1;"""
DIFFERENCE = LINES.join(f"sum({name}) AS {name}" for name in NAMES)

FUNCTIONS = {
    "chatledger_count_insert": f"""
DECLARE
    cell record;
    known boolean;
BEGIN
    {ONLY_CELL}
    IF cell.rows = 1 THEN
        {_count_session("")}
        known := FOUND;
        {MOVE_CELL}
        {ADD_CELL}
        RETURN NULL;
    END IF;
    FOR cell IN
        SELECT c.*, {OF_SESSION}
        FROM ({_cells("new_rows")}) AS c WINDOW s AS (PARTITION BY c.session_id) {ORDERED}
    LOOP
        IF cell.first THEN
            {_count_session("all_")}
            known := FOUND;
        END IF;
        {MOVE_CELL}
        {ADD_CELL}
    END LOOP;
    RETURN NULL;
END""",
    # Where no session remains, as in a purge, nothing is grouped: all of its usage is deleted, of damaged ledgers too.
    "chatledger_count_delete": f"""
DECLARE
    cell record;
    visited record;
    known boolean := false;
BEGIN
    FOR visited IN SELECT DISTINCT session_id FROM old_rows ORDER BY session_id
    LOOP
        known := EXISTS (SELECT FROM chatledger_sessions WHERE session_id = visited.session_id);
        EXIT WHEN known;
        DELETE FROM chatledger_session_usage WHERE session_id = visited.session_id;
    END LOOP;
    IF NOT known THEN
        RETURN NULL;
    END IF;
    FOR cell IN
        SELECT c.session_id, c.quarter, c.role, c.model_id, c.copied,
            {LINES.join(f"-c.{name} AS {name}" for name in NAMES)}, {OF_SESSION}
        FROM ({_cells("old_rows")}) AS c WINDOW s AS (PARTITION BY c.session_id) {ORDERED}
    LOOP
        IF cell.first THEN
            UPDATE chatledger_sessions SET
                message_count = message_count - cell.all_messages,
                total_tokens = total_tokens - cell.all_total_tokens,
                total_duration_ms = total_duration_ms - cell.all_duration_ms,
                total_cost = total_cost - cell.all_cost
            WHERE session_id = cell.session_id;
        END IF;
        {MOVE_CELL}
        {DROP_EMPTY_CELL}
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_count_update": f"""
DECLARE
    cell record;
    known boolean;
BEGIN
    FOR cell IN
        SELECT c.*, {OF_SESSION}
        FROM (
            SELECT session_id, quarter, role, model_id, copied,
            {DIFFERENCE},
            max(last) AS last, max(newest) AS newest
            FROM (
                {_cells("new_rows")}
                UNION ALL
                SELECT session_id, quarter, role, model_id, copied,
                    {", ".join(f"-{name}" for name in NAMES)}, 0, newest
                FROM ({_cells("old_rows")}) AS before
            ) AS both_sides
            GROUP BY 1, 2, 3, 4, 5
        ) AS c WINDOW s AS (PARTITION BY c.session_id) {ORDERED}
    LOOP
        IF cell.first THEN
            UPDATE chatledger_sessions SET
                message_count = message_count + cell.all_messages,
                total_tokens = total_tokens + cell.all_total_tokens,
                total_duration_ms = total_duration_ms + cell.all_duration_ms,
                total_cost = total_cost + cell.all_cost,
                last_sequence = greatest(last_sequence, cell.all_last)
            WHERE session_id = cell.session_id
                AND (cell.all_messages <> 0 OR cell.all_total_tokens <> 0 OR cell.all_duration_ms <> 0 OR cell.all_cost <> 0
                    OR cell.all_last > last_sequence);
            known := FOUND OR EXISTS (SELECT FROM chatledger_sessions WHERE session_id = cell.session_id);
        END IF;
        CONTINUE WHEN ({" AND ".join(f"cell.{name} = 0" for name in NAMES)});
        {MOVE_CELL}
        {ADD_CELL}
        {DROP_EMPTY_CELL}
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_count_truncate": """
BEGIN
    UPDATE chatledger_sessions SET message_count = 0, total_tokens = 0, total_duration_ms = 0, total_cost = 0
    WHERE message_count <> 0;
    DELETE FROM chatledger_session_usage;
    RETURN NULL;
END""",
    "chatledger_annotations_delete": """
DECLARE
    gone record;
BEGIN
    FOR gone IN
        SELECT session_id, array_agg(sequence_number) AS numbers FROM old_rows GROUP BY session_id ORDER BY session_id
    LOOP
        DELETE FROM chatledger_annotations WHERE session_id = gone.session_id AND sequence_number = ANY(gone.numbers);
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_annotations_truncate": """
BEGIN
    DELETE FROM chatledger_annotations WHERE sequence_number IS NOT NULL;
    RETURN NULL;
END""",
    "chatledger_audit_messages": """
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT session_id, count(*) AS messages FROM old_rows GROUP BY session_id ORDER BY session_id
    LOOP
        INSERT INTO chatledger_audit_log (action, session_id, user_id, count)
        SELECT 'messages.deleted', session_id, user_id, gone.messages
        FROM chatledger_sessions WHERE session_id = gone.session_id;
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_audit_delete": """
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT session_id, user_id, message_count FROM old_rows ORDER BY session_id
    LOOP
        INSERT INTO chatledger_audit_log (action, session_id, user_id, count, details)
        VALUES ('session.deleted', gone.session_id, gone.user_id, 1, json_build_object('messages', gone.message_count));
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_audit_truncate": """
BEGIN
    IF TG_TABLE_NAME = 'chatledger_sessions' THEN
        INSERT INTO chatledger_audit_log (action, count) SELECT 'sessions.truncated', count(*) FROM chatledger_sessions;
    ELSE
        INSERT INTO chatledger_audit_log (action, count) SELECT 'messages.truncated', count(*) FROM chatledger_messages;
    END IF;
    RETURN NULL;
END""",
    "chatledger_metrics_delete": """
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT session_id FROM old_rows ORDER BY session_id
    LOOP
        DELETE FROM chatledger_performance_metrics WHERE session_id = gone.session_id;
        DELETE FROM chatledger_state WHERE scope = 'session' AND scope_id = gone.session_id;
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_metrics_truncate": """
BEGIN
    DELETE FROM chatledger_performance_metrics WHERE session_id <> '';
    DELETE FROM chatledger_state WHERE scope = 'session';
    DELETE FROM chatledger_session_names;
    RETURN NULL;
END""",
    "chatledger_name": f"""
BEGIN
    IF TG_OP <> 'INSERT' THEN
        {TAKE_OUT_NAME}
    END IF;
    IF TG_OP <> 'DELETE' THEN
        {ENTER_NAME}
    END IF;
    RETURN NULL;
END""",
    "chatledger_limit": """
DECLARE
    added record;
BEGIN
    FOR added IN SELECT session_id, user_id, project_id, created_at FROM new_rows ORDER BY session_id
    LOOP
        IF EXISTS (
            SELECT FROM chatledger_timeout_defaults
            WHERE scope = 'ledger'
                OR (scope = 'project' AND scope_id = added.project_id) OR (scope = 'user' AND scope_id = added.user_id)
        ) THEN
            INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
            VALUES (added.session_id, least(added.created_at, CURRENT_TIMESTAMP));
        END IF;
    END LOOP;
    RETURN NULL;
END""",
    "chatledger_rearm": """
DECLARE
    due timestamptz;
BEGIN
    IF NEW.status IN ('active', 'idle', 'paused') THEN
        due := least(NEW.last_activity, CURRENT_TIMESTAMP);
    END IF;
    UPDATE chatledger_session_timeouts SET next_check_at = due WHERE session_id = NEW.session_id;
    RETURN NULL;
END""",
    "chatledger_activity": f"""
BEGIN
    NEW.activity_hour := {HOUR.replace("last_activity", "NEW.last_activity")};
    RETURN NEW;
END""",
    "chatledger_touch": """
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END""",
}

OLD_ROWS = "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT"
NEW_ROWS = "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT"
BOTH_ROWS = "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT"
FIELDS = (
    "user_id",
    "project_id",
    "model_id",
    "title",
    "system_prompt",
    "status",
    "context",
    "expired_at",
    "archived_at",
    "name",
    "parent_id",
)
IS_TOUCHED = " OR ".join(
    f"NEW.{name}::text IS DISTINCT FROM OLD.{name}::text"
    if name == "context"
    else f"NEW.{name} IS DISTINCT FROM OLD.{name}"
    for name in FIELDS
)
NAME_DIFFERS = (
    "coalesce(NEW.name, OLD.name) IS NOT NULL AND ("
    + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in ("name", "user_id", "project_id", "session_id"))
    + ")"
)
HOUR_DIFFERS = f"NEW.activity_hour IS DISTINCT FROM {HOUR.replace('last_activity', 'NEW.last_activity')}"

# Name, table, when, function.
POSTGRESQL = (
    ("chatledger_messages_count_insert", "messages", f"AFTER INSERT ON {{}} {NEW_ROWS}", "count_insert"),
    ("chatledger_messages_count_delete", "messages", f"AFTER DELETE ON {{}} {OLD_ROWS}", "count_delete"),
    ("chatledger_messages_count_update", "messages", f"AFTER UPDATE ON {{}} {BOTH_ROWS}", "count_update"),
    ("chatledger_messages_count_truncate", "messages", "AFTER TRUNCATE ON {} FOR EACH STATEMENT", "count_truncate"),
    ("chatledger_messages_annotations_delete", "messages", f"AFTER DELETE ON {{}} {OLD_ROWS}", "annotations_delete"),
    (
        "chatledger_messages_annotations_truncate", "messages",
        "AFTER TRUNCATE ON {} FOR EACH STATEMENT", "annotations_truncate",
    ),
    ("chatledger_messages_audit_delete", "messages", f"AFTER DELETE ON {{}} {OLD_ROWS}", "audit_messages"),
    ("chatledger_messages_audit_truncate", "messages", "BEFORE TRUNCATE ON {} FOR EACH STATEMENT", "audit_truncate"),
    (
        "chatledger_sessions_activity_insert", "sessions",
        f"BEFORE INSERT ON {{}} FOR EACH ROW WHEN ({HOUR_DIFFERS})", "activity",
    ),
    (
        "chatledger_sessions_activity_update", "sessions",
        f"BEFORE UPDATE OF last_activity, activity_hour ON {{}} FOR EACH ROW WHEN ({HOUR_DIFFERS})", "activity",
    ),
    (
        "chatledger_sessions_updated_at", "sessions",
        f"BEFORE UPDATE OF {', '.join(FIELDS)} ON {{}} FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at AND ({IS_TOUCHED}))",
        "touch",
    ),
    ("chatledger_sessions_name_insert", "sessions", "AFTER INSERT ON {} FOR EACH ROW WHEN (NEW.name IS NOT NULL)", "name"),
    (
        "chatledger_sessions_name_update", "sessions",
        f"AFTER UPDATE OF session_id, user_id, project_id, name ON {{}} FOR EACH ROW WHEN ({NAME_DIFFERS})",
        "name",
    ),
    ("chatledger_sessions_name_delete", "sessions", "AFTER DELETE ON {} FOR EACH ROW WHEN (OLD.name IS NOT NULL)", "name"),
    ("chatledger_sessions_limit", "sessions", f"AFTER INSERT ON {{}} {NEW_ROWS}", "limit"),
    (
        "chatledger_sessions_rearm", "sessions",
        "AFTER UPDATE OF status ON {} FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status)", "rearm",
    ),
    ("chatledger_sessions_metrics_delete", "sessions", f"AFTER DELETE ON {{}} {OLD_ROWS}", "metrics_delete"),
    ("chatledger_sessions_metrics_truncate", "sessions", "AFTER TRUNCATE ON {} FOR EACH STATEMENT", "metrics_truncate"),
    ("chatledger_sessions_audit_delete", "sessions", f"AFTER DELETE ON {{}} {OLD_ROWS}", "audit_delete"),
    ("chatledger_sessions_audit_truncate", "sessions", "BEFORE TRUNCATE ON {} FOR EACH STATEMENT", "audit_truncate"),
)  # fmt: skip

# The schema is known only where the revision runs, perhaps from a script.
PIN = r"""DO $$
DECLARE
    function regprocedure;
BEGIN
    FOR function IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'chatledger\_%' AND prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', function, current_schema());
    END LOOP;
END $$"""

UP_POSTGRESQL = [
    f"UPDATE chatledger_sessions SET activity_hour = {HOUR}",
    RECOUNT,
    "DELETE FROM chatledger_session_usage",
    _count_usage(POSTGRESQL_KEY),
    "DELETE FROM chatledger_session_names",
    ENTER_ALL_NAMES,
    *(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body} $$" for name, body in FUNCTIONS.items()),
    PIN,
    *(
        f"CREATE TRIGGER {name} {when.format('chatledger_' + table)} EXECUTE FUNCTION chatledger_{function}()"
        for name, table, when, function in POSTGRESQL
    ),
]
DOWN_POSTGRESQL = [
    *(f"DROP TRIGGER {name} ON chatledger_{table}" for name, table, *_ in POSTGRESQL),
    *(f"DROP FUNCTION {name}()" for name in FUNCTIONS),
]


def upgrade() -> None:
    _run(UP_SQLITE if op.get_context().dialect.name == "sqlite" else UP_POSTGRESQL)


def downgrade() -> None:
    _run(DOWN_SQLITE if op.get_context().dialect.name == "sqlite" else DOWN_POSTGRESQL)


def _run(statements: list[str]) -> None:
    for statement in statements:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
