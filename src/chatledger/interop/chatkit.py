"""Threads of ChatKit: `pip install 'chatledger[chatkit]'`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy.engine import URL

from chatledger.adoption.source.message_content import name_in
from chatledger.enums import SessionOrder
from chatledger.errors import InvalidInput, MissingExtra, SessionNotFound
from chatledger.interop.chatkit_items import item_of, number_of, to_messages
from chatledger.interop.escaping import escape, readable, unescape
from chatledger.interop.ledgers import (
    AnyLedger,
    AwaitedLedger,
    OnClosed,
    checked_on_closed,
    continuations,
    continued,
    in_session,
)
from chatledger.interop.state_entries import read_state, state_keys
from chatledger.interop.stored_items import delete_item, dump_model, key_of, store_item
from chatledger.schemas import Message, Session
from chatledger.unit_of_work import UnitOfWork

try:
    from chatkit.store import NotFoundError, Store
    from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
except ImportError:
    raise MissingExtra("chatkit", "a store of ChatKit") from None

R = TypeVar("R")

#: In the metadata of the sessions that are threads, and in their context: the thread beside its items.
_THREAD = "chatkit"
#: In front of the ids of attachments, which are state of the user.
_ATTACHMENT = "chatkit-attachment/"
_BATCH = 200


class ChatledgerStore(Store[Any]):
    """A `Store` of ChatKit: its threads, items and the records of attachments, in a ledger.

        store = ChatledgerStore("sqlite:///chat.db", user_of=lambda context: context.user_id)
        server = MyChatKitServer(store)

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Stores with the same URL share one ledger in a process.
    `user_of` returns the user of a request's context: only the threads and attachments of that user exist then. With
    `user_id`, they are those of one user.

    A thread is a session of the same id. Items come back exactly as they were given; each is also a message with a role
    and a text, with tool calls, results and thoughts in the form that `Message.tool_calls`, `Message.tool_result` and
    `Message.reasoning` read. An item that is saved again replaces the one with its id and keeps its place. Messages of
    other programs in the session are items, too: those of tools and systems are hidden context. Threads are listed by
    their last activity, newest first, or by their creation, oldest first.

    `on_closed` says what happens when a thread is written to whose session is archived, expired or failed: "raise" raises
    `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy, whose id is that of the session and `~2` (then
    `~3`), under the id of the thread.

    Raises:
        MissingExtra: at the import, if ChatKit is not installed.
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_of: Callable[[Any], str | None] | None = None,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
    ) -> None:
        if user_of is not None and not callable(user_of):
            raise InvalidInput("user_of", "must be a function of a context")
        self._user_of = user_of
        self._on_closed = checked_on_closed(on_closed)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)
        self._items: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
        self._attachments: TypeAdapter[Attachment] = TypeAdapter(Attachment)

    def generate_thread_id(self, context: Any) -> str:  # noqa: ARG002 - ChatKit's signature
        """Return a new id for a thread, unique among the threads of all users."""
        return f"thr_{uuid4().hex}"

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        """Return a thread without its items.

        Raises:
            NotFoundError: there is no such thread, or it is another user's.
        """
        return _thread(await self._read(lambda uow: self._session(uow, thread_id), context), thread_id)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Store what a thread is beside its items. Creates it if it does not exist.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the thread belongs to another user.
        """
        dumped = dump_model(thread)
        stored = {_THREAD: escape(dumped, "thread")}
        title = readable(thread.title)

        def act(uow: UnitOfWork, current: str) -> None:
            session = uow.sessions.get(current, include_expired=True)
            if session.context.get(_THREAD) != stored[_THREAD]:
                uow.sessions.update_context(current, stored)
            if session.title != title:
                uow.sessions.update(current, title=title)
            if _THREAD not in session.metadata:  # another program's session
                uow.metadata.set(current, _THREAD, value=True)

        fields: dict[str, Any] = {"title": title, "context": stored, "metadata": {_THREAD: True}}
        if thread.created_at.year > 1:
            fields["created_at"] = thread.created_at.astimezone()
        await self._write(thread.id, act, context, create=True, fields=fields)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        """Return a page of items: oldest first with the order "asc", newest first with "desc".

        Raises:
            NotFoundError: there is no such thread, or no item with the id `after`.
        """

        def read(uow: UnitOfWork) -> list[dict[str, Any]]:
            current = self._session(uow, thread_id).session_id
            start = None if after is None else self._stored(uow, current, after).sequence_number
            found = []
            for item in _items(uow, current, thread_id, start, newest_first=order == "desc"):
                found.append(item)
                if len(found) > limit:
                    break
            return found

        found = await self._read(read, context)
        items = [self._items.validate_python(item) for item in found[:limit]]
        return _page(items, more=len(found) > limit, after=items[-1].id if items else None)

    async def load_threads(self, limit: int, after: str | None, order: str, context: Any) -> Page[ThreadMetadata]:
        """Return a page of threads: newest activity first with the order "desc", oldest first with "asc". `after` is the
        `after` of the page before, or the id of a thread.
        """

        def read(uow: UnitOfWork) -> Page[ThreadMetadata]:
            by = SessionOrder.RECENT if order == "desc" else SessionOrder.OLDEST
            if after is None or not name_in(after) or uow.sessions.find(after) is None:
                try:
                    page = uow.sessions.list(metadata={_THREAD: True}, order=by, limit=limit, cursor=after)
                except InvalidInput:  # neither a thread nor the `after` of a page
                    return _page([], more=False, after=None)
                threads = [_thread(session) for session in page.items if self._is_shown(uow, session)]
                return _page(threads, more=page.next_cursor is not None, after=page.next_cursor)
            sessions = uow.sessions.iterate(metadata={_THREAD: True}, order=by)
            threads = [_thread(session) for session in sessions if self._is_shown(uow, session)]
            ids = [thread.id for thread in threads]
            start = ids.index(after) + 1 if after in ids else len(ids)
            chosen = threads[start : start + limit]
            return _page(chosen, more=start + limit < len(ids), after=chosen[-1].id if chosen else None)

        return await self._read(read, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Store a new item at the end of a thread.

        Raises:
            NotFoundError: there is no such thread.
            SessionClosed: as `save_thread`.
            KeyReused: the thread has another item with this id.
        """
        messages = to_messages(dump_model(item))
        await self._write(thread_id, lambda uow, id_: _append(uow, id_, messages), context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Store an item in place of the one with its id, or at the end.

        Raises:
            NotFoundError, SessionClosed: as `add_thread_item`.
        """
        messages = to_messages(dump_model(item))
        await self._write(thread_id, lambda uow, id_: store_item(uow, id_, messages), context)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        """Return an item.

        Raises:
            NotFoundError: there is no such thread or item.
        """

        def read(uow: UnitOfWork) -> dict[str, Any] | None:
            return item_of(self._stored(uow, self._session(uow, thread_id).session_id, item_id), thread_id)

        return self._items.validate_python(await self._read(read, context))

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        """Delete a thread with its items, and with its forks by `on_closed`. One that does not exist is no error.

        Raises:
            SessionHeld: the session is on hold. Nothing is deleted.
        """

        def delete(uow: UnitOfWork) -> None:
            for session_id in continuations(uow, thread_id) if name_in(thread_id) else ():
                uow.sessions.delete(session_id)

        await self._ledger.write(delete, user_id=self._user(context))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Delete an item. One that does not exist is no error.

        Raises:
            NotFoundError, SessionClosed: as `add_thread_item`.
        """

        def act(uow: UnitOfWork, current: str) -> None:
            try:
                found = self._stored(uow, current, item_id)
            except NotFoundError:
                return
            if found.key is None:
                uow.messages.delete(current, found.sequence_number)
            else:
                delete_item(uow, current, found.key)

        await self._write(thread_id, act, context)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        """Store the record of an attachment, which is erased with its user. Its content is not stored."""
        entry, owner = state_keys({attachment.id: dump_model(attachment)}, _ATTACHMENT), self._owner(context)
        await self._ledger.write(lambda uow: uow.state.update(entry, **owner), user_id=self._user(context))

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        """Return the record of an attachment.

        Raises:
            NotFoundError: there is none, or it is another user's.
        """
        (key,), owner = state_keys({attachment_id: None}, _ATTACHMENT), self._owner(context)
        stored = await self._ledger.read(lambda uow: uow.state.get(key, **owner), user_id=self._user(context))
        if stored is None:
            raise NotFoundError(f"Attachment {attachment_id} not found")
        (found,) = read_state([(key, stored)], _ATTACHMENT).values()
        return self._attachments.validate_python(found)

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        """Delete the record of an attachment. One that does not exist is no error."""
        (key,), owner = state_keys({attachment_id: None}, _ATTACHMENT), self._owner(context)
        await self._ledger.write(lambda uow: uow.state.delete(key, **owner), user_id=self._user(context))

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last store that uses it closes it."""
        await self._ledger.close()

    def _user(self, context: Any) -> str | None:
        return None if self._user_of is None else self._user_of(context)

    def _owner(self, context: Any) -> dict[str, Any]:
        """Whose state the records of attachments are: the user's, or without users the project `chatkit`'s."""
        user = self._user(context) or self._ledger.user_id
        return {"project_id": _THREAD} if user is None else {"user_id": user}

    async def _read(self, work: Callable[[UnitOfWork], R], context: Any) -> R:
        try:
            return await self._ledger.read(work, user_id=self._user(context))
        except SessionNotFound:
            raise NotFoundError("Thread not found") from None

    async def _write(
        self,
        thread_id: str,
        act: Callable[[UnitOfWork, str], None],
        context: Any,
        *,
        create: bool = False,
        fields: dict[str, Any] | None = None,
    ) -> None:
        if not create and not name_in(thread_id):
            raise NotFoundError("Thread not found")

        def write(uow: UnitOfWork) -> None:
            in_session(
                uow, thread_id, lambda id_: act(uow, id_), on_closed=self._on_closed, create=create, fields=fields
            )

        try:
            await self._ledger.write(write, user_id=self._user(context))
        except SessionNotFound:
            raise NotFoundError(f"Thread {thread_id} not found") from None

    def _session(self, uow: UnitOfWork, thread_id: str) -> Session:
        if not name_in(thread_id):
            raise SessionNotFound(str(thread_id))
        return uow.sessions.get(continued(uow, thread_id) if self._on_closed == "fork" else thread_id)

    def _stored(self, uow: UnitOfWork, session_id: str, item_id: str) -> Message:
        """The first message of an item.

        Raises:
            NotFoundError: there is no such item.
        """
        found = uow.messages.find(session_id, key=key_of(item_id) or "")
        number = number_of(item_id)
        if found is None and number:
            others = uow.messages.history(session_id, after=number - 1, limit=1)
            found = next((one for one in others if one.sequence_number == number and one.key is None), None)
        if found is None and name_in(item_id):  # another program's key
            found = uow.messages.find(session_id, key=item_id)
        if found is None or item_of(found, "") is None:
            raise NotFoundError(f"Item {item_id} not found")
        return found

    def _is_shown(self, uow: UnitOfWork, session: Session) -> bool:
        """Whether a session is what its thread is now: the thread itself, or the fork that goes on with it."""
        thread_id = _thread_id(session)
        if self._on_closed != "fork" or (session.is_open and session.session_id == thread_id):
            return session.session_id == thread_id
        return session.session_id == continued(uow, thread_id)


def _append(uow: UnitOfWork, session_id: str, messages: list[dict[str, Any]]) -> None:
    uow.messages.append_many(session_id, messages)


def _items(
    uow: UnitOfWork, session_id: str, thread_id: str, start: int | None, *, newest_first: bool
) -> Iterator[dict[str, Any]]:
    while True:
        if newest_first:
            batch = uow.messages.history(session_id, before=start, last=_BATCH)[::-1]
        else:
            batch = uow.messages.history(session_id, after=start, limit=_BATCH)
        for message in batch:
            if (item := item_of(message, thread_id)) is not None:
                yield item
        if len(batch) < _BATCH:
            return
        start = batch[-1].sequence_number


def _page(data: list[Any], *, more: bool, after: str | None) -> Page[Any]:
    return Page(data=data, has_more=more, after=after if more else None)


def _thread_id(session: Session) -> str:
    stored = unescape(session.context.get(_THREAD))
    return str(stored["id"]) if isinstance(stored, dict) and "id" in stored else session.session_id


def _thread(session: Session, thread_id: str | None = None) -> ThreadMetadata:
    """The thread as it was saved; a title that another program has given to the session is its title."""
    stored = unescape(session.context.get(_THREAD))
    if not isinstance(stored, dict):
        return ThreadMetadata(id=thread_id or session.session_id, title=session.title, created_at=session.created_at)
    same = readable(stored.get("title")) == session.title
    return ThreadMetadata.model_validate(stored if same else {**stored, "title": session.title})
