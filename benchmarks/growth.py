"""From ten thousand messages to a million: what grows with the store. Slow, for the million has to be written first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta

from benchmarks.bench import Bench, portions
from benchmarks.conversation import BEGIN, COMMON, Conversation
from benchmarks.figures import Figure, at_most, figure
from benchmarks.raw import NewSession
from benchmarks.rounds import Batch, alternate
from chatledger import Ledger, UnitOfWork

SMALL = 10_000
LARGE = 1_000_000

_SESSION = 100  # messages
_USERS = 100


def growth(bench: Bench) -> Iterator[Figure]:
    """Ours against ours: the large store against the small one."""
    with ExitStack() as stack:
        small, large = (stack.enter_context(Ledger(filled(bench, size))) for size in (SMALL, LARGE))
        turns = Conversation(seed=5).turns(1000)

        def append(uow: UnitOfWork, number: int) -> None:
            uow.messages.append("session-0", **turns[number % len(turns)].given)

        def last(uow: UnitOfWork, _number: int) -> None:
            uow.messages.history("session-1", last=20)

        def listed(uow: UnitOfWork, _number: int) -> None:
            uow.sessions.list(limit=50)

        def found(uow: UnitOfWork, _number: int) -> None:
            uow.search.messages(COMMON)

        for name, work, calls, bar in (
            ("append", append, 128, 1.3),
            ("last 20", last, 50, 1.3),
            ("list 50", listed, 20, 1.3),
            ("search, common word", found, 5, 2.0),
        ):
            yield figure(
                f"growth to {LARGE:,}: {name}",
                bench.database.name,
                alternate(
                    _batch(small, work, calls, writes=name == "append"),
                    _batch(large, work, calls, writes=name == "append"),
                    calls=calls,
                    rounds=bench.scale.rounds,
                ),
                against=f"at {SMALL:,}",
                bar=at_most(bar),
            )


def _batch(ledger: Ledger, work: Callable[[UnitOfWork, int], None], calls: int, *, writes: bool) -> Batch:
    begin = ledger.begin if writes else ledger.read

    def batch(number: int) -> None:
        for call in range(calls):
            with begin() as uow:
                work(uow, number * calls + call)

    return batch


def filled(bench: Bench, messages: int, *, session: int = _SESSION) -> str:
    """The URL of a new ledger with so many messages, and how many in each session."""
    url = bench.database.fresh()
    with closing(bench.database.raw(url)) as raw:
        sessions = range(messages // session)
        raw.fill_sessions(
            NewSession(f"session-{n}", f"user-{n % _USERS}", f"About {n}", BEGIN - timedelta(minutes=n), None)
            for n in sessions
        )
        # One session after the other: a list meets as many of one minute in the large store as in the small one.
        conversation = Conversation(seed=4, step=timedelta(seconds=1))
        for number in sessions:
            for count in portions(session, 5000):
                raw.append_many(f"session-{number}", conversation.turns(count))
        raw.settle()
    return url
