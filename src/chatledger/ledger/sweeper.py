"""A sweep at regular intervals, in a thread of its own or in the caller's."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from chatledger.callbacks import callback, required_callback
from chatledger.clock import Clock, utc_now
from chatledger.errors import ChatledgerError, InvalidInput, LedgerClosed

if TYPE_CHECKING:
    from chatledger.schemas import SweepReport

logger = logging.getLogger("chatledger")

# Longest wait after a failure, in seconds, where the interval is longer still.
_LONGEST_PAUSE = 60.0
# How far the clock may run away from the steady one between two sweeps before it counts as having been set, in seconds.
_JUMP = 60.0


class Sweeper:
    """Sweeps a ledger every `interval` seconds until it is stopped.

        with ledger.sweeper(interval=60):
            serve()

    If the database is busy or unavailable, the sweep is tried again, at first sooner than after the interval but never
    more often than once a second. If the clock has jumped by more than a minute since the last sweep (it was set, or
    the machine slept), that round is skipped, so that a clock that is wrong for a moment archives no session. The
    thread is a daemon: it does not keep the process alive, and a transaction in progress is then rolled back.

    Raises:
        InvalidInput: the interval is not valid.
    """

    def __init__(
        self,
        sweep: Callable[[], SweepReport],
        interval: timedelta | float = 60.0,
        *,
        on_report: Callable[[SweepReport], object] | None = None,
        clock: Clock = utc_now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sweep = required_callback(sweep, "sweep")
        self._interval = _seconds(interval)
        self._on_report = callback(on_report, "on_report")
        self._clock, self._steady = clock, steady
        self._stopping = False
        # Not an Event, whose lock the thread may hold itself when a signal handler calls `stop`: this may be put to then.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._left_out = False
        self._last: tuple[datetime, float] | None = None
        # The last sweep that went well, and what the last one failed with.
        self.last_report: SweepReport | None = None
        self.last_error: Exception | None = None

    @property
    def running(self) -> bool:
        """Whether its thread is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Start sweeping in a thread, at once and then at every interval. Starting it again changes nothing."""
        if self.running and self._stopping:
            self.stop()
        if not self.running:
            self._stopping, self._wake = False, SimpleQueue()
            self._thread = threading.Thread(target=self._serve, name="chatledger sweeper", daemon=True)
            self._thread.start()
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """Stop after the session that is being processed, and wait for that. Return whether the thread has ended by
        then.
        """
        self._stopping = True
        self._wake.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    def stopping(self) -> bool:
        """Whether `stop` was called. A running sweep asks."""
        return self._stopping

    def run(self) -> None:
        """Sweep in this thread until `stop` is called (by a signal handler, or another thread)."""
        while not self._stopping:
            self.once()
            with suppress(Empty):
                self._wake.get(timeout=self._pause())

    def once(self) -> SweepReport | None:
        """Run one round. Return None if it was skipped or failed, which is logged. An exception of `on_report` is
        raised.
        """
        if self._clock_jumped():
            logger.warning("sweep left out: the clock has jumped")
            self._left_out = True
            return None
        self._left_out = False
        try:
            report = self._sweep()
        except LedgerClosed:
            self._stopping = True  # there is nothing left to sweep
            self._wake.put(None)
            return None
        except ChatledgerError as error:
            self._fail(error)
            return None
        self._failures = 0
        self.last_error = None
        self.last_report = report
        if self._on_report is not None:
            self._on_report(report)
        return report

    def _serve(self) -> None:
        """The loop of the thread: nothing would restart it after an unexpected error."""
        while not self._stopping:
            try:
                self.run()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round may go well
                self._fail(error)
                with suppress(Empty):
                    self._wake.get(timeout=self._pause())

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self.last_error = error
        # The text of another's error may hold anything.
        said = str(error) if isinstance(error, ChatledgerError) else type(error).__name__
        logger.warning("sweep failed", extra={"reason": said, "failures": self._failures})

    def _pause(self) -> float:
        if self._left_out:  # the clock is believed when it still stands there after a while
            return min(self._interval, _LONGEST_PAUSE)
        if not self._failures:
            return self._interval
        return min(self._interval, _LONGEST_PAUSE, 2.0 ** min(self._failures - 1, 10))

    def _clock_jumped(self) -> bool:
        now, steady = self._clock(), self._steady()
        last, self._last = self._last, (now, steady)
        return last is not None and abs((now - last[0]).total_seconds() - (steady - last[1])) > _JUMP

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _seconds(interval: Any) -> float:
    seconds = interval.total_seconds() if isinstance(interval, timedelta) else interval
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 86400 * 365:
        raise InvalidInput("interval", "must be a timedelta or a number of seconds, above zero and at most a year")
    return float(seconds)
