"""A ledger in memory is its one connection: nothing may take that away."""

from __future__ import annotations

from chatledger import Ledger


def test_erasing_a_user_leaves_everybody_else() -> None:
    with Ledger(":memory:") as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("hers", user_id="ada")
            uow.sessions.create("his", user_id="bob")
        assert ledger.erase_user("ada").scrubbed
        with ledger.read() as uow:
            assert ["his"] == [session.session_id for session in uow.sessions.list()]
