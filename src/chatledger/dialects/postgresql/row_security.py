"""Row-level security: a role of the server that sees the rows of one user at a time, whatever SQL it runs.

The user is a setting of the transaction. Where it is not set, the role sees no rows, and writes none. The owner of the
tables is not limited, nor is a superuser.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, text

from chatledger.errors import InvalidInput

SETTING = "chatledger.user_id"
"""The setting of a transaction that names its user."""

_USER = f"nullif(current_setting('{SETTING}', true), '')"


def _in_own(table: str, key: str, parent: str) -> str:
    """Rows of a table that belong to a row of the user's in another."""
    return f"EXISTS (SELECT 1 FROM {parent} AS own WHERE own.{key} = {table}.{key} AND own.user_id = {_USER})"


_OF_SESSIONS = (
    "annotations", "graph_checkpoints", "graph_writes", "messages", "session_metadata", "session_snapshots",
    "session_timeouts", "session_usage",
)  # fmt: skip
_OF_USERS = ("batch_jobs", "comparison_groups", "session_names", "sessions", "workflow_executions", "workflows")

VISIBLE: dict[str, str] = {
    **{f"chatledger_{name}": f"user_id = {_USER}" for name in _OF_USERS},
    **{
        f"chatledger_{name}": _in_own(f"chatledger_{name}", "session_id", "chatledger_sessions")
        for name in _OF_SESSIONS
    },
    "chatledger_audit_log": f"user_id = {_USER}",
    "chatledger_batch_items": _in_own("chatledger_batch_items", "job_id", "chatledger_batch_jobs"),
    "chatledger_comparison_results": _in_own(
        "chatledger_comparison_results", "group_id", "chatledger_comparison_groups"
    ),
    "chatledger_comparison_sessions": _in_own(
        "chatledger_comparison_sessions", "group_id", "chatledger_comparison_groups"
    ),
    "chatledger_performance_metrics": f"user_id = {_USER} OR "
    + _in_own("chatledger_performance_metrics", "session_id", "chatledger_sessions"),
    # Those that hold sessions of the user, or none of others: a new one has none yet.
    "chatledger_projects": "chatledger_may_join(project_id)",
    "chatledger_state": (
        f"(scope = 'user' AND scope_id = {_USER}) OR (scope = 'session' AND EXISTS (SELECT 1 FROM chatledger_sessions"
        f" AS own WHERE own.session_id = chatledger_state.scope_id AND own.user_id = {_USER}))"
    ),
    "chatledger_timeout_defaults": f"scope <> 'user' OR scope_id = {_USER}",
    "chatledger_workflow_steps": _in_own("chatledger_workflow_steps", "execution_id", "chatledger_workflow_executions"),
}
"""Which rows of each table the role sees."""

_WRITABLE: dict[str, str] = {
    # What is done to several users' rows at once is nobody's; it can be written and not be read.
    "chatledger_audit_log": f"user_id IS NULL OR user_id = {_USER}",
    "chatledger_sessions": f"user_id = {_USER} AND (project_id IS NULL OR chatledger_may_join(project_id))",
    "chatledger_timeout_defaults": f"scope = 'user' AND scope_id = {_USER}",
}
"""Which rows it may write, where these are not those that it sees."""

SHARED: dict[str, str] = {
    "chatledger_models": "SELECT, INSERT",
    "chatledger_model_prices": "SELECT",
    "chatledger_model_price_tiers": "SELECT",
    "chatledger_version": "SELECT",
}
"""Tables that hold nothing of a user, and what the role may do with them. A new model is registered with its first
message."""

# Whether a project has no sessions of others, or one of the user: with the rights of the owner, who sees all sessions.
_MAY_JOIN = f"""
    CREATE OR REPLACE FUNCTION chatledger_may_join(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
        SELECT NOT EXISTS (
                SELECT 1 FROM chatledger_sessions WHERE project_id = wanted AND user_id IS DISTINCT FROM {_USER}
            )
            OR EXISTS (SELECT 1 FROM chatledger_sessions WHERE project_id = wanted AND user_id = {_USER})
    $$"""


def secure(connection: Connection, role: str, *, leakproof_search: bool = False) -> None:
    """Limit a role to the rows of the user that its transactions name, and give it the rights that a ledger needs.

    `leakproof_search` tells the server, which only a superuser may, that the operator of its full text gives nothing
    away about rows that the policies hide; else each search reads all messages of the user's.

    Raises:
        InvalidInput: there is no such role, or it is a superuser, bypasses the policies, or owns the tables.
    """
    _require_ordinary(connection, role)
    name, policy = _quoted(role), _quoted(_policy_name(role))
    run = _runner(connection)
    run(_MAY_JOIN)
    run("REVOKE ALL ON FUNCTION chatledger_may_join(text) FROM PUBLIC")
    run(f"GRANT EXECUTE ON FUNCTION chatledger_may_join(text) TO {name}")
    schema = _quoted(str(connection.execute(text("SELECT current_schema()")).scalar_one()))
    run(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    for table, condition in VISIBLE.items():
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run(f"DROP POLICY IF EXISTS {policy} ON {table}")
        writable = _WRITABLE.get(table, condition)
        if table == "chatledger_projects":  # a new one is nobody's until its first session is there
            run(f"DROP POLICY IF EXISTS {_quoted(_policy_name(role, 'new'))} ON {table}")
            run(f"CREATE POLICY {policy} ON {table} FOR SELECT TO {name} USING ({condition})")
            new = _quoted(_policy_name(role, "new"))
            run(f"CREATE POLICY {new} ON {table} FOR INSERT TO {name} WITH CHECK (true)")
            run(f"GRANT SELECT, INSERT ON {table} TO {name}")
            continue
        run(f"CREATE POLICY {policy} ON {table} TO {name} USING ({condition}) WITH CHECK ({writable})")
        run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {name}")
    for table, rights in SHARED.items():
        run(f"GRANT {rights} ON {table} TO {name}")
    if leakproof_search:
        run("ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF")


def unsecure(connection: Connection, role: str) -> None:
    """Take back what `secure` did for a role. Where no other role has policies, the tables are as they were before.

    Raises:
        InvalidInput: there is no such role.
    """
    _require(connection, role)
    name, run = _quoted(role), _runner(connection)
    for table in VISIBLE:
        for kind in ("", "new"):
            run(f"DROP POLICY IF EXISTS {_quoted(_policy_name(role, kind))} ON {table}")
    for table in (*VISIBLE, *SHARED):
        run(f"REVOKE ALL ON {table} FROM {name}")
    if secured_roles(connection):
        return
    for table in VISIBLE:
        run(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    run("DROP FUNCTION IF EXISTS chatledger_may_join(text)")


def secured_roles(connection: Connection) -> list[str]:
    """The roles that the policies limit."""
    found = connection.execute(
        text(
            "SELECT DISTINCT unnest(roles)::text FROM pg_policies WHERE schemaname = current_schema()"
            " AND tablename = 'chatledger_sessions' AND policyname LIKE 'chatledger%' ORDER BY 1"
        )
    )
    return [str(role) for role in found.scalars()]


def is_limited(connection: Connection) -> bool:
    """Whether the policies limit the role of this connection."""
    found = connection.execute(
        text("SELECT row_security_active(c.oid) FROM pg_class AS c WHERE c.oid = to_regclass('chatledger_sessions')")
    )
    return found.scalar() is True


def set_user(connection: Connection, user_id: str) -> None:
    """Name the user of the transaction."""
    connection.execute(text(f"SELECT set_config('{SETTING}', :user, true)"), {"user": user_id})


def _runner(connection: Connection) -> Callable[[str], object]:
    # The driver would take a percent sign in a name for a parameter.
    return lambda statement: connection.exec_driver_sql(statement.replace("%", "%%"))


def _policy_name(role: str, kind: str = "") -> str:
    """The name of a role's policies: at most 63 bytes, as all names of the server."""
    return f"chatledger{f'_{kind}' if kind else ''}_{role}".encode()[:63].decode(errors="ignore")


def _require(connection: Connection, role: str) -> tuple[bool, bool]:
    found = connection.execute(
        text("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).one_or_none()
    if found is None:
        raise InvalidInput("role", f"{role!r} does not exist: create it with CREATE ROLE … LOGIN")
    return bool(found[0]), bool(found[1])


def _require_ordinary(connection: Connection, role: str) -> None:
    is_super, bypasses = _require(connection, role)
    if is_super or bypasses:
        raise InvalidInput("role", f"{role!r} is a superuser or has BYPASSRLS, which no policy limits")
    owns = connection.execute(
        text(
            "SELECT pg_has_role(:role, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('chatledger_sessions')"
        ),
        {"role": role},
    ).scalar()
    if owns:
        raise InvalidInput("role", f"{role!r} owns the tables, which no policy limits: use another role")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
