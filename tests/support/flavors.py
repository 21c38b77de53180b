"""One spelling for sync and async: the async ledger behind the sync ledger's signatures.

A test is written once, against `Ledger`, and runs on `AsyncLedger` too: each call is made on an
event loop in a thread of its own, and the test's thread waits for the awaited result. What is
awaitable comes back as its value, an async context manager as a plain one, an async iterator as a
plain one.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Any, Self, cast

from chatledger import AsyncLedger, Ledger


@contextmanager
def open_ledger(flavor: str, url: str, **options: Any) -> Iterator[Ledger]:
    """Lend the ledger at `url` of a flavor, `sync` or `async`, to be used as if it were sync."""
    if flavor == "sync":
        with Ledger(url, **options) as ledger:
            yield ledger
        return
    loop = LoopThread()
    try:
        any_ledger = BlockingLedger(loop, loop.call(AsyncLedger, url, **options))
        try:
            yield cast("Ledger", any_ledger)
        finally:
            any_ledger.close()
    finally:
        loop.close()


class LoopThread:
    """An event loop that runs in a thread until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="async flavor", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function on the loop, await what it returns, and give the result."""

        async def on_the_loop() -> Any:
            # Called here, and not by the caller, because a function may ask for the running loop.
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result()

    def close(self) -> None:
        """Stop the loop and its worker threads."""
        self.call(self._loop.shutdown_asyncgens)
        self.call(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Blocking:
    """Any object of the async API whose methods are called from a plain thread."""

    def __init__(self, loop: LoopThread, target: Any) -> None:
        self._loop = loop
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value):
            return value

        def blocking(*args: Any, **kwargs: Any) -> Any:
            return _plain(self._loop, self._loop.call(value, *args, **kwargs))

        return blocking


class BlockingWork(Blocking):
    """A unit of work: its attributes are services."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        return super().__getattr__(name) if inspect.isroutine(value) else Blocking(self._loop, value)


class BlockingContext:
    """A transaction, entered and left on the loop."""

    def __init__(self, loop: LoopThread, context: AbstractAsyncContextManager[Any]) -> None:
        self._loop = loop
        self._context = context

    def __enter__(self) -> BlockingWork:
        return BlockingWork(self._loop, self._loop.call(self._context.__aenter__))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return cast("bool | None", self._loop.call(self._context.__aexit__, kind, error, traceback))


class BlockingLedger(Blocking):
    """An `AsyncLedger`, or what its `for_user` returns."""

    def begin(self, *args: Any, **kwargs: Any) -> BlockingContext:
        return BlockingContext(self._loop, self._loop.call(self._target.begin, *args, **kwargs))

    def read(self, *args: Any, **kwargs: Any) -> BlockingContext:
        return BlockingContext(self._loop, self._loop.call(self._target.read, *args, **kwargs))

    def for_user(self, user_id: str) -> BlockingLedger:
        return BlockingLedger(self._loop, self._loop.call(self._target.for_user, user_id))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call(self._target.close)


def _plain(loop: LoopThread, value: Any) -> Any:
    return _drain(loop, value) if hasattr(value, "__aiter__") else value


def _drain(loop: LoopThread, source: Any) -> Iterator[Any]:
    """Iterate as the consumer asks for items, and close the source when it stops asking."""
    end = object()
    iterator: AsyncIterator[Any] = loop.call(source.__aiter__)
    try:
        while (item := loop.call(anext, iterator, end)) is not end:
            yield item
    finally:
        if aclose := getattr(iterator, "aclose", None):
            loop.call(aclose)
