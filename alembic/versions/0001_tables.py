"""Tables and indexes.

Why: the whole of the store. Names begin with `chatledger_`, so that the tables can live beside an application's own.

- Every key of a table that belongs to a session begins with `session_id`, and foreign keys go only to sessions or, from
  prices, to models, so that the same tables can be partitioned or sharded by session. Projects and models are named by
  soft ids: registering a name must not make other sessions that use the same name wait.
- The audit log and the metrics carry the session in their key, '' where there is none, for the same reason. They have no
  foreign key: an audit row outlives its session. On SQLite their number alone is the key, since AUTOINCREMENT, which
  never hands out a number twice, needs it.
- `messages.message_id` exists on SQLite only: full text needs an integer key that VACUUM does not change.
- Tables are STRICT on SQLite, so that a wrong type is refused there as it is on PostgreSQL. JSON is kept as text (json,
  not jsonb), so that numbers and the order of keys come back unchanged.
- Lists are indexed by `sessions.activity_hour`, a plain column that a trigger moves when the hour changes. An index on
  `last_activity` itself would be rewritten by every append, and so would one on a generated column on SQLite. The free
  space of the fill factor lets PostgreSQL update the session in place (HOT).
- The lists of a user, a project or a model ask PostgreSQL for `activity_hour DESC NULLS LAST`, which is the order of their own
  indexes and not that of the index on the hour alone. Otherwise the planner, which takes a user's sessions to be spread over
  all times, walks that index through everybody's newer sessions for a user whose sessions are old.
- `messages.copied_from` and `copied_sequence` name the message that a fork, a restored copy or an imported branch was
  copied from, so that statistics and search can leave copies out. `session_usage` keeps copies in rows of their own.
- Sessions are found by the entries of their metadata, so these are indexed by key and value. PostgreSQL refuses keys of an
  index beyond 2.7 kB and cannot compare `json`, so it indexes the first 200 characters of the text, and the query asks
  for those as well as for the whole text (`constructs.json_equals`).
- A message that is being streamed has a lease, `streaming_until`. A sweep finds those whose writer is gone by an index
  that holds no other messages.
- A session's name is unique within its user and project. A unique index of sessions would have to contain `session_id` to
  be sharded, so the names have a table of their own, which triggers keep. Names and parents are soft keys: a session is
  never locked for another one.
- What later revisions add must not rebuild a table that is large or a key, because SQLite cannot change a CHECK without a
  rebuild. What is planned is a new table or a new nullable column.
- Row-level security finds the owner through the session: policies on tables of a session ask for a visible row of
  `sessions`, whose own policy compares `user_id`. A copy of `user_id` in each table could disagree with the session's.
  Tables with a key of their own (comparisons, batches, workflows, metrics, audit) have a `user_id`.

Unsafe: nothing; the tables are new.
Down: drops the tables, and refuses to while they hold rows, unless told to.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Key = Text().with_variant(Text(collation="C"), "postgresql")
Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Real = sa.Double().with_variant(sa.REAL(), "sqlite")
Json = sa.JSON().with_variant(Text(), "sqlite")
Time = sa.TIMESTAMP(timezone=True).with_variant(Text(), "sqlite")
Hour = sa.TIMESTAMP().with_variant(Text(), "sqlite")

# Dropped in this order; created in the other.
TABLES = (
    "chatledger_workflow_steps",
    "chatledger_workflow_executions",
    "chatledger_workflows",
    "chatledger_batch_items",
    "chatledger_batch_jobs",
    "chatledger_comparison_results",
    "chatledger_comparison_sessions",
    "chatledger_comparison_groups",
    "chatledger_audit_log",
    "chatledger_performance_metrics",
    "chatledger_graph_writes",
    "chatledger_graph_checkpoints",
    "chatledger_annotations",
    "chatledger_session_usage",
    "chatledger_session_timeouts",
    "chatledger_session_snapshots",
    "chatledger_session_metadata",
    "chatledger_session_names",
    "chatledger_messages",
    "chatledger_sessions",
    "chatledger_state",
    "chatledger_timeout_defaults",
    "chatledger_model_price_tiers",
    "chatledger_model_prices",
    "chatledger_models",
    "chatledger_projects",
)
# Can be made again from the messages and the sessions.
DERIVED = {"chatledger_session_usage", "chatledger_session_names"}


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    now = text(r"(strftime('%Y-%m-%d %H\:%M\:%f000', 'now'))" if sqlite else "CURRENT_TIMESTAMP")
    newest_first = "activity_hour" if sqlite else text("activity_hour DESC NULLS LAST")
    latest_first: list[str | sa.TextClause] = ["created_at", "session_id"]
    if not sqlite:
        latest_first = [text(f"{name} DESC NULLS LAST") for name in latest_first]

    op.create_table(
        "chatledger_projects",
        Column("project_id", Key, nullable=False),
        Column("name", Text()),
        Column("description", Text()),
        Column("metadata", Json),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("archived_at", Time),
        PrimaryKeyConstraint("project_id", name=op.f("pk_chatledger_projects")),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_models",
        Column("model_id", Key, nullable=False),
        Column("provider", Text()),
        Column("name", Text()),
        Column("context_window", Whole),
        Column("notes", Text()),
        Column("metadata", Json),
        Column("alias_of", Key),
        Column("priced_as", Key),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("archived_at", Time),
        PrimaryKeyConstraint("model_id", name=op.f("pk_chatledger_models")),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_model_prices",
        Column("model_id", Key, nullable=False),
        Column("effective_from", Time, nullable=False),
        Column("input", Whole),
        Column("output", Whole),
        Column("cached_input", Whole),
        Column("cache_write", Whole),
        Column("cache_write_1h", Whole),
        Column("reasoning", Whole),
        Column("others", Json),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("model_id", "effective_from", name=op.f("pk_chatledger_model_prices")),
        ForeignKeyConstraint(
            ["model_id"], ["chatledger_models.model_id"], name=op.f("fk_chatledger_model_prices_model_id")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_model_price_tiers",
        Column("model_id", Key, nullable=False),
        Column("effective_from", Time, nullable=False),
        Column("service_tier", Key, nullable=False, server_default=text("''")),
        Column("above_tokens", Whole, nullable=False, server_default=text("0")),
        Column("input", Whole),
        Column("output", Whole),
        Column("cached_input", Whole),
        Column("cache_write", Whole),
        Column("cache_write_1h", Whole),
        Column("reasoning", Whole),
        PrimaryKeyConstraint(
            "model_id", "effective_from", "service_tier", "above_tokens", name=op.f("pk_chatledger_model_price_tiers")
        ),
        ForeignKeyConstraint(
            ["model_id", "effective_from"],
            ["chatledger_model_prices.model_id", "chatledger_model_prices.effective_from"],
            name=op.f("fk_chatledger_model_price_tiers_model_id_effective_from"),
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "above_tokens > 0 OR (above_tokens = 0 AND service_tier <> '')",
            name=op.f("ck_chatledger_model_price_tiers_above_tokens"),
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_timeout_defaults",
        Column("scope", Text(), nullable=False),
        Column("scope_id", Key, nullable=False),
        Column("idle_limit", Whole),
        Column("archive_limit", Whole),
        Column("hard_limit", Whole),
        Column("warn_before", Whole),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("scope", "scope_id", name=op.f("pk_chatledger_timeout_defaults")),
        CheckConstraint("scope IN ('user', 'project', 'ledger')", name=op.f("ck_chatledger_timeout_defaults_scope")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_state",
        Column("scope", Text(), nullable=False),
        Column("scope_id", Key, nullable=False),
        Column("key", Key, nullable=False),
        Column("value", Json, nullable=False),
        Column("version", Whole, nullable=False),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("scope", "scope_id", "key", name=op.f("pk_chatledger_state")),
        CheckConstraint("scope IN ('user', 'project', 'session')", name=op.f("ck_chatledger_state_scope")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_sessions",
        Column("session_id", Key, nullable=False),
        Column("user_id", Key),
        Column("project_id", Key),
        Column("model_id", Key),
        Column("title", Text()),
        Column("system_prompt", Text()),
        Column("status", Text(), nullable=False, server_default=text("'active'")),
        Column("context", Json, nullable=False, server_default=text("'{}'")),
        Column("message_count", Whole, nullable=False, server_default=text("0")),
        Column("total_tokens", Whole, nullable=False, server_default=text("0")),
        Column("total_duration_ms", Whole, nullable=False, server_default=text("0")),
        Column("total_cost", Whole, nullable=False, server_default=text("0")),
        Column("last_sequence", Whole, nullable=False, server_default=text("0")),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        Column("last_activity", Time, nullable=False, server_default=now),
        Column("expired_at", Time),
        Column("archived_at", Time),
        Column("held_at", Time),
        Column("forked_from", Key),
        Column("forked_at", Whole),
        Column("name", Key),
        Column("parent_id", Key),
        Column("search_title", Text()),
        Column("search_system_prompt", Text()),
        Column("activity_hour", Hour),
        PrimaryKeyConstraint("session_id", name=op.f("pk_chatledger_sessions")),
        CheckConstraint(
            "status IN ('active', 'idle', 'paused', 'archived', 'expired', 'failed')",
            name=op.f("ck_chatledger_sessions_status"),
        ),
        sqlite_strict=True,
        postgresql_with={"fillfactor": 70},
    )
    index("ix_chatledger_sessions_active_activity", "chatledger_sessions", ["activity_hour"], where="status = 'active'")
    index("ix_chatledger_sessions_activity", "chatledger_sessions", ["activity_hour"])
    index(
        "ix_chatledger_sessions_archived_at",
        "chatledger_sessions",
        ["archived_at", "session_id"],
        where="status = 'archived'",
    )
    index(
        "ix_chatledger_sessions_expired_at",
        "chatledger_sessions",
        ["expired_at", "session_id"],
        where="status = 'expired'",
    )
    index("ix_chatledger_sessions_created", "chatledger_sessions", ["created_at", "session_id"])
    index("ix_chatledger_sessions_user_created", "chatledger_sessions", ["user_id", *latest_first])
    index("ix_chatledger_sessions_name", "chatledger_sessions", ["name", "session_id"], where="name IS NOT NULL")
    index("ix_chatledger_sessions_user_name", "chatledger_sessions", ["user_id", "name"], where="name IS NOT NULL")
    index("ix_chatledger_sessions_parent", "chatledger_sessions", ["parent_id"], where="parent_id IS NOT NULL")
    index("ix_chatledger_sessions_forked_from", "chatledger_sessions", ["forked_from"], where="forked_from IS NOT NULL")
    index("ix_chatledger_sessions_model_activity", "chatledger_sessions", ["model_id", newest_first])
    index("ix_chatledger_sessions_project_activity", "chatledger_sessions", ["project_id", newest_first])
    index(
        "ix_chatledger_sessions_resting_activity",
        "chatledger_sessions",
        ["activity_hour"],
        where="status IN ('idle', 'paused')",
    )
    index("ix_chatledger_sessions_user_activity", "chatledger_sessions", ["user_id", newest_first])

    op.create_table(
        "chatledger_session_names",
        Column("user_id", Key, nullable=False),
        Column("project_id", Key, nullable=False),
        Column("name", Key, nullable=False),
        Column("session_id", Key, nullable=False),
        PrimaryKeyConstraint("user_id", "project_id", "name", name=op.f("pk_chatledger_session_names")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_messages",
        # Full text needs an integer key that VACUUM leaves as it is; everything else knows a message by the pair.
        *([Column("message_id", sa.Integer(), nullable=False)] if sqlite else []),
        Column("session_id", Key, nullable=False),
        Column("sequence_number", Whole, nullable=False),
        Column("role", Text(), nullable=False),
        Column("content", Text(), nullable=False),
        Column("payload", Json),
        Column("metadata", Json),
        Column("name", Text()),
        Column("tool_call_id", Text()),
        Column("model_id", Key),
        Column("input_tokens", Whole),
        Column("output_tokens", Whole),
        Column("cached_tokens", Whole),
        Column("reasoning_tokens", Whole),
        Column("cache_write_tokens", Whole),
        Column("cache_write_1h_tokens", Whole),
        Column("unpriced_units", Whole),
        Column("tokens_used", Whole),
        Column("service_tier", Key),
        Column("duration_ms", Whole),
        Column("cost", Whole),
        Column("priced_from", Time),
        Column("priced_as", Key),
        Column("outcome", Text()),
        Column("streaming_until", Time),
        Column("hidden", Whole),
        Column("key", Key),
        Column("copied_from", Key),
        Column("copied_sequence", Whole),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("digest", LargeBinary()),
        Column("search_text", Text()),
        Column("search_extra", Text()),
        # Named here: the commands of Alembic would name it after the models' convention, a ledger would not.
        PrimaryKeyConstraint(
            *(["message_id"] if sqlite else ["session_id", "sequence_number"]), name=op.f("pk_chatledger_messages")
        ),
        *(
            [
                UniqueConstraint(
                    "session_id", "sequence_number", name=op.f("uq_chatledger_messages_session_id_sequence_number")
                )
            ]
            if sqlite
            else []
        ),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_messages_session_id"),
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "role IN ('system', 'developer', 'user', 'assistant', 'tool')", name=op.f("ck_chatledger_messages_role")
        ),
        CheckConstraint(
            "outcome IN ('complete', 'interrupted', 'error', 'streaming')", name=op.f("ck_chatledger_messages_outcome")
        ),
        CheckConstraint("hidden = 1", name=op.f("ck_chatledger_messages_hidden")),
        CheckConstraint("sequence_number >= 1", name=op.f("ck_chatledger_messages_sequence_number")),
        CheckConstraint(
            "(copied_from IS NULL) = (copied_sequence IS NULL)", name=op.f("ck_chatledger_messages_copied_from")
        ),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_messages_durations",
        "chatledger_messages",
        ["session_id", "created_at", "role", "model_id", "duration_ms", "copied_from"],
        where="duration_ms IS NOT NULL",
    )
    index(
        "ix_chatledger_messages_copied_from",
        "chatledger_messages",
        ["copied_from", "copied_sequence"],
        where="copied_from IS NOT NULL",
    )
    index(
        "ix_chatledger_messages_streaming",
        "chatledger_messages",
        ["streaming_until"],
        where="outcome = 'streaming'",
    )
    index(
        "uq_chatledger_messages_session_id_key",
        "chatledger_messages",
        ["session_id", "key"],
        unique=True,
        where="key IS NOT NULL",
    )

    op.create_table(
        "chatledger_session_metadata",
        Column("session_id", Key, nullable=False),
        Column("key", Key, nullable=False),
        Column("value", Json, nullable=False),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("session_id", "key", name=op.f("pk_chatledger_session_metadata")),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_session_metadata_session_id"),
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    first_of_value = "value" if sqlite else text("substr(CAST(value AS TEXT), 1, 200)")
    index("ix_chatledger_session_metadata_value", "chatledger_session_metadata", ["key", first_of_value, "session_id"])

    op.create_table(
        "chatledger_session_snapshots",
        Column("session_id", Key, nullable=False),
        Column("snapshot_number", Whole, nullable=False),
        Column("kind", Text(), nullable=False),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("actor", Text()),
        Column("reason", Text()),
        Column("message_count", Whole, nullable=False, server_default=text("0")),
        Column("total_tokens", Whole, nullable=False, server_default=text("0")),
        Column("total_duration_ms", Whole, nullable=False, server_default=text("0")),
        Column("total_cost", Whole, nullable=False, server_default=text("0")),
        Column("last_sequence", Whole, nullable=False, server_default=text("0")),
        Column("encoding", Text(), nullable=False),
        Column("body", LargeBinary(), nullable=False),
        Column("size", Whole, nullable=False),
        Column("digest", LargeBinary(), nullable=False),
        PrimaryKeyConstraint("session_id", "snapshot_number", name=op.f("pk_chatledger_session_snapshots")),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_session_snapshots_session_id"),
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "kind IN ('checkpoint', 'timeout_warning', 'pre_archive', 'manual')",
            name=op.f("ck_chatledger_session_snapshots_kind"),
        ),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_session_timeouts",
        Column("session_id", Key, nullable=False),
        Column("idle_limit", Whole),
        Column("archive_limit", Whole),
        Column("hard_limit", Whole),
        Column("warn_before", Whole),
        Column("expires_at", Time),
        Column("next_check_at", Time),
        Column("warned_at", Time),
        Column("warned_for", Time),
        Column("idle_from", Time),
        Column("idle_sequence", Whole),
        Column("hard_from", Time),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("session_id", name=op.f("pk_chatledger_session_timeouts")),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_session_timeouts_session_id"),
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_session_timeouts_next_check_at", "chatledger_session_timeouts", ["next_check_at", "session_id"]
    )

    op.create_table(
        "chatledger_session_usage",
        Column("session_id", Key, nullable=False),
        Column("quarter", Whole, nullable=False),
        Column("role", Key, nullable=False),
        Column("model_id", Key, nullable=False),
        Column("copied", Whole, nullable=False),
        Column("messages", Whole, nullable=False, server_default=text("0")),
        Column("input_tokens", Whole, nullable=False, server_default=text("0")),
        Column("output_tokens", Whole, nullable=False, server_default=text("0")),
        Column("cached_tokens", Whole, nullable=False, server_default=text("0")),
        Column("cache_write_tokens", Whole, nullable=False, server_default=text("0")),
        Column("reasoning_tokens", Whole, nullable=False, server_default=text("0")),
        Column("total_tokens", Whole, nullable=False, server_default=text("0")),
        Column("cost", Whole, nullable=False, server_default=text("0")),
        Column("priced", Whole, nullable=False, server_default=text("0")),
        Column("duration_ms", Whole, nullable=False, server_default=text("0")),
        Column("timed", Whole, nullable=False, server_default=text("0")),
        Column("outcomes", Whole, nullable=False, server_default=text("0")),
        Column("errors", Whole, nullable=False, server_default=text("0")),
        Column("interruptions", Whole, nullable=False, server_default=text("0")),
        PrimaryKeyConstraint(
            "session_id", "quarter", "role", "model_id", "copied", name=op.f("pk_chatledger_session_usage")
        ),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_session_usage_session_id"),
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    index("ix_chatledger_session_usage_quarter", "chatledger_session_usage", ["quarter"])

    op.create_table(
        "chatledger_annotations",
        Column("session_id", Key, nullable=False),
        Column("annotation_number", Whole, nullable=False),
        Column("sequence_number", Whole),
        Column("label", Key),
        Column("score", Real),
        Column("text", Text()),
        Column("author", Key),
        Column("metadata", Json),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("session_id", "annotation_number", name=op.f("pk_chatledger_annotations")),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_annotations_session_id"),
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL", name=op.f("ck_chatledger_annotations_says")
        ),
        CheckConstraint("sequence_number >= 1", name=op.f("ck_chatledger_annotations_sequence_number")),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_annotations_created_at",
        "chatledger_annotations",
        ["created_at", "session_id", "annotation_number"],
    )
    index("ix_chatledger_annotations_label", "chatledger_annotations", ["label", "session_id"])
    index("ix_chatledger_annotations_message", "chatledger_annotations", ["session_id", "sequence_number"])

    op.create_table(
        "chatledger_graph_checkpoints",
        Column("session_id", Key, nullable=False),
        Column("namespace", Key, nullable=False),
        Column("checkpoint_id", Key, nullable=False),
        Column("parent_id", Key),
        Column("run_id", Key),
        Column("encoding", Text(), nullable=False),
        Column("body", LargeBinary(), nullable=False),
        Column("metadata_encoding", Text(), nullable=False),
        Column("metadata_body", LargeBinary(), nullable=False),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("session_id", "namespace", "checkpoint_id", name=op.f("pk_chatledger_graph_checkpoints")),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_graph_checkpoints_session_id"),
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_graph_writes",
        Column("session_id", Key, nullable=False),
        Column("namespace", Key, nullable=False),
        Column("checkpoint_id", Key, nullable=False),
        Column("task_id", Key, nullable=False),
        Column("write_number", Whole, nullable=False),
        Column("task_path", Text(), nullable=False),
        Column("channel", Text(), nullable=False),
        Column("encoding", Text(), nullable=False),
        Column("body", LargeBinary(), nullable=False),
        PrimaryKeyConstraint(
            "session_id",
            "namespace",
            "checkpoint_id",
            "task_id",
            "write_number",
            name=op.f("pk_chatledger_graph_writes"),
        ),
        ForeignKeyConstraint(
            ["session_id"],
            ["chatledger_sessions.session_id"],
            name=op.f("fk_chatledger_graph_writes_session_id"),
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_performance_metrics",
        Column("session_id", Key, nullable=False, server_default=text("''")),
        Column("metric_id", Whole, sa.Identity(), nullable=False),
        Column("name", Key, nullable=False),
        Column("value", Real, nullable=False),
        Column("unit", Key),
        Column("user_id", Key),
        Column("model_id", Key),
        Column("project_id", Key),
        Column("metadata", Json),
        Column("at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint(
            *([] if sqlite else ["session_id"]), "metric_id", name=op.f("pk_chatledger_performance_metrics")
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    index("ix_chatledger_performance_metrics_at", "chatledger_performance_metrics", ["at"])
    index("ix_chatledger_performance_metrics_name_at", "chatledger_performance_metrics", ["name", "at"])
    if sqlite:  # elsewhere the primary key begins with it
        index("ix_chatledger_performance_metrics_session_id", "chatledger_performance_metrics", ["session_id"])
    index(
        "ix_chatledger_performance_metrics_user_id",
        "chatledger_performance_metrics",
        ["user_id"],
        where="user_id IS NOT NULL",
    )

    op.create_table(
        "chatledger_audit_log",
        Column("session_id", Key, nullable=False, server_default=text("''")),
        Column("audit_id", Whole, sa.Identity(), nullable=False),
        Column("at", Time, nullable=False, server_default=now),
        Column("action", Text(), nullable=False),
        Column("actor", Text()),
        Column("reason", Text()),
        Column("user_id", Key),
        Column("count", Whole, nullable=False, server_default=text("1")),
        Column("details", Json),
        PrimaryKeyConstraint(*([] if sqlite else ["session_id"]), "audit_id", name=op.f("pk_chatledger_audit_log")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    index("ix_chatledger_audit_log_at", "chatledger_audit_log", ["at"])
    if sqlite:  # elsewhere the primary key begins with it
        index("ix_chatledger_audit_log_session_id", "chatledger_audit_log", ["session_id"])
    index("ix_chatledger_audit_log_user_id", "chatledger_audit_log", ["user_id"])

    op.create_table(
        "chatledger_comparison_groups",
        Column("group_id", Key, nullable=False),
        Column("user_id", Key),
        Column("kind", Text(), nullable=False),
        Column("title", Text()),
        Column("variants", Json, nullable=False),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("group_id", name=op.f("pk_chatledger_comparison_groups")),
        CheckConstraint("kind IN ('model', 'prompt', 'parameters')", name=op.f("ck_chatledger_comparison_groups_kind")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_comparison_sessions",
        Column("group_id", Key, nullable=False),
        Column("session_id", Key, nullable=False),
        Column("variant", Key, nullable=False),
        Column("prompt_key", Key),
        Column("trial", Whole, nullable=False, server_default=text("1")),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("group_id", "session_id", name=op.f("pk_chatledger_comparison_sessions")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    index("ix_chatledger_comparison_sessions_session_id", "chatledger_comparison_sessions", ["session_id"])

    op.create_table(
        "chatledger_comparison_results",
        Column("group_id", Key, nullable=False),
        Column("prompt_key", Key, nullable=False),
        Column("variant_a", Key, nullable=False),
        Column("variant_b", Key, nullable=False),
        Column("judge", Key, nullable=False),
        Column("trial", Whole, nullable=False, server_default=text("1")),
        Column("judge_kind", Text(), nullable=False),
        Column("preference", Real),
        Column("first", Key),
        Column("scores_a", Json),
        Column("scores_b", Json),
        Column("cost_a", Whole),
        Column("cost_b", Whole),
        Column("duration_a_ms", Whole),
        Column("duration_b_ms", Whole),
        Column("judge_cost", Whole),
        Column("judge_duration_ms", Whole),
        Column("prompt", Text()),
        Column("notes", Text()),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint(
            "group_id",
            "prompt_key",
            "variant_a",
            "variant_b",
            "judge",
            "trial",
            name=op.f("pk_chatledger_comparison_results"),
        ),
        CheckConstraint("preference BETWEEN 0 AND 1", name=op.f("ck_chatledger_comparison_results_preference")),
        CheckConstraint(
            "judge_kind IN ('person', 'model', 'metric')", name=op.f("ck_chatledger_comparison_results_judge_kind")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )

    op.create_table(
        "chatledger_batch_jobs",
        Column("job_id", Key, nullable=False),
        Column("user_id", Key),
        Column("name", Text()),
        Column("status", Text(), nullable=False, server_default=text("'open'")),
        Column("last_item", Whole, nullable=False, server_default=text("0")),
        Column("max_attempts", Whole, nullable=False),
        Column("backoff_ms", Whole, nullable=False),
        Column("backoff_limit_ms", Whole, nullable=False),
        Column("max_running", Whole),
        Column("time_limit_ms", Whole),
        Column("metadata", Json),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("updated_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("job_id", name=op.f("pk_chatledger_batch_jobs")),
        CheckConstraint("status IN ('open', 'paused', 'cancelled')", name=op.f("ck_chatledger_batch_jobs_status")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    index("ix_chatledger_batch_jobs_created_at", "chatledger_batch_jobs", ["created_at", "job_id"])
    index("ix_chatledger_batch_jobs_user_created_at", "chatledger_batch_jobs", ["user_id", "created_at", "job_id"])

    op.create_table(
        "chatledger_batch_items",
        Column("job_id", Key, nullable=False),
        Column("item_number", Whole, nullable=False),
        Column("key", Key, nullable=False),
        Column("payload", Json),
        Column("rank", Whole, nullable=False, server_default=text("0")),
        Column("status", Text(), nullable=False, server_default=text("'waiting'")),
        Column("attempts", Whole, nullable=False, server_default=text("0")),
        Column("lease", Whole, nullable=False, server_default=text("0")),
        Column("worker", Text()),
        Column("due_at", Time),
        Column("claimed_at", Time),
        Column("finished_at", Time),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("result", Json),
        Column("session_id", Key),
        Column("error_kind", Key),
        Column("error", Text()),
        PrimaryKeyConstraint("job_id", "item_number", name=op.f("pk_chatledger_batch_items")),
        UniqueConstraint("job_id", "key", name=op.f("uq_chatledger_batch_items_job_id_key")),
        CheckConstraint(
            "status IN ('waiting', 'delayed', 'running', 'done', 'failed')",
            name=op.f("ck_chatledger_batch_items_status"),
        ),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_batch_items_done", "chatledger_batch_items", ["job_id", "finished_at"], where="status = 'done'"
    )
    index(
        "ix_chatledger_batch_items_due",
        "chatledger_batch_items",
        ["job_id", "status", "due_at", "item_number"],
        where="status IN ('delayed', 'running')",
    )
    index(
        "ix_chatledger_batch_items_failed",
        "chatledger_batch_items",
        ["job_id", "error_kind"],
        where="status = 'failed'",
    )
    index(
        "ix_chatledger_batch_items_session_id", "chatledger_batch_items", ["session_id"], where="session_id IS NOT NULL"
    )
    index(
        "ix_chatledger_batch_items_waiting",
        "chatledger_batch_items",
        ["job_id", "rank", "item_number"],
        where="status = 'waiting'",
    )

    op.create_table(
        "chatledger_workflows",
        Column("user_id", Key, nullable=False),
        Column("name", Key, nullable=False),
        Column("version", Whole, nullable=False),
        Column("definition", Json, nullable=False),
        Column("created_at", Time, nullable=False, server_default=now),
        PrimaryKeyConstraint("user_id", "name", "version", name=op.f("pk_chatledger_workflows")),
        sqlite_strict=True,
    )

    op.create_table(
        "chatledger_workflow_executions",
        Column("execution_id", Key, nullable=False),
        Column("user_id", Key),
        Column("name", Key, nullable=False),
        Column("version", Whole, nullable=False),
        Column("definition", Json, nullable=False),
        Column("input", Json, nullable=False),
        Column("state", Text(), nullable=False),
        Column("error", Text()),
        Column("runner", Text()),
        Column("fence", Whole, nullable=False, server_default=text("0")),
        Column("lease_until", Time),
        Column("cancel_requested_at", Time),
        Column("created_at", Time, nullable=False, server_default=now),
        Column("started_at", Time),
        Column("finished_at", Time),
        PrimaryKeyConstraint("execution_id", name=op.f("pk_chatledger_workflow_executions")),
        CheckConstraint(
            "state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_chatledger_workflow_executions_state"),
        ),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_workflow_executions_created_at", "chatledger_workflow_executions", ["created_at", "execution_id"]
    )
    index(
        "ix_chatledger_workflow_executions_user_id",
        "chatledger_workflow_executions",
        ["user_id", "created_at", "execution_id"],
    )

    op.create_table(
        "chatledger_workflow_steps",
        Column("execution_id", Key, nullable=False),
        Column("step", Key, nullable=False),
        Column("item", Whole, nullable=False),
        Column("state", Text(), nullable=False),
        Column("attempt", Whole, nullable=False, server_default=text("0")),
        Column("items", Whole),
        Column("input", Json),
        Column("output", Json),
        Column("error", Text()),
        Column("session_id", Key),
        Column("history", Json),
        Column("not_before", Time),
        Column("started_at", Time),
        Column("finished_at", Time),
        PrimaryKeyConstraint("execution_id", "step", "item", name=op.f("pk_chatledger_workflow_steps")),
        ForeignKeyConstraint(
            ["execution_id"],
            ["chatledger_workflow_executions.execution_id"],
            name=op.f("fk_chatledger_workflow_steps_execution_id"),
            ondelete="CASCADE",
        ),
        CheckConstraint(
            "state IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')",
            name=op.f("ck_chatledger_workflow_steps_state"),
        ),
        sqlite_strict=True,
    )
    index(
        "ix_chatledger_workflow_steps_session_id",
        "chatledger_workflow_steps",
        ["session_id"],
        where="session_id IS NOT NULL",
    )


def downgrade() -> None:
    _require_no_content()
    for table in TABLES:
        op.drop_table(table)


def index(
    name: str, table: str, columns: list[str | sa.TextClause], *, unique: bool = False, where: str | None = None
) -> None:
    condition = None if where is None else text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _require_no_content() -> None:
    context = op.get_context()
    # A script for somebody else to run cannot count.
    if context.as_sql or context.opts.get("drop_content"):
        return
    counts = {table: op.get_bind().scalar(sa.select(sa.func.count()).select_from(sa.table(table))) for table in TABLES}
    full = [f"{count} in {table}" for table, count in counts.items() if count and table not in DERIVED]
    if full:
        raise CommandError(
            f"the way down drops these rows: {', '.join(full)}. Export them first (`chatledger export`, `chatledger db"
            " backup`), then drop them with `chatledger db downgrade base --drop-content`,"
            ' `ledger.downgrade("base", drop_content=True)` or `alembic -x drop_content=yes downgrade base`'
        )
