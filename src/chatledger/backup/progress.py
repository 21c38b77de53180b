"""How far something is that takes a while."""

from __future__ import annotations

from collections.abc import Callable

from chatledger.callbacks import required_callback

Progress = Callable[[str, int, int | None], object]
"""Told what is being done, how much of it is done, and of how much (None: not known)."""


def silent(what: str, done: int, total: int | None) -> None:
    """For those who do not want to know."""


def or_silent(progress: Progress | None) -> Progress:
    """The function to call with the progress.

    Raises:
        InvalidInput: a coroutine or generator function, or no function.
    """
    return silent if progress is None else required_callback(progress, "progress")
