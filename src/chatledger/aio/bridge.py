"""From a thread to a task: a function runs in a thread, and the task that wants its result awaits it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Answer(asyncio.Future[tuple[R, BaseException | None]], Generic[R]):
    """What came of a call: its value, or the error that it raised. (A future refuses to hold a StopIteration.)

    `asyncio.shield` would protect it from a cancelled task as well, with a second future and another round of the loop,
    which is a quarter of the way to a thread and back.
    """

    _is_kept = False
    _on_cancel: Callable[[], object] | None = None

    def keep(self, on_cancel: Callable[[], object] | None) -> None:
        """From now on a task that waits for it and is cancelled goes on waiting; `on_cancel` is called at once."""
        self._is_kept, self._on_cancel = True, on_cancel

    def cancel(self, msg: Any = None) -> bool:
        """Called by the task that waits. False: the task raises the cancellation when the answer is there."""
        if not self._is_kept:
            return super().cancel(msg)
        if not self.done() and self._on_cancel is not None:
            self._on_cancel()
        return False


def call_in_thread(function: Callable[[], R], name: str = "chatledger") -> Answer[R]:
    """Call a function in a new thread. The future is answered with what came of it, whatever that is."""
    answer: Answer[R] = Answer(loop=asyncio.get_running_loop())
    threading.Thread(target=lambda: answering(answer, function), name=name, daemon=True).start()
    return answer


async def result_of(answer: Answer[R], cancelled: Callable[[], object] | None = None) -> R:
    """What came of a call, waited for even when cancelled meanwhile, which `cancelled` is called for."""
    outcome, error = await uncancelled(answer, cancelled)
    if error is not None:
        raise error
    return outcome


async def uncancelled(
    answer: Answer[R], cancelled: Callable[[], object] | None = None
) -> tuple[R, BaseException | None]:
    """Wait for an answer even when cancelled meanwhile; the cancellation is raised once it is there."""
    answer.keep(cancelled)
    return await answer


def set_answer(answer: Answer[Any], outcome: Any, error: BaseException | None) -> None:
    """Answer a future from a thread, on whichever loop it belongs to, if anybody still waits."""

    def settle() -> None:
        if not answer.done():
            answer.set_result((outcome, error))

    with suppress(RuntimeError):  # the loop is closed: nobody waits
        answer.get_loop().call_soon_threadsafe(settle)


def answering(answer: Answer[R], function: Callable[[], R]) -> None:
    """In a thread: call a function and tell what came of it."""
    try:
        outcome = function()
    except BaseException as error:  # noqa: BLE001 - raised where it is awaited
        set_answer(answer, None, error)
    else:
        set_answer(answer, outcome, None)
