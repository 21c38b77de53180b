"""Search, best 20: a rare word, a common word and a phrase."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.conversation import COMMON, PHRASE, RARE
from benchmarks.figures import Figure, at_most, figure
from benchmarks.reading import reading, repeated
from benchmarks.rounds import alternate

_QUERIES = {"rare word": RARE, "common word": COMMON, "phrase": f'"{PHRASE}"'}


def search(bench: Bench) -> Iterator[Figure]:
    """Among the newest 2,000 matches on both sides. Raw lets the database make the snippets."""
    library = bench.library
    for kind, query in _QUERIES.items():
        calls = 20 if query == RARE else 3
        with library.ledger.read() as uow:
            found = uow.search.messages(query)
        theirs = library.raw.search(query, 20)
        if len(found.items) != len(theirs):
            raise RuntimeError(
                f"raw and ledger search for different things: {len(theirs)} and {len(found.items)} found"
            )
        yield figure(
            f"search, {kind}",
            bench.database.name,
            alternate(
                repeated(calls, lambda query=query: library.raw.search(query, 20)),  # type: ignore[misc]
                reading(bench, calls, lambda uow, query=query: uow.search.messages(query)),  # type: ignore[misc]
                calls=calls,
                rounds=bench.scale.rounds,
            ),
            bar=at_most(1.5),
        )
