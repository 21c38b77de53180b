"""The services, awaited. Each is a list of declarations: a method is written once, synchronously, and lifted here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from chatledger.services.audit import Audit
from chatledger.services.messages import Messages
from chatledger.services.metadata import Metadata
from chatledger.services.search import Search
from chatledger.services.sessions import Sessions
from chatledger.services.snapshots import Snapshots
from chatledger.services.timeouts import Timeouts
from chatledger.services.work import Service

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


class AsyncSessions(Lifted):
    """`Sessions`, awaited."""

    create = lifted(Sessions.create)
    get = lifted(Sessions.get)
    find = lifted(Sessions.find)
    list = lifted(Sessions.list)
    update = lifted(Sessions.update)
    update_context = lifted(Sessions.update_context)
    pause = lifted(Sessions.pause)
    resume = lifted(Sessions.resume)
    mark_idle = lifted(Sessions.mark_idle)
    archive = lifted(Sessions.archive)
    expire = lifted(Sessions.expire)
    fail = lifted(Sessions.fail)
    reopen = lifted(Sessions.reopen)
    hold = lifted(Sessions.hold)
    release = lifted(Sessions.release)
    expire_older_than = lifted(Sessions.expire_older_than)
    delete = lifted(Sessions.delete)
    erase_user = lifted(Sessions.erase_user)
    fork = lifted(Sessions.fork)


class AsyncMessages(Lifted):
    """`Messages`, awaited."""

    append = lifted(Messages.append)
    append_many = lifted(Messages.append_many)
    history = lifted(Messages.history)
    iterate = lifted_iterator(Messages.iterate)
    get = lifted(Messages.get)
    find = lifted(Messages.find)
    pop = lifted(Messages.pop)
    clear = lifted(Messages.clear)
    redact = lifted(Messages.redact)


class AsyncMetadata(Lifted):
    """`Metadata`, awaited."""

    set = lifted(Metadata.set)
    get = lifted(Metadata.get)
    all = lifted(Metadata.all)
    delete = lifted(Metadata.delete)


class AsyncSearch(Lifted):
    """`Search`, awaited."""

    messages = lifted(Search.messages)
    sessions = lifted(Search.sessions)


class AsyncTimeouts(Lifted):
    """`Timeouts`, awaited."""

    configure = lifted(Timeouts.configure)
    configure_default = lifted(Timeouts.configure_default)
    defaults = lifted(Timeouts.defaults)
    clear = lifted(Timeouts.clear)
    clear_default = lifted(Timeouts.clear_default)
    get = lifted(Timeouts.get)
    due = lifted(Timeouts.due)
    warn = lifted(Timeouts.warn)
    sweep = lifted(Timeouts.sweep)
    report = lifted(Timeouts.report)
    purge = lifted(Timeouts.purge)


class AsyncSnapshots(Lifted):
    """`Snapshots`, awaited."""

    take = lifted(Snapshots.take)
    list = lifted(Snapshots.list)
    get = lifted(Snapshots.get)
    messages = lifted(Snapshots.messages)
    diff = lifted(Snapshots.diff)
    restore = lifted(Snapshots.restore)
    delete = lifted(Snapshots.delete)


class AsyncAudit(Lifted):
    """`Audit`, awaited."""

    list = lifted(Audit.list)
