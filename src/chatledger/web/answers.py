"""An answer that is sent while it is written: server-sent events, and a message in the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from chatledger.aio.stream import AsyncStream
from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.enums import Outcome, Role
from chatledger.errors import ChatledgerError, Conflict
from chatledger.schemas import Message, Session
from chatledger.services.base import logger
from chatledger.unit_of_work import UnitOfWork
from chatledger.web.bodies import Question
from chatledger.web.problems import Problem, problem_of, report

HISTORY = 50
# Proxies close connections that are silent for a minute, and only what is sent shows that a client has gone.
_PING_EVERY = 15.0
_NO_BUFFERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@dataclass(frozen=True)
class Turn:
    """What is to be answered."""

    session: Session
    question: Message
    messages: list[Message]
    """The history that a model is given, in order; the question is the last message."""
    user_id: str | None
    request: Request
    """The request, for example for `request.app.state`."""
    reply: AsyncStream
    """The answer as it is stored. `reply.set(output_tokens=…, model_id=…)` sets its fields."""


Answer = Callable[[Turn], AsyncIterator[str]]
"""An async generator function that yields the answer to a turn, piece by piece."""
History = Callable[[UnitOfWork, Message], list[Message]]
"""Returns the history up to a question, which is the last message. Synchronous, called in a worker thread."""


class AnswerInProgress(Conflict):
    """Another request is writing the answer to this question."""

    def __init__(self) -> None:
        super().__init__("the answer to this question is being written")


def recent_turns(uow: UnitOfWork, question: Message) -> list[Message]:
    """The newest whole turns up to the question, at most 50 messages."""
    return uow.messages.history(
        question.session_id, before=question.sequence_number + 1, last=HISTORY, whole_turns=True
    )


@dataclass(frozen=True)
class Asked:
    """A question that is stored, and what is known of its answer."""

    session: Session
    question: Message
    messages: list[Message]
    answer: Message | None
    """The answer, if it is complete already."""


def ask(uow: UnitOfWork, session_id: str, question: Question, history: History) -> Asked:
    """Store a question, and look for its answer.

    Raises:
        SessionNotFound, SessionClosed, KeyReused, InvalidInput: as `messages.append`.
        AnswerInProgress
    """
    stored = uow.messages.append(session_id, Role.USER, question.content, metadata=question.metadata, key=question.key)
    answer = None if question.key is None else uow.messages.find(session_id, key=answer_key(question.key))
    if answer is not None and answer.outcome is Outcome.STREAMING:
        raise AnswerInProgress
    if answer is not None and answer.outcome in (Outcome.INTERRUPTED, Outcome.ERROR):
        answer = None  # it is written again
    messages = history(uow, stored) if answer is None else []
    return Asked(uow.sessions.get(session_id), stored, messages, answer)


def answer_key(key: str) -> str:
    """The key of the answer to the question with a key."""
    return f"{key}:answer"


class AnswerResponse(Response):
    """Sends an answer while it is written and stored. A client that leaves interrupts it."""

    media_type = "text/event-stream"

    def __init__(
        self,
        request: Request,
        ledger: AsyncUserLedger,
        asked: Asked,
        answer: Answer,
        on_error: Callable[[Exception], object] | None,
    ) -> None:
        super().__init__(headers=_NO_BUFFERS)
        del self.headers["content-length"]  # of the empty body
        self._request = request
        self._ledger = ledger
        self._asked = asked
        self._answer = answer
        self._on_error = on_error
        self._turn_to_send = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's arguments
        """Send the events. Ends when the answer is stored, whatever happens to the client or to this task."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        writing = asyncio.create_task(self._write(send))
        around = [asyncio.create_task(_disconnected(receive)), asyncio.create_task(self._ping(send))]
        try:
            await asyncio.wait([writing, *around], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, *around):
                task.cancel()
            await _ended(writing, *around)
        if not writing.cancelled() and (error := writing.exception()) is not None:
            raise error

    async def _write(self, send: Any) -> None:
        """Everything that is sent. When it is cancelled, what was written is stored as interrupted."""
        asked = self._asked
        await self._event(send, "question", asked.question.model_dump(mode="json"))
        if asked.answer is not None:
            await self._event(send, "delta", {"text": asked.answer.content})
            await self._event(send, "done", asked.answer.model_dump(mode="json"))
        else:
            await self._write_answer(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write_answer(self, send: Any) -> None:
        key = self._asked.question.key
        reply = self._ledger.stream(
            self._asked.question.session_id, Role.ASSISTANT, key=None if key is None else answer_key(key)
        )
        try:
            # The answer is stored before the generator is closed, which may take its time.
            async with AsyncExitStack() as stack, reply:
                asked = self._asked
                turn = Turn(asked.session, asked.question, asked.messages, self._ledger.user_id, self._request, reply)
                pieces = self._answer(turn)
                if hasattr(pieces, "aclose"):
                    stack.push_async_callback(pieces.aclose)
                async for piece in pieces:
                    if piece:
                        await reply.write(piece)
                        await self._event(send, "delta", {"text": piece})
        except ChatledgerError as error:
            problem = problem_of(error)
            report(self._request, error, problem)
            self._notify(error)
        except Exception as error:  # noqa: BLE001 - the application's, or a model's: its text may be anything
            problem = Problem(title="Bad Gateway", status=502, detail="the answer was cut off")
            logger.error("answer failed", extra={"session_id": asked.session.session_id, "error": type(error).__name__})
            self._notify(error)
        else:
            assert reply.message is not None
            await self._event(send, "done", reply.message.model_dump(mode="json"))
            return
        stored = None if reply.message is None else reply.message.model_dump(mode="json")
        await self._event(send, "error", {**problem.members(), "message": stored})

    def _notify(self, error: Exception) -> None:
        if self._on_error is None:
            return
        try:
            self._on_error(error)
        except Exception as failed:  # noqa: BLE001 - the client is told all the same
            logger.error("on_error failed", extra={"error": type(failed).__name__})

    async def _event(self, send: Any, name: str, data: Any) -> None:
        # JSON has no line breaks, which would end the event.
        text = f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
        async with self._turn_to_send:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _ping(self, send: Any) -> None:
        while True:
            await asyncio.sleep(_PING_EVERY)
            async with self._turn_to_send:
                await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})


async def _disconnected(receive: Any) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Wait until cancelled tasks have ended, and raise a cancellation that comes meanwhile afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks[1:]:  # a client that cannot be reached has gone
        with suppress(asyncio.CancelledError, Exception):
            task.result()
    if cancelled is not None:
        raise cancelled
