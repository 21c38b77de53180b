"""Sessions of the OpenAI Agents SDK: `pip install 'chatledger[openai-agents]'`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL

from chatledger.errors import MessageNotFound, MissingExtra, SessionClosed, SessionNotFound
from chatledger.interop.ledgers import AnyLedger, AwaitedLedger, OnClosed, checked_on_closed, continued, in_session
from chatledger.interop.openai_items import ItemWriter, checked_limit, newest_items, pop_item
from chatledger.schemas.fields import identifier
from chatledger.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from agents.memory import SessionSettings


class ChatledgerSession:
    """One conversation of the OpenAI Agents SDK, in a ledger.

        session = ChatledgerSession("chat-1", "sqlite:///chat.db", user_id="ada")
        result = await Runner.run(agent, "Hello", session=session)

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Sessions with the same URL share one ledger in a process.
    With `user_id`, only the sessions of that user exist. The session is created when the first items are added.

    Items come back exactly as they were added. Each is also a message with a role and a text, and with tool calls,
    tool results and reasoning in the form that `Message.tool_calls`, `Message.tool_result` and `Message.reasoning` read.
    Messages of other programs in the session are items, too: their text, their tool calls and results.

    `on_closed` says what happens when a session is written to that is archived, expired or failed: "raise" raises
    `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2` (then
    `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: the Agents SDK is not installed.
        InvalidInput: an argument is not valid.
    """

    session_id: str
    """The id as it was given."""
    session_settings: SessionSettings | None
    """Settings of the SDK: the default for `limit`."""

    def __init__(
        self,
        session_id: str,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        try:
            from agents.memory import SessionSettings  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtra("openai-agents", "a session of the OpenAI Agents SDK") from None
        self.session_id = identifier(session_id, "session_id")
        if isinstance(session_settings, dict):
            session_settings = SessionSettings(**session_settings)
        self.session_settings = SessionSettings() if session_settings is None else session_settings
        self._on_closed = checked_on_closed(on_closed)
        self._writer = ItemWriter()
        self._ledger = AwaitedLedger(ledger_or_url, user_id)

    async def get_items(self, limit: int | None = None) -> list[Any]:
        """Return the newest `limit` items in their order. None: the limit of `session_settings`, or all items."""
        chosen = checked_limit(limit)
        if chosen is None and self.session_settings is not None:
            chosen = checked_limit(self.session_settings.limit)
        if chosen is not None and chosen <= 0:
            return []

        def read(uow: UnitOfWork) -> list[Any]:
            try:
                return newest_items(uow, self._current(uow), chosen)
            except SessionNotFound:
                return []

        return await self._ledger.read(read)

    async def add_items(self, items: list[Any]) -> None:
        """Add items at the end, all or none. Creates the session if it does not exist.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
            InvalidInput: an item has no JSON form.
        """
        if not items:
            return
        messages = self._writer.messages(items)

        def add(uow: UnitOfWork) -> None:
            in_session(
                uow, self.session_id, lambda id_: uow.messages.append_many(id_, messages), on_closed=self._on_closed
            )

        try:
            await self._ledger.append_many(self.session_id, messages)
        except (SessionNotFound, SessionClosed):  # to be created, or goes on as `on_closed` says
            await self._ledger.write(add)

    async def pop_item(self) -> Any:
        """Remove the newest item and return it, or None if there is no item.

        Raises:
            SessionClosed: as `add_items`.
        """

        def pop(uow: UnitOfWork) -> Any:
            try:
                return in_session(
                    uow, self.session_id, lambda id_: pop_item(uow, id_), on_closed=self._on_closed, create=False
                )
            except (SessionNotFound, MessageNotFound):
                return None

        return await self._ledger.write(pop)

    async def clear_session(self) -> None:
        """Delete all items. The session itself stays.

        Raises:
            SessionClosed: as `add_items`.
        """

        def clear(uow: UnitOfWork) -> None:
            with suppress(SessionNotFound):
                in_session(uow, self.session_id, uow.messages.clear, on_closed=self._on_closed, create=False)

        await self._ledger.write(clear)

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last session that uses it closes it."""
        await self._ledger.close()

    def _current(self, uow: UnitOfWork) -> str:
        return continued(uow, self.session_id) if self._on_closed == "fork" else self.session_id
