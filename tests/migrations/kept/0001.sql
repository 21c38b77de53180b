BEGIN;

CREATE TABLE chatledger_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT chatledger_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE projects (
            project_id TEXT COLLATE "C" NOT NULL,
            name TEXT,
            description TEXT,
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            archived_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_projects PRIMARY KEY (project_id)
        );

CREATE TABLE models (
            model_id TEXT COLLATE "C" NOT NULL,
            provider TEXT,
            name TEXT,
            context_window BIGINT,
            notes TEXT,
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            archived_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT pk_models PRIMARY KEY (model_id)
        );

CREATE TABLE sessions (
            session_id TEXT COLLATE "C" NOT NULL,
            user_id TEXT COLLATE "C",
            project_id TEXT COLLATE "C",
            model_id TEXT COLLATE "C",
            title TEXT,
            system_prompt TEXT,
            status TEXT NOT NULL DEFAULT 'active',
            context JSON NOT NULL DEFAULT '{}',
            message_count BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            total_duration_ms BIGINT NOT NULL DEFAULT 0,
            total_cost BIGINT NOT NULL DEFAULT 0,
            last_sequence BIGINT NOT NULL DEFAULT 0,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            last_activity TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            expired_at TIMESTAMP WITH TIME ZONE,
            archived_at TIMESTAMP WITH TIME ZONE,
            forked_from TEXT COLLATE "C",
            forked_at BIGINT,
            activity_minute TIMESTAMP WITHOUT TIME ZONE GENERATED ALWAYS AS (date_trunc('minute', (last_activity AT TIME ZONE 'UTC'))) STORED,
            CONSTRAINT pk_sessions PRIMARY KEY (session_id),
            CONSTRAINT fk_sessions_project_id FOREIGN KEY (project_id) REFERENCES projects (project_id),
            CONSTRAINT fk_sessions_model_id FOREIGN KEY (model_id) REFERENCES models (model_id),
            CONSTRAINT ck_sessions_status CHECK (status IN ('active', 'idle', 'paused', 'archived', 'expired', 'failed'))
        ) WITH (fillfactor = 70);

CREATE TABLE messages (
            session_id TEXT COLLATE "C" NOT NULL,
            sequence_number BIGINT NOT NULL,
            role TEXT NOT NULL,
            content TEXT NOT NULL,
            payload JSON,
            metadata JSON,
            name TEXT,
            tool_call_id TEXT,
            model_id TEXT COLLATE "C",
            input_tokens BIGINT,
            output_tokens BIGINT,
            cached_tokens BIGINT,
            tokens_used BIGINT,
            duration_ms BIGINT,
            cost BIGINT,
            key TEXT COLLATE "C",
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            digest BYTEA,
            search_text TEXT,
            CONSTRAINT pk_messages PRIMARY KEY (session_id, sequence_number),
            CONSTRAINT fk_messages_session_id FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_messages_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_messages_role CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool'))
        );

CREATE TABLE session_metadata (
            session_id TEXT COLLATE "C" NOT NULL,
            key TEXT COLLATE "C" NOT NULL,
            value JSON NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_session_metadata PRIMARY KEY (session_id, key),
            CONSTRAINT fk_session_metadata_session_id FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
        );

CREATE TABLE session_timeouts (
            session_id TEXT COLLATE "C" NOT NULL,
            idle_limit BIGINT,
            hard_limit BIGINT,
            expires_at TIMESTAMP WITH TIME ZONE,
            next_check_at TIMESTAMP WITH TIME ZONE,
            warned_at TIMESTAMP WITH TIME ZONE,
            warned_for TIMESTAMP WITH TIME ZONE,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_session_timeouts PRIMARY KEY (session_id),
            CONSTRAINT fk_session_timeouts_session_id FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
        );

CREATE TABLE session_snapshots (
            session_id TEXT COLLATE "C" NOT NULL,
            snapshot_number BIGINT NOT NULL,
            kind TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            actor TEXT,
            reason TEXT,
            message_count BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            total_duration_ms BIGINT NOT NULL DEFAULT 0,
            total_cost BIGINT NOT NULL DEFAULT 0,
            last_sequence BIGINT NOT NULL DEFAULT 0,
            encoding TEXT NOT NULL,
            body BYTEA NOT NULL,
            size BIGINT NOT NULL,
            digest BYTEA NOT NULL,
            CONSTRAINT pk_session_snapshots PRIMARY KEY (session_id, snapshot_number),
            CONSTRAINT fk_session_snapshots_session_id FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE,
            CONSTRAINT ck_session_snapshots_kind CHECK (kind IN ('checkpoint', 'timeout_warning', 'pre_archive', 'manual'))
        );

CREATE TABLE audit_log (
            audit_id BIGINT GENERATED BY DEFAULT AS IDENTITY,
            at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            action TEXT NOT NULL,
            actor TEXT,
            reason TEXT,
            session_id TEXT COLLATE "C",
            user_id TEXT COLLATE "C",
            count BIGINT NOT NULL DEFAULT 1,
            details JSON,
            CONSTRAINT pk_audit_log PRIMARY KEY (audit_id)
        );

INSERT INTO chatledger_version (version_num) VALUES ('0001') RETURNING chatledger_version.version_num;

COMMIT;


INSERT INTO projects (project_id) VALUES ('travel');

INSERT INTO models (model_id, provider) VALUES ('m-1', 'somebody');

INSERT INTO sessions (session_id, user_id, project_id, model_id, title, context, created_at, last_activity) VALUES ('trip', 'ada', 'travel', 'm-1', 'Lisbon', '{"a": 1e16}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00'), ('empty', NULL, NULL, NULL, NULL, '{}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00');

INSERT INTO messages (session_id, sequence_number, role, content, payload, input_tokens, output_tokens, cost, key, created_at) VALUES ('trip', 1, 'user', 'Where to in May? Zürich?', NULL, 8, NULL, NULL, 'k', '2026-05-01 10:00:00.000000+00'), ('trip', 2, 'assistant', 'A quiet harbour.', '[1.0, null]', NULL, 3, 1, NULL, '2026-05-01 10:00:00.000000+00');

INSERT INTO session_metadata (session_id, key, value) VALUES ('trip', 'tags', '["sea"]');

INSERT INTO session_timeouts (session_id, idle_limit, hard_limit, next_check_at) VALUES ('trip', 3600, 86400, '2026-05-01 10:00:00.000000+00');

INSERT INTO audit_log (action, session_id, user_id) VALUES ('session.deleted', 'gone', 'ada');

