"""The log of `llm`: conversations and responses, and since its 0.3x threads, turns, messages and parts."""

from __future__ import annotations

from collections.abc import Iterator

from chatledger.adoption import llm_conversations, llm_threads
from chatledger.adoption.layouts import Layout
from chatledger.adoption.reader import Reader
from chatledger.adoption.side_tables import remaining
from chatledger.adoption.source import Source
from chatledger.adoption.source_rows import OldSession

#: Kept row by row: what several messages share, and what belongs to none.
_SHARED = (
    "fragments", "fragment_aliases", "attachments", "schemas", "tools", "tool_instances", "collections", "embeddings",
    "_llm_migrations",
)  # fmt: skip


class Llm(Reader):
    layout = Layout.LLM
    said = "a log of llm"

    @classmethod
    def knows(cls, source: Source) -> bool:
        return llm_conversations.are_in(source) or llm_threads.are_in(source)

    def tables(self) -> tuple[str, ...]:
        return (*llm_conversations.TABLES, *llm_threads.TABLES, *_SHARED)

    def derived(self) -> tuple[str, ...]:
        return ("turn_search",)

    def survey(self) -> None:
        if llm_conversations.are_in(self.source):
            self.note_rows("orphan_messages", "responses", llm_conversations.GONE, "id")

    def sessions(self) -> Iterator[OldSession]:
        threads = llm_threads.Threads(self) if llm_threads.are_in(self.source) else None
        if llm_conversations.are_in(self.source):
            yield from llm_conversations.Conversations(self, threads).sessions()
        if threads is not None:
            yield from threads.sessions()
        left = [table for table in self.tables() if table not in ("conversations", "responses", "threads", "messages")]
        yield from remaining(self, left, {})
