"""What people use today, on the same bench: one message after the other, as each library stores it, against lean raw.

Each is measured where it is installed. None of them keeps sequence numbers, counters and a full-text index; they are
driven as their documentation shows, with one open store, and do the least that a message needs. The messages are those
of the other cases, as text with their role.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from sqlalchemy.engine import make_url

from benchmarks.appending import append
from benchmarks.bench import Bench
from benchmarks.conversation import Conversation, Turn
from benchmarks.figures import Figure, figure
from benchmarks.rounds import Rounds, alternate


class Peer(ABC):
    """A store of another library, open, with one conversation."""

    title: ClassVar[str]
    package: ClassVar[str]
    databases: ClassVar[tuple[str, ...]] = ("sqlite",)

    def __init__(self, url: str) -> None:
        self.url = url
        self.runner = asyncio.Runner()

    @abstractmethod
    def append_all(self, turns: list[Turn]) -> None: ...

    @abstractmethod
    def count(self) -> int:
        """How many messages the store gives back."""

    def close(self) -> None:
        self.runner.close()


class OpenAIAgents(Peer):
    """`SQLiteSession` of the OpenAI Agents SDK."""

    title = "OpenAI Agents, SQLiteSession"
    package = "openai-agents"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.session: Any = self.opened(url)

    def opened(self, url: str) -> Any:
        from agents import SQLiteSession  # noqa: PLC0415 - each peer is imported when it is measured, here and below

        return SQLiteSession("0", make_url(url).database or "")

    def append_all(self, turns: list[Turn]) -> None:
        async def add() -> None:
            for turn in turns:
                await self.session.add_items([_item(turn)])

        self.runner.run(add())

    def count(self) -> int:
        return len(self.runner.run(self.session.get_items()))


class OpenAIAgentsSQLAlchemy(OpenAIAgents):
    """`SQLAlchemySession` of the OpenAI Agents SDK."""

    title = "OpenAI Agents, SQLAlchemySession"
    databases = ("sqlite", "postgresql")

    def opened(self, url: str) -> Any:
        from agents.extensions.memory import SQLAlchemySession  # noqa: PLC0415

        return SQLAlchemySession.from_url("0", url=_async_url(url), create_tables=True)

    def close(self) -> None:
        self.runner.run(self.session.engine.dispose())
        super().close()


class LangChain(Peer):
    """`SQLChatMessageHistory` of LangChain."""

    title = "LangChain, SQLChatMessageHistory"
    package = "langchain-community"
    databases = ("sqlite", "postgresql")

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from langchain_community.chat_message_histories import SQLChatMessageHistory  # noqa: PLC0415

        self.history: Any = SQLChatMessageHistory(session_id="0", connection=_driver_url(url))

    def append_all(self, turns: list[Turn]) -> None:
        from langchain_core.messages import AIMessage, HumanMessage  # noqa: PLC0415

        for turn in turns:
            kind = HumanMessage if turn.given["role"] == "user" else AIMessage
            self.history.add_message(kind(content=turn.given["content"]))

    def count(self) -> int:
        return len(self.history.messages)

    def close(self) -> None:
        self.history.engine.dispose()
        super().close()


class GoogleADK(Peer):
    """`DatabaseSessionService` of Google's ADK."""

    title = "Google ADK, DatabaseSessionService"
    package = "google-adk"
    databases = ("sqlite", "postgresql")

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from google.adk.sessions import DatabaseSessionService  # noqa: PLC0415

        self.service: Any = DatabaseSessionService(db_url=_async_url(url))
        self.session = self.runner.run(self.service.create_session(app_name="bench", user_id="ada", session_id="0"))

    def append_all(self, turns: list[Turn]) -> None:
        from google.adk.events import Event  # noqa: PLC0415
        from google.genai import types  # noqa: PLC0415

        async def add() -> None:
            for turn in turns:
                author = "user" if turn.given["role"] == "user" else "model"
                content = types.Content(role=author, parts=[types.Part(text=turn.given["content"])])
                await self.service.append_event(self.session, Event(author=author, content=content))

        self.runner.run(add())

    def count(self) -> int:
        found = self.runner.run(self.service.get_session(app_name="bench", user_id="ada", session_id="0"))
        return len(found.events)

    def close(self) -> None:
        self.runner.run(self.service.close())
        super().close()


class LangGraph(Peer):
    """`SqliteSaver` of LangGraph: a checkpoint for each message, which holds the message alone."""

    title = "LangGraph, SqliteSaver"
    package = "langgraph-checkpoint-sqlite"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: PLC0415

        self.block = SqliteSaver.from_conn_string(make_url(url).database or "")
        self.saver: Any = self.block.__enter__()
        self.config: Any = {"configurable": {"thread_id": "0", "checkpoint_ns": ""}}

    def append_all(self, turns: list[Turn]) -> None:
        from langgraph.checkpoint.base import empty_checkpoint  # noqa: PLC0415

        for turn in turns:
            checkpoint = empty_checkpoint() | {"channel_values": {"messages": [_item(turn)]}}
            self.config = self.saver.put(self.config, checkpoint, {"source": "loop", "step": 1}, {})

    def count(self) -> int:
        return len(list(self.saver.list({"configurable": {"thread_id": "0"}})))

    def close(self) -> None:
        self.block.__exit__(None, None, None)
        super().close()


class Agno(Peer):
    """`SqliteDb` of Agno: a session is written whole; it has one run, the newest message."""

    title = "Agno, SqliteDb"
    package = "agno"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from agno.db.sqlite import SqliteDb  # noqa: PLC0415

        self.db: Any = SqliteDb(db_file=make_url(url).database)
        self.appended = 0

    def append_all(self, turns: list[Turn]) -> None:
        from agno.models.message import Message  # noqa: PLC0415
        from agno.run.agent import RunOutput  # noqa: PLC0415
        from agno.session import AgentSession  # noqa: PLC0415

        for turn in turns:
            message = Message(role=turn.given["role"], content=turn.given["content"])
            self.appended += 1
            run = RunOutput(run_id=str(self.appended), agent_id="bench", messages=[message])
            self.db.upsert_session(AgentSession(session_id=f"s{self.appended}", agent_id="bench", runs=[run]))

    def count(self) -> int:
        from agno.db.base import SessionType  # noqa: PLC0415

        return len(self.db.get_sessions(session_type=SessionType.AGENT))


class LLM(Peer):
    """The log of Simon Willison's `llm`."""

    title = "llm, its log"
    package = "llm"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        import llm  # noqa: PLC0415
        import sqlite_utils  # noqa: PLC0415
        from llm.migrations import migrate  # noqa: PLC0415

        class Echo(llm.Model):  # type: ignore[misc, name-defined, unused-ignore] # llm need not be installed
            model_id = "echo"

            def execute(self, prompt: Any, *_: Any, **_options: Any) -> Iterator[str]:
                yield prompt.prompt

        self.model: Any = Echo()
        self.db: Any = sqlite_utils.Database(make_url(url).database)
        migrate(self.db)

    def append_all(self, turns: list[Turn]) -> None:
        for turn in turns:
            response = self.model.prompt(turn.given["content"])
            response.text()
            response.log_to_db(self.db)

    def count(self) -> int:
        tables = set(self.db.table_names())
        return int(self.db["turns" if "turns" in tables else "responses"].count)  # named otherwise from 0.36 on


PEERS: tuple[type[Peer], ...] = (
    OpenAIAgents,
    OpenAIAgentsSQLAlchemy,
    LangChain,
    GoogleADK,
    LangGraph,
    Agno,
    LLM,
)


def peers(bench: Bench) -> Iterator[Figure]:
    """Each peer that is installed, and ours on the same bench; for information."""
    calls = 32
    rounds = Rounds(5, 10)
    for peer in (None, *PEERS):
        name = bench.database.name
        if peer is not None and (name not in peer.databases or installed(peer.package) is None):
            continue
        conversation = Conversation()
        turns = [conversation.turns(calls) for _ in range(rounds.all)]
        with bench.pair() as pair:

            def raw(number: int, pair: Any = pair, turns: Any = turns) -> None:
                for turn in turns[number]:
                    pair.raw.append(pair.session_id, turn)

            if peer is None:

                def ours(number: int, pair: Any = pair, turns: Any = turns) -> None:
                    for turn in turns[number]:
                        append(pair.ledger, pair.session_id, turn)

                yield figure("peer: chatledger", name, alternate(raw, ours, calls=calls, rounds=rounds), bar=None)
                continue
            url = bench.database.empty()
            with closing(peer(url if name == "postgresql" else f"sqlite:///{url}")) as store:
                compared = alternate(raw, lambda n: store.append_all(turns[n]), calls=calls, rounds=rounds)  # noqa: B023
                if (count := store.count()) != calls * (compared.rounds + rounds.warm_up):
                    raise RuntimeError(f"{peer.title} gives back {count} messages")
        yield figure(f"peer: {peer.title} {installed(peer.package)}", name, compared, bar=None)


def installed(package: str) -> str | None:
    """The version of a package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _item(turn: Turn) -> dict[str, str]:
    role = "user" if turn.given["role"] == "user" else "assistant"
    return {"role": role, "content": turn.given["content"]}


def _async_url(url: str) -> str:
    return url.replace("sqlite://", "sqlite+aiosqlite://").replace("postgresql://", "postgresql+psycopg://")


def _driver_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")
