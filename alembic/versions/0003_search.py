"""Full text over messages and sessions.

Why: `uow.search`. Words are indexed as they are written, without stemming, so that a prefix is a prefix and every language
is treated alike; a query word is expanded to its inflections instead. A text with letters beyond ASCII is normalised by the
package (`search_text`, `search_title`, `search_prompt`), and the databases index the result, so that both find the same
whatever their version or locale. They split at spaces and ASCII punctuation and fold ASCII case, and no more.

- `search_extra` holds the text of structured parts, names of tools, their arguments and results, and attachments.
- SQLite: FTS5 over a view, so that the text itself is kept in `messages` only. Sessions have a text as their key, and FTS5
  needs a number that VACUUM does not change: `chatledger_session_numbers` gives one to each session with a title or a system
  prompt.
- On SQLite the index follows the appends: FTS5 writes a segment at each commit, which is most of the cost of an append. So
  a message is stored first, and every 32nd insert adds all that wait to the index. `chatledger_full_text_mark` says up to
  which message the index is complete. Messages after the mark are few (31 at most), and a search reads them by itself. All
  of this is done by triggers, so that it holds for whoever writes, and a kill leaves the mark and the index in agreement.
  - Nothing may be taken out of the index that is not in it: 'delete' of such a row damages an external-content index. The
    triggers compare with the mark.
  - SQLite gives a number again after the last row is deleted. The mark moves back then, or the messages that get these
    numbers would be indexed one by one.
  - Whoever inserts many messages at once may set `most`, the number that may wait, in its own transaction: it then indexes
    them in one go, and sets it back.
  - The view shows only messages up to the mark. So the library's own integrity check and its `rebuild` know the mark.
- PostgreSQL: a stored generated column, which no writer can forget. Parts are separated from the content by a word of their
  own, so that no phrase reaches from one into the other. The text is cut at 100,000 characters, because a tsvector holds
  1 MB and a longer text would make the append fail. The texts of sessions are indexed by expression: a stored column would
  be written again with each append, which updates the session.
- Search ranks inside the newest matches: by rowid on SQLite, by an index on `created_at` on PostgreSQL, of which an append
  touches the right edge only.

Unsafe: PostgreSQL rewrites `messages` under an exclusive lock.
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

# Characters beyond ASCII that both databases take for separators: a text with no others is indexed as it is written.
SEPARATORS = (
    r"\u0080-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u2000-\u200a"
    r"\u2010-\u2029\u202f-\u205f\u20a0-\u20a7\u20a9-\u20b9\u2190-\u23f3\u2400-\u2426\u2440-\u244a\u2500-\u26ff"
    r"\u2701-\u2755\u2794-\u2b4c\u2b50-\u2b59\u3000-\u3003\u3008-\u3020\uff01-\uff0f\uff1a-\uff20"
    r"\U0001f300-\U0001f320\U0001f330-\U0001f335\U0001f337-\U0001f37c\U0001f380-\U0001f393\U0001f3a0-\U0001f3c4"
    r"\U0001f3c6-\U0001f3ca\U0001f3e0-\U0001f3f0\U0001f400-\U0001f43e\U0001f440\U0001f442-\U0001f4f7"
    r"\U0001f4f9-\U0001f4fc\U0001f500-\U0001f53d\U0001f550-\U0001f567\U0001f5fb-\U0001f640\U0001f645-\U0001f64f"
    r"\U0001f680-\U0001f6c5"
)
PUNCTUATION = rf"[!-/:-@\[-`{{-~{SEPARATORS}]+"


def words(search: str, plain: str) -> str:
    """The text that PostgreSQL indexes: what the package has normalised, or the text itself."""
    return f"coalesce({search}, lower(regexp_replace(left({plain}, 100000), '{PUNCTUATION}', ' ', 'g') COLLATE \"C\"))"


# A message is indexed with those before it once this many wait.
STEP = 32
MARK = "(SELECT message_id FROM chatledger_full_text_mark)"
NEWEST = "coalesce((SELECT max(message_id) FROM chatledger_messages), 0)"

INDEX = "INSERT INTO chatledger_messages_fts (rowid, content, extra)"
INDEXED = "message_id, coalesce(search_text, substr(content, 1, 100000)), search_extra"
INDEX_NEW = f"""{INDEX}
    SELECT new.message_id, coalesce(new.search_text, substr(new.content, 1, 100000)), new.search_extra
    WHERE new.message_id <= {MARK};"""
UNINDEX_OLD = f"""INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rowid, content, extra)
    SELECT 'delete', old.message_id, coalesce(old.search_text, substr(old.content, 1, 100000)), old.search_extra
    WHERE old.message_id <= {MARK};"""

INDEX_SESSION = """INSERT INTO chatledger_session_numbers (session_id) VALUES (new.session_id) ON CONFLICT DO NOTHING;
    INSERT INTO chatledger_sessions_fts (rowid, title, system_prompt)
    SELECT number, coalesce(new.search_title, substr(new.title, 1, 100000)),
        coalesce(new.search_system_prompt, substr(new.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = new.session_id;"""
UNINDEX_SESSION = """INSERT INTO chatledger_sessions_fts (chatledger_sessions_fts, rowid, title, system_prompt)
    SELECT 'delete', number, coalesce(old.search_title, substr(old.title, 1, 100000)),
        coalesce(old.search_system_prompt, substr(old.system_prompt, 1, 100000))
    FROM chatledger_session_numbers WHERE session_id = old.session_id;"""

TOKENIZE = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"

UP = {
    "sqlite": [
        f"""CREATE TABLE chatledger_full_text_mark (
    mark_id INTEGER NOT NULL PRIMARY KEY CHECK (mark_id = 1),
    message_id INTEGER NOT NULL,
    most INTEGER NOT NULL DEFAULT {STEP - 1}
) STRICT""",
        f"INSERT INTO chatledger_full_text_mark (mark_id, message_id) SELECT 1, {NEWEST}",
        f"""CREATE VIEW chatledger_messages_text AS
SELECT message_id, coalesce(search_text, substr(content, 1, 100000)) AS content, search_extra AS extra
FROM chatledger_messages WHERE message_id <= {MARK}""",
        f"""CREATE VIRTUAL TABLE chatledger_messages_fts USING fts5(
    content,
    extra,
    content = 'chatledger_messages_text',
    content_rowid = 'message_id',
    tokenize = "{TOKENIZE}"
)""",
        "INSERT INTO chatledger_messages_fts (chatledger_messages_fts) VALUES ('rebuild')",
        # A number up to the mark was given by whoever wrote, or was in use before.
        f"""CREATE TRIGGER chatledger_messages_fts_insert AFTER INSERT ON chatledger_messages
WHEN NOT EXISTS (
    SELECT 1 FROM chatledger_full_text_mark WHERE new.message_id BETWEEN message_id + 1 AND message_id + most
)
BEGIN
    {INDEX_NEW}
    {INDEX}
    SELECT {INDEXED}
    FROM chatledger_messages WHERE message_id > {MARK};
    UPDATE chatledger_full_text_mark SET message_id = {NEWEST};
END""",
        f"""CREATE TRIGGER chatledger_messages_fts_delete AFTER DELETE ON chatledger_messages
WHEN old.message_id <= {MARK}
BEGIN
    {UNINDEX_OLD}
    UPDATE chatledger_full_text_mark SET message_id = {NEWEST} WHERE message_id > {NEWEST};
END""",
        f"""CREATE TRIGGER chatledger_messages_fts_update
AFTER UPDATE OF message_id, content, search_text, search_extra ON chatledger_messages
WHEN min(old.message_id, new.message_id) <= {MARK}
BEGIN
    {UNINDEX_OLD}
    {INDEX_NEW}
END""",
        """CREATE TABLE chatledger_session_numbers (
    number INTEGER NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE
) STRICT""",
        """INSERT INTO chatledger_session_numbers (session_id)
SELECT session_id FROM chatledger_sessions WHERE title IS NOT NULL OR system_prompt IS NOT NULL""",
        """CREATE VIEW chatledger_sessions_text AS
SELECT n.number, coalesce(s.search_title, substr(s.title, 1, 100000)) AS title,
    coalesce(s.search_system_prompt, substr(s.system_prompt, 1, 100000)) AS system_prompt
FROM chatledger_session_numbers AS n JOIN chatledger_sessions AS s USING (session_id)""",
        f"""CREATE VIRTUAL TABLE chatledger_sessions_fts USING fts5(
    title,
    system_prompt,
    content = 'chatledger_sessions_text',
    content_rowid = 'number',
    tokenize = "{TOKENIZE}"
)""",
        "INSERT INTO chatledger_sessions_fts (chatledger_sessions_fts) VALUES ('rebuild')",
        f"""CREATE TRIGGER chatledger_sessions_fts_insert AFTER INSERT ON chatledger_sessions
WHEN new.title IS NOT NULL OR new.system_prompt IS NOT NULL
BEGIN
    {INDEX_SESSION}
END""",
        f"""CREATE TRIGGER chatledger_sessions_fts_delete AFTER DELETE ON chatledger_sessions
WHEN old.title IS NOT NULL OR old.system_prompt IS NOT NULL
BEGIN
    {UNINDEX_SESSION}
    DELETE FROM chatledger_session_numbers WHERE session_id = old.session_id;
END""",
        f"""CREATE TRIGGER chatledger_sessions_fts_update
AFTER UPDATE OF session_id, title, system_prompt, search_title, search_system_prompt ON chatledger_sessions
BEGIN
    {UNINDEX_SESSION}
    DELETE FROM chatledger_session_numbers WHERE session_id = old.session_id;
    {INDEX_SESSION}
END""",
    ],
    "postgresql": [
        f"""ALTER TABLE chatledger_messages ADD COLUMN search_vector TSVECTOR GENERATED ALWAYS AS (
    CASE WHEN search_extra IS NULL
    THEN to_tsvector('pg_catalog.simple', {words("search_text", "content")})
    ELSE to_tsvector('pg_catalog.simple', {words("search_text", "content")} || ' chatledgerparts '
        || {words("NULL", "search_extra")})
    END
) STORED""",
        "CREATE INDEX ix_chatledger_messages_search_vector ON chatledger_messages USING gin (search_vector)",
        "CREATE INDEX ix_chatledger_messages_created_at ON chatledger_messages (created_at)",
        *(
            f"CREATE INDEX ix_chatledger_sessions_search_{name} ON chatledger_sessions"
            f" USING gin (to_tsvector('pg_catalog.simple', {words(f'search_{name}', name)}))"
            for name in ("title", "system_prompt")
        ),
    ],
}

DOWN = {
    "sqlite": [
        "DROP TRIGGER chatledger_sessions_fts_update",
        "DROP TRIGGER chatledger_sessions_fts_delete",
        "DROP TRIGGER chatledger_sessions_fts_insert",
        "DROP TABLE chatledger_sessions_fts",
        "DROP VIEW chatledger_sessions_text",
        "DROP TABLE chatledger_session_numbers",
        "DROP TRIGGER chatledger_messages_fts_update",
        "DROP TRIGGER chatledger_messages_fts_delete",
        "DROP TRIGGER chatledger_messages_fts_insert",
        "DROP TABLE chatledger_messages_fts",
        "DROP VIEW chatledger_messages_text",
        "DROP TABLE chatledger_full_text_mark",
    ],
    "postgresql": [
        "DROP INDEX ix_chatledger_sessions_search_system_prompt",
        "DROP INDEX ix_chatledger_sessions_search_title",
        "DROP INDEX ix_chatledger_messages_created_at",
        "DROP INDEX ix_chatledger_messages_search_vector",
        "ALTER TABLE chatledger_messages DROP COLUMN search_vector",
    ],
}


def upgrade() -> None:
    _run(UP)


def downgrade() -> None:
    _run(DOWN)


def _run(statements: dict[str, list[str]]) -> None:
    for statement in statements[op.get_context().dialect.name]:
        op.execute(text(statement.replace(":", r"\:")))  # a colon is never a bind parameter here
