"""The ways in which a SQLAlchemy user comes to a session over the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session as OrmSession

from chatledger import Ledger, Message

Open = Callable[[], OrmSession]


@pytest.fixture
def application(url: str) -> Iterator[Engine]:
    """An application's own engine over a migrated database. On SQLite it does not enforce foreign keys."""
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["ledger.orm", "application", "ledger.engine"])
def open_session(request: pytest.FixtureRequest, ledger: Ledger, application: Engine) -> Open:
    """Opens a session: one of `ledger.orm()`, one on an application's engine, and one on the ledger's."""
    if request.param == "ledger.orm":
        return ledger.orm
    engine = application if request.param == "application" else ledger.engine
    return lambda: OrmSession(engine, expire_on_commit=False)


def stored(ledger: Ledger, session_id: str) -> list[Message]:
    """The messages of a session, after the whole ledger has been checked."""
    report = ledger.check()
    assert () == report.findings
    with ledger.read() as uow:
        found = uow.messages.history(session_id)
        chat = uow.sessions.get(session_id)
        assert chat.message_count == len(found)
        assert chat.total_tokens == sum(message.total_tokens for message in found)
        assert chat.total_cost == sum(message.cost or 0 for message in found)
        return found
