"""Awaiting what workers return."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from chatledger.execution.workers import Finished

T = TypeVar("T")


async def await_worker(result: Awaitable[Any], item: T) -> Finished[T]:
    """Await what a worker returned for an item. Whatever it raises is the failure of this item and of nothing else.

    That includes SystemExit, which would end the event loop. A cancellation is raised.
    """
    try:
        return Finished(item, await result)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
        return Finished(item, error=error)
