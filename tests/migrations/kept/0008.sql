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

-- Running upgrade 0002 -> 0003

CREATE INDEX ix_sessions_activity ON sessions (activity_minute);

CREATE INDEX ix_sessions_user_activity ON sessions (user_id, activity_minute);

CREATE INDEX ix_sessions_project_activity ON sessions (project_id, activity_minute);

CREATE INDEX ix_sessions_model_activity ON sessions (model_id, activity_minute);

CREATE INDEX ix_sessions_active_activity ON sessions (activity_minute) WHERE status = 'active';

CREATE UNIQUE INDEX uq_messages_session_id_key ON messages (session_id, key) WHERE key IS NOT NULL;

CREATE INDEX ix_session_timeouts_next_check_at ON session_timeouts (next_check_at);

CREATE INDEX ix_audit_log_session_id ON audit_log (session_id);

CREATE INDEX ix_audit_log_at ON audit_log (at);

UPDATE chatledger_version SET version_num='0003' WHERE chatledger_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

CREATE TEXT SEARCH DICTIONARY chatledger_stem (TEMPLATE = snowball, LANGUAGE = english);

CREATE TEXT SEARCH CONFIGURATION chatledger (COPY = pg_catalog.english);

ALTER TEXT SEARCH CONFIGURATION chatledger
        ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH chatledger_stem;

ALTER TABLE messages ADD COLUMN search_vector TSVECTOR GENERATED ALWAYS AS (
            to_tsvector('chatledger', normalize(regexp_replace(normalize(
                translate(left(coalesce(search_text, content), 100000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)),
                NFD), '([A-Za-z])[\u0300-\u036f]+', '\1', 'g'), NFC))
        ) STORED;

CREATE INDEX ix_messages_search_vector ON messages USING gin (search_vector);

CREATE INDEX ix_messages_created_at ON messages (created_at);

UPDATE chatledger_version SET version_num='0004' WHERE chatledger_version.version_num = '0003';

-- Running upgrade 0004 -> 0005

ALTER TABLE sessions ADD COLUMN held_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE session_timeouts
            ADD COLUMN archive_limit BIGINT,
            ADD COLUMN warn_before BIGINT,
            ADD COLUMN idle_from TIMESTAMP WITH TIME ZONE,
            ADD COLUMN idle_sequence BIGINT,
            ADD COLUMN hard_from TIMESTAMP WITH TIME ZONE;

CREATE TABLE timeout_defaults (
            scope TEXT NOT NULL,
            scope_id TEXT COLLATE "C" NOT NULL,
            idle_limit BIGINT,
            archive_limit BIGINT,
            hard_limit BIGINT,
            warn_before BIGINT,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_timeout_defaults PRIMARY KEY (scope, scope_id),
            CONSTRAINT ck_timeout_defaults_scope CHECK (scope IN ('ledger', 'project', 'user'))
        );

CREATE INDEX ix_sessions_resting_activity ON sessions (activity_minute) WHERE status IN ('idle', 'paused');

CREATE INDEX ix_sessions_archived_at ON sessions (archived_at, session_id) WHERE status = 'archived';

CREATE INDEX ix_sessions_expired_at ON sessions (expired_at, session_id) WHERE status = 'expired';

DROP INDEX ix_session_timeouts_next_check_at;

CREATE INDEX ix_session_timeouts_next_check_at ON session_timeouts (next_check_at, session_id);

CREATE INDEX ix_audit_log_user_id ON audit_log (user_id);

UPDATE sessions SET held_at = (kept.details ->> 'held_at')::timestamptz
        FROM audit_log AS kept
        WHERE kept.action = 'kept by 0005' AND kept.session_id = sessions.session_id
            AND kept.details ->> 'table' = 'sessions';

UPDATE session_timeouts SET
            archive_limit = (kept.details ->> 'archive_limit')::bigint,
            warn_before = (kept.details ->> 'warn_before')::bigint,
            idle_from = (kept.details ->> 'idle_from')::timestamptz,
            idle_sequence = (kept.details ->> 'idle_sequence')::bigint,
            hard_from = (kept.details ->> 'hard_from')::timestamptz
        FROM audit_log AS kept
        WHERE kept.action = 'kept by 0005' AND kept.session_id = session_timeouts.session_id
            AND kept.details ->> 'table' = 'session_timeouts';

INSERT INTO timeout_defaults
            (scope, scope_id, idle_limit, archive_limit, hard_limit, warn_before, created_at, updated_at)
        SELECT details ->> 'scope', details ->> 'scope_id',
            (details ->> 'idle_limit')::bigint, (details ->> 'archive_limit')::bigint,
            (details ->> 'hard_limit')::bigint, (details ->> 'warn_before')::bigint,
            (details ->> 'created_at')::timestamptz, (details ->> 'updated_at')::timestamptz
        FROM audit_log WHERE action = 'kept by 0005' AND details ->> 'table' = 'timeout_defaults';

DELETE FROM audit_log WHERE action = 'kept by 0005';

INSERT INTO session_timeouts (session_id, next_check_at)
        SELECT session_id, created_at FROM sessions AS s
        WHERE status IN ('active', 'idle', 'paused')
            AND NOT EXISTS (SELECT 1 FROM session_timeouts AS t WHERE t.session_id = s.session_id)
            AND EXISTS (
                SELECT 1 FROM timeout_defaults
                WHERE scope = 'ledger'
                    OR (scope = 'project' AND scope_id = s.project_id) OR (scope = 'user' AND scope_id = s.user_id)
            );

CREATE FUNCTION chatledger_rearm() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            UPDATE session_timeouts SET next_check_at =
                CASE WHEN NEW.status IN ('active', 'idle', 'paused')
                    THEN least(NEW.last_activity, CURRENT_TIMESTAMP) END
            WHERE session_id = NEW.session_id;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            added record;
        BEGIN
            FOR added IN
                SELECT session_id, created_at FROM new_rows AS n
                WHERE EXISTS (
                    SELECT 1 FROM timeout_defaults
                    WHERE scope = 'ledger'
                        OR (scope = 'project' AND scope_id = n.project_id) OR (scope = 'user' AND scope_id = n.user_id)
                )
                ORDER BY session_id
            LOOP
                INSERT INTO session_timeouts (session_id, next_check_at)
                VALUES (added.session_id, least(added.created_at, CURRENT_TIMESTAMP));
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_audit_messages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            removed record;
        BEGIN
            FOR removed IN
                SELECT session_id, count(*) AS messages FROM old_rows GROUP BY session_id ORDER BY session_id
            LOOP
                INSERT INTO audit_log (action, session_id, user_id, count)
                SELECT 'messages.deleted', session_id, user_id, removed.messages
                FROM sessions WHERE session_id = removed.session_id;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_audit_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            IF TG_TABLE_NAME = 'sessions' THEN
                INSERT INTO audit_log (action, count) SELECT 'sessions.truncated', count(*) FROM sessions;
            ELSE
                INSERT INTO audit_log (action, count) SELECT 'messages.truncated', count(*) FROM messages;
            END IF;
            RETURN NULL;
        END $$;

CREATE TRIGGER sessions_limit AFTER INSERT ON sessions
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_limit();

CREATE TRIGGER sessions_rearm AFTER UPDATE OF status ON sessions
        FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION chatledger_rearm();

CREATE TRIGGER messages_audit_delete AFTER DELETE ON messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_messages();

CREATE TRIGGER sessions_audit_truncate BEFORE TRUNCATE ON sessions
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_truncate();

CREATE TRIGGER messages_audit_truncate BEFORE TRUNCATE ON messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_audit_truncate();

UPDATE chatledger_version SET version_num='0005' WHERE chatledger_version.version_num = '0004';

-- Running upgrade 0005 -> 0006

ALTER TABLE messages
            ADD COLUMN reasoning_tokens BIGINT,
            ADD COLUMN outcome TEXT,
            ADD COLUMN priced_from TIMESTAMP WITH TIME ZONE,
            ADD CONSTRAINT ck_messages_outcome CHECK (outcome IN ('complete', 'interrupted', 'error'));

CREATE TABLE model_prices (
            model_id TEXT COLLATE "C" NOT NULL,
            effective_from TIMESTAMP WITH TIME ZONE NOT NULL,
            input BIGINT,
            output BIGINT,
            cached_input BIGINT,
            reasoning BIGINT,
            others JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_model_prices PRIMARY KEY (model_id, effective_from),
            CONSTRAINT fk_model_prices_model_id FOREIGN KEY (model_id) REFERENCES models (model_id)
        );

INSERT INTO model_prices
            (model_id, effective_from, input, output, cached_input, reasoning, others, created_at)
        SELECT details ->> 'model_id', (details ->> 'effective_from')::timestamptz,
            (details ->> 'input')::bigint, (details ->> 'output')::bigint,
            (details ->> 'cached_input')::bigint, (details ->> 'reasoning')::bigint,
            (details ->> 'others')::json, (details ->> 'created_at')::timestamptz
        FROM audit_log WHERE action = 'kept by 0006' AND details ->> 'table' = 'model_prices';

UPDATE messages SET
            reasoning_tokens = (kept.details ->> 'reasoning_tokens')::bigint,
            outcome = kept.details ->> 'outcome',
            priced_from = (kept.details ->> 'priced_from')::timestamptz
        FROM audit_log AS kept
        WHERE kept.action = 'kept by 0006' AND kept.session_id = messages.session_id
            AND (kept.details ->> 'sequence_number')::bigint = messages.sequence_number;

DELETE FROM audit_log WHERE action = 'kept by 0006';

INSERT INTO models (model_id)
        SELECT DISTINCT model_id FROM messages
        WHERE model_id IS NOT NULL AND model_id NOT IN (SELECT model_id FROM models);

CREATE FUNCTION chatledger_register_models() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO models (model_id)
            SELECT DISTINCT added.model_id FROM new_rows AS added
            WHERE added.model_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM models WHERE models.model_id = added.model_id)
            ORDER BY 1
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$;

CREATE TRIGGER messages_model AFTER INSERT ON messages REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_register_models();

UPDATE chatledger_version SET version_num='0006' WHERE chatledger_version.version_num = '0005';

-- Running upgrade 0006 -> 0007

CREATE TABLE session_usage (
            session_id TEXT COLLATE "C" NOT NULL,
            quarter BIGINT NOT NULL,
            role TEXT COLLATE "C" NOT NULL,
            model_id TEXT COLLATE "C" NOT NULL,
            messages BIGINT NOT NULL DEFAULT 0,
            input_tokens BIGINT NOT NULL DEFAULT 0,
            output_tokens BIGINT NOT NULL DEFAULT 0,
            cached_tokens BIGINT NOT NULL DEFAULT 0,
            reasoning_tokens BIGINT NOT NULL DEFAULT 0,
            total_tokens BIGINT NOT NULL DEFAULT 0,
            cost BIGINT NOT NULL DEFAULT 0,
            priced BIGINT NOT NULL DEFAULT 0,
            duration_ms BIGINT NOT NULL DEFAULT 0,
            timed BIGINT NOT NULL DEFAULT 0,
            outcomes BIGINT NOT NULL DEFAULT 0,
            errors BIGINT NOT NULL DEFAULT 0,
            interruptions BIGINT NOT NULL DEFAULT 0,
            CONSTRAINT pk_session_usage PRIMARY KEY (session_id, quarter, role, model_id),
            CONSTRAINT fk_session_usage_session_id FOREIGN KEY (session_id)
                REFERENCES sessions (session_id) ON DELETE CASCADE
        );

INSERT INTO session_usage (session_id, quarter, role, model_id,
            messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
        SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END,
            role, coalesce(model_id, ''),
            count(*),
            sum(coalesce(input_tokens, 0)),
            sum(coalesce(output_tokens, 0)),
            sum(coalesce(cached_tokens, 0)),
            sum(coalesce(reasoning_tokens, 0)),
            sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))),
            sum(coalesce(cost, 0)),
            sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END),
            sum(coalesce(duration_ms, 0)),
            sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END),
            sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END),
            sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END)
        FROM messages WHERE session_id IN (SELECT session_id FROM sessions)
        GROUP BY 1, 2, 3, 4;

CREATE INDEX ix_session_usage_quarter ON session_usage (quarter);

CREATE INDEX ix_messages_durations ON messages (session_id, created_at, role, model_id, duration_ms)
            WHERE duration_ms IS NOT NULL;

CREATE FUNCTION chatledger_usage_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                    role, coalesce(model_id, '') AS model_id,
                    count(*) AS messages,
                    sum(coalesce(input_tokens, 0)) AS input_tokens,
                    sum(coalesce(output_tokens, 0)) AS output_tokens,
                    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                    sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                    sum(coalesce(cost, 0)) AS cost,
                    sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                    sum(coalesce(duration_ms, 0)) AS duration_ms,
                    sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                    sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                    sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                    sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                FROM new_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE session_usage AS u SET
                    messages = u.messages + cell.messages,
                    input_tokens = u.input_tokens + cell.input_tokens,
                    output_tokens = u.output_tokens + cell.output_tokens,
                    cached_tokens = u.cached_tokens + cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens + cell.reasoning_tokens,
                    total_tokens = u.total_tokens + cell.total_tokens,
                    cost = u.cost + cell.cost,
                    priced = u.priced + cell.priced,
                    duration_ms = u.duration_ms + cell.duration_ms,
                    timed = u.timed + cell.timed,
                    outcomes = u.outcomes + cell.outcomes,
                    errors = u.errors + cell.errors,
                    interruptions = u.interruptions + cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                IF NOT FOUND THEN
                    INSERT INTO session_usage AS u (session_id, quarter, role, model_id,
                        messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
                    SELECT cell.session_id, cell.quarter, cell.role, cell.model_id,
                        cell.messages,
                        cell.input_tokens,
                        cell.output_tokens,
                        cell.cached_tokens,
                        cell.reasoning_tokens,
                        cell.total_tokens,
                        cell.cost,
                        cell.priced,
                        cell.duration_ms,
                        cell.timed,
                        cell.outcomes,
                        cell.errors,
                        cell.interruptions
                    WHERE cell.messages > 0 AND EXISTS (SELECT FROM sessions AS s WHERE s.session_id = cell.session_id)
                    ON CONFLICT ON CONSTRAINT pk_session_usage DO UPDATE SET
                        messages = u.messages + excluded.messages,
                        input_tokens = u.input_tokens + excluded.input_tokens,
                        output_tokens = u.output_tokens + excluded.output_tokens,
                        cached_tokens = u.cached_tokens + excluded.cached_tokens,
                        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
                        total_tokens = u.total_tokens + excluded.total_tokens,
                        cost = u.cost + excluded.cost,
                        priced = u.priced + excluded.priced,
                        duration_ms = u.duration_ms + excluded.duration_ms,
                        timed = u.timed + excluded.timed,
                        outcomes = u.outcomes + excluded.outcomes,
                        errors = u.errors + excluded.errors,
                        interruptions = u.interruptions + excluded.interruptions;
                END IF;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_usage_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                    role, coalesce(model_id, '') AS model_id,
                    count(*) AS messages,
                    sum(coalesce(input_tokens, 0)) AS input_tokens,
                    sum(coalesce(output_tokens, 0)) AS output_tokens,
                    sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                    sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                    sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                    sum(coalesce(cost, 0)) AS cost,
                    sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                    sum(coalesce(duration_ms, 0)) AS duration_ms,
                    sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                    sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                    sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                    sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                FROM old_rows GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE session_usage AS u SET
                    messages = u.messages - cell.messages,
                    input_tokens = u.input_tokens - cell.input_tokens,
                    output_tokens = u.output_tokens - cell.output_tokens,
                    cached_tokens = u.cached_tokens - cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens - cell.reasoning_tokens,
                    total_tokens = u.total_tokens - cell.total_tokens,
                    cost = u.cost - cell.cost,
                    priced = u.priced - cell.priced,
                    duration_ms = u.duration_ms - cell.duration_ms,
                    timed = u.timed - cell.timed,
                    outcomes = u.outcomes - cell.outcomes,
                    errors = u.errors - cell.errors,
                    interruptions = u.interruptions - cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                DELETE FROM session_usage AS u WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id
                    AND u.messages = 0;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_usage_update() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            cell record;
        BEGIN
            FOR cell IN
                SELECT session_id, quarter, role, model_id,
                    sum(messages) AS messages,
                    sum(input_tokens) AS input_tokens,
                    sum(output_tokens) AS output_tokens,
                    sum(cached_tokens) AS cached_tokens,
                    sum(reasoning_tokens) AS reasoning_tokens,
                    sum(total_tokens) AS total_tokens,
                    sum(cost) AS cost,
                    sum(priced) AS priced,
                    sum(duration_ms) AS duration_ms,
                    sum(timed) AS timed,
                    sum(outcomes) AS outcomes,
                    sum(errors) AS errors,
                    sum(interruptions) AS interruptions
                FROM (
                    (SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                        role, coalesce(model_id, '') AS model_id,
                        count(*) AS messages,
                        sum(coalesce(input_tokens, 0)) AS input_tokens,
                        sum(coalesce(output_tokens, 0)) AS output_tokens,
                        sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                        sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                        sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                        sum(coalesce(cost, 0)) AS cost,
                        sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                        sum(coalesce(duration_ms, 0)) AS duration_ms,
                        sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                        sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                        sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                        sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                    FROM new_rows GROUP BY 1, 2, 3, 4)
                    UNION ALL
                    (SELECT session_id, quarter, role, model_id,
                        -messages,
                        -input_tokens,
                        -output_tokens,
                        -cached_tokens,
                        -reasoning_tokens,
                        -total_tokens,
                        -cost,
                        -priced,
                        -duration_ms,
                        -timed,
                        -outcomes,
                        -errors,
                        -interruptions
                    FROM (SELECT session_id, CASE WHEN isfinite(created_at) THEN floor(extract(epoch FROM created_at) / 900)::bigint ELSE 0 END AS quarter,
                        role, coalesce(model_id, '') AS model_id,
                        count(*) AS messages,
                        sum(coalesce(input_tokens, 0)) AS input_tokens,
                        sum(coalesce(output_tokens, 0)) AS output_tokens,
                        sum(coalesce(cached_tokens, 0)) AS cached_tokens,
                        sum(coalesce(reasoning_tokens, 0)) AS reasoning_tokens,
                        sum(coalesce(tokens_used, coalesce(input_tokens, 0) + coalesce(output_tokens, 0))) AS total_tokens,
                        sum(coalesce(cost, 0)) AS cost,
                        sum(CASE WHEN cost IS NULL THEN 0 ELSE 1 END) AS priced,
                        sum(coalesce(duration_ms, 0)) AS duration_ms,
                        sum(CASE WHEN duration_ms IS NULL THEN 0 ELSE 1 END) AS timed,
                        sum(CASE WHEN outcome IS NULL THEN 0 ELSE 1 END) AS outcomes,
                        sum(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END) AS errors,
                        sum(CASE WHEN outcome = 'interrupted' THEN 1 ELSE 0 END) AS interruptions
                    FROM old_rows GROUP BY 1, 2, 3, 4) AS before)
                ) AS difference
                GROUP BY 1, 2, 3, 4
                HAVING sum(messages) <> 0
                    OR sum(input_tokens) <> 0
                    OR sum(output_tokens) <> 0
                    OR sum(cached_tokens) <> 0
                    OR sum(reasoning_tokens) <> 0
                    OR sum(total_tokens) <> 0
                    OR sum(cost) <> 0
                    OR sum(priced) <> 0
                    OR sum(duration_ms) <> 0
                    OR sum(timed) <> 0
                    OR sum(outcomes) <> 0
                    OR sum(errors) <> 0
                    OR sum(interruptions) <> 0
                ORDER BY 1, 2, 3, 4
            LOOP
                UPDATE session_usage AS u SET
                    messages = u.messages + cell.messages,
                    input_tokens = u.input_tokens + cell.input_tokens,
                    output_tokens = u.output_tokens + cell.output_tokens,
                    cached_tokens = u.cached_tokens + cell.cached_tokens,
                    reasoning_tokens = u.reasoning_tokens + cell.reasoning_tokens,
                    total_tokens = u.total_tokens + cell.total_tokens,
                    cost = u.cost + cell.cost,
                    priced = u.priced + cell.priced,
                    duration_ms = u.duration_ms + cell.duration_ms,
                    timed = u.timed + cell.timed,
                    outcomes = u.outcomes + cell.outcomes,
                    errors = u.errors + cell.errors,
                    interruptions = u.interruptions + cell.interruptions
                WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id;
                IF NOT FOUND THEN
                    INSERT INTO session_usage AS u (session_id, quarter, role, model_id,
                        messages, input_tokens, output_tokens, cached_tokens, reasoning_tokens, total_tokens, cost, priced, duration_ms, timed, outcomes, errors, interruptions)
                    SELECT cell.session_id, cell.quarter, cell.role, cell.model_id,
                        cell.messages,
                        cell.input_tokens,
                        cell.output_tokens,
                        cell.cached_tokens,
                        cell.reasoning_tokens,
                        cell.total_tokens,
                        cell.cost,
                        cell.priced,
                        cell.duration_ms,
                        cell.timed,
                        cell.outcomes,
                        cell.errors,
                        cell.interruptions
                    WHERE cell.messages > 0 AND EXISTS (SELECT FROM sessions AS s WHERE s.session_id = cell.session_id)
                    ON CONFLICT ON CONSTRAINT pk_session_usage DO UPDATE SET
                        messages = u.messages + excluded.messages,
                        input_tokens = u.input_tokens + excluded.input_tokens,
                        output_tokens = u.output_tokens + excluded.output_tokens,
                        cached_tokens = u.cached_tokens + excluded.cached_tokens,
                        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
                        total_tokens = u.total_tokens + excluded.total_tokens,
                        cost = u.cost + excluded.cost,
                        priced = u.priced + excluded.priced,
                        duration_ms = u.duration_ms + excluded.duration_ms,
                        timed = u.timed + excluded.timed,
                        outcomes = u.outcomes + excluded.outcomes,
                        errors = u.errors + excluded.errors,
                        interruptions = u.interruptions + excluded.interruptions;
                END IF;
                DELETE FROM session_usage AS u WHERE u.session_id = cell.session_id AND u.quarter = cell.quarter AND u.role = cell.role
                        AND u.model_id = cell.model_id
                    AND u.messages = 0;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_usage_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM session_usage;
            RETURN NULL;
        END $$;

CREATE TRIGGER messages_usage_insert AFTER INSERT ON messages
        REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_insert();

CREATE TRIGGER messages_usage_delete AFTER DELETE ON messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_delete();

CREATE TRIGGER messages_usage_update AFTER UPDATE ON messages
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_update();

CREATE TRIGGER messages_usage_truncate AFTER TRUNCATE ON messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_usage_truncate();

CREATE VIEW recent_sessions AS
        SELECT s.session_id, s.title, s.user_id, s.project_id, s.model_id, s.status, s.message_count, s.total_tokens,
            s.total_duration_ms, s.total_cost AS cost_nanodollars, CAST(s.total_cost AS numeric) / 1000000000 AS cost_usd,
            s.created_at, s.last_activity,
            (SELECT substr(m.content, 1, 200) FROM messages AS m WHERE m.session_id = s.session_id
                ORDER BY m.sequence_number DESC LIMIT 1) AS last_message
        FROM sessions AS s;

CREATE VIEW model_statistics AS
        SELECT coalesce(nullif(u.model_id, ''), s.model_id) AS model_id, max(r.provider) AS provider, max(r.context_window) AS context_window,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM session_usage AS u JOIN sessions AS s ON s.session_id = u.session_id
        LEFT JOIN models AS r ON r.model_id = coalesce(nullif(u.model_id, ''), s.model_id)
        GROUP BY coalesce(nullif(u.model_id, ''), s.model_id);

CREATE VIEW daily_usage AS
        SELECT CAST(to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC' AS date) AS day, s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id) AS model_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM session_usage AS u JOIN sessions AS s ON s.session_id = u.session_id
        GROUP BY CAST(to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC' AS date), s.user_id, s.project_id, coalesce(nullif(u.model_id, ''), s.model_id);

CREATE VIEW hourly_activity AS
        SELECT CAST(extract(isodow FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer) AS weekday, CAST(extract(hour FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer) AS hour, u.role,
            count(DISTINCT u.session_id) AS sessions, CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens
        FROM session_usage AS u
        GROUP BY CAST(extract(isodow FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer), CAST(extract(hour FROM to_timestamp(u.quarter * 900) AT TIME ZONE 'UTC') AS integer), u.role;

CREATE VIEW user_usage AS
        SELECT s.user_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM session_usage AS u JOIN sessions AS s ON s.session_id = u.session_id
        GROUP BY s.user_id;

CREATE VIEW project_usage AS
        SELECT s.project_id,
            count(DISTINCT u.session_id) AS sessions,
            CAST(sum(u.messages) AS bigint) AS messages,
            CAST(sum(CASE WHEN u.role = 'assistant' THEN u.messages ELSE u.outcomes END) AS bigint) AS answers,
            CAST(sum(u.input_tokens) AS bigint) AS input_tokens,
            CAST(sum(u.output_tokens) AS bigint) AS output_tokens,
            CAST(sum(u.cached_tokens) AS bigint) AS cached_tokens,
            CAST(sum(u.reasoning_tokens) AS bigint) AS reasoning_tokens,
            CAST(sum(u.total_tokens) AS bigint) AS total_tokens,
            CAST(sum(u.cost) AS bigint) AS cost_nanodollars,
            CAST(sum(u.cost) AS numeric) / 1000000000 AS cost_usd,
            CAST(sum(u.priced) AS bigint) AS priced_messages,
            CAST(sum(u.timed) AS bigint) AS timed_messages,
            CAST(sum(u.duration_ms) AS bigint) AS duration_ms,
            CAST(sum(u.duration_ms) AS numeric) / nullif(sum(u.timed), 0) AS average_duration_ms,
            CAST(sum(u.errors) AS bigint) AS errors,
            CAST(sum(u.interruptions) AS bigint) AS interruptions
        FROM session_usage AS u JOIN sessions AS s ON s.session_id = u.session_id
        GROUP BY s.project_id;

CREATE VIEW message_costs AS
        SELECT m.session_id, m.sequence_number, s.user_id, s.project_id,
            coalesce(nullif(m.model_id, ''), s.model_id) AS model_id, m.role, m.created_at, m.input_tokens, m.output_tokens,
            m.cached_tokens, m.reasoning_tokens, m.duration_ms, m.outcome, m.cost AS cost_nanodollars,
            CAST(m.cost AS numeric) / 1000000000 AS cost_usd
        FROM messages AS m JOIN sessions AS s ON s.session_id = m.session_id;

DO $$
        BEGIN
            IF current_setting('server_version_num')::integer >= 150000 THEN
                ALTER VIEW recent_sessions SET (security_invoker = true);
                ALTER VIEW model_statistics SET (security_invoker = true);
                ALTER VIEW daily_usage SET (security_invoker = true);
                ALTER VIEW hourly_activity SET (security_invoker = true);
                ALTER VIEW user_usage SET (security_invoker = true);
                ALTER VIEW project_usage SET (security_invoker = true);
                ALTER VIEW message_costs SET (security_invoker = true);
            END IF;
        END $$;

UPDATE chatledger_version SET version_num='0007' WHERE chatledger_version.version_num = '0006';

-- Running upgrade 0007 -> 0008

CREATE TABLE annotations (
            session_id TEXT COLLATE "C" NOT NULL,
            annotation_number BIGINT NOT NULL,
            sequence_number BIGINT,
            label TEXT COLLATE "C",
            score DOUBLE PRECISION,
            text TEXT,
            author TEXT COLLATE "C",
            metadata JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_annotations PRIMARY KEY (session_id, annotation_number),
            CONSTRAINT ck_annotations_sequence_number CHECK (sequence_number >= 1),
            CONSTRAINT ck_annotations_says CHECK (label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL),
            CONSTRAINT fk_annotations_session_id FOREIGN KEY (session_id) REFERENCES sessions (session_id) ON DELETE CASCADE
        );

CREATE TABLE performance_metrics (
            metric_id BIGINT GENERATED BY DEFAULT AS IDENTITY,
            name TEXT COLLATE "C" NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            unit TEXT COLLATE "C",
            session_id TEXT COLLATE "C",
            user_id TEXT COLLATE "C",
            model_id TEXT COLLATE "C",
            project_id TEXT COLLATE "C",
            metadata JSON,
            at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_performance_metrics PRIMARY KEY (metric_id)
        );

CREATE INDEX ix_annotations_message ON annotations (session_id, sequence_number);

CREATE INDEX ix_annotations_created_at ON annotations (created_at, session_id, annotation_number);

CREATE INDEX ix_annotations_label ON annotations (label, session_id);

CREATE INDEX ix_performance_metrics_name_at ON performance_metrics (name, at);

CREATE INDEX ix_performance_metrics_at ON performance_metrics (at);

CREATE INDEX ix_performance_metrics_session_id ON performance_metrics (session_id) WHERE session_id IS NOT NULL;

CREATE INDEX ix_performance_metrics_user_id ON performance_metrics (user_id) WHERE user_id IS NOT NULL;

INSERT INTO annotations
            (session_id, annotation_number, sequence_number, label, score, text, author, metadata, created_at, updated_at)
        SELECT details ->> 'session_id', (details ->> 'annotation_number')::bigint,
            (details ->> 'sequence_number')::bigint, details ->> 'label', (details ->> 'score')::float8,
            details ->> 'text', details ->> 'author', (details ->> 'metadata')::json,
            (details ->> 'created_at')::timestamptz, (details ->> 'updated_at')::timestamptz
        FROM audit_log AS kept WHERE action = 'kept by 0008' AND details ->> 'table' = 'annotations'
            AND EXISTS (SELECT 1 FROM sessions AS s WHERE s.session_id = (kept.details ->> 'session_id'))
            AND ((kept.details ->> 'sequence_number')::bigint IS NULL OR EXISTS (SELECT 1 FROM messages AS m
                WHERE m.session_id = (kept.details ->> 'session_id') AND m.sequence_number = (kept.details ->> 'sequence_number')::bigint));

INSERT INTO performance_metrics
            (metric_id, name, value, unit, session_id, user_id, model_id, project_id, metadata, at)
        SELECT (details ->> 'metric_id')::bigint, details ->> 'name', (details ->> 'value')::float8, details ->> 'unit',
            details ->> 'session_id', details ->> 'user_id', details ->> 'model_id', details ->> 'project_id',
            (details ->> 'metadata')::json, (details ->> 'at')::timestamptz
        FROM audit_log AS kept WHERE action = 'kept by 0008' AND details ->> 'table' = 'performance_metrics'
            AND ((kept.details ->> 'session_id') IS NULL OR EXISTS (SELECT 1 FROM sessions AS s WHERE s.session_id = (kept.details ->> 'session_id')));

SELECT setval(pg_get_serial_sequence('performance_metrics', 'metric_id'), max(metric_id))
        FROM performance_metrics HAVING max(metric_id) IS NOT NULL;

DELETE FROM audit_log WHERE action = 'kept by 0008';

CREATE FUNCTION chatledger_annotations_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            gone record;
        BEGIN
            FOR gone IN
                SELECT session_id, array_agg(sequence_number) AS numbers
                FROM old_rows GROUP BY session_id ORDER BY session_id
            LOOP
                DELETE FROM annotations WHERE session_id = gone.session_id AND sequence_number = ANY(gone.numbers);
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_annotations_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM annotations WHERE sequence_number IS NOT NULL;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_metrics_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        DECLARE
            gone record;
        BEGIN
            FOR gone IN SELECT session_id FROM old_rows ORDER BY session_id
            LOOP
                DELETE FROM performance_metrics WHERE session_id = gone.session_id;
            END LOOP;
            RETURN NULL;
        END $$;

CREATE FUNCTION chatledger_metrics_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM performance_metrics WHERE session_id IS NOT NULL;
            RETURN NULL;
        END $$;

CREATE TRIGGER messages_annotations_delete AFTER DELETE ON messages
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_annotations_delete();

CREATE TRIGGER messages_annotations_truncate AFTER TRUNCATE ON messages
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_annotations_truncate();

CREATE TRIGGER sessions_metrics_delete AFTER DELETE ON sessions
        REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION chatledger_metrics_delete();

CREATE TRIGGER sessions_metrics_truncate AFTER TRUNCATE ON sessions
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_metrics_truncate();

UPDATE chatledger_version SET version_num='0008' WHERE chatledger_version.version_num = '0007';

COMMIT;


INSERT INTO projects (project_id) VALUES ('travel');

INSERT INTO models (model_id, provider) VALUES ('m-1', 'somebody');

INSERT INTO sessions (session_id, user_id, project_id, model_id, title, context, created_at, last_activity) VALUES ('trip', 'ada', 'travel', 'm-1', 'Lisbon', '{"a": 1e16}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00'), ('empty', NULL, NULL, NULL, NULL, '{}', '2026-05-01 10:00:00.000000+00', '2026-05-01 10:00:00.000000+00');

INSERT INTO messages (session_id, sequence_number, role, content, payload, input_tokens, output_tokens, cost, key, created_at) VALUES ('trip', 1, 'user', 'Where to in May? Zürich?', NULL, 8, NULL, NULL, 'k', '2026-05-01 10:00:00.000000+00'), ('trip', 2, 'assistant', 'A quiet harbour.', '[1.0, null]', NULL, 3, 1, NULL, '2026-05-01 10:00:00.000000+00');

INSERT INTO session_metadata (session_id, key, value) VALUES ('trip', 'tags', '["sea"]');

INSERT INTO session_timeouts (session_id, idle_limit, hard_limit, next_check_at) VALUES ('trip', 3600, 86400, '2026-05-01 10:00:00.000000+00');

INSERT INTO audit_log (action, session_id, user_id) VALUES ('session.deleted', 'gone', 'ada');

