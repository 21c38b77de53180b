"""What the cases share: a database, how much to measure, and a filled ledger to read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from benchmarks.conversation import BEGIN, Conversation
from benchmarks.databases import Database
from benchmarks.raw import NewSession, Raw
from benchmarks.rounds import Rounds
from chatledger import Ledger


@dataclass(frozen=True)
class Scale:
    """How much to measure."""

    rounds: Rounds
    """Rounds of a case, and appends in a round of it: a multiple of 64, for FTS5 merges its parts about as often, and a
    round must not have to do more of that than another.
    """
    calls: int
    bulks: tuple[tuple[int, Rounds], ...]
    """How many messages are appended at once."""
    crowd_seconds: float
    """Seconds of a round of a crowd, and their number."""
    crowds: Rounds
    long: int
    """Messages of the long session, all sessions, and sessions of the user whose list is read."""
    sessions: int
    sessions_of_user: int
    starts: Rounds
    """New interpreters of each kind."""


QUICK = Scale(
    rounds=Rounds(5, 7),
    calls=128,
    bulks=((1000, Rounds(3, 4)), (5000, Rounds(1, 1, warm_up=0))),
    crowd_seconds=0.25,
    crowds=Rounds(3, 3),
    long=20_000,
    sessions=10_000,
    sessions_of_user=200,
    starts=Rounds(3, 4),
)
FULL = Scale(
    rounds=Rounds(20, 60),
    calls=256,
    bulks=((1000, Rounds(8, 16)), (10_000, Rounds(5, 9))),
    crowd_seconds=2,
    crowds=Rounds(7, 14),
    long=100_000,
    sessions=100_000,
    sessions_of_user=1000,
    starts=Rounds(15, 30),
)


@dataclass(frozen=True)
class Pair:
    """The same database twice: one side is written by the ledger, the other by raw."""

    ledger: Ledger
    raw: Raw
    session_id: str
    ledger_url: str
    raw_url: str


@dataclass(frozen=True)
class Library:
    """A filled ledger, with a raw connection to the same."""

    ledger: Ledger
    raw: Raw
    url: str
    short: str = "short"
    thousand: str = "thousand"
    long: str = "long"
    user: str = "reader"


class Bench:
    """One run on one kind of database."""

    def __init__(self, database: Database, scale: Scale, *, quick: bool) -> None:
        self.database = database
        self.scale = scale
        self.quick = quick
        self._opened = ExitStack()

    def close(self) -> None:
        self._opened.close()

    @contextmanager
    def pair(self, sessions: int = 1) -> Iterator[Pair]:
        """Two new databases with the same sessions, named 0, 1, 2 …; both sides do their work on one of their own, so
        that neither empties the other's caches or pays for its checkpoints.
        """
        ours, theirs = self.database.fresh(), self.database.fresh()
        with ExitStack() as stack:
            for url in (ours, theirs):
                with Ledger(url) as ledger, ledger.begin() as uow:
                    for number in range(sessions):
                        uow.sessions.create(session_id=str(number), user_id="writer")
            raw = self.database.raw(theirs)
            stack.callback(raw.close)
            yield Pair(stack.enter_context(Ledger(ours)), raw, "0", ours, theirs)

    @cached_property
    def library(self) -> Library:
        """The ledger that is read from. Filling it takes a while."""
        url = self.database.fresh()
        ledger = self._opened.enter_context(Ledger(url))
        raw = self.database.raw(url)
        self._opened.callback(raw.close)
        found = Library(ledger, raw, url)
        raw.fill_sessions(_sessions(self.scale, found.user))
        conversation = Conversation(seed=2)
        for session_id, length in ((found.short, 100), (found.thousand, 1000), (found.long, self.scale.long)):
            with ledger.begin() as uow:
                uow.sessions.create(session_id=session_id, user_id="writer")
            load(raw, session_id, conversation, length)
        raw.settle()
        return found


def load(raw: Raw, session_id: str, conversation: Conversation, length: int) -> None:
    """Fill a session the quick way."""
    for count in _portions(length, 5000):
        raw.append_many(session_id, conversation.turns(count))


def _portions(whole: int, most: int) -> list[int]:
    return [min(most, whole - start) for start in range(0, whole, most)]


def _sessions(scale: Scale, user: str) -> Iterator[NewSession]:
    """Sessions of many users, one of whom has `sessions_of_user` of them, begun a minute after each other."""
    every = scale.sessions // scale.sessions_of_user
    for number in range(scale.sessions):
        yield NewSession(
            session_id=f"session-{number:08}",
            user_id=user if number % every == 0 else f"user-{number % 997}",
            title=f"About {number}",
            created_at=BEGIN + timedelta(minutes=number),
            label="green" if number % 10 == 0 else None,
        )
