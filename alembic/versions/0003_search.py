"""Full text over messages.

Why: `uow.search`. The same words match on both databases: accents of Latin letters folded, English stemming, no stop
words ("to be or not to be" is found), punctuation separates. Where words are not separated by spaces,
`messages.search_text` holds the text cut into characters, and is indexed in place of `content`.

- SQLite: FTS5 over a view, so that the text itself is kept in `messages` only.
- PostgreSQL: a stored generated column, which no writer can forget, under a text search configuration of our own. The text
  is cut at 100,000 characters, because a tsvector holds 1 MB and a longer text would make the append fail.
- Search ranks inside the newest matches: by rowid on SQLite, by an index on `created_at` on PostgreSQL, of which an append
  touches the right edge only.

Unsafe: PostgreSQL rewrites `messages` under an exclusive lock. An append costs four to five times its bare INSERT.
Down: drops the index, not the text; the way up indexes every message again.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX_NEW = """INSERT INTO chatledger_messages_fts (rowid, content)
    VALUES (new.message_id, coalesce(new.search_text, new.content));"""
UNINDEX_OLD = """INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rowid, content)
    VALUES ('delete', old.message_id, coalesce(old.search_text, old.content));"""

UP = {
    "sqlite": [
        """CREATE VIEW chatledger_messages_text AS
SELECT message_id, coalesce(search_text, content) AS content FROM chatledger_messages""",
        """CREATE VIRTUAL TABLE chatledger_messages_fts USING fts5(
    content,
    content = 'chatledger_messages_text',
    content_rowid = 'message_id',
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
)""",
        "INSERT INTO chatledger_messages_fts (chatledger_messages_fts) VALUES ('rebuild')",
        f"""CREATE TRIGGER chatledger_messages_fts_insert AFTER INSERT ON chatledger_messages
BEGIN
    {INDEX_NEW}
END""",
        f"""CREATE TRIGGER chatledger_messages_fts_delete AFTER DELETE ON chatledger_messages
BEGIN
    {UNINDEX_OLD}
END""",
        f"""CREATE TRIGGER chatledger_messages_fts_update
AFTER UPDATE OF message_id, content, search_text ON chatledger_messages
BEGIN
    {UNINDEX_OLD}
    {INDEX_NEW}
END""",
    ],
    "postgresql": [
        "CREATE TEXT SEARCH DICTIONARY chatledger_stem (TEMPLATE = snowball, LANGUAGE = english)",
        "CREATE TEXT SEARCH CONFIGURATION chatledger (COPY = pg_catalog.english)",
        """ALTER TEXT SEARCH CONFIGURATION chatledger
ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH chatledger_stem""",
        r"""ALTER TABLE chatledger_messages ADD COLUMN search_vector TSVECTOR GENERATED ALWAYS AS (
    to_tsvector('chatledger', normalize(regexp_replace(normalize(
        translate(left(coalesce(search_text, content), 100000), '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)),
        NFD), '([A-Za-z])[\u0300-\u036f]+', '\1', 'g'), NFC))
) STORED""",
        "CREATE INDEX ix_chatledger_messages_search_vector ON chatledger_messages USING gin (search_vector)",
        "CREATE INDEX ix_chatledger_messages_created_at ON chatledger_messages (created_at)",
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_messages_fts_update",
        "DROP TRIGGER chatledger_messages_fts_delete",
        "DROP TRIGGER chatledger_messages_fts_insert",
        "DROP TABLE chatledger_messages_fts",
        "DROP VIEW chatledger_messages_text",
    ],
    "postgresql": [
        "DROP INDEX ix_chatledger_messages_created_at",
        "DROP INDEX ix_chatledger_messages_search_vector",
        "ALTER TABLE chatledger_messages DROP COLUMN search_vector",
        "DROP TEXT SEARCH CONFIGURATION chatledger",
        "DROP TEXT SEARCH DICTIONARY chatledger_stem",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
