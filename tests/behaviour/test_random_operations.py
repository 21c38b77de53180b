"""Random operations, against a plain Python model, on both databases."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatledger import KeyReused, Ledger, MessageNotFound, SessionClosed, SessionNotFound, Status, TransitionRefused


class ModelMessage:
    def __init__(self, number: int, content: str, tokens: int, key: str | None) -> None:
        self.number, self.content, self.tokens, self.key = number, content, tokens, key

    def copy(self) -> ModelMessage:
        return ModelMessage(self.number, self.content, self.tokens, self.key)


class ModelSession:
    def __init__(self) -> None:
        self.messages: list[ModelMessage] = []
        self.last = 0
        self.status = Status.ACTIVE
        self.metadata: dict[str, int] = {}

    @property
    def is_open(self) -> bool:
        return self.status in (Status.ACTIVE, Status.IDLE, Status.PAUSED)

    def add(self, content: str, tokens: int, key: str | None = None) -> int:
        self.last += 1
        self.messages.append(ModelMessage(self.last, content, tokens, key))
        if self.status is Status.IDLE:
            self.status = Status.ACTIVE
        return self.last

    def with_key(self, key: str | None) -> ModelMessage | None:
        return next((message for message in self.messages if key is not None and message.key == key), None)


NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.sampled_from(["otter", "badger", "otter badger", "数据", ""])
TOKENS = st.integers(0, 5)
KEYS = st.sampled_from([None, None, "k1", "k2"])
TURNS = {
    "pause": (Status.PAUSED, {Status.ACTIVE, Status.IDLE}),
    "resume": (Status.ACTIVE, {Status.IDLE, Status.PAUSED}),
    "mark_idle": (Status.IDLE, {Status.ACTIVE}),
    "archive": (Status.ARCHIVED, {Status.ACTIVE, Status.IDLE, Status.PAUSED}),
    "expire": (Status.EXPIRED, {Status.ACTIVE, Status.IDLE, Status.PAUSED, Status.ARCHIVED}),
}


class Conversations(RuleBasedStateMachine):
    """The ledger outlives an example; each begins by deleting what the one before left."""

    ledger: Ledger

    @initialize()
    def start(self) -> None:
        self.model: dict[str, ModelSession] = {}
        with self.ledger.begin() as uow:
            for session in uow.sessions.list(status=list(Status)):
                uow.sessions.delete(session.session_id)

    @rule(name=NAMES)
    def create(self, name: str) -> None:
        if name not in self.model:
            self.ledger.run(lambda uow: uow.sessions.create(name))
            self.model[name] = ModelSession()

    @rule(name=NAMES, content=WORDS, tokens=TOKENS, key=KEYS)
    def append(self, name: str, content: str, tokens: int, key: str | None) -> None:
        model = self.model.get(name)
        with self.ledger.begin() as uow:

            def act() -> int:
                return uow.messages.append(name, "user", content, tokens_used=tokens, key=key).sequence_number

            known = model.with_key(key) if model is not None else None
            if model is None:
                with pytest.raises(SessionNotFound):
                    act()
            elif known is not None and (known.content, known.tokens) == (content, tokens):
                assert known.number == act()
            elif known is not None:
                with pytest.raises(KeyReused):
                    act()
            elif not model.is_open:
                with pytest.raises(SessionClosed):
                    act()
            else:
                assert model.add(content, tokens, key) == act()

    @rule(name=NAMES, contents=st.lists(WORDS, max_size=4), tokens=TOKENS)
    def append_many(self, name: str, contents: list[str], tokens: int) -> None:
        model = self.model.get(name)
        if model is not None and model.is_open:
            given = [{"role": "user", "content": content, "tokens_used": tokens} for content in contents]
            added = self.ledger.run(lambda uow: uow.messages.append_many(name, given))
            assert [model.add(content, tokens) for content in contents] == [m.sequence_number for m in added]

    @rule(name=NAMES)
    def pop(self, name: str) -> None:
        model = self.model.get(name)
        if model is not None and model.is_open:
            if model.messages:
                expected = model.messages.pop().number
                assert expected == self.ledger.run(lambda uow: uow.messages.pop(name)).sequence_number
            else:
                with pytest.raises(MessageNotFound):
                    self.ledger.run(lambda uow: uow.messages.pop(name))

    @rule(name=NAMES)
    def clear(self, name: str) -> None:
        model = self.model.get(name)
        if model is not None and model.is_open:
            assert len(model.messages) == self.ledger.run(lambda uow: uow.messages.clear(name))
            model.messages.clear()

    @rule(name=NAMES, place=st.integers(0, 3), word=WORDS)
    def redact(self, name: str, place: int, word: str) -> None:
        model = self.model.get(name)
        if model is not None and place < len(model.messages):
            message = model.messages[place]
            self.ledger.run(lambda uow: uow.messages.redact(name, message.number, replacement=word))
            message.content = word

    @rule(name=NAMES, verb=st.sampled_from(sorted(TURNS)))
    def turn(self, name: str, verb: str) -> None:
        model = self.model.get(name)
        wanted, reached_from = TURNS[verb]
        with self.ledger.begin() as uow:
            act = getattr(uow.sessions, verb)
            if model is None:
                with pytest.raises(SessionNotFound):
                    act(name)
            elif model.status is wanted or model.status in reached_from:
                model.status = act(name).status
                assert wanted is model.status
            else:
                with pytest.raises(TransitionRefused):
                    act(name)

    @rule(name=NAMES, new=NAMES, at=st.integers(1, 4))
    def fork(self, name: str, new: str, at: int) -> None:
        model = self.model.get(name)
        if model is not None and new not in self.model and at <= model.last:
            self.ledger.run(lambda uow: uow.sessions.fork(name, at=at, new_session_id=new))
            copy = self.model[new] = ModelSession()
            copy.messages = [message.copy() for message in model.messages if message.number <= at]
            copy.last = max((message.number for message in copy.messages), default=0)
            copy.metadata = dict(model.metadata)

    @rule(name=NAMES, key=st.sampled_from("xy"), value=TOKENS)
    def set_metadata(self, name: str, key: str, value: int) -> None:
        if name in self.model:
            self.ledger.run(lambda uow: uow.metadata.set(name, key, value))
            self.model[name].metadata[key] = value

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.model.pop(name, None) is not None:
            self.ledger.run(lambda uow: uow.sessions.delete(name))

    @precondition(lambda self: self.model)
    @rule(name=NAMES, content=WORDS)
    def fail(self, name: str, content: str) -> None:
        with pytest.raises(ZeroDivisionError), self.ledger.begin() as uow:
            if name in self.model and self.model[name].is_open:
                uow.messages.append(name, "user", content, tokens_used=3)
                uow.messages.clear(name)
            for other in self.model:
                uow.sessions.delete(other)
            raise ZeroDivisionError

    @invariant()
    def the_ledger_equals_the_model(self) -> None:
        with self.ledger.read() as uow:
            found = {session.session_id: session for session in uow.sessions.list(status=list(Status))}
            assert self.model.keys() == found.keys()
            for name, model in self.model.items():
                session = found[name]
                assert (model.status, len(model.messages), sum(m.tokens for m in model.messages), model.last) == (
                    session.status, session.message_count, session.total_tokens, session.last_sequence,
                )  # fmt: skip
                assert model.metadata == session.metadata
                history = [(m.sequence_number, m.content, m.key) for m in uow.messages.history(name)]
                assert [(m.number, m.content, m.key) for m in model.messages] == history
            for word in ("otter", "据"):
                hits = {(hit.session_id, hit.sequence_number) for hit in uow.search.messages(word, limit=200)}
                assert hits == {
                    (name, message.number)
                    for name, model in self.model.items()
                    if model.status is not Status.EXPIRED
                    for message in model.messages
                    if word in message.content
                }


def test_any_sequence_of_operations_leaves_what_the_model_says(ledger: Ledger) -> None:
    class Here(Conversations):
        pass

    Here.ledger = ledger
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
