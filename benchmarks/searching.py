"""Search, best 20: a rare word, a common word and a phrase."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.conversation import COMMON, PHRASE, RARE
from benchmarks.figures import Figure, at_most, figure
from benchmarks.raw import RawQuery
from benchmarks.reading import reading, repeated
from benchmarks.rounds import alternate
from chatledger.full_text.inflections import inflections

QUERIES = {
    "rare word": (RARE, RawQuery(RARE, inflections(RARE), is_rare=True)),
    "common word": (COMMON, RawQuery(COMMON, inflections(COMMON))),
    "phrase": (f'"{PHRASE}"', RawQuery(PHRASE)),
}


def search(bench: Bench) -> Iterator[Figure]:
    """The same messages in the same order on both sides. Raw lets the database make the snippets."""
    library = bench.library
    for kind, (query, by_hand) in QUERIES.items():
        calls = 20 if by_hand.is_rare else 3
        with library.ledger.read() as uow:
            ours = [(hit.session_id, hit.sequence_number) for hit in uow.search.messages(query)]
        theirs = [tuple(row[:2]) for row in library.raw.search(by_hand, 20)]
        if ours != theirs:
            raise RuntimeError(f"raw and ledger find different messages: {theirs} and {ours}")
        yield figure(
            f"search, {kind}",
            bench.database.name,
            alternate(
                repeated(calls, lambda by_hand=by_hand: library.raw.search(by_hand, 20)),  # type: ignore[misc]
                reading(bench, calls, lambda uow, query=query: uow.search.messages(query)),  # type: ignore[misc]
                calls=calls,
                rounds=bench.scale.rounds,
            ),
            bar=at_most(1.5),
        )
