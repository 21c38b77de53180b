"""A message that is written while it is generated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from chatledger.clock import Clock
from chatledger.dialects.encoding import check_text
from chatledger.enums import Outcome
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import identifier, number, validated
from chatledger.services.base import ServiceContext, logger
from chatledger.services.messages import streaming
from chatledger.unit_of_work import UnitOfWork

R = TypeVar("R")

LEASE = 60.0
"""How long a message counts as being written after a save, in seconds."""
# What `set` may not change.
_FIXED = {"role", "content", "key", "created_at", "outcome"}


class Run(Protocol):
    """Runs a function in a transaction, as `Ledger.run` does."""

    def __call__(self, work: Callable[[UnitOfWork], R], /) -> R: ...


class Stream:
    """A message that is written while it is generated (`Ledger.stream`)."""

    def __init__(
        self, run: Run, session_id: str, fields: Mapping[str, Any], *, save_every: float, lease: float, clock: Clock
    ) -> None:
        if unknown := sorted(set(fields) - set(NewMessage.model_fields) | set(fields) & {"content", "outcome"}):
            raise InvalidInput(unknown[0], "is not a field that a stream begins with")
        self._session_id = identifier(session_id, "session_id")
        self._new = validated(NewMessage, {**fields, "outcome": Outcome.STREAMING})
        self._save_every = number(save_every, "save_every")
        self._lease = timedelta(seconds=number(lease, "lease", 1.0, 86_400.0))
        self._run, self._clock = run, clock
        self._pieces: list[str] = []
        self._later: dict[str, Any] = {}
        self._number: int | None = None
        self._saved_at = self._began = time.monotonic()
        self._outcome: Outcome | None = None
        self._message: Message | None = None

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._pieces)

    @property
    def sequence_number(self) -> int | None:
        """The number of the message; None before the first piece."""
        return self._number

    @property
    def message(self) -> Message | None:
        """The message as it was stored at the end of the stream; None before, and if nothing was stored."""
        return self._message

    def write(self, piece: str) -> None:
        """Add a piece of text. The first one is stored at once, later ones at most every `save_every` seconds.

        Raises:
            SessionNotFound, SessionClosed: nothing can be stored any more.
            MessageNotFound, MessageChanged: the message was deleted, or finished by somebody else.
            KeyReused: a message that is complete has the key.
            InvalidInput: the piece is not text that can be stored, or the stream is over.
            Busy, Unavailable: as `Ledger.run`. The piece is kept and stored with the next one.
        """
        self._add(piece)
        if self._is_due():
            self._save()

    def set(self, **fields: Any) -> None:
        """Set further fields of the message, such as `output_tokens` or `payload`. They are stored at the end.

        Raises:
            InvalidInput: a field that messages do not have, or that is set by the stream, or a value that is not valid.
        """
        for field in fields:
            if field in _FIXED or field not in NewMessage.model_fields:
                raise InvalidInput(field, "is not a field that can be set")
        later = {**self._later, **fields}
        validated(NewMessage, {"role": self._new.role, **later})
        self._later = later

    def interrupt(self) -> None:
        """End the stream with the outcome `interrupted`. What was written is stored."""
        self._end(Outcome.INTERRUPTED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end(Outcome.COMPLETE)
        else:
            self._end_with(kind)

    def _add(self, piece: str) -> None:
        if self._outcome is not None:
            raise InvalidInput("piece", "comes after the end of the stream")
        if not isinstance(piece, str):
            raise InvalidInput("piece", f"must be text, not {type(piece).__name__}")
        if check_text(piece, "piece"):
            self._pieces.append(piece)

    def _is_due(self) -> bool:
        if not self._pieces:
            return False
        return self._number is None or time.monotonic() - self._saved_at >= self._save_every

    def _save(self) -> None:
        """Store what has come so far, and renew the lease."""
        until = self._clock() + self._lease
        first = self._new.model_copy(update={"content": self.text})
        self._number = self._run(lambda uow: self._store(uow._context, first, until))
        self._saved_at = time.monotonic()

    def _store(self, context: ServiceContext, message: NewMessage, until: Any) -> int:
        if self._number is None:
            return streaming.begin(context, self._session_id, message, until)
        streaming.save(context, self._session_id, self._number, {"content": message.content}, until=until)
        return self._number

    def _end(self, outcome: Outcome) -> None:
        """Store all of it, with the outcome. Ending twice changes nothing."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        if self._number is None and not self._pieces and outcome is not Outcome.COMPLETE:
            return  # nothing was said
        changes: dict[str, Any] = {**self._later, "content": self.text, "outcome": outcome}
        if changes.get("duration_ms", self._new.duration_ms) is None:
            changes["duration_ms"] = round((time.monotonic() - self._began) * 1000)

        def finish(uow: UnitOfWork) -> Message:
            context = uow._context
            number = self._number
            if number is None:
                number = streaming.begin(context, self._session_id, self._new, self._clock() + self._lease)
            return streaming.save(context, self._session_id, number, changes, until=None)

        self._message = self._run(finish)
        self._number = self._message.sequence_number

    def _end_with(self, kind: type[BaseException]) -> None:
        """End because of an exception, which goes on: what cannot be stored now is logged."""
        # A task or a generator that is cancelled, Ctrl-C, an exit: nobody failed.
        try:
            self._end(Outcome.ERROR if issubclass(kind, Exception) else Outcome.INTERRUPTED)
        except ChatledgerError as error:
            logger.warning("stream not finished", extra={"session_id": self._session_id, "reason": str(error)})
