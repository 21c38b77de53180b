"""One prompt sent to one variant: a session, a question, an answer, its cost and its duration."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chatledger.cli.responders.answers import Responder, ResponderFailed
from chatledger.enums import JudgeKind, Role
from chatledger.errors import InvalidInput
from chatledger.schemas import ComparisonGroup, Message, NewMessage
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

RUN = "run"
"""The judge of what a run measures."""


@dataclass(frozen=True)
class Asked:
    """A prompt of the file."""

    key: str
    prompt: str
    system: str | None = None


def prompts_of(content: bytes) -> Iterator[Asked]:
    """Yield the prompts of a file: one on each line, or JSON Lines. Empty lines are skipped.

    Raises:
        InvalidInput: a line that cannot be read, a key that occurs twice, or no prompt.
    """
    seen: set[str] = set()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InvalidInput("PROMPTS", "is not UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        asked = _from_json(number, line) if line.lstrip().startswith("{") else Asked(f"{number:04}", line.strip())
        if asked.key in seen:
            raise InvalidInput("PROMPTS", f"line {number}: another line has the same key")
        seen.add(asked.key)
        yield asked
    if not seen:
        raise InvalidInput("PROMPTS", "contains no prompt")


def _from_json(number: int, line: str) -> Asked:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput("PROMPTS", f"line {number} is not JSON") from None
    prompt, key, system = found.get("prompt"), found.get("key", f"{number:04}"), found.get("system")
    if not isinstance(prompt, str) or not isinstance(key, str) or not isinstance(system, str | None):
        raise InvalidInput(
            "PROMPTS", f"line {number}: `prompt` is required, and `prompt`, `key` and `system` must be text"
        )
    return Asked(key, prompt, system)


@dataclass
class Trial:
    """Asks for the answers that are still missing."""

    ledger: Transactions
    group: ComparisonGroup
    done: set[tuple[str, str, int]]
    """The prompts, variants and trials that have an answer."""
    _waiting: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.ledger.read() as uow:
            for member in uow.comparisons.sessions(self.group.group_id):
                if member.prompt_key is not None:
                    self._waiting[member.prompt_key, member.variant, member.trial] = member.session_id

    def ask(self, asked: Asked, variant: str, responder: Responder, place: int, trial: int) -> str | None:
        """Ask one variant. Return None if it has answered before, an empty text if it has now, else why it has not."""
        if (asked.key, variant, trial) in self.done:
            return None
        question = self.ledger.run(lambda uow: self._question(uow, asked, variant, place, trial))
        began = time.perf_counter()
        try:
            answer = responder(_prompted(question, asked), _unseen)
        except ResponderFailed as failure:
            return str(failure)
        took = round((time.perf_counter() - began) * 1000)
        self.ledger.run(lambda uow: self._record(uow, asked, variant, trial, question.session_id, answer, took))
        return ""

    def _question(self, uow: UnitOfWork, asked: Asked, variant: str, place: int, trial: int) -> Message:
        """Return the question, in a new session or in that of a run that was stopped."""
        waiting = self._waiting.get((asked.key, variant, trial))
        repeated = {"trial": trial} if trial > 1 else {}
        if waiting is not None and (turns := uow.messages.history(waiting, last=1)) and turns[0].role is Role.USER:
            return turns[0]
        session = uow.sessions.create(
            user_id=self.group.user_id,
            system_prompt=asked.system,
            title=f"{self.group.title or self.group.group_id}: {variant}"[:200],
            metadata={
                "comparison": self.group.group_id,
                "variant": variant,
                "prompt": asked.key,
                "asked": place,
                **repeated,
            },
        )
        uow.comparisons.add(self.group.group_id, variant, session.session_id, prompt_key=asked.key, trial=trial)
        return uow.messages.append(session.session_id, Role.USER, asked.prompt)

    def _record(
        self, uow: UnitOfWork, asked: Asked, variant: str, trial: int, session_id: str, answer: NewMessage, took: int
    ) -> None:
        changes: dict[str, Any] = {} if answer.duration_ms is not None else {"duration_ms": took}
        stored = uow.messages.append_many(session_id, [answer.model_copy(update=changes)])[0]
        uow.comparisons.record(
            self.group.group_id,
            asked.key,
            variant,
            judge=RUN,
            judge_kind=JudgeKind.METRIC,
            trial=trial,
            cost_a=stored.cost,
            duration_a_ms=stored.duration_ms,
            replace=True,
        )


def _unseen(_: str) -> None:
    """Pieces of an answer are not shown, because several variants are asked."""


def _prompted(question: Message, asked: Asked) -> list[Message]:
    """Return the question after its system prompt, which is message 0."""
    if asked.system is None:
        return [question]
    system = question.model_copy(update={"sequence_number": 0, "role": Role.SYSTEM, "content": asked.system})
    return [system, question]
