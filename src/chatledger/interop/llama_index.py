"""LlamaIndex's chat store: `pip install 'chatledger[llama-index]'`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError
from sqlalchemy.engine import URL

from chatledger.adoption.source.message_content import name_in
from chatledger.errors import InvalidInput, MissingExtra, SessionClosed, SessionNotFound
from chatledger.interop.escaping import escape, unescape
from chatledger.interop.ledgers import (
    AnyLedger,
    AwaitedLedger,
    OnClosed,
    checked_on_closed,
    continued,
    in_session,
    session_name,
)
from chatledger.interop.llama_index_messages import from_message, to_message
from chatledger.schemas import Message
from chatledger.unit_of_work import UnitOfWork

try:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
except ImportError:
    raise MissingExtra("llama-index", "a chat store of LlamaIndex") from None

#: Metadata of sessions: the key that LlamaIndex knows one by, and the number of the last message of those that were
#: archived as the oldest ones.
_KEY, _ARCHIVED = "llama_index_key", "llama_index_archived"
#: Metadata of a message that was added as archived.
_STATUS = "llama_index_status"
_LONGEST_KEY = 200


class ChatledgerChatStore(AsyncDBChatStore):
    """A chat store for `Memory`: each key is a session of a ledger.

        store = ChatledgerChatStore("sqlite:///chat.db")
        memory = Memory.from_defaults(session_id="trip", chat_store=store)

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Stores with the same URL share one ledger in a process. With
    `user_id`, only the sessions of that user exist. The first messages create the session, whose id is the key.

    Messages come back as they were added. Each is also a message with a role and a text, and with tool calls, results and
    reasoning in the form that `Message.tool_calls`, `Message.tool_result` and `Message.reasoning` read. Messages of other
    programs in the session are chat messages, too. Messages that the memory archives stay in the session, under their
    numbers. The number of a message is what `delete_message` calls its id.

    `on_closed` says what happens when a session is written to that is archived, expired or failed: "raise" raises
    `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2` (then
    `~3`). Every process with "fork" reads and writes that copy from then on.

    Raises:
        MissingExtra: at the import, if LlamaIndex is not installed.
        InvalidInput: an argument is not valid.
    """

    _ledger: AwaitedLedger = PrivateAttr()
    _on_closed: OnClosed = PrivateAttr()

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
    ) -> None:
        super().__init__()
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)

    @classmethod
    def class_name(cls) -> str:
        """The name of the class, for LlamaIndex."""
        return "ChatledgerChatStore"

    async def get_messages(
        self,
        key: str,
        status: MessageStatus | None = MessageStatus.ACTIVE,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[ChatMessage]:
        """Return the messages with a status (None: all), in order, without the first `offset`, at most `limit`."""
        found = await self._ledger.read(lambda uow: self._stored(uow, key, status))
        start = offset or 0
        return _loaded(found[start : None if limit is None else start + limit])

    async def count_messages(self, key: str, status: MessageStatus | None = MessageStatus.ACTIVE) -> int:
        """Return how many messages have a status (None: any)."""
        return len(await self._ledger.read(lambda uow: self._stored(uow, key, status)))

    async def add_message(self, key: str, message: ChatMessage, status: MessageStatus = MessageStatus.ACTIVE) -> None:
        """As `add_messages`, with one message."""
        await self.add_messages(key, [message], status)

    async def add_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Append messages, all or none. Creates the session if it does not exist.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
            InvalidInput: an item is not a chat message, or a value has no JSON form.
        """
        fields = _fields(messages, status)
        if not fields:
            return
        try:
            await self._ledger.append_many(_session_of(key), fields)
        except (SessionNotFound, SessionClosed):  # to be created, or goes on as `on_closed` says
            await self._write(key, lambda uow, id_: uow.messages.append_many(id_, fields))

    async def set_messages(
        self, key: str, messages: list[ChatMessage], status: MessageStatus = MessageStatus.ACTIVE
    ) -> None:
        """Replace all messages, of any status, in one transaction.

        Raises:
            SessionClosed, SessionExists, InvalidInput: as `add_messages`. Nothing is replaced.
        """
        fields = _fields(messages, status)

        def replace(uow: UnitOfWork, id_: str) -> None:
            uow.messages.clear(id_)
            if fields:
                uow.messages.append_many(id_, fields)

        await self._write(key, replace)

    async def delete_message(self, key: str, idx: int) -> ChatMessage | None:
        """Delete the message of a number and return it, or None if there is none.

        Raises:
            SessionClosed: as `add_messages`.
        """

        def wanted(stored: Sequence[Message]) -> list[Message]:
            return [message for message in stored if message.sequence_number == idx]

        return next(iter(await self._take(key, None, wanted)), None)

    async def delete_messages(self, key: str, status: MessageStatus | None = None) -> None:
        """Delete the messages with a status (None: all). The session itself stays.

        Raises:
            SessionClosed: as `add_messages`.
        """
        if status is None:
            await self._write(key, lambda uow, id_: uow.messages.clear(id_), create=False)
        else:
            await self._take(key, status, lambda stored: stored)

    async def delete_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Delete the oldest `n` active messages and return them.

        Raises:
            SessionClosed: as `add_messages`.
        """
        return await self._take(key, MessageStatus.ACTIVE, lambda stored: stored[: max(n, 0)])

    async def archive_oldest_messages(self, key: str, n: int) -> list[ChatMessage]:
        """Mark the oldest `n` active messages as archived and return them. They stay in the session.

        Raises:
            SessionClosed: as `add_messages`.
        """

        def archive(uow: UnitOfWork, id_: str) -> list[Message]:
            uow.messages.delete(id_)  # none: it locks the session, and refuses a closed one
            oldest = _with_status(uow, id_, MessageStatus.ACTIVE)[: max(n, 0)]
            if oldest:
                uow.metadata.set(id_, _ARCHIVED, oldest[-1].sequence_number)
            return oldest

        return _loaded(await self._write(key, archive, create=False) or [])

    async def get_keys(self) -> list[str]:
        """Return the keys of the sessions with messages that stores of LlamaIndex have created, in order."""

        def read(uow: UnitOfWork) -> list[str]:
            sessions = [session for session in uow.sessions.iterate() if _KEY in session.metadata]
            return sorted({str(unescape(session.metadata[_KEY])) for session in sessions if session.message_count})

        return await self._ledger.read(read)

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last store that uses it closes it."""
        await self._ledger.close()

    async def _take(
        self, key: str, status: MessageStatus | None, choose: Callable[[Sequence[Message]], Sequence[Message]]
    ) -> list[ChatMessage]:
        """Delete some of the messages with a status, and return them."""

        def take(uow: UnitOfWork, id_: str) -> Sequence[Message]:
            uow.messages.delete(id_)  # none: as above
            taken = choose(_with_status(uow, id_, status))
            if taken:
                uow.messages.delete(id_, *(message.sequence_number for message in taken))
            return taken

        return _loaded(await self._write(key, take, create=False) or [])

    def _stored(self, uow: UnitOfWork, key: str, status: MessageStatus | None) -> list[Message]:
        name = _session_of(key)
        current = continued(uow, name) if self._on_closed == "fork" else name
        return _with_status(uow, current, status)

    async def _write(self, key: str, act: Callable[[UnitOfWork, str], Any], *, create: bool = True) -> Any:
        name = _session_of(key)
        fields = {"metadata": {_KEY: escape(key, "key")}}

        def write(uow: UnitOfWork) -> Any:
            try:
                return in_session(
                    uow, name, lambda id_: act(uow, id_), on_closed=self._on_closed, create=create, fields=fields
                )
            except SessionNotFound:  # only without `create`
                return None

        return await self._ledger.write(write)


def _session_of(key: Any) -> str:
    """The id of the session of a key: the key, unless an id cannot be so."""
    if not isinstance(key, str) or not key:
        raise InvalidInput("key", "must be a text that is not empty")
    return key if name_in(key) and len(key) <= _LONGEST_KEY else session_name(key)


def _with_status(uow: UnitOfWork, session_id: str, status: MessageStatus | None) -> list[Message]:
    session = uow.sessions.find(session_id, include_expired=True)
    if session is None:
        return []
    mark = session.metadata.get(_ARCHIVED)
    archived_until = mark if isinstance(mark, int) else 0
    after = archived_until if status is MessageStatus.ACTIVE else None
    return [
        message
        for message in uow.messages.history(session_id, after=after)
        if status is None or status is _status_of(message, archived_until)
    ]


def _status_of(message: Message, archived_until: int) -> MessageStatus:
    is_archived = message.sequence_number <= archived_until or _STATUS in message.metadata
    return MessageStatus.ARCHIVED if is_archived else MessageStatus.ACTIVE


def _fields(messages: Sequence[ChatMessage], status: MessageStatus) -> list[dict[str, Any]]:
    archived = {"metadata": {_STATUS: MessageStatus.ARCHIVED.value}} if status == MessageStatus.ARCHIVED else {}
    return [{**to_message(_dump(number, message)), **archived} for number, message in enumerate(messages)]


def _dump(number: int, message: ChatMessage) -> dict[str, Any]:
    if not isinstance(message, ChatMessage):
        raise InvalidInput(f"messages.{number}", f"is not a chat message, but {type(message).__name__}")
    try:
        dumped: dict[str, Any] = message.model_dump(mode="json")
    except (PydanticSerializationError, UnicodeError):
        pass
    else:
        return dumped
    raise InvalidInput(f"messages.{number}", "has a value without a JSON form")


def _loaded(messages: Sequence[Message]) -> list[ChatMessage]:
    return [ChatMessage.model_validate(from_message(message)) for message in messages]
