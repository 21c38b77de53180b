"""Views for those who bring their own SQL.

Why: what people ask first (how much each day, model, user and project used, when people write, what each message cost, the
sessions with their last message) without knowing how usage is kept. The views count each message once: copies that a fork,
a restored session or an imported branch made are left out, except of `message_costs`, which marks them.
On PostgreSQL the views run with the rights of whoever asks (`security_invoker`), which exists from 15 on; before,
row-level security does not reach through them.
Unsafe: nothing.
Down: drops the views.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _views(
    *,
    total: str,
    dollars: str,
    average: str,
    day: str,
    weekday: str,
    hour: str,
) -> dict[str, str]:
    """The views, with what the databases spell differently. `{}` is an expression."""

    def sums(*names: str) -> str:
        return "".join(f",\n    {total.format(f'sum(u.{name})')} AS {name}" for name in names)

    answers = "sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END)"
    usage = (
        ",\n    count(DISTINCT u.session_id) AS sessions"
        + sums("messages")
        + f",\n    {total.format(answers)} AS answers"
        + sums(
            "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "total_tokens"
        )
        + f",\n    {total.format('sum(u.cost)')} AS cost_nanodollars"
        + f",\n    {dollars.format('sum(u.cost)')} AS cost_usd"
        + f",\n    {total.format('sum(u.priced)')} AS priced_messages"
        + f",\n    {total.format('sum(u.timed)')} AS timed_messages"
        + sums("duration_ms")
        + f",\n    {average.format('sum(u.duration_ms)')} / nullif(sum(u.timed), 0) AS average_duration_ms"
        + sums("errors", "interruptions")
    )
    originals = "chatledger_session_usage AS u JOIN chatledger_sessions AS s ON s.session_id = u.session_id"
    model = "coalesce(nullif(u.model_id, ''), s.model_id)"

    return {
        "chatledger_recent_sessions": f"""
SELECT s.session_id, s.title, s.user_id, s.project_id, s.model_id, s.status, s.message_count, s.total_tokens,
    s.total_duration_ms, s.total_cost AS cost_nanodollars, {dollars.format("s.total_cost")} AS cost_usd,
    s.created_at, s.last_activity,
    (SELECT substr(m.content, 1, 200) FROM chatledger_messages AS m WHERE m.session_id = s.session_id
        ORDER BY m.sequence_number DESC LIMIT 1) AS last_message
FROM chatledger_sessions AS s""",
        "chatledger_model_statistics": f"""
SELECT {model} AS model_id, max(r.provider) AS provider, max(r.context_window) AS context_window{usage}
FROM {originals}
LEFT JOIN chatledger_models AS r ON r.model_id = {model}
WHERE u.copied = 0
GROUP BY {model}""",
        "chatledger_daily_usage": f"""
SELECT {day} AS day, s.user_id, s.project_id, {model} AS model_id{usage}
FROM {originals}
WHERE u.copied = 0
GROUP BY {day}, s.user_id, s.project_id, {model}""",
        "chatledger_hourly_activity": f"""
SELECT {weekday} AS weekday, {hour} AS hour, u.role,
    count(DISTINCT u.session_id) AS sessions{sums("messages", "total_tokens")}
FROM chatledger_session_usage AS u
WHERE u.copied = 0
GROUP BY {weekday}, {hour}, u.role""",
        "chatledger_user_usage": f"""
SELECT s.user_id{usage}
FROM {originals}
WHERE u.copied = 0
GROUP BY s.user_id""",
        "chatledger_project_usage": f"""
SELECT s.project_id{usage}
FROM {originals}
WHERE u.copied = 0
GROUP BY s.project_id""",
        "chatledger_message_costs": f"""
SELECT m.session_id, m.sequence_number, s.user_id, s.project_id,
    coalesce(nullif(m.model_id, ''), s.model_id) AS model_id, m.role, m.created_at, m.input_tokens, m.output_tokens,
    m.cached_tokens, m.cache_write_tokens, m.cache_write_1h_tokens, m.reasoning_tokens, m.unpriced_units,
    m.service_tier, m.duration_ms, m.outcome, m.copied_from, m.copied_sequence,
    m.cost AS cost_nanodollars, {dollars.format("m.cost")} AS cost_usd, m.priced_from, m.priced_as
FROM chatledger_messages AS m JOIN chatledger_sessions AS s ON s.session_id = m.session_id""",
    }


SQLITE = _views(
    total="{}",
    dollars="{} / 1000000000.0",
    average="CAST({} AS REAL)",
    day="date(u.quarter * 900, 'unixepoch')",
    weekday="(CAST(strftime('%w', u.quarter * 900, 'unixepoch') AS INTEGER) + 6) % 7 + 1",
    hour="CAST(strftime('%H', u.quarter * 900, 'unixepoch') AS INTEGER)",
)
_TIME = "to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC'"
POSTGRESQL = _views(
    total="CAST({} AS bigint)",
    dollars="CAST({} AS numeric) / 1000000000",
    average="CAST({} AS numeric)",
    day=f"CAST({_TIME} AS date)",
    weekday=f"CAST(extract(isodow FROM {_TIME}) AS integer)",
    hour=f"CAST(extract(hour FROM {_TIME}) AS integer)",
)

INVOKER = "\n".join(f"        ALTER VIEW {name} SET (security_invoker = true);" for name in POSTGRESQL)
WITH_THE_RIGHTS_OF_THE_CALLER = f"""DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
{INVOKER}
    END IF;
END $$"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _run([f"CREATE VIEW {name} AS{query}" for name, query in SQLITE.items()])
    else:
        _run([f"CREATE VIEW {name} AS{query}" for name, query in POSTGRESQL.items()])
        _run([WITH_THE_RIGHTS_OF_THE_CALLER])


def downgrade() -> None:
    _run([f"DROP VIEW {name}" for name in reversed(SQLITE)])


def _run(statements: list[str]) -> None:
    for statement in statements:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
