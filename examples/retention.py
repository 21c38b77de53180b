"""A small chat service whose sessions time out, are put away, brought back and at last deleted for good.

    python examples/retention.py [URL]

It brings a clock of its own, so that months pass in a moment. Everything happens to one made-up guest: in a database that
holds other conversations, those are left alone, and at the end nothing of the guest is left.
"""

from __future__ import annotations

import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta

from chatledger import Due, Ledger, SessionClosed, SessionHeld, UnitOfWork


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **much: float) -> str:
        self.now += timedelta(**much)
        return f"{self.now:%d %b %H:%M}"


class Desk:
    """The service: it answers one guest, and keeps house."""

    def __init__(self, ledger: Ledger, guest: str) -> None:
        self._ledger = ledger
        self.view = ledger.for_user(guest)  # the sweep and the purge below see this guest's sessions only
        self.view.run(self._set_limits, actor="setup")

    @staticmethod
    def _set_limits(uow: UnitOfWork) -> None:
        uow.timeouts.configure_default(
            idle_timeout=timedelta(minutes=30), archive_timeout=timedelta(days=1), hard_timeout=timedelta(days=30)
        )

    def hear(self, session_id: str, text: str) -> str:
        """Store what the guest says. Who comes back to a session that was put away goes on with it."""

        def store(uow: UnitOfWork) -> int:
            return uow.messages.append(session_id, "user", text).sequence_number

        try:
            return f"message {self.view.run(store)}"
        except SessionClosed:
            self.view.run(lambda uow: uow.sessions.reopen(session_id, reason="the guest came back"), actor="desk")
            return f"reopened, message {self.view.run(store)}"

    def warn(self, due: Due) -> None:
        """A real one would write to the guest."""
        print(f"  warned: {due.title!r} reaches its {due.limit} limit at {due.at:%H:%M}")

    def sweep(self) -> str:
        report = self.view.sweep(send=self.warn)
        return f"warned {report.warned}, idle {report.idled}, archived {report.archived}"


def main(url: str = "sqlite:///example.db") -> None:
    clock = Clock()
    guest = f"guest-{uuid.uuid4()}"
    with Ledger(url, clock=clock) as ledger:
        desk = Desk(ledger, guest)
        trip, complaint = open_chats(desk)

        print(clock.later(minutes=27), desk.sweep())
        print(clock.later(minutes=5), desk.sweep())
        print("the guest:", desk.hear(trip, "Are you there?"))  # a message wakes an idle session
        desk.view.run(lambda uow: uow.sessions.hold(complaint, reason="case 17"), actor="legal")
        print(clock.later(days=2), desk.sweep())
        print("the guest:", desk.hear(trip, "Back again."))
        print(clock.later(days=60), desk.sweep())

        at = clock.later(days=400)
        rehearsed = desk.view.purge(older_than=timedelta(days=365), dry_run=True)
        print(at, f"rehearsed: {rehearsed.sessions}")
        purged = desk.view.purge(older_than=timedelta(days=365), actor="housekeeping", reason="kept for a year")
        print(f"purged {purged.sessions} session with {purged.messages} messages")
        print(erase(ledger, guest, complaint))


def open_chats(desk: Desk) -> tuple[str, str]:
    """Two chats of the guest, with a sweeper at work as it would be as long as the service runs.

    This sweeper would leave out a round when its clock jumps, as the clock of this program does later on: from then on
    the desk sweeps by hand.
    """
    swept = threading.Event()
    with desk.view.sweeper(interval=60, send=desk.warn, on_report=lambda _: swept.set()):
        ids = []
        for title in ("Trip", "Complaint"):
            with desk.view.begin() as uow:
                ids.append(uow.sessions.create(title=title).session_id)
            desk.hear(ids[-1], "Hello?")
        swept.wait(10)
    return ids[0], ids[1]


def erase(ledger: Ledger, guest: str, held: str) -> str:
    """Everything of the guest goes, once nothing of it is held."""
    try:
        ledger.erase_user(guest, actor="privacy desk")
    except SessionHeld as refusal:
        print(f"not erased: {len(refusal.session_ids)} session is held")
    ledger.run(lambda uow: uow.sessions.release(held, reason="case 17 closed"), actor="legal")
    receipt = ledger.erase_user(guest, actor="privacy desk", reason="asked for it")
    with ledger.read() as uow:
        left = len(uow.sessions.list(user_id=guest)) + len(uow.audit.list(user_id=guest))
    return f"erased {receipt.sessions} session with {receipt.messages} message; left of the guest: {left}"


if __name__ == "__main__":
    main(*sys.argv[1:])
