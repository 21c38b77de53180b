"""Older databases in small: each function makes an empty one, in the words of the program that made them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AI_ROUTER = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP,
  model_id TEXT NOT NULL, model_name TEXT, title TEXT, message_count INTEGER DEFAULT 0, total_tokens INTEGER DEFAULT 0,
  total_duration_seconds REAL DEFAULT 0, last_activity TIMESTAMP, status TEXT DEFAULT 'active');
CREATE TABLE messages (message_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  sequence_number INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL,
  timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, tokens_used INTEGER, duration_seconds REAL, metadata TEXT,
  FOREIGN KEY (session_id) REFERENCES sessions(session_id) ON DELETE CASCADE);
CREATE TABLE session_metadata (metadata_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  key TEXT NOT NULL, value TEXT, UNIQUE (session_id, key));
CREATE TABLE session_timeouts (session_id TEXT PRIMARY KEY, idle_timeout_seconds INTEGER, hard_timeout_seconds INTEGER,
  expires_at TIMESTAMP);
CREATE TABLE session_snapshots (snapshot_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  snapshot_type TEXT, context_json TEXT);
"""

CHAT_SESSIONS = """
CREATE TABLE chat_sessions (session_id TEXT PRIMARY KEY, user_id TEXT, created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL, context TEXT, metadata TEXT, expired_at TEXT, preferences TEXT DEFAULT '{}');
CREATE TABLE chat_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL,
  content TEXT NOT NULL, query_plan TEXT, candidate_set TEXT, timestamp TEXT NOT NULL, rating INTEGER);
"""

LLM_SESSIONS = """
CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT, created_at TIMESTAMP);
CREATE TABLE models (id INTEGER PRIMARY KEY, provider TEXT, model_name TEXT, model_version TEXT);
CREATE TABLE sessions (id INTEGER PRIMARY KEY, session_uuid TEXT NOT NULL UNIQUE, project_id INTEGER, title TEXT,
  model_id INTEGER, system_prompt TEXT, temperature REAL, status TEXT, started_at TIMESTAMP, completed_at TIMESTAMP,
  total_messages INTEGER DEFAULT 0, total_input_tokens INTEGER DEFAULT 0, total_output_tokens INTEGER DEFAULT 0,
  total_cost REAL DEFAULT 0, parent_session_id INTEGER, tags JSON, metadata JSON);
CREATE TABLE messages (id INTEGER PRIMARY KEY, message_uuid TEXT NOT NULL UNIQUE, session_id INTEGER NOT NULL,
  parent_message_id INTEGER, sequence_number INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL,
  content_type TEXT, model_id INTEGER, timestamp TIMESTAMP, input_tokens INTEGER, output_tokens INTEGER, cost REAL,
  latency_ms INTEGER, finish_reason TEXT, function_call JSON, tool_calls JSON, error_message TEXT, metadata JSON);
CREATE TABLE comparison_groups (id INTEGER PRIMARY KEY, group_uuid TEXT, project_id INTEGER, name TEXT,
  description TEXT, comparison_type TEXT DEFAULT 'model', created_at TIMESTAMP, completed_at TIMESTAMP, metadata JSON);
CREATE TABLE comparison_sessions (id INTEGER PRIMARY KEY, comparison_group_id INTEGER, session_id INTEGER,
  variant_name TEXT, variant_config JSON, created_at TIMESTAMP);
CREATE TABLE comparison_results (id INTEGER PRIMARY KEY, comparison_group_id INTEGER, session_id INTEGER,
  message_id INTEGER, metric_name TEXT, metric_value REAL, metric_unit TEXT, evaluator TEXT, notes TEXT,
  evaluated_at TIMESTAMP, metadata JSON);
CREATE TABLE batch_jobs (id INTEGER PRIMARY KEY, job_uuid TEXT, project_id INTEGER, name TEXT, description TEXT,
  job_type TEXT, model_id INTEGER, input_source TEXT, input_data JSON, status TEXT DEFAULT 'pending',
  total_items INTEGER, completed_items INTEGER, failed_items INTEGER, created_at TIMESTAMP, started_at TIMESTAMP,
  completed_at TIMESTAMP, error_message TEXT, metadata JSON);
CREATE TABLE batch_items (id INTEGER PRIMARY KEY, batch_job_id INTEGER, session_id INTEGER, item_index INTEGER,
  input_data JSON, status TEXT DEFAULT 'pending', result_data JSON, error_message TEXT, started_at TIMESTAMP,
  completed_at TIMESTAMP);
CREATE TABLE workflows (id INTEGER PRIMARY KEY, workflow_uuid TEXT, project_id INTEGER, name TEXT, description TEXT,
  workflow_definition JSON, status TEXT DEFAULT 'draft', version INTEGER DEFAULT 1, created_at TIMESTAMP, metadata JSON);
CREATE TABLE workflow_executions (id INTEGER PRIMARY KEY, execution_uuid TEXT, workflow_id INTEGER,
  status TEXT DEFAULT 'pending', input_data JSON, output_data JSON, current_step TEXT, started_at TIMESTAMP,
  completed_at TIMESTAMP, error_message TEXT, metadata JSON);
CREATE TABLE workflow_steps (id INTEGER PRIMARY KEY, workflow_execution_id INTEGER, step_name TEXT, step_index INTEGER,
  session_id INTEGER, status TEXT DEFAULT 'pending', input_data JSON, output_data JSON, started_at TIMESTAMP,
  completed_at TIMESTAMP, error_message TEXT);
CREATE TABLE performance_metrics (id INTEGER PRIMARY KEY, metric_type TEXT, entity_type TEXT, entity_id INTEGER,
  metric_name TEXT, metric_value REAL, metric_unit TEXT, period_start TIMESTAMP, period_end TIMESTAMP,
  sample_count INTEGER, recorded_at TIMESTAMP, metadata JSON);
CREATE TABLE session_snapshots (id INTEGER PRIMARY KEY, session_id INTEGER, snapshot_type TEXT, session_state JSON);
CREATE TABLE annotations (id INTEGER PRIMARY KEY, annotation_uuid TEXT, entity_type TEXT, entity_id INTEGER,
  annotation_type TEXT, content TEXT, rating INTEGER, annotator TEXT, created_at TIMESTAMP, updated_at TIMESTAMP,
  metadata JSON);
"""

AGENTS = """
CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, message_data TEXT NOT NULL,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
"""

BRANCHES = """
CREATE TABLE message_structure (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  message_id INTEGER NOT NULL, branch_id TEXT NOT NULL DEFAULT 'main', message_type TEXT NOT NULL,
  sequence_number INTEGER NOT NULL, user_turn_number INTEGER, branch_turn_number INTEGER, tool_name TEXT,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE turn_usage (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  branch_id TEXT NOT NULL DEFAULT 'main', user_turn_number INTEGER NOT NULL, requests INTEGER DEFAULT 0,
  input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0, UNIQUE (session_id, branch_id, user_turn_number));
CREATE TABLE branch_reservations (session_id TEXT NOT NULL, branch_id TEXT NOT NULL, PRIMARY KEY (session_id, branch_id));
"""
"""What `AdvancedSQLiteSession` adds."""

LANGCHAIN = "CREATE TABLE message_store (id INTEGER PRIMARY KEY, session_id TEXT, message TEXT);"

ADK = """
CREATE TABLE sessions (app_name TEXT, user_id TEXT, id TEXT, state TEXT, create_time DATETIME, update_time DATETIME,
  PRIMARY KEY (app_name, user_id, id));
CREATE TABLE app_states (app_name TEXT PRIMARY KEY, state TEXT, update_time DATETIME);
CREATE TABLE user_states (app_name TEXT, user_id TEXT, state TEXT, PRIMARY KEY (app_name, user_id));
CREATE TABLE events (id TEXT, app_name TEXT, user_id TEXT, session_id TEXT, invocation_id TEXT, timestamp DATETIME,
  event_data TEXT, PRIMARY KEY (id, app_name, user_id, session_id));
"""

LLM = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
  response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT, input_tokens INTEGER,
  output_tokens INTEGER, token_details TEXT);
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER,
  PRIMARY KEY (response_id, fragment_id, "order"));
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, arguments TEXT, tool_call_id TEXT);
CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, output TEXT, tool_call_id TEXT,
  exception TEXT);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER,
  PRIMARY KEY (response_id, attachment_id));
CREATE TABLE embeddings (collection_id INTEGER, id TEXT, embedding BLOB, PRIMARY KEY (collection_id, id));
"""

THREADS = """
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT,
  payload TEXT);
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT);
CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
  options_json TEXT, input_tokens INTEGER, output_tokens INTEGER, duration_ms INTEGER, datetime_utc TEXT);
CREATE TABLE turn_search (id INTEGER PRIMARY KEY, turn_id TEXT, prompt TEXT, response TEXT);
"""


@contextmanager
def made(path: Path, schema: str = "", *, wal: bool = False) -> Iterator[sqlite3.Connection]:
    """A database with a schema, to be filled within the block."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(schema)
        yield connection
    finally:
        connection.close()


def put(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    """Insert one row; its number."""
    marks = ", ".join("?" * len(values))
    names = ", ".join(f'"{name}"' for name in values)
    return int(
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())).lastrowid or 0
    )


def fill_ai_router(
    connection: sqlite3.Connection, session: str = "s", texts: tuple[str, ...] = ("Where?", "Lisbon.")
) -> None:
    """One session with right counters and these messages."""
    put(
        connection, "sessions", session_id=session, created_at="2025-06-02 08:00:00", model_id="phi4", title="Trip",
        message_count=len(texts), last_activity="2025-06-02 08:01:00",
    )  # fmt: skip
    for number, text in enumerate(texts, 1):
        role = "user" if number % 2 else "assistant"
        put(
            connection, "messages", session_id=session, sequence_number=number, role=role, content=text,
            timestamp=f"2025-06-02 08:{number // 60:02}:{number % 60:02}",
        )  # fmt: skip


def state_of(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file below a folder, by name: its bytes, its time, its rights."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }  # fmt: skip
