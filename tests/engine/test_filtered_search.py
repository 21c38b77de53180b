"""A search within what one user has, in a ledger whose newest matches are all somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatledger import Ledger
from chatledger.dialects.sqlite import full_text
from tests.support.full_text import index_waiting


@pytest.fixture
def busy(migrated_sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Bounds small enough for a test: 40 matches of the whole ledger are looked at."""
    monkeypatch.setattr(full_text, "_SCANNED", 40)
    with Ledger(migrated_sqlite_url) as ledger:
        for user, count in (("old", 30), ("new", 60)):
            with ledger.begin() as uow:
                uow.sessions.create(user, user_id=user)
                uow.messages.append_many(user, [{"role": "user", "content": f"common {n}"} for n in range(count)])
        index_waiting(ledger)
        yield ledger


def test_old_messages_are_found_among_many_newer_ones_of_others(busy: Ledger) -> None:
    with busy.for_user("old").read() as uow:
        assert 30 == len(uow.search.messages("common", limit=100))


def test_a_search_that_was_cut_says_so_even_when_nothing_was_found(
    busy: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FEW", "_SOME"):
        monkeypatch.setattr(full_text, name, 10)
    with busy.for_user("old").read() as uow:
        page = uow.search.messages("common", limit=100)
    assert ([], True) == (list(page), page.truncated)
