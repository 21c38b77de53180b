"""An application's own row and our message, committed together or not at all.

    python examples/own_tables.py [URL]

The application has an engine, a session factory and tables of its own. The ledger shares the engine, and lives in the
same database beside them.
"""

from __future__ import annotations

import sys

from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from chatledger import Ledger, UnitOfWork


class Base(DeclarativeBase):
    """The application's own tables."""


class Booking(Base):
    __tablename__ = "example_bookings"

    booking_id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    city: Mapped[str]


class CardDeclined(Exception):
    """Stands for whatever may go wrong in an application."""


def main(url: str = "sqlite:///example.db") -> None:
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, hide_parameters=True)
    # The ledger first: it refuses a database that holds only strangers' tables, for that may be a slip in the URL.
    with Ledger(engine=engine, migrate="always") as ledger:
        Base.metadata.create_all(engine)
        chat = ledger.create(user_id="ada", title="Booking")
        book = Bookings(sessionmaker(engine))
        book.book(chat.session_id, "Lisbon")
        try:
            book.book(chat.session_id, "Porto", declined=True)
        except CardDeclined:
            print("declined: neither the booking nor the message is stored")
        with ledger.read() as uow:
            mine = select(func.count()).where(Booking.session_id == chat.session_id)
            print(uow.session.scalar(mine), "booking and", uow.sessions.get(chat.session_id).message_count, "message")
    engine.dispose()


class Bookings:
    """A service of the application: it begins and commits the transaction, as it always did."""

    def __init__(self, transactions: sessionmaker) -> None:  # type: ignore[type-arg]  # of plain sessions
        self._transactions = transactions

    def book(self, session_id: str, city: str, *, declined: bool = False) -> None:
        with self._transactions.begin() as session:
            session.add(Booking(session_id=session_id, city=city))
            UnitOfWork(session).messages.append(
                session_id, "tool", f"Booked a room in {city}.", name="book", payload={"city": city}
            )
            if declined:
                raise CardDeclined


if __name__ == "__main__":
    main(*sys.argv[1:])
