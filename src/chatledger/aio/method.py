"""How a synchronous method is awaited: of a service, in `aio/services.py`, and of a ledger."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from chatledger.callbacks import callback
from chatledger.ledger.user_ledger import UserLedger
from chatledger.services.base import Service

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Service)
L = TypeVar("L", bound=UserLedger)

# Items of an iterator that are fetched in one hop.
_CHUNK = 500


class Caller(Protocol):
    """Runs a function where the transaction lives, and awaits what it returns."""

    def __call__(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Awaitable[R]: ...


class AsyncService:
    """A synchronous service and the way to call it."""

    __slots__ = ("_call", "_service")

    def __init__(self, service: Service, call: Caller) -> None:
        self._service = service
        self._call = call


def async_method(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[AsyncService, P], Coroutine[Any, Any, R]]:
    """The awaited twin of a method."""

    @wraps(method)
    async def twin(self: AsyncService, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._call(method, self._service, *args, **kwargs)

    return twin


def async_iterator_method(
    method: Callable[Concatenate[S, P], Iterator[R]],
) -> Callable[Concatenate[AsyncService, P], AsyncIterator[R]]:
    """The asynchronous twin of a method that iterates."""

    @wraps(method)
    async def twin(self: AsyncService, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        iterator = await self._call(method, self._service, *args, **kwargs)
        while chunk := await self._call(_take, iterator):
            for item in chunk:
                yield item

    return twin


def _take(iterator: Iterator[R]) -> list[R]:
    return list(islice(iterator, _CHUNK))


class AsyncLedgerCaller(Protocol):
    """An asynchronous ledger: it calls a function with its synchronous ledger, in one of its threads."""

    async def _call(self, function: Callable[[Any], R], /, *, cancelled: Callable[[], object] | None = None) -> R: ...


def ledger_method(
    method: Callable[Concatenate[L, P], R],
) -> Callable[Concatenate[AsyncLedgerCaller, P], Coroutine[Any, Any, R]]:
    """The awaited twin of a ledger's method. A cancelled task waits until the method is done."""

    @wraps(method)
    async def twin(self: AsyncLedgerCaller, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._call(lambda ledger: method(ledger, *args, **kwargs))

    return twin


class AsyncDirectCaller(AsyncLedgerCaller, Protocol):
    """An asynchronous ledger, which knows whether the task that asks is inside a writing block."""

    def _require_no_writer(self) -> None: ...


def direct_method(
    method: Callable[Concatenate[Any, P], R], *, writes: bool = True
) -> Callable[Concatenate[AsyncDirectCaller, P], Coroutine[Any, Any, R]]:
    """The awaited twin of a ledger's method that is one short transaction.

    A cancelled task waits for the attempt under way, and nothing is tried again.
    """

    @wraps(method)
    async def twin(self: AsyncDirectCaller, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if writes:
            self._require_no_writer()
        stopped = threading.Event()

        def call(ledger: UserLedger) -> R:
            return method(ledger._until(stopped), *args, **kwargs)

        return await self._call(call, cancelled=stopped.set)

    return twin


def interruptible_method(
    method: Callable[Concatenate[L, P], R], by: Literal["progress", "stopping"] = "progress"
) -> Callable[Concatenate[AsyncLedgerCaller, P], Coroutine[Any, Any, R]]:
    """The awaited twin of a ledger's method that takes long and calls back meanwhile.

    When the task is cancelled, the method ends at its next call of `progress` or `stopping`, and the task waits for
    that. The callback is synchronous and called in a thread.
    """
    signature = inspect.signature(method)
    stop = _stopping if by == "stopping" else _raising

    @wraps(method)
    async def twin(self: AsyncLedgerCaller, /, *args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(None, *args, **kwargs)
        cancelled = threading.Event()
        given.arguments[by] = stop(callback(given.arguments.get(by), by), cancelled)
        _, *positional = given.args
        return await self._call(lambda ledger: method(ledger, *positional, **given.kwargs), cancelled=cancelled.set)

    return twin


def _stopping(given: Callable[[], bool] | None, cancelled: threading.Event) -> Callable[[], bool]:
    return lambda: cancelled.is_set() or (given is not None and given())


def _raising(given: Callable[..., object] | None, cancelled: threading.Event) -> Callable[..., object]:
    def progress(*figures: Any) -> None:
        if cancelled.is_set():
            raise asyncio.CancelledError
        if given is not None:
            given(*figures)

    return progress
