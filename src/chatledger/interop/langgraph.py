"""LangGraph's checkpointer: `pip install 'chatledger[langgraph]'`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy.engine import URL

from chatledger.adoption.source.message_content import name_in
from chatledger.errors import InvalidInput, MissingExtra, SessionHeld, SessionNotFound
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
from chatledger.schemas.fields import whole
from chatledger.services import checkpoints
from chatledger.services.checkpoints import Place, StoredCheckpoint, StoredWrite
from chatledger.unit_of_work import UnitOfWork

try:
    from langgraph.checkpoint.base import (
        WRITES_IDX_MAP,
        BaseCheckpointSaver,
        CheckpointTuple,
        get_checkpoint_id,
        get_checkpoint_metadata,
    )
except ImportError:
    raise MissingExtra("langgraph", "a checkpointer of LangGraph") from None

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata

R = TypeVar("R")
# In the class, `list` is a method.
_Found: TypeAlias = list[StoredCheckpoint]
_Listed: TypeAlias = list[tuple[str, StoredCheckpoint]]

#: Metadata of the sessions that a checkpointer has created: the thread that LangGraph knows one by.
_THREAD = "langgraph_thread"
_LONGEST_THREAD = 200
#: In the metadata of a checkpoint: the channels whose value is made from the writes after its ancestors.
_DELTAS = "counters_since_delta_snapshot"


class ChatledgerSaver(BaseCheckpointSaver[int]):
    """Keeps the checkpoints of graphs in a ledger, sync and async.

        graph = builder.compile(checkpointer=ChatledgerSaver("sqlite:///chat.db"))
        graph.invoke(state, {"configurable": {"thread_id": "trip"}})

    `ledger_or_url` is an `AsyncLedger`, a `Ledger` or a URL. Checkpointers with the same URL share one ledger in a
    process, which stays open unless `close` is awaited. A thread is a session of the same id, which the first checkpoint
    creates. With `user_id`, only the sessions of that user exist.

    Checkpoints have tables of their own, and belong to the session: they are deleted, purged, erased, backed up and
    copied with it, and saving one is activity of the session. Exports and forks of a session do not contain them, and
    redacting a message does not change them.

    `keep` is how many of the newest checkpoints of each thread and namespace are kept when one is saved, together with
    those that they are made from. None: all. `prune` does the same when it is called.

    `on_closed` says what happens when a thread is written to whose session is archived, expired or failed: "raise"
    raises `SessionClosed`, "reopen" reopens it, and "fork" goes on in a copy with all checkpoints, whose id is that of
    the session and `~2` (then `~3`). Every process with "fork" reads and writes that copy from then on.

    `serde` writes and reads the checkpoints, as in LangGraph's own checkpointers.

    Raises:
        MissingExtra: at the import, if LangGraph is not installed.
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        ledger_or_url: AnyLedger | str | Path | URL,
        *,
        user_id: str | None = None,
        on_closed: OnClosed = "raise",
        keep: int | None = None,
        serde: Any = None,
    ) -> None:
        super().__init__(serde=serde)
        self._on_closed = checked_on_closed(on_closed)
        self._keep = None if keep is None else whole(keep, "keep", least=1)
        self._ledger = AwaitedLedger(ledger_or_url, user_id)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint by its id, or the newest one of the thread and namespace, or None."""
        return self._view(self._reading(config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """As `get_tuple`."""
        return await self._ledger.read(self._reading(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Return checkpoints, newest first: of a thread, or with `config=None` of all threads.

        `filter` is what the metadata must say, `before` a checkpoint that they must be older than.
        """
        yield from self._view(self._listing(config, filter, before, limit))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As `list`."""
        for found in await self._ledger.read(self._listing(config, filter, before, limit)):
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - channels are stored with their checkpoint
    ) -> RunnableConfig:
        """Store a checkpoint and return its configuration. Creates the session of the thread if it does not exist.

        Raises:
            SessionClosed: the session is closed, and `on_closed` is "raise".
            SessionExists: the session belongs to another user.
        """
        work, stored = self._putting(config, checkpoint, metadata)
        self._run(work)
        return stored

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - as above
    ) -> RunnableConfig:
        """As `put`."""
        work, stored = self._putting(config, checkpoint, metadata)
        await self._ledger.write(work)
        return stored

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what a task wrote after a checkpoint. A write that is stored already stays.

        Raises:
            SessionClosed, SessionExists: as `put`.
        """
        self._run(self._putting_writes(config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`."""
        await self._ledger.write(self._putting_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Delete all checkpoints of a thread. Its session is deleted too if a checkpointer has created it and it has no
        messages.

        Raises:
            SessionHeld: the session is on hold. Nothing is deleted.
        """
        self._run(lambda uow: self._delete(uow, thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`."""
        await self._ledger.write(lambda uow: self._delete(uow, thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that runs have written, with the writes after them.

        Raises:
            SessionHeld: as `delete_thread`.
        """
        self._run(lambda uow: _delete_runs(uow, run_ids))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`."""
        await self._ledger.write(lambda uow: _delete_runs(uow, run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints of a thread, with the writes after them, into another thread.

        Raises:
            SessionClosed, SessionExists: of the target, as `put`.
        """
        self._run(self._copying(source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`."""
        await self._ledger.write(self._copying(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of each namespace ("keep_latest"), or none ("delete"), of some threads.

        Checkpoints that a kept one is made from (by delta channels) are kept, too.

        Raises:
            SessionHeld: as `delete_thread`.
            InvalidInput: an unknown strategy.
        """
        self._run(self._pruning(thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """As `prune`."""
        await self._ledger.write(self._pruning(thread_ids, strategy))

    async def close(self) -> None:
        """End the use of the ledger. If it was opened by its URL, the last checkpointer that uses it closes it."""
        await self._ledger.close()

    def _run(self, work: Callable[[UnitOfWork], R]) -> R:
        return self._ledger.synchronous().run(work)

    def _view(self, work: Callable[[UnitOfWork], R]) -> R:
        return self._ledger.synchronous().view(work)

    def _reading(self, config: RunnableConfig) -> Callable[[UnitOfWork], CheckpointTuple | None]:
        thread, namespace, checkpoint_id = _place(config)

        def read(uow: UnitOfWork) -> CheckpointTuple | None:
            session_id = self._current(uow, thread)
            found = checkpoints.listed(
                uow._context, session_id, namespace=namespace, checkpoint_id=checkpoint_id, limit=1
            )
            return next(self._tuples(uow, session_id, thread, found), None)

        return read

    def _listing(
        self,
        config: RunnableConfig | None,
        wanted: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> Callable[[UnitOfWork], Sequence[CheckpointTuple]]:
        given = (config or {}).get("configurable", {})
        until = None if before is None else get_checkpoint_id(before)

        def read(uow: UnitOfWork) -> Sequence[CheckpointTuple]:
            threads = self._threads(uow) if config is None else {self._current(uow, _thread(config)): _thread(config)}
            found: _Listed = []
            for session_id in threads:
                of_session = checkpoints.listed(
                    uow._context,
                    session_id,
                    namespace=given.get("checkpoint_ns"),
                    checkpoint_id=None if config is None else get_checkpoint_id(config),
                    before=until,
                    limit=None if wanted else limit,
                )
                found += [(session_id, one) for one in of_session]
            if len(threads) > 1:
                found.sort(key=lambda one: one[1].checkpoint_id, reverse=True)
            if wanted:
                found = [one for one in found if _says(self._metadata(one[1]), wanted)]
            chosen = found if limit is None else found[: max(limit, 0)]
            return [
                loaded
                for session_id, one in chosen
                for loaded in self._tuples(uow, session_id, threads[session_id], [one])
            ]

        return read

    def _putting(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> tuple[Callable[[UnitOfWork], None], RunnableConfig]:
        thread, namespace, parent = _place(config)
        details = get_checkpoint_metadata(config, metadata)
        run_id = details.get("run_id")
        stored = StoredCheckpoint(
            namespace,
            checkpoint["id"],
            parent,
            None if run_id is None else str(run_id),
            *self.serde.dumps_typed(checkpoint),
            *self.serde.dumps_typed(details),
        )

        def put(uow: UnitOfWork, session_id: str) -> None:
            checkpoints.put(uow._context, session_id, stored)
            if self._keep is not None:
                self._keep_newest(uow, session_id, self._keep, namespace)

        configured = {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}
        return lambda uow: self._write(uow, thread, put), {"configurable": configured}

    def _putting_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> Callable[[UnitOfWork], None]:
        thread, namespace, checkpoint_id = _place(config)
        if checkpoint_id is None:
            raise InvalidInput("config", "names no checkpoint")
        new = [
            StoredWrite(
                namespace,
                checkpoint_id,
                task_id,
                WRITES_IDX_MAP.get(channel, number),
                task_path,
                channel,
                *self.serde.dumps_typed(value),
            )
            for number, (channel, value) in enumerate(writes)
        ]
        return lambda uow: self._write(
            uow, thread, lambda uow, session_id: checkpoints.put_writes(uow._context, session_id, new)
        )

    def _copying(self, source: str, target: str) -> Callable[[UnitOfWork], None]:
        def copy(uow: UnitOfWork, session_id: str) -> None:
            checkpoints.copy(uow._context, self._current(uow, str(source)), session_id)

        return lambda uow: self._write(uow, str(target), copy)

    def _pruning(self, thread_ids: Sequence[str], strategy: str) -> Callable[[UnitOfWork], None]:
        if strategy not in ("keep_latest", "delete"):
            raise InvalidInput("strategy", "is not one of 'keep_latest', 'delete'")

        def prune(uow: UnitOfWork) -> None:
            for thread in thread_ids:
                session_id = self._current(uow, str(thread))
                if _is_deletable(uow, session_id):
                    if strategy == "delete":
                        checkpoints.delete_all(uow._context, session_id)
                    else:
                        self._keep_newest(uow, session_id, 1)

        return prune

    def _delete(self, uow: UnitOfWork, thread_id: str) -> None:
        session_id = self._current(uow, str(thread_id))
        if not _is_deletable(uow, session_id):
            return
        checkpoints.delete_all(uow._context, session_id)
        session = uow.sessions.get(session_id, include_expired=True)
        if not session.message_count and _THREAD in session.metadata:
            uow.sessions.delete(session_id)

    def _current(self, uow: UnitOfWork, thread: str) -> str:
        name = _session_of(thread)
        return continued(uow, name) if self._on_closed == "fork" else name

    def _threads(self, uow: UnitOfWork) -> dict[str, str]:
        """The threads that have checkpoints, by the ids of their sessions."""
        found = {}
        for session_id in checkpoints.sessions_with_checkpoints(uow._context):
            session = uow.sessions.get(session_id, include_expired=True)
            thread = str(unescape(session.metadata.get(_THREAD, session_id)))
            if session_id == self._current(uow, thread):  # and not one that goes on in a fork, or such a fork
                found[session_id] = thread
        return found

    def _write(self, uow: UnitOfWork, thread: str, act: Callable[[UnitOfWork, str], None]) -> None:
        before = self._current(uow, thread)

        def write(session_id: str) -> None:
            if session_id != before:  # it was closed, and goes on in a fork
                checkpoints.copy(uow._context, before, session_id)
            act(uow, session_id)

        fields = {"metadata": {_THREAD: escape(thread, "thread_id")}}
        in_session(uow, _session_of(thread), write, on_closed=self._on_closed, fields=fields)

    def _keep_newest(self, uow: UnitOfWork, session_id: str, keep: int, namespace: str | None = None) -> None:
        """Delete the checkpoints of each namespace but for the newest ones, and those that these are made from."""
        context = uow._context
        by_namespace: dict[str, _Found] = {}
        for one in checkpoints.listed(context, session_id, namespace=namespace):
            by_namespace.setdefault(one.namespace, []).append(one)
        for found in by_namespace.values():
            if len(found) > keep:
                needed = self._made_from(found[:keep], found)
                checkpoints.delete_places(
                    context, session_id, [_place_of(one) for one in found[keep:] if one.checkpoint_id not in needed]
                )

    def _made_from(self, kept: Sequence[StoredCheckpoint], found: Sequence[StoredCheckpoint]) -> set[str]:
        """The ids of the ancestors whose writes some channels of the kept checkpoints are made from."""
        known = {one.checkpoint_id: one for one in found}
        needed: set[str] = set()
        for one in kept:
            open_channels = set(self._metadata(one).get(_DELTAS) or ())
            parent = one.parent_id
            while open_channels and parent is not None and parent in known:
                needed.add(parent)
                ancestor = known[parent]
                open_channels -= self.serde.loads_typed((ancestor.encoding, ancestor.body))["channel_values"].keys()
                parent = ancestor.parent_id
        return needed

    def _metadata(self, stored: StoredCheckpoint) -> Mapping[str, Any]:
        loaded: Mapping[str, Any] = self.serde.loads_typed((stored.metadata_encoding, stored.metadata_body))
        return loaded

    def _tuples(
        self, uow: UnitOfWork, session_id: str, thread: str, found: Sequence[StoredCheckpoint]
    ) -> Iterator[CheckpointTuple]:
        pending = checkpoints.writes_of(uow._context, session_id, [_place_of(one) for one in found])
        for one in found:
            place: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": one.namespace}
            parent: RunnableConfig | None = None
            if one.parent_id is not None:
                parent = {"configurable": {**place, "checkpoint_id": one.parent_id}}
            yield CheckpointTuple(
                {"configurable": {**place, "checkpoint_id": one.checkpoint_id}},
                self.serde.loads_typed((one.encoding, one.body)),
                self.serde.loads_typed((one.metadata_encoding, one.metadata_body)),
                parent,
                [
                    (write.task_id, write.channel, self.serde.loads_typed((write.encoding, write.body)))
                    for write in pending[_place_of(one)]
                ],
            )


def _place_of(stored: StoredCheckpoint) -> Place:
    return stored.namespace, stored.checkpoint_id


def _thread(config: RunnableConfig) -> str:
    thread = config.get("configurable", {}).get("thread_id")
    if thread is None:
        raise InvalidInput("config", "names no thread: pass {'configurable': {'thread_id': …}}")
    return str(thread)


def _place(config: RunnableConfig) -> tuple[str, str, str | None]:
    """Thread, namespace, and the id of a checkpoint if there is one."""
    return _thread(config), str(config["configurable"].get("checkpoint_ns", "")), get_checkpoint_id(config)


def _session_of(thread: str) -> str:
    """The id of the session of a thread: that of the thread, unless an id cannot be so."""
    return thread if name_in(thread) and len(thread) <= _LONGEST_THREAD else session_name(thread)


def _says(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata.get(name) == value for name, value in wanted.items())


def _is_deletable(uow: UnitOfWork, session_id: str) -> bool:
    """Whether there is a session to delete from.

    Raises:
        SessionHeld: it is on hold.
    """
    try:
        session = uow.sessions.get(session_id, include_expired=True)
    except SessionNotFound:
        return False
    if session.held_at is not None:
        raise SessionHeld((session_id,))
    return True


def _delete_runs(uow: UnitOfWork, run_ids: Sequence[str]) -> None:
    places: dict[str, list[Place]] = {}
    for session_id, place in checkpoints.of_runs(uow._context, run_ids):
        places.setdefault(session_id, []).append(place)
    for session_id, found in places.items():
        if _is_deletable(uow, session_id):
            checkpoints.delete_places(uow._context, session_id, found)
