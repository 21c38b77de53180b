"""How many statements a search sends, and how it reads a large ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from chatledger import Ledger
from chatledger.dialects.postgresql import full_text as on_server
from chatledger.dialects.sqlite import full_text as in_file


@pytest.fixture
def talks(url: str) -> Iterator[Ledger]:
    with Ledger(url) as ledger:
        with ledger.begin() as uow:
            for number in range(20):
                uow.sessions.create(f"s{number}", user_id=f"u{number % 4}", title=f"common title {number}")
                uow.messages.append_many(
                    f"s{number}",
                    [
                        {"role": "user", "content": f"common herons {number} {n} {'walrus' * (n == 3)}"}
                        for n in range(6)
                    ],
                )
        yield ledger


def _statements(ledger: Ledger, **call: Any) -> list[str]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    query = call.pop("query")
    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        with ledger.read() as uow:
            assert uow.search.messages(query, **call).items
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)
    return [statement for statement in sent if not statement.startswith("BEGIN")]


def test_a_search_is_one_statement_on_a_server_and_four_in_a_file(talks: Ledger) -> None:
    counts = {"postgresql": (1, 2), "sqlite": (4, 6)}[talks.engine.dialect.name]
    _statements(talks, query="walrus")  # the statistics of a server are kept for a while
    assert counts[0] == len(_statements(talks, query="walrus")) == len(_statements(talks, query='"common herons"'))
    assert counts[1] == len(_statements(talks, query="walrus", user_id="u1"))


def _found(ledger: Ledger, query: str, **filters: Any) -> list[tuple[str, int, str]]:
    with ledger.read() as uow:
        hits = uow.search.messages(query, limit=200, **filters)
        assert not hits.truncated
        return sorted((hit.session_id, hit.sequence_number, hit.match) for hit in hits)


@pytest.mark.parametrize("filters", [{}, {"user_id": "u1"}, {"session_id": "s3"}, {"role": "user"}], ids=str)
def test_every_way_to_read_finds_the_same(
    talks: Ledger, filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = ["common", "heron", "walr*", "com*", '"common herons"', "common -walrus", "walrus OR 7", "common 11"]
    expected = [_found(talks, query, **filters) for query in queries]
    assert all(expected[:1])

    def again(**limits: Any) -> None:
        for name, value in limits.items():
            module = in_file if hasattr(in_file, name) else on_server
            monkeypatch.setattr(module, name, value)
            if hasattr(on_server, name):
                monkeypatch.setattr(on_server, name, value)
        assert expected == [_found(talks, query, **filters) for query in queries]
        monkeypatch.undo()

    again(_LARGE=10, _COMMON=5)  # without scores
    again(_LARGE=10, _FEW=0, _SEVERAL=0)  # by the numbers of the messages
    again(_FEW=1000, _SEVERAL=0)  # by their texts
    again(_LARGE=10, _MOST=0.0, _PREFIX_SAMPLE=4)
    again(_LEAST=10_000)
    with talks.begin() as uow:
        uow.session.connection().exec_driver_sql("ANALYZE")
    on_server_now = getattr(talks._database.dialect.full_text, "_statistics", {})
    on_server_now.clear()
    again(_MANY_MATCHES=0, _LEAST=0, _FEW=0)
    again(_MANY_MATCHES=0, _MOST=0.0)
