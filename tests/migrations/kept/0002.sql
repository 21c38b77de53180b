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

-- Running upgrade 0001 -> 0002

UPDATE sessions SET
            message_count = counted.messages,
            total_tokens = counted.tokens,
            total_duration_ms = counted.duration_ms,
            total_cost = counted.cost,
            last_sequence = CASE WHEN counted.last > sessions.last_sequence THEN counted.last ELSE sessions.last_sequence END
        FROM (
            SELECT s.session_id,
                count(m.session_id) AS messages,
                coalesce(sum(coalesce(m.tokens_used, coalesce(m.input_tokens, 0) + coalesce(m.output_tokens, 0))), 0) AS tokens,
                coalesce(sum(m.duration_ms), 0) AS duration_ms,
                coalesce(sum(m.cost), 0) AS cost,
                coalesce(max(m.sequence_number), 0) AS last
            FROM sessions AS s LEFT JOIN messages AS m ON m.session_id = s.session_id
            GROUP BY s.session_id
        ) AS counted
        WHERE counted.session_id = sessions.session_id;

CREATE FUNCTION chatledger_count_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
                UPDATE sessions SET
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
        END $$;

CREATE FUNCTION chatledger_count_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
                UPDATE sessions SET
                    message_count = message_count - removed.messages,
                    total_tokens = total_tokens - removed.tokens,
                    total_duration_ms = total_duration_ms - removed.duration_ms,
                    total_cost = total_cost - removed.cost
                WHERE session_id = removed.session_id;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_count_update() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
                UPDATE sessions SET
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
        END $$;

CREATE FUNCTION chatledger_count_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE sessions SET message_count = 0, total_tokens = 0, total_duration_ms = 0, total_cost = 0
            WHERE message_count <> 0;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_touch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END $$;

CREATE FUNCTION chatledger_audit_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO audit_log (action, session_id, user_id, count, details)
            SELECT 'session.deleted', session_id, user_id, 1, json_build_object('messages', message_count)
            FROM old_rows ORDER BY session_id;
            RETURN NULL;
        END $$;

CREATE TRIGGER messages_count_insert AFTER INSERT ON messages
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_insert();

CREATE TRIGGER messages_count_delete AFTER DELETE ON messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_delete();

CREATE TRIGGER messages_count_update AFTER UPDATE ON messages
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_update();

CREATE TRIGGER messages_count_truncate AFTER TRUNCATE ON messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_count_truncate();

CREATE TRIGGER sessions_updated_at
        BEFORE UPDATE OF user_id, project_id, model_id, title, system_prompt, status, context, expired_at, archived_at ON sessions
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
        EXECUTE FUNCTION chatledger_touch();

CREATE TRIGGER sessions_audit_delete AFTER DELETE ON sessions
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_delete();

UPDATE chatledger_version SET version_num='0002' WHERE chatledger_version.version_num = '0001';

COMMIT;


INSERT INTO projects (project_id) VALUES ('travel');

INSERT INTO models (model_id, provider) VALUES ('m-1', 'somebody');

INSERT INTO sessions (session_id, user_id, project_id, model_id, title, context, created_at, last_activity) VALUES ('trip', 'ada', 'travel', 'm-1', 'Lisbon', '{"a": 1e16}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00'), ('empty', NULL, NULL, NULL, NULL, '{}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00');

INSERT INTO messages (session_id, sequence_number, role, content, payload, input_tokens, output_tokens, cost, key, created_at) VALUES ('trip', 1, 'user', 'Where to in May? Zürich?', NULL, 8, NULL, NULL, 'k', '2026-05-01 10:00:00.000000+00'), ('trip', 2, 'assistant', 'A quiet harbour.', '[1.0, null]', NULL, 3, 1, NULL, '2026-05-01 10:00:00.000000+00');

INSERT INTO session_metadata (session_id, key, value) VALUES ('trip', 'tags', '["sea"]');

INSERT INTO session_timeouts (session_id, idle_limit, hard_limit, next_check_at) VALUES ('trip', 3600, 86400, '2026-05-01 10:00:00.000000+00');

INSERT INTO audit_log (action, session_id, user_id) VALUES ('session.deleted', 'gone', 'ada');

