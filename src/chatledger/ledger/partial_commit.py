"""What has been committed when an operation of several transactions fails between them."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from chatledger.callbacks import callback
from chatledger.errors import Busy, Unavailable


class Committed:
    """A progress callback, and a block that adds to an error how much was committed before it.

    The error says that nothing was written, which is true of its own transaction only. `say` is called with what
    `progress` gets; it is None if nothing is changed.
    """

    def __init__(self, say: Callable[..., str] | None, progress: Callable[..., object] | None) -> None:
        self._say = say
        self._progress = callback(progress, "progress")
        self._figures: tuple[Any, ...] = ()

    def __call__(self, *figures: Any) -> None:
        """Remember the figures, and pass them on."""
        self._figures = figures
        if self._progress is not None:
            self._progress(*figures)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._say is not None and self._figures and isinstance(error, Busy | Unavailable):
            error.args = (f"{error} (before that, {self._say(*self._figures)}, which stays: run the same again)",)
