"""An adoption that did not copy everything, once, in order, is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatledger import AdoptionFailed, Ledger, Message
from chatledger.adoption import adopt
from chatledger.adoption.readers.ai_router import AiRouter
from chatledger.adoption.source.rows import OldMessage, OldSession
from chatledger.services.messages.service import Messages
from tests.adoption.old import AI_ROUTER, fill_ai_router, made
from tests.support.raw import Raw

Append = Callable[[Messages, str, list[Any]], list[Message]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with made(tmp_path / "old.db", AI_ROUTER) as connection:
        fill_ai_router(connection, texts=("one", "two", "three"))
    return tmp_path / "old.db"


def refused(ledger: Ledger, url: str, path: Path) -> str:
    with pytest.raises(AdoptionFailed) as error:
        adopt(ledger, path)
    assert [0, 0, 0] == [
        Raw(url).count(table) for table in ("chatledger_sessions", "chatledger_messages", "chatledger_models")
    ]
    return str(error.value)


def _lost(append: Append) -> Append:
    def losing(self: Messages, session_id: str, messages: list[Any]) -> list[Message]:
        stored = append(self, session_id, messages)
        self.pop(session_id)
        return stored

    return losing


def _turned(append: Append) -> Append:
    def turning(self: Messages, session_id: str, messages: list[Any]) -> list[Message]:
        stored = append(self, session_id, messages[::-1])
        return [m.model_copy(update={"sequence_number": 4 - m.sequence_number}) for m in stored[::-1]]

    return turning


def _changed(append: Append) -> Append:
    def changing(self: Messages, session_id: str, messages: list[Any]) -> list[Message]:
        stored = append(self, session_id, messages)
        self.redact(session_id, 2)
        return stored

    return changing


def _doubled(append: Append) -> Append:
    def doubling(self: Messages, session_id: str, messages: list[Any]) -> list[Message]:
        stored = append(self, session_id, messages)
        append(self, session_id, [messages[0].model_copy(update={"key": None})])
        return stored

    return doubling


@pytest.mark.parametrize("fault", [_lost, _turned, _changed, _doubled])
def test_a_ledger_that_does_not_hold_what_it_was_given(
    ledger: Ledger, url: str, path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Append], Append]
) -> None:
    monkeypatch.setattr(Messages, "append_many", fault(Messages.append_many))
    assert "do not equal their source" in refused(ledger, url, path)


def test_a_reader_that_passes_over_a_row(ledger: Ledger, url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = AiRouter._messages

    def forgetful(self: AiRouter, session_id: Any) -> Iterator[OldMessage]:
        return (message for message in messages(self, session_id) if message.fields["content"] != "two")

    monkeypatch.setattr(AiRouter, "_messages", forgetful)
    assert "1 of 3 rows of 'messages' are neither copied nor reported" in refused(ledger, url, path)


def test_a_reader_that_takes_a_row_twice(ledger: Ledger, url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = AiRouter.sessions

    def repeating(self: AiRouter) -> Iterator[OldSession]:
        for session in sessions(self):
            session.copied *= 2
            yield session

    monkeypatch.setattr(AiRouter, "sessions", repeating)
    assert "a row of the source was taken twice" in refused(ledger, url, path)
