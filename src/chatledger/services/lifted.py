"""How a synchronous service is awaited. The twins themselves are declarations, in `services/awaited/`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from chatledger.services.base import Service

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Service)

#: Items of a lifted iterator that are fetched in one hop.
_CHUNK = 500


class Caller(Protocol):
    """Runs a function where the transaction lives, and awaits what it returns."""

    def __call__(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> Awaitable[R]: ...


class Lifted:
    """A synchronous service and the way to call it."""

    __slots__ = ("_call", "_service")

    def __init__(self, service: Service, call: Caller) -> None:
        self._service = service
        self._call = call


def lifted(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[Lifted, P], Coroutine[Any, Any, R]]:
    """The awaited twin of a method."""

    @wraps(method)
    async def twin(self: Lifted, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._call(method, self._service, *args, **kwargs)

    return twin


def lifted_iterator(
    method: Callable[Concatenate[S, P], Iterator[R]],
) -> Callable[Concatenate[Lifted, P], AsyncIterator[R]]:
    """The asynchronous twin of a method that iterates."""

    @wraps(method)
    async def twin(self: Lifted, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        iterator = await self._call(method, self._service, *args, **kwargs)
        while chunk := await self._call(_take, iterator):
            for item in chunk:
                yield item

    return twin


def _take(iterator: Iterator[R]) -> list[R]:
    return list(islice(iterator, _CHUNK))
