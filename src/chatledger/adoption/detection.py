"""Which layout a source has, by its tables and columns."""

from __future__ import annotations

from chatledger.adoption.layouts import Layout
from chatledger.adoption.readers.ai_router import AiRouter
from chatledger.adoption.readers.chat_sessions import ChatSessions
from chatledger.adoption.readers.google_adk import GoogleAdk
from chatledger.adoption.readers.langchain import LangChain
from chatledger.adoption.readers.llm.log import Llm
from chatledger.adoption.readers.llm_sessions.database import LlmSessions
from chatledger.adoption.readers.openai_agents import OpenAIAgents
from chatledger.adoption.source.database import Source
from chatledger.adoption.source.reader import Reader
from chatledger.errors import InvalidInput

_READERS: tuple[type[Reader], ...] = (AiRouter, ChatSessions, LlmSessions, Llm, GoogleAdk, OpenAIAgents, LangChain)
# Tables that a refusal names.
_NAMED = 8


def reader_of(source: Source, wanted: Layout, *, dropping: bool) -> Reader:
    """The reader of a source's layout.

    Raises:
        InvalidInput: the source is of no layout that is known, or not of the one that was named.
    """
    found = [reader for reader in _READERS if reader.knows(source)]
    if wanted is not Layout.AUTO:
        chosen = next((reader for reader in found if reader.layout is wanted), None)
        if chosen is None:
            is_ = f"is {found[0].said}" if found else _unknown(source)
            raise InvalidInput("layout", f"is not {wanted.value}: {source.file.name} {is_}")
        return chosen(source, dropping=dropping)
    if not found:
        raise InvalidInput("source", f"{source.file.name} {_unknown(source)}")
    return found[0](source, dropping=dropping)


def _unknown(source: Source) -> str:
    names = sorted(source.tables)
    if not names:
        return "is a SQLite database without tables"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"is of no layout that is known; its tables are {', '.join(map(repr, names[:_NAMED]))}{more}"
