"""What the cases share: a database, how much to measure, and a filled ledger to read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from benchmarks.conversation import BEGIN, COMMON, Conversation
from benchmarks.databases import Database
from benchmarks.lean import Lean
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


@dataclass
class Pair:
    """A ledger, and a lean database with the same sessions (0, 1, 2 …). Either side does its work on one of its own, so
    that neither empties the other's caches or pays for its checkpoints.
    """

    ledger: Ledger
    raw: Lean
    session_id: str
    sessions: int
    ledger_url: str
    raw_url: str

    def verify(self, ours: int, raw: int, *, other: Lean | None = None) -> None:
        """Look whether both sides have as many messages as were acknowledged, numbered without a gap, counted and
        indexed.

        Raises:
            RuntimeError: a figure of a side that lost or miscounted something means nothing.
        """
        names = [str(number) for number in range(self.sessions)]
        with self.ledger.read() as uow:
            chats = [uow.sessions.get(name) for name in names]
            lengths = [len(uow.messages.history(name)) for name in names]
            found = len(uow.search.messages(COMMON, limit=1).items)
        right = (
            sum(lengths) == ours
            and lengths == [chat.message_count for chat in chats] == [chat.last_sequence for chat in chats]
            and bool(found)
        )
        if not right:
            raise RuntimeError(f"the ledger has {lengths} messages of {ours} acknowledged ones ({found} found)")
        counts = [(other or self.raw).counted(name, COMMON) for name in names]
        whole = sum(one.messages for one in counts) == raw and any(one.found for one in counts)
        if not whole or any(one.messages != one.highest or one.messages != one.counter for one in counts):
            raise RuntimeError(f"raw has {counts} of {raw} acknowledged messages")


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

    def __init__(self, database: Database, scale: Scale, *, quick: bool, large: bool = False) -> None:
        self.database = database
        self.scale = scale
        self.quick = quick
        self.large = large
        self._opened = ExitStack()

    def close(self) -> None:
        self._opened.close()

    @contextmanager
    def pair(self, sessions: int = 1, *, bulk: bool = False) -> Iterator[Pair]:
        """Two new databases with so many sessions."""
        ours, theirs = self.database.fresh(), self.database.empty()
        names = [str(number) for number in range(sessions)]
        with ExitStack() as stack:
            with Ledger(ours) as ledger, ledger.begin() as uow:
                for name in names:
                    uow.sessions.create(session_id=name, user_id="writer")
            raw = self.database.lean(theirs, bulk=bulk)
            stack.callback(raw.close)
            raw.create(names)
            yield Pair(stack.enter_context(Ledger(ours)), raw, "0", sessions, ours, theirs)

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
        with ledger.read() as uow:
            uow.search.messages(COMMON)  # after which what waits for the full-text index is in it
        return found


def load(raw: Raw, session_id: str, conversation: Conversation, length: int) -> None:
    """Fill a session the quick way."""
    for count in portions(length, 5000):
        raw.append_many(session_id, conversation.turns(count))


def portions(whole: int, most: int) -> list[int]:
    """A number as a sum of numbers that are not larger than `most`."""
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
