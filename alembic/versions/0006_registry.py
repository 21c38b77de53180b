"""Prices of models, and what a message says of reasoning, its outcome and its price.

Why: the cost of a message is fixed when it is written, from the price in force at its time. `chatledger_model_prices` holds prices
in nano-dollars per million tokens from the moment they take effect. `messages.priced_from` names the price that a cost was
counted with (its effective_from); a cost that the caller gave has none, and is never counted again. `reasoning_tokens`
are the part of the output that was spent on reasoning. `outcome` tells answers that failed or were cut off: rates are
counted from it. A model that a message names becomes a row of `models` on first use, by a trigger, so that an append
stays one statement and raw SQL is covered. On a ledger that is spread over machines the trigger is left out: it would
write to a reference table from a shard; `db repair` registers names there.
Unsafe: nothing; the columns are empty at first and added without a rewrite. Names that messages use are registered.
Down: what has no place below is laid into the audit log, a row for each price and for each message that uses one of the
columns, and is taken back on the way up.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = {
    "sqlite": [
        "ALTER TABLE chatledger_messages ADD COLUMN reasoning_tokens INTEGER",
        """ALTER TABLE chatledger_messages ADD COLUMN outcome TEXT
            CONSTRAINT ck_chatledger_messages_outcome CHECK (outcome IN ('complete', 'interrupted', 'error'))""",
        "ALTER TABLE chatledger_messages ADD COLUMN priced_from TEXT",
        """CREATE TABLE chatledger_model_prices (
            model_id TEXT NOT NULL,
            effective_from TEXT NOT NULL,
            input INTEGER,
            output INTEGER,
            cached_input INTEGER,
            reasoning INTEGER,
            others TEXT,
            created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
            CONSTRAINT pk_chatledger_model_prices PRIMARY KEY (model_id, effective_from),
            CONSTRAINT fk_chatledger_model_prices_model_id FOREIGN KEY (model_id) REFERENCES chatledger_models (model_id)
        ) STRICT, WITHOUT ROWID""",
        """INSERT INTO chatledger_model_prices
            (model_id, effective_from, input, output, cached_input, reasoning, others, created_at)
        SELECT json_extract(details, '$.model_id'), json_extract(details, '$.effective_from'),
            json_extract(details, '$.input'), json_extract(details, '$.output'),
            json_extract(details, '$.cached_input'), json_extract(details, '$.reasoning'),
            json_extract(details, '$.others'), json_extract(details, '$.created_at')
        FROM chatledger_audit_log WHERE action = 'kept by 0006' AND json_extract(details, '$.table') = 'chatledger_model_prices'""",
        """UPDATE chatledger_messages SET
            reasoning_tokens = json_extract(kept.details, '$.reasoning_tokens'),
            outcome = json_extract(kept.details, '$.outcome'),
            priced_from = json_extract(kept.details, '$.priced_from')
        FROM chatledger_audit_log AS kept
        WHERE kept.action = 'kept by 0006' AND kept.session_id = chatledger_messages.session_id
            AND json_extract(kept.details, '$.sequence_number') = chatledger_messages.sequence_number""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0006'",
        """INSERT INTO chatledger_models (model_id)
        SELECT DISTINCT model_id FROM chatledger_messages
        WHERE model_id IS NOT NULL AND model_id NOT IN (SELECT model_id FROM chatledger_models)""",
        """CREATE TRIGGER chatledger_messages_model AFTER INSERT ON chatledger_messages
        WHEN new.model_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM chatledger_models WHERE model_id = new.model_id)
        BEGIN
            INSERT INTO chatledger_models (model_id) VALUES (new.model_id);
        END""",
    ],
    "postgresql": [
        """ALTER TABLE chatledger_messages
            ADD COLUMN reasoning_tokens BIGINT,
            ADD COLUMN outcome TEXT,
            ADD COLUMN priced_from TIMESTAMP WITH TIME ZONE,
            ADD CONSTRAINT ck_chatledger_messages_outcome CHECK (outcome IN ('complete', 'interrupted', 'error'))""",
        """CREATE TABLE chatledger_model_prices (
            model_id TEXT COLLATE "C" NOT NULL,
            effective_from TIMESTAMP WITH TIME ZONE NOT NULL,
            input BIGINT,
            output BIGINT,
            cached_input BIGINT,
            reasoning BIGINT,
            others JSON,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT CURRENT_TIMESTAMP,
            CONSTRAINT pk_chatledger_model_prices PRIMARY KEY (model_id, effective_from),
            CONSTRAINT fk_chatledger_model_prices_model_id FOREIGN KEY (model_id) REFERENCES chatledger_models (model_id)
        )""",
        """INSERT INTO chatledger_model_prices
            (model_id, effective_from, input, output, cached_input, reasoning, others, created_at)
        SELECT details ->> 'model_id', (details ->> 'effective_from')::timestamptz,
            (details ->> 'input')::bigint, (details ->> 'output')::bigint,
            (details ->> 'cached_input')::bigint, (details ->> 'reasoning')::bigint,
            (details ->> 'others')::json, (details ->> 'created_at')::timestamptz
        FROM chatledger_audit_log WHERE action = 'kept by 0006' AND details ->> 'table' = 'chatledger_model_prices'""",
        """UPDATE chatledger_messages SET
            reasoning_tokens = (kept.details ->> 'reasoning_tokens')::bigint,
            outcome = kept.details ->> 'outcome',
            priced_from = (kept.details ->> 'priced_from')::timestamptz
        FROM chatledger_audit_log AS kept
        WHERE kept.action = 'kept by 0006' AND kept.session_id = chatledger_messages.session_id
            AND (kept.details ->> 'sequence_number')::bigint = chatledger_messages.sequence_number""",
        "DELETE FROM chatledger_audit_log WHERE action = 'kept by 0006'",
        """INSERT INTO chatledger_models (model_id)
        SELECT DISTINCT model_id FROM chatledger_messages
        WHERE model_id IS NOT NULL AND model_id NOT IN (SELECT model_id FROM chatledger_models)""",
        """CREATE FUNCTION chatledger_register_models() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO chatledger_models (model_id)
            SELECT DISTINCT added.model_id FROM new_rows AS added
            WHERE added.model_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM chatledger_models WHERE chatledger_models.model_id = added.model_id)
            ORDER BY 1
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$""",
        """CREATE TRIGGER chatledger_messages_model AFTER INSERT ON chatledger_messages REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION chatledger_register_models()""",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_messages_model",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0006', json_object('table', 'chatledger_model_prices', 'model_id', model_id,
            'effective_from', effective_from, 'input', input, 'output', output, 'cached_input', cached_input,
            'reasoning', reasoning, 'others', others, 'created_at', created_at)
        FROM chatledger_model_prices""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0006', session_id, json_object('table', 'messages', 'sequence_number', sequence_number,
            'reasoning_tokens', reasoning_tokens, 'outcome', outcome, 'priced_from', priced_from)
        FROM chatledger_messages WHERE coalesce(reasoning_tokens, outcome, priced_from) IS NOT NULL""",
        "DROP TABLE chatledger_model_prices",
        "ALTER TABLE chatledger_messages DROP COLUMN priced_from",
        "ALTER TABLE chatledger_messages DROP COLUMN outcome",
        "ALTER TABLE chatledger_messages DROP COLUMN reasoning_tokens",
    ],
    "postgresql": [
        "DROP TRIGGER chatledger_messages_model ON chatledger_messages",
        "DROP FUNCTION chatledger_register_models()",
        """INSERT INTO chatledger_audit_log (action, details)
        SELECT 'kept by 0006', json_build_object('table', 'chatledger_model_prices', 'model_id', model_id,
            'effective_from', effective_from, 'input', input, 'output', output, 'cached_input', cached_input,
            'reasoning', reasoning, 'others', others::text, 'created_at', created_at)
        FROM chatledger_model_prices""",
        """INSERT INTO chatledger_audit_log (action, session_id, details)
        SELECT 'kept by 0006', session_id, json_build_object('table', 'messages', 'sequence_number', sequence_number,
            'reasoning_tokens', reasoning_tokens, 'outcome', outcome, 'priced_from', priced_from)
        FROM chatledger_messages WHERE num_nonnulls(reasoning_tokens, outcome, priced_from) > 0""",
        "DROP TABLE chatledger_model_prices",
        """ALTER TABLE chatledger_messages
            DROP COLUMN priced_from,
            DROP COLUMN outcome,
            DROP COLUMN reasoning_tokens""",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
