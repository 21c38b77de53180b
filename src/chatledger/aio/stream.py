"""A message that is written while it is generated, awaited."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from chatledger.aio.bridge import call_in_thread, result_of
from chatledger.aio.ledger_threads import LedgerThreads
from chatledger.enums import Outcome
from chatledger.ledger.stream import Stream
from chatledger.schemas import Message


class AsyncStream:
    """`Stream`, awaited."""

    def __init__(self, stream: Stream, threads: LedgerThreads) -> None:
        self._stream = stream
        self._threads = threads

    @property
    def text(self) -> str:
        """As `Stream.text`."""
        return self._stream.text

    @property
    def sequence_number(self) -> int | None:
        """As `Stream.sequence_number`."""
        return self._stream.sequence_number

    @property
    def message(self) -> Message | None:
        """As `Stream.message`."""
        return self._stream.message

    async def write(self, piece: str) -> None:
        """As `Stream.write`. When the task is cancelled, a save that is under way is waited for."""
        self._stream._add(piece)
        if self._stream._is_due():
            await self._threads.call(self._stream._save)

    def set(self, **fields: Any) -> None:
        """As `Stream.set`; it is not awaited."""
        self._stream.set(**fields)

    async def interrupt(self) -> None:
        """As `Stream.interrupt`."""
        await self._threads.call(self._stream.interrupt)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._threads.call(lambda: self._stream._end(Outcome.COMPLETE))
        else:
            # A thread of its own: a task that is cancelled again meanwhile must not lose what was said.
            await result_of(call_in_thread(lambda: self._stream._end_with(kind)))
