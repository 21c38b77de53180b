"""The Microsoft Agent Framework's message history: `pip install 'chatledger[agent-framework]'`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from chatledger.errors import InvalidInput, MissingExtra, SessionNotFound
from chatledger.interop.agent_framework_messages import stored_messages, to_messages
from chatledger.interop.ledgers import AnyLedger, AwaitedLedger, OnClosed, checked_on_closed, continued, in_session
from chatledger.schemas.fields import identifier
from chatledger.unit_of_work import UnitOfWork

try:
    from agent_framework import HistoryProvider, Message
except ImportError:
    raise MissingExtra("agent-framework", "a history provider of the Microsoft Agent Framework") from None


class ChatledgerHistoryProvider(HistoryProvider):
    """Keeps the messages of an agent's sessions in a ledger.

        agent = Agent(client=client, context_providers=[ChatledgerHistoryProvider("sqlite:///chat.db")])
        session = agent.create_session(session_id="trip")
        await agent.run("Where to in May?", session=session)

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Providers with the same URL share one ledger in a process.
    With `user_id`, only the sessions of that user exist. The session is the one that the framework names in each call; it
    is created when the first messages are saved. `source_id` and `options` (`load_messages`, `store_inputs`,
    `store_outputs`, `store_context_messages`, `store_context_from`) are those of `HistoryProvider`.

    Messages come back as they were saved, without `raw_representation`, which the framework does not save either. Each is
    also a message with a role and a text, and with tool calls, results and reasoning in the form that
    `Message.tool_calls`, `Message.tool_result` and `Message.reasoning` read. Messages of other programs in the session
    are messages of the framework, too.

    `on_closed` says what happens when a session is written to that is archived, expired or failed: "raise" raises
    `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2` (then
    `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: at the import, if the framework is not installed.
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
        source_id: str = "chatledger",
        **options: Any,
    ) -> None:
        super().__init__(source_id, **options)
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)

    async def get_messages(
        self,
        session_id: str | None,
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002 - of providers that keep messages there
        **kwargs: Any,  # noqa: ARG002 - of other providers
    ) -> list[Message]:
        """Return the messages of a session, in order. A session that does not exist has none."""
        if session_id is None:
            return []
        named = identifier(session_id, "session_id")

        def read(uow: UnitOfWork) -> list[dict[str, Any]]:
            try:
                return stored_messages(uow, continued(uow, named) if self._on_closed == "fork" else named)
            except SessionNotFound:
                return []

        return [Message.from_dict(dumped) for dumped in await self._ledger.read(read)]

    async def save_messages(
        self,
        session_id: str | None,
        messages: Sequence[Message],
        *,
        state: dict[str, Any] | None = None,  # noqa: ARG002 - as above
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> None:
        """Append messages to a session, all or none. Creates the session if it does not exist.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
            InvalidInput: there is no session id, an item is not a message, or a value has no JSON form.
        """
        if not messages:
            return
        if session_id is None:
            raise InvalidInput("session_id", "is missing: run the agent with a session")
        named = identifier(session_id, "session_id")
        fields = []
        for number, message in enumerate(messages):
            if not isinstance(message, Message):
                raise InvalidInput(f"messages.{number}", f"is not a message, but {type(message).__name__}")
            fields += to_messages(message.to_dict())

        def save(uow: UnitOfWork) -> None:
            in_session(uow, named, lambda id_: uow.messages.append_many(id_, fields), on_closed=self._on_closed)

        await self._ledger.write(save)

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last provider that uses it closes it."""
        await self._ledger.close()
