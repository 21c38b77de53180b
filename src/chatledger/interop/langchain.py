"""LangChain's message history: `pip install 'chatledger[langchain]'`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import URL

from chatledger.errors import InvalidInput, MissingExtra, SessionClosed, SessionNotFound
from chatledger.interop.langchain_messages import read, write
from chatledger.interop.ledgers import AnyLedger, AwaitedLedger, OnClosed, checked_on_closed, continued, in_session
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import identifier, validated
from chatledger.unit_of_work import UnitOfWork

try:
    from langchain_core.chat_history import BaseChatMessageHistory
    from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
except ImportError:
    raise MissingExtra("langchain", "a message history of LangChain") from None


class ChatledgerChatMessageHistory(BaseChatMessageHistory):
    """The messages of one session, as LangChain's messages.

        history = ChatledgerChatMessageHistory("trip", "sqlite:///chat.db")
        history.add_messages([HumanMessage("Where to in May?"), AIMessage("Lisbon.")])

        RunnableWithMessageHistory(chain, lambda id: ChatledgerChatMessageHistory(id, "sqlite:///chat.db"), …)

    The ledger is a `Ledger`, an `AsyncLedger`, or the URL or path of one. Histories with the same URL share one ledger
    in a process, which stays open, because LangChain does not close histories. For a SQLite database in memory, pass
    an opened ledger. The first messages create the session.

    Messages come back as they were added, of all types and with ids, tool calls, usage and metadata. Each is stored as
    text with its role, its tool calls or result, tokens, model and cost, so that the rest of chatledger reads it. A
    message that another program wrote is read, too. There are three limits: a subclass of your own comes back as
    LangChain's class, tuples come back as lists, and an object in an artifact (such as a `Document`) comes back in its
    JSON form.

    With `user_id`, only the sessions of that user exist. `on_closed` says what a write to an archived, expired or failed
    session does: "raise" raises `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of
    the session and `~2` (then `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: at the import, if LangChain is not installed.
        InvalidInput: an argument is not valid.
    """

    session_id: str
    """The id as it was given. With `on_closed="fork"`, messages may be in a copy of this session."""

    def __init__(
        self,
        session_id: str,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
    ) -> None:
        self.session_id = identifier(session_id, "session_id")
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override, unused-ignore] # an attribute there
        """All messages, in order; an empty list if there is no such session."""
        return _loaded(self._ledger.synchronous().view(self._stored))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages at the end of the session, all or none, in one transaction.

        Raises:
            InvalidInput: a `RemoveMessage`, or a value that has no JSON form, such as bytes. Nothing was stored.
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
        """
        new = _new_messages(messages)
        if not new:
            return
        ledger = self._ledger.synchronous()
        try:
            ledger.append_many(self.session_id, new)
        except (SessionNotFound, SessionClosed):  # to be created, or goes on as `on_closed` says
            ledger.run(self._adding(new))

    def clear(self) -> None:
        """Delete all messages of the session. The session itself stays, with its metadata and its audit log.

        Raises:
            SessionClosed: as `add_messages`.
        """
        self._ledger.synchronous().run(self._clear)

    async def aget_messages(self) -> list[BaseMessage]:
        """As `messages`."""
        return _loaded(await self._ledger.read(self._stored))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """As `add_messages`. A cancelled task waits for the transaction under way."""
        new = _new_messages(messages)
        if not new:
            return
        try:
            await self._ledger.append_many(self.session_id, new)
        except (SessionNotFound, SessionClosed):
            await self._ledger.write(self._adding(new))

    async def aclear(self) -> None:
        """As `clear`."""
        await self._ledger.write(self._clear)

    def _stored(self, uow: UnitOfWork) -> list[Message]:
        current = continued(uow, self.session_id) if self._on_closed == "fork" else self.session_id
        try:
            return uow.messages.history(current)
        except SessionNotFound:
            return []

    def _adding(self, new: Sequence[NewMessage]) -> Callable[[UnitOfWork], None]:
        def add(uow: UnitOfWork) -> None:
            in_session(uow, self.session_id, lambda id_: uow.messages.append_many(id_, new), on_closed=self._on_closed)

        return add

    def _clear(self, uow: UnitOfWork) -> None:
        with suppress(SessionNotFound):
            in_session(uow, self.session_id, uow.messages.clear, on_closed=self._on_closed, create=False)


def _loaded(stored: list[Message]) -> list[BaseMessage]:
    found: list[BaseMessage] = messages_from_dict([write(message) for message in stored])
    return found


def _new_messages(messages: Sequence[BaseMessage]) -> list[NewMessage]:
    return [_new(number, message) for number, message in enumerate(messages)]


def _new(number: int, message: BaseMessage) -> NewMessage:
    if not isinstance(message, BaseMessage):
        raise InvalidInput(f"messages.{number}", f"must be a message of LangChain, not {type(message).__name__}")
    try:
        return validated(NewMessage, read(message_to_dict(message)))
    except InvalidInput as error:
        wrong = error
    raise InvalidInput(f"messages.{number}.{wrong.field}", wrong.reason)
