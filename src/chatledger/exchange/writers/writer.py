"""What every form of export can do: be written from the beginning to the end, holding one message at a time."""

from __future__ import annotations

from typing import Protocol

from chatledger.exchange.report import ExportReport
from chatledger.schemas import Message, Session


class Layout(Protocol):
    """Called in this order: begin, for each session open, message…, close; then end."""

    def begin(self, only: Session | None) -> None:
        """`only` is the session when there is one alone, which may then give the document its title."""
        ...

    def open(self, session: Session) -> None: ...

    def message(self, message: Message) -> None: ...

    def close(self) -> None: ...

    def end(self, report: ExportReport) -> None: ...
