"""Random operations, against a plain Python model, on both databases."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

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

from chatledger import (
    KeyReused,
    Ledger,
    MessageNotFound,
    SessionClosed,
    SessionHeld,
    SessionNotFound,
    SnapshotNotFound,
    Status,
    TransitionRefused,
)


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
        self.held = False
        # Of each snapshot, in the order of their numbers.
        self.snapshots: list[tuple[list[ModelMessage], dict[str, int]]] = []

    @property
    def is_open(self) -> bool:
        return self.status in (Status.ACTIVE, Status.IDLE, Status.PAUSED)

    def add(self, content: str, tokens: int, key: str | None = None) -> int:
        self.last += 1
        self.messages.append(ModelMessage(self.last, content, tokens, key))
        if self.status is Status.IDLE:
            self.status = Status.ACTIVE
        return self.last

    def take(self) -> None:
        self.snapshots.append(([message.copy() for message in self.messages], dict(self.metadata)))

    def restore(self, number: int) -> None:
        messages, metadata = self.snapshots[number - 1]
        self.messages, self.metadata = [message.copy() for message in messages], dict(metadata)

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
    "archive": (Status.ARCHIVED, {Status.ACTIVE, Status.IDLE, Status.PAUSED, Status.FAILED}),
    "expire": (Status.EXPIRED, {Status.ACTIVE, Status.IDLE, Status.PAUSED, Status.ARCHIVED, Status.FAILED}),
    "fail": (Status.FAILED, {Status.ACTIVE, Status.IDLE, Status.PAUSED}),
    "reopen": (Status.ACTIVE, {Status.ARCHIVED, Status.EXPIRED, Status.FAILED}),
}


class Conversations(RuleBasedStateMachine):
    """The ledger outlives an example; each begins by deleting what the one before left."""

    ledger: Ledger

    @initialize()
    def start(self) -> None:
        self.model: dict[str, ModelSession] = {}
        with self.ledger.begin() as uow:
            for session in uow.sessions.list(status=list(Status)):
                uow.sessions.release(session.session_id)
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
            for messages, _ in model.snapshots:
                for old in messages:
                    if old.number == message.number:
                        old.content = word

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
                if verb == "archive" and model.status is not wanted:
                    model.take()
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

    @rule(name=NAMES, verb=st.sampled_from(["hold", "release"]))
    def hold(self, name: str, verb: str) -> None:
        if name in self.model:
            held = self.ledger.run(lambda uow: getattr(uow.sessions, verb)(name).held_at is not None)
            self.model[name].held = verb == "hold"
            assert held == self.model[name].held

    @rule(name=NAMES)
    def take(self, name: str) -> None:
        model = self.model.get(name)
        if model is not None and len(model.snapshots) < 4:
            model.take()
            taken = self.ledger.run(lambda uow: uow.snapshots.take(name))
            assert (len(model.snapshots), len(model.messages)) == (taken.snapshot_number, taken.message_count)

    @rule(name=NAMES, number=st.integers(1, 4))
    def restore(self, name: str, number: int) -> None:
        model = self.model.get(name)
        if model is None or number > len(model.snapshots):
            with pytest.raises(SnapshotNotFound):
                self.ledger.run(lambda uow: uow.snapshots.restore(f"{name}:{number}"))
        elif not model.is_open:
            with pytest.raises(SessionClosed):
                self.ledger.run(lambda uow: uow.snapshots.restore(f"{name}:{number}"))
        else:
            model.take()
            model.restore(number)
            restored = self.ledger.run(lambda uow: uow.snapshots.restore(f"{name}:{number}"))
            assert len(model.messages) == restored.message_count

    @rule(name=NAMES, number=st.integers(1, 4), new=NAMES)
    def restore_as_new(self, name: str, number: int, new: str) -> None:
        model = self.model.get(name)
        if model is not None and number <= len(model.snapshots) and new not in self.model:
            self.ledger.run(lambda uow: uow.snapshots.restore(f"{name}:{number}", as_session_id=new))
            copy = self.model[new] = ModelSession()
            copy.snapshots = model.snapshots
            copy.restore(number)
            copy.snapshots = []
            copy.last = max((message.number for message in copy.messages), default=0)

    @rule()
    def expire_older_than(self) -> None:
        chosen = [model for model in self.model.values() if model.is_open and not model.held]
        far = datetime.now(UTC) + timedelta(days=1)
        assert len(chosen) == self.ledger.run(lambda uow: uow.sessions.expire_older_than(1, now=far))
        for model in chosen:
            model.status = Status.EXPIRED

    @rule(status=st.sampled_from([Status.ARCHIVED, Status.EXPIRED, Status.FAILED]))
    def purge(self, status: Status) -> None:
        held = {name for name, model in self.model.items() if model.status is status and model.held}
        gone = {name for name, model in self.model.items() if model.status is status and not model.held}
        # Past the times that `expire_older_than` has written.
        report = self.ledger.purge(older_than=0, status=status, now=datetime.now(UTC) + timedelta(days=2))
        assert (gone, len(held)) == (set(report.session_ids), report.held)
        assert sum(len(self.model.pop(name).messages) for name in gone) == report.messages

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.model and self.model[name].held:
            with pytest.raises(SessionHeld):
                self.ledger.run(lambda uow: uow.sessions.delete(name))
        elif self.model.pop(name, None) is not None:
            self.ledger.run(lambda uow: uow.sessions.delete(name))

    @precondition(lambda self: self.model)
    @rule(name=NAMES, content=WORDS)
    def fail(self, name: str, content: str) -> None:
        with pytest.raises(ZeroDivisionError), self.ledger.begin() as uow:
            if name in self.model and self.model[name].is_open:
                uow.messages.append(name, "user", content, tokens_used=3)
                uow.messages.clear(name)
                uow.snapshots.take(name)
            for other in self.model:
                uow.sessions.release(other)
                uow.sessions.delete(other)
            raise ZeroDivisionError

    @invariant()
    def the_ledger_equals_the_model(self) -> None:
        with self.ledger.read() as uow:
            found = {session.session_id: session for session in uow.sessions.list(status=list(Status))}
            assert self.model.keys() == found.keys()
            for name, model in self.model.items():
                session = found[name]
                tokens = sum(message.tokens for message in model.messages)
                assert (model.status, len(model.messages), tokens, model.last, model.held) == (
                    session.status, session.message_count, session.total_tokens, session.last_sequence,
                    session.held_at is not None,
                )  # fmt: skip
                assert model.metadata == session.metadata
                history = [(m.sequence_number, m.content, m.key) for m in uow.messages.history(name)]
                assert [(m.number, m.content, m.key) for m in model.messages] == history
                assert len(model.snapshots) == len(uow.snapshots.list(name))
                for number, (messages, _) in enumerate(model.snapshots[-2:], max(1, len(model.snapshots) - 1)):
                    kept = [(m.sequence_number, m.content, m.key) for m in uow.snapshots.messages(f"{name}:{number}")]
                    assert [(m.number, m.content, m.key) for m in messages] == kept
            for word in ("otter", "据"):
                hits = {
                    (hit.session_id, hit.sequence_number)
                    for hit in uow.search.messages(word, include_copies=True, limit=200)
                }
                assert hits == {
                    (name, message.number)
                    for name, model in self.model.items()
                    if model.status is not Status.EXPIRED
                    for message in model.messages
                    if word in message.content
                }


@pytest.mark.parametrize("examples", [6, pytest.param(200, marks=pytest.mark.soak)])
def test_any_sequence_of_operations_leaves_what_the_model_says(
    ledger: Ledger, examples: int, record_property: Callable[[str, object], None]
) -> None:
    class Here(Conversations):
        pass

    Here.ledger = ledger
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    record_property("sequences", examples)
