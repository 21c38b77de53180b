"""The log of `llm`: conversations and responses, and since its 0.3x threads, turns, messages and parts."""

from __future__ import annotations

from collections.abc import Iterator

from chatledger.adoption.layouts import Layout
from chatledger.adoption.readers.llm import conversations, threads
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.source.rows import OldSession
from chatledger.adoption.source.side_tables import remaining

# Kept row by row: what several messages share, and what belongs to none.
_SHARED = (
    "fragments", "fragment_aliases", "attachments", "schemas", "tools", "tool_instances", "collections", "embeddings",
    "_llm_migrations",
)  # fmt: skip


class Llm(Reader):
    layout = Layout.LLM
    said = "a log of llm"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return conversations.are_in(source) or threads.are_in(source)

    def tables(self) -> tuple[str, ...]:
        return (*conversations.TABLES, *threads.TABLES, *_SHARED)

    def derived(self) -> tuple[str, ...]:
        return ("turn_search",)

    def survey(self) -> None:
        if conversations.are_in(self.source):
            self.note_rows("orphan_messages", "responses", conversations.GONE, "id")

    def sessions(self) -> Iterator[OldSession]:
        newer = threads.Threads(self) if threads.are_in(self.source) else None
        if conversations.are_in(self.source):
            yield from conversations.Conversations(self, newer).sessions()
        if newer is not None:
            yield from newer.sessions()
        left = [table for table in self.tables() if table not in ("conversations", "responses", "threads", "messages")]
        yield from remaining(self, left, {})
