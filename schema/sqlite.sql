-- The schema of a ledger at revision 0004. Written by `make schema`: do not edit.

-- Tables and their indexes

CREATE TABLE chatledger_audit_log (
    session_id TEXT DEFAULT '' NOT NULL,
    audit_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    action TEXT NOT NULL,
    actor TEXT,
    reason TEXT,
    user_id TEXT,
    count INTEGER DEFAULT 1 NOT NULL,
    details TEXT
)
 STRICT;
CREATE INDEX ix_chatledger_audit_log_at ON chatledger_audit_log (at);
CREATE INDEX ix_chatledger_audit_log_session_id ON chatledger_audit_log (session_id);
CREATE INDEX ix_chatledger_audit_log_user_id ON chatledger_audit_log (user_id);

CREATE TABLE chatledger_batch_items (
    job_id TEXT NOT NULL,
    item_number INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    payload TEXT,
    rank INTEGER DEFAULT 0 NOT NULL,
    status TEXT DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    lease INTEGER DEFAULT 0 NOT NULL,
    worker TEXT,
    due_at TEXT,
    claimed_at TEXT,
    finished_at TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    result TEXT,
    session_id TEXT,
    error_kind TEXT,
    error TEXT,
    CONSTRAINT pk_chatledger_batch_items PRIMARY KEY (job_id, item_number),
    CONSTRAINT uq_chatledger_batch_items_job_id_key UNIQUE (job_id, "key"),
    CONSTRAINT ck_chatledger_batch_items_status CHECK (status IN ('waiting', 'delayed', 'running', 'done', 'failed'))
)
 STRICT;
CREATE INDEX ix_chatledger_batch_items_done ON chatledger_batch_items (job_id, finished_at) WHERE status = 'done';
CREATE INDEX ix_chatledger_batch_items_due ON chatledger_batch_items (job_id, status, due_at, item_number) WHERE status IN ('delayed', 'running');
CREATE INDEX ix_chatledger_batch_items_failed ON chatledger_batch_items (job_id, error_kind) WHERE status = 'failed';
CREATE INDEX ix_chatledger_batch_items_session_id ON chatledger_batch_items (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX ix_chatledger_batch_items_waiting ON chatledger_batch_items (job_id, rank, item_number) WHERE status = 'waiting';

CREATE TABLE chatledger_batch_jobs (
    job_id TEXT NOT NULL,
    user_id TEXT,
    name TEXT,
    status TEXT DEFAULT 'open' NOT NULL,
    last_item INTEGER DEFAULT 0 NOT NULL,
    max_attempts INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    backoff_limit_ms INTEGER NOT NULL,
    max_running INTEGER,
    time_limit_ms INTEGER,
    metadata TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_batch_jobs PRIMARY KEY (job_id),
    CONSTRAINT ck_chatledger_batch_jobs_status CHECK (status IN ('open', 'paused', 'cancelled'))
)
 WITHOUT ROWID,
 STRICT;
CREATE INDEX ix_chatledger_batch_jobs_created_at ON chatledger_batch_jobs (created_at, job_id);
CREATE INDEX ix_chatledger_batch_jobs_user_created_at ON chatledger_batch_jobs (user_id, created_at, job_id);

CREATE TABLE chatledger_comparison_groups (
    group_id TEXT NOT NULL,
    user_id TEXT,
    kind TEXT NOT NULL,
    title TEXT,
    variants TEXT NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_comparison_groups PRIMARY KEY (group_id),
    CONSTRAINT ck_chatledger_comparison_groups_kind CHECK (kind IN ('model', 'prompt', 'parameters'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_comparison_results (
    group_id TEXT NOT NULL,
    prompt_key TEXT NOT NULL,
    variant_a TEXT NOT NULL,
    variant_b TEXT NOT NULL,
    judge TEXT NOT NULL,
    trial INTEGER DEFAULT 1 NOT NULL,
    judge_kind TEXT NOT NULL,
    preference REAL,
    first TEXT,
    scores_a TEXT,
    scores_b TEXT,
    cost_a INTEGER,
    cost_b INTEGER,
    duration_a_ms INTEGER,
    duration_b_ms INTEGER,
    judge_cost INTEGER,
    judge_duration_ms INTEGER,
    prompt TEXT,
    notes TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_comparison_results PRIMARY KEY (group_id, prompt_key, variant_a, variant_b, judge, trial),
    CONSTRAINT ck_chatledger_comparison_results_preference CHECK (preference BETWEEN 0 AND 1),
    CONSTRAINT ck_chatledger_comparison_results_judge_kind CHECK (judge_kind IN ('person', 'model', 'metric'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_comparison_sessions (
    group_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    variant TEXT NOT NULL,
    prompt_key TEXT,
    trial INTEGER DEFAULT 1 NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_comparison_sessions PRIMARY KEY (group_id, session_id)
)
 WITHOUT ROWID,
 STRICT;
CREATE INDEX ix_chatledger_comparison_sessions_session_id ON chatledger_comparison_sessions (session_id);

CREATE TABLE chatledger_full_text_mark (
    mark_id INTEGER NOT NULL PRIMARY KEY CHECK (mark_id = 1),
    message_id INTEGER NOT NULL,
    most INTEGER NOT NULL DEFAULT 31
) STRICT;

CREATE TABLE chatledger_models (
    model_id TEXT NOT NULL,
    provider TEXT,
    name TEXT,
    context_window INTEGER,
    notes TEXT,
    metadata TEXT,
    alias_of TEXT,
    priced_as TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    archived_at TEXT,
    CONSTRAINT pk_chatledger_models PRIMARY KEY (model_id)
)
 STRICT;

CREATE TABLE chatledger_performance_metrics (
    session_id TEXT DEFAULT '' NOT NULL,
    metric_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    unit TEXT,
    user_id TEXT,
    model_id TEXT,
    project_id TEXT,
    metadata TEXT,
    at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL
)
 STRICT;
CREATE INDEX ix_chatledger_performance_metrics_at ON chatledger_performance_metrics (at);
CREATE INDEX ix_chatledger_performance_metrics_name_at ON chatledger_performance_metrics (name, at);
CREATE INDEX ix_chatledger_performance_metrics_session_id ON chatledger_performance_metrics (session_id);
CREATE INDEX ix_chatledger_performance_metrics_user_id ON chatledger_performance_metrics (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE chatledger_projects (
    project_id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    metadata TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    archived_at TEXT,
    CONSTRAINT pk_chatledger_projects PRIMARY KEY (project_id)
)
 STRICT;

CREATE TABLE chatledger_session_names (
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    session_id TEXT NOT NULL,
    CONSTRAINT pk_chatledger_session_names PRIMARY KEY (user_id, project_id, name)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_session_numbers (
    number INTEGER NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE chatledger_sessions (
    session_id TEXT NOT NULL,
    user_id TEXT,
    project_id TEXT,
    model_id TEXT,
    title TEXT,
    system_prompt TEXT,
    status TEXT DEFAULT 'active' NOT NULL,
    context TEXT DEFAULT '{}' NOT NULL,
    message_count INTEGER DEFAULT 0 NOT NULL,
    total_tokens INTEGER DEFAULT 0 NOT NULL,
    total_duration_ms INTEGER DEFAULT 0 NOT NULL,
    total_cost INTEGER DEFAULT 0 NOT NULL,
    last_sequence INTEGER DEFAULT 0 NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    last_activity TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    expired_at TEXT,
    archived_at TEXT,
    held_at TEXT,
    forked_from TEXT,
    forked_at INTEGER,
    name TEXT,
    parent_id TEXT,
    search_title TEXT,
    search_system_prompt TEXT,
    activity_hour TEXT,
    CONSTRAINT pk_chatledger_sessions PRIMARY KEY (session_id),
    CONSTRAINT ck_chatledger_sessions_status CHECK (status IN ('active', 'idle', 'paused', 'archived', 'expired', 'failed'))
)
 STRICT;
CREATE INDEX ix_chatledger_sessions_active_activity ON chatledger_sessions (activity_hour) WHERE status = 'active';
CREATE INDEX ix_chatledger_sessions_activity ON chatledger_sessions (activity_hour);
CREATE INDEX ix_chatledger_sessions_archived_at ON chatledger_sessions (archived_at, session_id) WHERE status = 'archived';
CREATE INDEX ix_chatledger_sessions_created ON chatledger_sessions (created_at, session_id);
CREATE INDEX ix_chatledger_sessions_expired_at ON chatledger_sessions (expired_at, session_id) WHERE status = 'expired';
CREATE INDEX ix_chatledger_sessions_forked_from ON chatledger_sessions (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX ix_chatledger_sessions_model_activity ON chatledger_sessions (model_id, activity_hour);
CREATE INDEX ix_chatledger_sessions_name ON chatledger_sessions (name, session_id) WHERE name IS NOT NULL;
CREATE INDEX ix_chatledger_sessions_parent ON chatledger_sessions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_chatledger_sessions_project_activity ON chatledger_sessions (project_id, activity_hour);
CREATE INDEX ix_chatledger_sessions_resting_activity ON chatledger_sessions (activity_hour) WHERE status IN ('idle', 'paused');
CREATE INDEX ix_chatledger_sessions_user_activity ON chatledger_sessions (user_id, activity_hour);
CREATE INDEX ix_chatledger_sessions_user_created ON chatledger_sessions (user_id, created_at, session_id);
CREATE INDEX ix_chatledger_sessions_user_name ON chatledger_sessions (user_id, name) WHERE name IS NOT NULL;

CREATE TABLE chatledger_state (
    scope TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_state PRIMARY KEY (scope, scope_id, "key"),
    CONSTRAINT ck_chatledger_state_scope CHECK (scope IN ('user', 'project', 'session'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_timeout_defaults (
    scope TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    idle_limit INTEGER,
    archive_limit INTEGER,
    hard_limit INTEGER,
    warn_before INTEGER,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_timeout_defaults PRIMARY KEY (scope, scope_id),
    CONSTRAINT ck_chatledger_timeout_defaults_scope CHECK (scope IN ('user', 'project', 'ledger'))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_workflow_executions (
    execution_id TEXT NOT NULL,
    user_id TEXT,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    input TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    runner TEXT,
    fence INTEGER DEFAULT 0 NOT NULL,
    lease_until TEXT,
    cancel_requested_at TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    CONSTRAINT pk_chatledger_workflow_executions PRIMARY KEY (execution_id),
    CONSTRAINT ck_chatledger_workflow_executions_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled'))
)
 STRICT;
CREATE INDEX ix_chatledger_workflow_executions_created_at ON chatledger_workflow_executions (created_at, execution_id);
CREATE INDEX ix_chatledger_workflow_executions_user_id ON chatledger_workflow_executions (user_id, created_at, execution_id);

CREATE TABLE chatledger_workflows (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_workflows PRIMARY KEY (user_id, name, version)
)
 STRICT;

CREATE TABLE chatledger_annotations (
    session_id TEXT NOT NULL,
    annotation_number INTEGER NOT NULL,
    sequence_number INTEGER,
    label TEXT,
    score REAL,
    text TEXT,
    author TEXT,
    metadata TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_annotations PRIMARY KEY (session_id, annotation_number),
    CONSTRAINT fk_chatledger_annotations_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
    CONSTRAINT ck_chatledger_annotations_says CHECK (label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL),
    CONSTRAINT ck_chatledger_annotations_sequence_number CHECK (sequence_number >= 1)
)
 STRICT;
CREATE INDEX ix_chatledger_annotations_created_at ON chatledger_annotations (created_at, session_id, annotation_number);
CREATE INDEX ix_chatledger_annotations_label ON chatledger_annotations (label, session_id);
CREATE INDEX ix_chatledger_annotations_message ON chatledger_annotations (session_id, sequence_number);

CREATE TABLE chatledger_graph_checkpoints (
    session_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_id TEXT,
    run_id TEXT,
    encoding TEXT NOT NULL,
    body BLOB NOT NULL,
    metadata_encoding TEXT NOT NULL,
    metadata_body BLOB NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_graph_checkpoints PRIMARY KEY (session_id, namespace, checkpoint_id),
    CONSTRAINT fk_chatledger_graph_checkpoints_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
)
 STRICT;

CREATE TABLE chatledger_graph_writes (
    session_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    write_number INTEGER NOT NULL,
    task_path TEXT NOT NULL,
    channel TEXT NOT NULL,
    encoding TEXT NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT pk_chatledger_graph_writes PRIMARY KEY (session_id, namespace, checkpoint_id, task_id, write_number),
    CONSTRAINT fk_chatledger_graph_writes_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
)
 STRICT;

CREATE TABLE chatledger_messages (
    message_id INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    sequence_number INTEGER NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    payload TEXT,
    metadata TEXT,
    name TEXT,
    tool_call_id TEXT,
    model_id TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    cache_write_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    unpriced_units INTEGER,
    tokens_used INTEGER,
    service_tier TEXT,
    duration_ms INTEGER,
    cost INTEGER,
    priced_from TEXT,
    priced_as TEXT,
    outcome TEXT,
    streaming_until TEXT,
    hidden INTEGER,
    "key" TEXT,
    copied_from TEXT,
    copied_sequence INTEGER,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    digest BLOB,
    search_text TEXT,
    search_extra TEXT,
    CONSTRAINT pk_chatledger_messages PRIMARY KEY (message_id),
    CONSTRAINT uq_chatledger_messages_session_id_sequence_number UNIQUE (session_id, sequence_number),
    CONSTRAINT fk_chatledger_messages_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
    CONSTRAINT ck_chatledger_messages_role CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool')),
    CONSTRAINT ck_chatledger_messages_outcome CHECK (outcome IN ('complete', 'interrupted', 'error', 'streaming')),
    CONSTRAINT ck_chatledger_messages_hidden CHECK (hidden = 1),
    CONSTRAINT ck_chatledger_messages_sequence_number CHECK (sequence_number >= 1),
    CONSTRAINT ck_chatledger_messages_copied_from CHECK ((copied_from IS NULL) = (copied_sequence IS NULL))
)
 STRICT;
CREATE INDEX ix_chatledger_messages_copied_from ON chatledger_messages (copied_from, copied_sequence) WHERE copied_from IS NOT NULL;
CREATE INDEX ix_chatledger_messages_durations ON chatledger_messages (session_id, created_at, role, model_id, duration_ms, copied_from) WHERE duration_ms IS NOT NULL;
CREATE INDEX ix_chatledger_messages_streaming ON chatledger_messages (streaming_until) WHERE outcome = 'streaming';
CREATE UNIQUE INDEX uq_chatledger_messages_session_id_key ON chatledger_messages (session_id, "key") WHERE key IS NOT NULL;

CREATE TABLE chatledger_model_prices (
    model_id TEXT NOT NULL,
    effective_from TEXT NOT NULL,
    input INTEGER,
    output INTEGER,
    cached_input INTEGER,
    cache_write INTEGER,
    cache_write_1h INTEGER,
    reasoning INTEGER,
    others TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_model_prices PRIMARY KEY (model_id, effective_from),
    CONSTRAINT fk_chatledger_model_prices_model_id FOREIGN KEY(model_id) REFERENCES chatledger_models (model_id)
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_session_metadata (
    session_id TEXT NOT NULL,
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_session_metadata PRIMARY KEY (session_id, "key"),
    CONSTRAINT fk_chatledger_session_metadata_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT;
CREATE INDEX ix_chatledger_session_metadata_value ON chatledger_session_metadata ("key", value, session_id);

CREATE TABLE chatledger_session_snapshots (
    session_id TEXT NOT NULL,
    snapshot_number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    actor TEXT,
    reason TEXT,
    message_count INTEGER DEFAULT 0 NOT NULL,
    total_tokens INTEGER DEFAULT 0 NOT NULL,
    total_duration_ms INTEGER DEFAULT 0 NOT NULL,
    total_cost INTEGER DEFAULT 0 NOT NULL,
    last_sequence INTEGER DEFAULT 0 NOT NULL,
    encoding TEXT NOT NULL,
    body BLOB NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    CONSTRAINT pk_chatledger_session_snapshots PRIMARY KEY (session_id, snapshot_number),
    CONSTRAINT fk_chatledger_session_snapshots_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE,
    CONSTRAINT ck_chatledger_session_snapshots_kind CHECK (kind IN ('checkpoint', 'timeout_warning', 'pre_archive', 'manual'))
)
 STRICT;

CREATE TABLE chatledger_session_timeouts (
    session_id TEXT NOT NULL,
    idle_limit INTEGER,
    archive_limit INTEGER,
    hard_limit INTEGER,
    warn_before INTEGER,
    expires_at TEXT,
    next_check_at TEXT,
    warned_at TEXT,
    warned_for TEXT,
    idle_from TEXT,
    idle_sequence INTEGER,
    hard_from TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    updated_at TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')) NOT NULL,
    CONSTRAINT pk_chatledger_session_timeouts PRIMARY KEY (session_id),
    CONSTRAINT fk_chatledger_session_timeouts_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
)
 STRICT;
CREATE INDEX ix_chatledger_session_timeouts_next_check_at ON chatledger_session_timeouts (next_check_at, session_id);

CREATE TABLE chatledger_session_usage (
    session_id TEXT NOT NULL,
    quarter INTEGER NOT NULL,
    role TEXT NOT NULL,
    model_id TEXT NOT NULL,
    copied INTEGER NOT NULL,
    messages INTEGER DEFAULT 0 NOT NULL,
    input_tokens INTEGER DEFAULT 0 NOT NULL,
    output_tokens INTEGER DEFAULT 0 NOT NULL,
    cached_tokens INTEGER DEFAULT 0 NOT NULL,
    cache_write_tokens INTEGER DEFAULT 0 NOT NULL,
    reasoning_tokens INTEGER DEFAULT 0 NOT NULL,
    total_tokens INTEGER DEFAULT 0 NOT NULL,
    cost INTEGER DEFAULT 0 NOT NULL,
    priced INTEGER DEFAULT 0 NOT NULL,
    duration_ms INTEGER DEFAULT 0 NOT NULL,
    timed INTEGER DEFAULT 0 NOT NULL,
    outcomes INTEGER DEFAULT 0 NOT NULL,
    errors INTEGER DEFAULT 0 NOT NULL,
    interruptions INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_chatledger_session_usage PRIMARY KEY (session_id, quarter, role, model_id, copied),
    CONSTRAINT fk_chatledger_session_usage_session_id FOREIGN KEY(session_id) REFERENCES chatledger_sessions (session_id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT;
CREATE INDEX ix_chatledger_session_usage_quarter ON chatledger_session_usage (quarter);

CREATE TABLE chatledger_workflow_steps (
    execution_id TEXT NOT NULL,
    step TEXT NOT NULL,
    item INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER DEFAULT 0 NOT NULL,
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
    CONSTRAINT fk_chatledger_workflow_steps_execution_id FOREIGN KEY(execution_id) REFERENCES chatledger_workflow_executions (execution_id) ON DELETE CASCADE,
    CONSTRAINT ck_chatledger_workflow_steps_state CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled'))
)
 STRICT;
CREATE INDEX ix_chatledger_workflow_steps_session_id ON chatledger_workflow_steps (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE chatledger_model_price_tiers (
    model_id TEXT NOT NULL,
    effective_from TEXT NOT NULL,
    service_tier TEXT DEFAULT '' NOT NULL,
    above_tokens INTEGER DEFAULT 0 NOT NULL,
    input INTEGER,
    output INTEGER,
    cached_input INTEGER,
    cache_write INTEGER,
    cache_write_1h INTEGER,
    reasoning INTEGER,
    CONSTRAINT pk_chatledger_model_price_tiers PRIMARY KEY (model_id, effective_from, service_tier, above_tokens),
    CONSTRAINT fk_chatledger_model_price_tiers_model_id_effective_from FOREIGN KEY(model_id, effective_from) REFERENCES chatledger_model_prices (model_id, effective_from) ON DELETE CASCADE,
    CONSTRAINT ck_chatledger_model_price_tiers_above_tokens CHECK (above_tokens > 0 OR (above_tokens = 0 AND service_tier <> ''))
)
 WITHOUT ROWID,
 STRICT;

CREATE TABLE chatledger_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT chatledger_version_pkc PRIMARY KEY (version_num)
);

-- Views

CREATE VIEW chatledger_daily_usage AS
SELECT date(u.quarter * 900, 'unixepoch') AS day, s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id) AS model_id,
    count(DISTINCT u.session_id) AS sessions,
    sum(u.messages) AS messages,
    sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
    sum(u.input_tokens) AS input_tokens,
    sum(u.output_tokens) AS output_tokens,
    sum(u.cached_tokens) AS cached_tokens,
    sum(u.cache_write_tokens) AS cache_write_tokens,
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
WHERE u.copied = 0
GROUP BY date(u.quarter * 900, 'unixepoch'), s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id);

CREATE VIEW chatledger_hourly_activity AS
SELECT (CAST(strftime('%w', u.quarter * 900, 'unixepoch') AS INTEGER) + 6) % 7 + 1 AS weekday, CAST(strftime('%H', u.quarter * 900, 'unixepoch') AS INTEGER) AS hour, u.role,
    count(DISTINCT u.session_id) AS sessions,
    sum(u.messages) AS messages,
    sum(u.total_tokens) AS total_tokens
FROM chatledger_session_usage AS u
WHERE u.copied = 0
GROUP BY (CAST(strftime('%w', u.quarter * 900, 'unixepoch') AS INTEGER) + 6) % 7 + 1, CAST(strftime('%H', u.quarter * 900, 'unixepoch') AS INTEGER), u.role;

CREATE VIEW chatledger_message_costs AS
SELECT m.session_id, m.sequence_number, s.user_id, s.project_id,
    coalesce(nullif(m.model_id, ''), s.model_id) AS model_id, m.role, m.created_at, m.input_tokens, m.output_tokens,
    m.cached_tokens, m.cache_write_tokens, m.cache_write_1h_tokens, m.reasoning_tokens, m.unpriced_units,
    m.service_tier, m.duration_ms, m.outcome, m.copied_from, m.copied_sequence,
    m.cost AS cost_nanodollars, m.cost / 1000000000.0 AS cost_usd, m.priced_from, m.priced_as
FROM chatledger_messages AS m JOIN chatledger_sessions AS s ON s.session_id = m.session_id;

CREATE VIEW chatledger_messages_text AS
SELECT message_id, coalesce(search_text, substr(content, 1, 100000)) AS content, search_extra AS extra
FROM chatledger_messages WHERE message_id <= (SELECT message_id FROM chatledger_full_text_mark);

CREATE VIEW chatledger_model_statistics AS
SELECT coalesce(nullif(u.model_id, ''), s.model_id) AS model_id, max(r.provider) AS provider, max(r.context_window) AS context_window,
    count(DISTINCT u.session_id) AS sessions,
    sum(u.messages) AS messages,
    sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
    sum(u.input_tokens) AS input_tokens,
    sum(u.output_tokens) AS output_tokens,
    sum(u.cached_tokens) AS cached_tokens,
    sum(u.cache_write_tokens) AS cache_write_tokens,
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
WHERE u.copied = 0
GROUP BY coalesce(nullif(u.model_id, ''), s.model_id);

CREATE VIEW chatledger_project_usage AS
SELECT s.project_id,
    count(DISTINCT u.session_id) AS sessions,
    sum(u.messages) AS messages,
    sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
    sum(u.input_tokens) AS input_tokens,
    sum(u.output_tokens) AS output_tokens,
    sum(u.cached_tokens) AS cached_tokens,
    sum(u.cache_write_tokens) AS cache_write_tokens,
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
WHERE u.copied = 0
GROUP BY s.project_id;

CREATE VIEW chatledger_recent_sessions AS
SELECT s.session_id, s.title, s.user_id, s.project_id, s.model_id, s.status, s.message_count, s.total_tokens,
    s.total_duration_ms, s.total_cost AS cost_nanodollars, s.total_cost / 1000000000.0 AS cost_usd,
    s.created_at, s.last_activity,
    (SELECT substr(m.content, 1, 200) FROM chatledger_messages AS m WHERE m.session_id = s.session_id
        ORDER BY m.sequence_number DESC LIMIT 1) AS last_message
FROM chatledger_sessions AS s;

CREATE VIEW chatledger_sessions_text AS
SELECT n.number, coalesce(s.search_title, substr(s.title, 1, 100000)) AS title,
    coalesce(s.search_system_prompt, substr(s.system_prompt, 1, 100000)) AS system_prompt
FROM chatledger_session_numbers AS n JOIN chatledger_sessions AS s USING (session_id);

CREATE VIEW chatledger_user_usage AS
SELECT s.user_id,
    count(DISTINCT u.session_id) AS sessions,
    sum(u.messages) AS messages,
    sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS answers,
    sum(u.input_tokens) AS input_tokens,
    sum(u.output_tokens) AS output_tokens,
    sum(u.cached_tokens) AS cached_tokens,
    sum(u.cache_write_tokens) AS cache_write_tokens,
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
WHERE u.copied = 0
GROUP BY s.user_id;

-- Full text

CREATE VIRTUAL TABLE chatledger_messages_fts USING fts5(
    content,
    extra,
    content = 'chatledger_messages_text',
    content_rowid = 'message_id',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
);

CREATE VIRTUAL TABLE chatledger_sessions_fts USING fts5(
    title,
    system_prompt,
    content = 'chatledger_sessions_text',
    content_rowid = 'number',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
);

-- Triggers

CREATE TRIGGER chatledger_sessions_activity_insert AFTER INSERT ON chatledger_sessions
WHEN new.activity_hour IS NOT substr(new.last_activity, 1, 13)
BEGIN
    UPDATE chatledger_sessions SET activity_hour = substr(new.last_activity, 1, 13)
    WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_sessions_activity_update AFTER UPDATE OF last_activity, activity_hour ON chatledger_sessions
WHEN new.activity_hour IS NOT substr(new.last_activity, 1, 13)
BEGIN
    UPDATE chatledger_sessions SET activity_hour = substr(new.last_activity, 1, 13)
    WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_sessions_audit_delete AFTER DELETE ON chatledger_sessions
BEGIN
    INSERT INTO chatledger_audit_log (action, session_id, user_id, count, details)
    VALUES ('session.deleted', old.session_id, old.user_id, 1, json_object('messages', old.message_count));
END;

CREATE TRIGGER chatledger_sessions_fts_delete AFTER DELETE ON chatledger_sessions
WHEN old.title IS NOT NULL OR old.system_prompt IS NOT NULL
BEGIN
    INSERT INTO chatledger_sessions_fts (chatledger_sessions_fts, rowid, title, system_prompt)
    SELECT 'delete', number, coalesce(old.search_title, substr(old.title, 1, 100000)),
        coalesce(old.search_system_prompt, substr(old.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = old.session_id;
    DELETE FROM chatledger_session_numbers WHERE session_id = old.session_id;
END;

CREATE TRIGGER chatledger_sessions_fts_insert AFTER INSERT ON chatledger_sessions
WHEN new.title IS NOT NULL OR new.system_prompt IS NOT NULL
BEGIN
    INSERT INTO chatledger_session_numbers (session_id) VALUES (new.session_id) ON CONFLICT DO NOTHING;
    INSERT INTO chatledger_sessions_fts (rowid, title, system_prompt)
    SELECT number, coalesce(new.search_title, substr(new.title, 1, 100000)),
        coalesce(new.search_system_prompt, substr(new.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_sessions_fts_update
AFTER UPDATE OF session_id, title, system_prompt, search_title, search_system_prompt ON chatledger_sessions
BEGIN
    INSERT INTO chatledger_sessions_fts (chatledger_sessions_fts, rowid, title, system_prompt)
    SELECT 'delete', number, coalesce(old.search_title, substr(old.title, 1, 100000)),
        coalesce(old.search_system_prompt, substr(old.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = old.session_id;
    DELETE FROM chatledger_session_numbers WHERE session_id = old.session_id;
    INSERT INTO chatledger_session_numbers (session_id) VALUES (new.session_id) ON CONFLICT DO NOTHING;
    INSERT INTO chatledger_sessions_fts (rowid, title, system_prompt)
    SELECT number, coalesce(new.search_title, substr(new.title, 1, 100000)),
        coalesce(new.search_system_prompt, substr(new.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_sessions_limit AFTER INSERT ON chatledger_sessions
WHEN EXISTS (
    SELECT 1 FROM chatledger_timeout_defaults
    WHERE scope = 'ledger'
        OR (scope = 'project' AND scope_id = new.project_id) OR (scope = 'user' AND scope_id = new.user_id)
)
BEGIN
    INSERT INTO chatledger_session_timeouts (session_id, next_check_at)
    VALUES (new.session_id, min(new.created_at, strftime('%Y-%m-%d %H:%M:%f000', 'now')));
END;

CREATE TRIGGER chatledger_sessions_metrics_delete AFTER DELETE ON chatledger_sessions
BEGIN
    DELETE FROM chatledger_performance_metrics WHERE session_id = old.session_id;
    DELETE FROM chatledger_state WHERE scope = 'session' AND scope_id = old.session_id;
END;

CREATE TRIGGER chatledger_sessions_name_delete AFTER DELETE ON chatledger_sessions
WHEN old.name IS NOT NULL
BEGIN
    DELETE FROM chatledger_session_names WHERE user_id = coalesce(old.user_id, '') AND project_id = coalesce(old.project_id, '') AND name = old.name AND session_id = old.session_id;
END;

CREATE TRIGGER chatledger_sessions_name_insert AFTER INSERT ON chatledger_sessions
WHEN new.name IS NOT NULL
BEGIN
    INSERT INTO chatledger_session_names (user_id, project_id, name, session_id)
    SELECT coalesce(new.user_id, ''), coalesce(new.project_id, ''), new.name, new.session_id
    WHERE new.name IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM chatledger_session_names WHERE user_id = coalesce(new.user_id, '') AND project_id = coalesce(new.project_id, '') AND name = new.name AND session_id = new.session_id
    );
END;

CREATE TRIGGER chatledger_sessions_name_update AFTER UPDATE OF session_id, user_id, project_id, name ON chatledger_sessions
WHEN coalesce(new.name, old.name) IS NOT NULL
    AND (new.name IS NOT old.name OR new.user_id IS NOT old.user_id OR new.project_id IS NOT old.project_id
        OR new.session_id <> old.session_id)
BEGIN
    DELETE FROM chatledger_session_names WHERE user_id = coalesce(old.user_id, '') AND project_id = coalesce(old.project_id, '') AND name = old.name AND session_id = old.session_id;
    INSERT INTO chatledger_session_names (user_id, project_id, name, session_id)
    SELECT coalesce(new.user_id, ''), coalesce(new.project_id, ''), new.name, new.session_id
    WHERE new.name IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM chatledger_session_names WHERE user_id = coalesce(new.user_id, '') AND project_id = coalesce(new.project_id, '') AND name = new.name AND session_id = new.session_id
    );
END;

CREATE TRIGGER chatledger_sessions_rearm AFTER UPDATE OF status ON chatledger_sessions
WHEN new.status IS NOT old.status
BEGIN
    UPDATE chatledger_session_timeouts SET next_check_at =
        CASE WHEN new.status IN ('active', 'idle', 'paused') THEN min(new.last_activity, strftime('%Y-%m-%d %H:%M:%f000', 'now')) END
    WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_sessions_updated_at AFTER UPDATE OF user_id, project_id, model_id, title, system_prompt, status, context, expired_at, archived_at, name,
    parent_id
ON chatledger_sessions
WHEN new.updated_at IS old.updated_at
BEGIN
    UPDATE chatledger_sessions SET updated_at = strftime('%Y-%m-%d %H:%M:%f000', 'now') WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_messages_annotations_delete AFTER DELETE ON chatledger_messages
BEGIN
    DELETE FROM chatledger_annotations
    WHERE session_id = old.session_id AND sequence_number = old.sequence_number;
END;

CREATE TRIGGER chatledger_messages_audit_delete AFTER DELETE ON chatledger_messages
WHEN EXISTS (SELECT 1 FROM chatledger_sessions WHERE session_id = old.session_id)
BEGIN
    UPDATE chatledger_audit_log SET count = count + 1
    WHERE audit_id = (SELECT max(audit_id) FROM chatledger_audit_log)
            AND action = 'messages.deleted' AND session_id = old.session_id AND actor IS NULL AND at = strftime('%Y-%m-%d %H:%M:%f000', 'now');
    INSERT INTO chatledger_audit_log (action, session_id, user_id)
    SELECT 'messages.deleted', session_id, user_id FROM chatledger_sessions
    WHERE session_id = old.session_id AND NOT EXISTS (
        SELECT 1 FROM chatledger_audit_log
        WHERE audit_id = (SELECT max(audit_id) FROM chatledger_audit_log)
            AND action = 'messages.deleted' AND session_id = old.session_id AND actor IS NULL AND at = strftime('%Y-%m-%d %H:%M:%f000', 'now')
    );
END;

CREATE TRIGGER chatledger_messages_count_delete AFTER DELETE ON chatledger_messages
BEGIN
    UPDATE chatledger_sessions SET
        message_count = message_count - 1,
        total_tokens = total_tokens - coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0)),
        total_duration_ms = total_duration_ms - coalesce(old.duration_ms, 0),
        total_cost = total_cost - coalesce(old.cost, 0)
    WHERE session_id = old.session_id;
END;

CREATE TRIGGER chatledger_messages_count_insert AFTER INSERT ON chatledger_messages
BEGIN
    UPDATE chatledger_sessions SET
        message_count = message_count + 1,
        total_tokens = total_tokens + coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
        total_duration_ms = total_duration_ms + coalesce(new.duration_ms, 0),
        total_cost = total_cost + coalesce(new.cost, 0),
        last_sequence = max(last_sequence, new.sequence_number),
        last_activity = max(last_activity, new.created_at)
    WHERE session_id = new.session_id;
END;

CREATE TRIGGER chatledger_messages_count_update AFTER UPDATE OF session_id, sequence_number, input_tokens, output_tokens, tokens_used, duration_ms, cost
ON chatledger_messages
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
END;

CREATE TRIGGER chatledger_messages_fts_delete AFTER DELETE ON chatledger_messages
WHEN old.message_id <= (SELECT message_id FROM chatledger_full_text_mark)
BEGIN
    INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rowid, content, extra)
    SELECT 'delete', old.message_id, coalesce(old.search_text, substr(old.content, 1, 100000)), old.search_extra
    WHERE old.message_id <= (SELECT message_id FROM chatledger_full_text_mark);
    UPDATE chatledger_full_text_mark SET message_id = coalesce((SELECT max(message_id) FROM chatledger_messages), 0) WHERE message_id > coalesce((SELECT max(message_id) FROM chatledger_messages), 0);
END;

CREATE TRIGGER chatledger_messages_fts_insert AFTER INSERT ON chatledger_messages
WHEN NOT EXISTS (
    SELECT 1 FROM chatledger_full_text_mark WHERE new.message_id BETWEEN message_id + 1 AND message_id + most
)
BEGIN
    INSERT INTO chatledger_messages_fts (rowid, content, extra)
    SELECT new.message_id, coalesce(new.search_text, substr(new.content, 1, 100000)), new.search_extra
    WHERE new.message_id <= (SELECT message_id FROM chatledger_full_text_mark);
    INSERT INTO chatledger_messages_fts (rowid, content, extra)
    SELECT message_id, coalesce(search_text, substr(content, 1, 100000)), search_extra
    FROM chatledger_messages WHERE message_id > (SELECT message_id FROM chatledger_full_text_mark);
    UPDATE chatledger_full_text_mark SET message_id = coalesce((SELECT max(message_id) FROM chatledger_messages), 0);
END;

CREATE TRIGGER chatledger_messages_fts_update
AFTER UPDATE OF message_id, content, search_text, search_extra ON chatledger_messages
WHEN min(old.message_id, new.message_id) <= (SELECT message_id FROM chatledger_full_text_mark)
BEGIN
    INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rowid, content, extra)
    SELECT 'delete', old.message_id, coalesce(old.search_text, substr(old.content, 1, 100000)), old.search_extra
    WHERE old.message_id <= (SELECT message_id FROM chatledger_full_text_mark);
    INSERT INTO chatledger_messages_fts (rowid, content, extra)
    SELECT new.message_id, coalesce(new.search_text, substr(new.content, 1, 100000)), new.search_extra
    WHERE new.message_id <= (SELECT message_id FROM chatledger_full_text_mark);
END;

CREATE TRIGGER chatledger_messages_usage_delete AFTER DELETE ON chatledger_messages
BEGIN
    UPDATE chatledger_session_usage SET
            messages = messages - (1),
            input_tokens = input_tokens - (coalesce(old.input_tokens, 0)),
            output_tokens = output_tokens - (coalesce(old.output_tokens, 0)),
            cached_tokens = cached_tokens - (coalesce(old.cached_tokens, 0)),
            cache_write_tokens = cache_write_tokens - (coalesce(old.cache_write_tokens, 0)),
            reasoning_tokens = reasoning_tokens - (coalesce(old.reasoning_tokens, 0)),
            total_tokens = total_tokens - (coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0))),
            cost = cost - (coalesce(old.cost, 0)),
            priced = priced - (CASE WHEN old.cost IS NULL THEN 0 ELSE 1 END),
            duration_ms = duration_ms - (coalesce(old.duration_ms, 0)),
            timed = timed - (CASE WHEN old.duration_ms IS NULL THEN 0 ELSE 1 END),
            outcomes = outcomes - (CASE WHEN old.outcome IS NULL THEN 0 ELSE 1 END),
            errors = errors - (CASE WHEN old.outcome = 'error' THEN 1 ELSE 0 END),
            interruptions = interruptions - (CASE WHEN old.outcome = 'interrupted' THEN 1 ELSE 0 END)
    WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
        AND role = old.role AND model_id = coalesce(old.model_id, '') AND copied = (old.copied_from IS NOT NULL);
    DELETE FROM chatledger_session_usage WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
        AND role = old.role AND model_id = coalesce(old.model_id, '') AND copied = (old.copied_from IS NOT NULL) AND messages = 0;
END;

CREATE TRIGGER chatledger_messages_usage_insert AFTER INSERT ON chatledger_messages
BEGIN
    INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id, copied, messages, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
    VALUES (new.session_id, coalesce((strftime('%s', substr(new.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0), new.role, coalesce(new.model_id, ''), new.copied_from IS NOT NULL,
            1,
            coalesce(new.input_tokens, 0),
            coalesce(new.output_tokens, 0),
            coalesce(new.cached_tokens, 0),
            coalesce(new.cache_write_tokens, 0),
            coalesce(new.reasoning_tokens, 0),
            coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
            coalesce(new.cost, 0),
            CASE WHEN new.cost IS NULL THEN 0 ELSE 1 END,
            coalesce(new.duration_ms, 0),
            CASE WHEN new.duration_ms IS NULL THEN 0 ELSE 1 END,
            CASE WHEN new.outcome IS NULL THEN 0 ELSE 1 END,
            CASE WHEN new.outcome = 'error' THEN 1 ELSE 0 END,
            CASE WHEN new.outcome = 'interrupted' THEN 1 ELSE 0 END)
    ON CONFLICT (session_id, quarter, role, model_id, copied) DO UPDATE SET
            messages = messages + excluded.messages,
            input_tokens = input_tokens + excluded.input_tokens,
            output_tokens = output_tokens + excluded.output_tokens,
            cached_tokens = cached_tokens + excluded.cached_tokens,
            cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
            reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
            total_tokens = total_tokens + excluded.total_tokens,
            cost = cost + excluded.cost,
            priced = priced + excluded.priced,
            duration_ms = duration_ms + excluded.duration_ms,
            timed = timed + excluded.timed,
            outcomes = outcomes + excluded.outcomes,
            errors = errors + excluded.errors,
            interruptions = interruptions + excluded.interruptions;
END;

CREATE TRIGGER chatledger_messages_usage_update AFTER UPDATE OF session_id, role, model_id, input_tokens, output_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, tokens_used, duration_ms, cost, outcome, created_at, copied_from
ON chatledger_messages
BEGIN
    UPDATE chatledger_session_usage SET
            messages = messages - (1),
            input_tokens = input_tokens - (coalesce(old.input_tokens, 0)),
            output_tokens = output_tokens - (coalesce(old.output_tokens, 0)),
            cached_tokens = cached_tokens - (coalesce(old.cached_tokens, 0)),
            cache_write_tokens = cache_write_tokens - (coalesce(old.cache_write_tokens, 0)),
            reasoning_tokens = reasoning_tokens - (coalesce(old.reasoning_tokens, 0)),
            total_tokens = total_tokens - (coalesce(old.tokens_used, coalesce(old.input_tokens, 0) + coalesce(old.output_tokens, 0))),
            cost = cost - (coalesce(old.cost, 0)),
            priced = priced - (CASE WHEN old.cost IS NULL THEN 0 ELSE 1 END),
            duration_ms = duration_ms - (coalesce(old.duration_ms, 0)),
            timed = timed - (CASE WHEN old.duration_ms IS NULL THEN 0 ELSE 1 END),
            outcomes = outcomes - (CASE WHEN old.outcome IS NULL THEN 0 ELSE 1 END),
            errors = errors - (CASE WHEN old.outcome = 'error' THEN 1 ELSE 0 END),
            interruptions = interruptions - (CASE WHEN old.outcome = 'interrupted' THEN 1 ELSE 0 END)
    WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
        AND role = old.role AND model_id = coalesce(old.model_id, '') AND copied = (old.copied_from IS NOT NULL);
    DELETE FROM chatledger_session_usage WHERE session_id = old.session_id AND quarter = coalesce((strftime('%s', substr(old.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0)
        AND role = old.role AND model_id = coalesce(old.model_id, '') AND copied = (old.copied_from IS NOT NULL) AND messages = 0;
    INSERT INTO chatledger_session_usage (session_id, quarter, role, model_id, copied, messages, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
    VALUES (new.session_id, coalesce((strftime('%s', substr(new.created_at, 1, 19)) + 62135596800) / 900 - 69039552, 0), new.role, coalesce(new.model_id, ''), new.copied_from IS NOT NULL,
            1,
            coalesce(new.input_tokens, 0),
            coalesce(new.output_tokens, 0),
            coalesce(new.cached_tokens, 0),
            coalesce(new.cache_write_tokens, 0),
            coalesce(new.reasoning_tokens, 0),
            coalesce(new.tokens_used, coalesce(new.input_tokens, 0) + coalesce(new.output_tokens, 0)),
            coalesce(new.cost, 0),
            CASE WHEN new.cost IS NULL THEN 0 ELSE 1 END,
            coalesce(new.duration_ms, 0),
            CASE WHEN new.duration_ms IS NULL THEN 0 ELSE 1 END,
            CASE WHEN new.outcome IS NULL THEN 0 ELSE 1 END,
            CASE WHEN new.outcome = 'error' THEN 1 ELSE 0 END,
            CASE WHEN new.outcome = 'interrupted' THEN 1 ELSE 0 END)
    ON CONFLICT (session_id, quarter, role, model_id, copied) DO UPDATE SET
            messages = messages + excluded.messages,
            input_tokens = input_tokens + excluded.input_tokens,
            output_tokens = output_tokens + excluded.output_tokens,
            cached_tokens = cached_tokens + excluded.cached_tokens,
            cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
            reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
            total_tokens = total_tokens + excluded.total_tokens,
            cost = cost + excluded.cost,
            priced = priced + excluded.priced,
            duration_ms = duration_ms + excluded.duration_ms,
            timed = timed + excluded.timed,
            outcomes = outcomes + excluded.outcomes,
            errors = errors + excluded.errors,
            interruptions = interruptions + excluded.interruptions;
END;

CREATE TRIGGER chatledger_messages_wake AFTER INSERT ON chatledger_messages
WHEN (SELECT status FROM chatledger_sessions WHERE session_id = new.session_id) = 'idle'
BEGIN
    UPDATE chatledger_sessions SET status = 'active', updated_at = max(updated_at, new.created_at)
    WHERE session_id = new.session_id;
END;

-- The revision, up to which message full text is complete, and the mark of the file

INSERT INTO chatledger_version (version_num) VALUES ('0004');
INSERT INTO chatledger_full_text_mark VALUES (1, 0, 31);
PRAGMA application_id = 1667787879;
