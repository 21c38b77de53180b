"""Answers that are sent while they are stored, on both databases."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatledger import AsyncLedger, KeyReused, Ledger
from tests.web.conftest import Make
from tests.web.events import Event, events_of


def ask(client: Any, content: Any = "Where to in May?", session_id: str = "s", **body: Any) -> list[Event]:
    response = client.post(f"sessions/{session_id}/answer", json={"content": content, **body})
    assert (200, "text/event-stream; charset=utf-8") == (response.status_code, response.headers["content-type"])
    assert "content-length" not in response.headers
    return events_of(response.text)


def stored(ledger: Ledger) -> list[tuple[str, str, str | None]]:
    """Role, content and outcome of each message."""
    found = ledger.view(lambda uow: uow.messages.history("s"))
    return [(one.role.value, one.content, one.outcome and one.outcome.value) for one in found]


@pytest.fixture
def session(client: Any) -> None:
    client.post("sessions", json={"session_id": "s", "title": "Trip"})


QUESTION = ("user", "Where to in May?", None)


def test_an_answer_is_sent_piece_by_piece_and_stored(session: None, client: Any, ledger: Ledger) -> None:
    (first, question), *deltas, (last, answer) = ask(client)
    assert ("question", 1, "done", 2) == (first, question["sequence_number"], last, answer["sequence_number"])
    assert [("delta", {"text": f"{word} "}) for word in ("Where", "to", "in", "May?")] == deltas
    assert ("Where to in May? ", "complete", "echo", 1) == (
        answer["content"], answer["outcome"], answer["model_id"], answer["output_tokens"],
    )  # fmt: skip
    assert [QUESTION, ("assistant", "Where to in May? ", "complete")] == stored(ledger)


def test_the_model_is_given_the_turns_before(client_of: Make, ledger: Ledger) -> None:
    seen: list[Any] = []

    async def answer(turn: Any) -> AsyncIterator[str]:
        seen.append(turn)
        yield f"Line one\nline two: ü {len(turn.messages)}"

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s", "title": "Trip"})
    ask(client)
    assert ("done", "Line one\nline two: ü 3") == ((last := ask(client, "And June?")[-1])[0], last[1]["content"])
    turn = seen[-1]
    assert ("Trip", "ada", "And June?") == (turn.session.title, turn.user_id, turn.question.content)
    assert turn.question == turn.messages[-1]
    assert "ada" == turn.request.headers["x-user"]


def test_the_application_chooses_the_history(client_of: Make) -> None:
    client = client_of(history=lambda uow, question: [question] * 7)
    client.post("sessions", json={"session_id": "s"})
    assert 7 == ask(client)[-1][1]["output_tokens"]


def test_a_failed_answer_is_kept_and_the_client_is_told(
    client_of: Make, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = []

    async def answer(turn: Any) -> AsyncIterator[str]:
        yield "Lisbon"
        raise RuntimeError(f"the model refused: {turn.question.content}")

    client = client_of(answer=answer, on_error=failures.append)
    client.post("sessions", json={"session_id": "s"})
    with caplog.at_level(logging.DEBUG):
        name, problem = ask(client)[-1]
    assert ("error", 502, "the answer was cut off") == (name, problem["status"], problem["detail"])
    assert ("Lisbon", "error", 2) == tuple(problem["message"][key] for key in ("content", "outcome", "sequence_number"))
    assert [QUESTION, ("assistant", "Lisbon", "error")] == stored(ledger)
    assert ["the model refused: Where to in May?"] == [str(error) for error in failures]
    said = [f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name == "chatledger"]
    assert any("answer failed" in line for line in said)
    assert [] == [line for line in said if "Where to" in line or "Lisbon" in line]


def test_a_failure_before_the_first_piece_stores_no_answer(client_of: Make, ledger: Ledger) -> None:
    async def answer(turn: Any) -> AsyncIterator[str]:
        if turn:
            raise ValueError
        yield ""

    client = client_of(answer=answer, on_error=lambda error: 1 / 0)
    client.post("sessions", json={"session_id": "s"})
    assert ("error", None) == ((last := ask(client)[-1])[0], last[1]["message"])
    assert [QUESTION] == stored(ledger)


def test_a_piece_that_is_not_text_is_an_error(client_of: Make, ledger: Ledger) -> None:
    async def answer(turn: Any) -> AsyncIterator[Any]:
        yield "Lisbon"
        yield 1

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s"})
    assert ("error", 422) == ((last := ask(client)[-1])[0], last[1]["status"])
    assert ("assistant", "Lisbon", "error") == stored(ledger)[-1]


def test_a_session_that_is_deleted_meanwhile_ends_the_answer(client_of: Make, url: str) -> None:
    async def answer(turn: Any) -> AsyncIterator[str]:
        async with AsyncLedger(url) as other:
            await other.run(lambda uow: uow.sessions.delete("s"))
        yield "Lisbon"

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s"})
    assert ("error", "urn:chatledger:error:session-not-found") == ((last := ask(client)[-1])[0], last[1]["type"])


def test_an_empty_answer_is_complete(client_of: Make, ledger: Ledger) -> None:
    async def answer(turn: Any) -> AsyncIterator[str]:
        for piece in ("", ""):
            yield piece

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s"})
    assert ["question", "done"] == [name for name, _ in ask(client)]
    assert ("assistant", "", "complete") == stored(ledger)[-1]


def test_an_answer_with_a_key_is_made_once(client_of: Make, ledger: Ledger) -> None:
    calls: list[Any] = []

    async def answer(turn: Any) -> AsyncIterator[str]:
        calls.append(turn)
        yield "Lis"
        yield "bon"

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s"})
    first = ask(client, key="k")
    again = ask(client, key="k")
    assert 1 == len(calls)
    assert [first[0], ("delta", {"text": "Lisbon"}), first[-1]] == again
    assert 2 == len(stored(ledger))
    other = client.post("sessions/s/answer", json={"content": "Something else", "key": "k"})
    assert "urn:chatledger:error:key-reused" == other.json()["type"]


def test_an_answer_that_failed_is_written_again_under_its_key(client_of: Make, ledger: Ledger) -> None:
    attempts: list[list[Any]] = []

    async def answer(turn: Any) -> AsyncIterator[str]:
        attempts.append(turn.messages)
        yield "Lisbon"
        if len(attempts) == 1:
            raise RuntimeError

    client = client_of(answer=answer)
    client.post("sessions", json={"session_id": "s"})
    assert "error" == ask(client, key="k")[-1][0]
    assert ("done", 2) == ((last := ask(client, key="k")[-1])[0], last[1]["sequence_number"])
    assert [1, 1] == [len(messages) for messages in attempts]
    assert [QUESTION, ("assistant", "Lisbon", "complete")] == stored(ledger)


def test_an_answer_that_another_request_writes_is_a_conflict(session: None, client: Any, ledger: Ledger) -> None:
    with ledger.stream("s", key="k:answer") as reply:
        reply.write("Lis")
        refused = client.post("sessions/s/answer", json={"content": "Where to in May?", "key": "k"})
        assert (409, "urn:chatledger:error:answer-in-progress") == (refused.status_code, refused.json()["type"])
    assert [("assistant", "Lis", "complete")] == stored(ledger)


class _Request:
    scope: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    method = "POST"


class Serving:
    """Answers as the server calls them, without a server: what is sent, and a client that can leave."""

    def __init__(self, ledger: AsyncLedger) -> None:
        self.ledger = ledger
        self.sent = ""
        self.client_left = asyncio.Event()
        self._more = asyncio.Condition()

    async def begin(self) -> None:
        """Store a question."""

        def ask(uow: Any) -> Any:
            uow.sessions.create("s")
            return uow.messages.append("s", "user", "Where to in May?", key="k"), uow.sessions.get("s")

        self.question, self.session = await self.ledger.run(ask)

    async def answer(self, answer: Any, on_error: Any = None) -> None:
        from chatledger.web.answers import AnswerResponse, Asked

        request: Any = _Request()
        asked = Asked(self.session, self.question, [self.question], None)
        await AnswerResponse(request, self.ledger, asked, answer, on_error)({}, self._receive, self._send)

    async def until(self, text: str) -> None:
        """Wait until a text was sent."""
        async with self._more:
            await self._more.wait_for(lambda: text in self.sent)

    async def _send(self, message: Any) -> None:
        async with self._more:
            self.sent += message.get("body", b"").decode()
            self._more.notify_all()

    async def _receive(self) -> Any:
        await self.client_left.wait()
        return {"type": "http.disconnect"}


def test_two_requests_at_once_for_one_key_write_one_answer(url: str, ledger: Ledger) -> None:
    """The second one has looked before the first one began."""

    async def use() -> None:
        async with AsyncLedger(url) as shared:
            serving = Serving(shared)
            await serving.begin()
            refused = asyncio.Event()

            async def answer(turn: Any) -> AsyncIterator[str]:
                yield "Lisbon"
                await refused.wait()

            first = asyncio.create_task(serving.answer(answer))
            await serving.until("Lisbon")
            failed: list[Exception] = []
            await serving.answer(answer, failed.append)
            refused.set()
            await first
            assert [KeyReused] == [type(error) for error in failed]
            assert "event: done" in serving.sent

    asyncio.run(use())
    assert [QUESTION, ("assistant", "Lisbon", "complete")] == stored(ledger)


@pytest.mark.parametrize("ends", ["client", "server"])
def test_what_was_said_is_kept_when_the_client_leaves_or_the_server_stops(url: str, ledger: Ledger, ends: str) -> None:
    closed: list[bool] = []

    async def answer(turn: Any) -> AsyncIterator[str]:
        try:
            yield "Lis"
            yield "bon"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def use() -> None:
        async with AsyncLedger(url) as shared:
            serving = Serving(shared)
            await serving.begin()
            task = asyncio.create_task(serving.answer(answer))
            await serving.until("bon")
            if ends == "client":
                serving.client_left.set()
                await task
            else:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(use())
    assert [True] == closed
    assert [QUESTION, ("assistant", "Lisbon", "interrupted")] == stored(ledger)


def test_a_silent_model_is_bridged_by_comments(monkeypatch: pytest.MonkeyPatch, migrated_sqlite_url: str) -> None:
    from chatledger.web import answers

    monkeypatch.setattr(answers, "_PING_EVERY", 0.01)

    async def use() -> None:
        async with AsyncLedger(migrated_sqlite_url) as shared:
            serving = Serving(shared)
            await serving.begin()

            async def answer(turn: Any) -> AsyncIterator[str]:
                yield "Lisbon"
                await serving.until("\n: ping\n\n")

            await serving.answer(answer)
            assert ["question", "delta", "done"] == [name for name, _ in events_of(serving.sent)]

    asyncio.run(use())
