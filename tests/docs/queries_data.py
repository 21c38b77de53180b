"""A ledger in which every query of docs/queries.md finds something, also those that look for damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chatledger import Ledger, UnitOfWork
from chatledger.enums import RoleLike
from chatledger.workflows import Runner, StepContext, Workflow
from tests.support.clock import StoppedClock
from tests.support.raw import Raw

# A time that is long ago on every machine, because queries compare with the clock of the database.
MAY = datetime(2025, 5, 1, 9, tzinfo=UTC)
# In full, as the ledger writes times: SQLite compares them as text.
LONG_AGO, LONG_AHEAD = "2025-05-01 09:00:00.000000", "2199-01-01 00:00:00.000000"


def fill(url: str) -> None:
    clock = StoppedClock(MAY)
    with Ledger(url, clock=clock) as ledger:
        _limits(ledger, clock)
        for part in (_conversations, _branches, _observations, _comparisons):
            with ledger.begin(actor="ops") as uow:
                part(uow)
        clock.now = MAY + timedelta(days=8)
        with ledger.begin(actor="ops") as uow:
            _lifecycle(uow)
        clock.now = MAY
        _batches(ledger, clock)
    raw = Raw(url)
    with Ledger(url) as ledger:
        _workflows(ledger, raw)
    _damage(raw)


def _limits(ledger: Ledger, clock: StoppedClock) -> None:
    """A session that is warned, and then the defaults for all others."""
    with ledger.begin() as uow:
        uow.sessions.create("slow", user_id="lin", title="Slow food", idle_timeout=3600)
    clock.advance(minutes=57)
    assert ledger.sweep().warned == 1
    clock.now = MAY
    with ledger.begin(actor="ops") as uow:
        uow.timeouts.configure_default(idle_timeout=1800, hard_timeout=timedelta(days=30))
        uow.timeouts.configure_default(project_id="travel", idle_timeout=None)
        uow.timeouts.configure_default(user_id="lin", archive_timeout=timedelta(days=7))


def _conversations(uow: UnitOfWork) -> None:
    uow.models.register("gpt-5", provider="openai", context_window=4000)
    uow.models.price("gpt-5", input="1.25", output=10, cached_input="0.125", effective_from="2025-01-01")
    uow.models.register("never-used", provider="openai")
    uow.projects.create("cellar", name="Nobody's yet")

    uow.sessions.create(
        "trip", user_id="ada", project_id="travel", model_id="gpt-5", title="Trip to Lisbon",
        system_prompt="Be brief.", metadata={"tier": "gold"}, created_at=MAY,
    )  # fmt: skip
    answered: dict[str, Any] = {"input_tokens": 1500, "cached_tokens": 900, "output_tokens": 40, "reasoning_tokens": 8}
    _say(uow, "trip", "user", "Where to in May?")
    _say(uow, "trip", "assistant", "", payload={"call": "timetable"}, duration_ms=800, outcome="complete", **answered)
    _say(uow, "trip", "tool", "A train at nine.", name="timetable", tool_call_id="call-1", duration_ms=90)
    _say(uow, "trip", "assistant", "Lisbon, by the night train.", duration_ms=700, outcome="complete", **answered)
    _say(uow, "trip", "user", "And back?")
    _say(uow, "trip", "assistant", "The s", duration_ms=120, outcome="error", **(answered | {"input_tokens": 1900}))
    _say(uow, "trip", "user", "And back?")
    _say(uow, "trip", "assistant", "The same way.", duration_ms=400, outcome="complete", **answered)

    for number in range(4):
        user, model = ("ada", "lin")[number % 2], ("gpt-5", "gpt-5-mini")[number % 2]
        name = f"talk-{number}"
        uow.sessions.create(name, user_id=user, project_id="kitchen", model_id=model, created_at=MAY)
        for turn in range(6):
            at = MAY + timedelta(hours=7 * turn + number)
            uow.messages.append(
                name, "assistant" if turn % 2 else "user", f"words {turn}", input_tokens=turn, output_tokens=2,
                cached_tokens=0, reasoning_tokens=1, duration_ms=turn * 7 + 1, cost="0.01" if turn < 5 else None,
                outcome=(None, "complete", "error", "interrupted")[turn % 4], created_at=at,
            )  # fmt: skip

    uow.sessions.create("dinner", user_id="lin", project_id="kitchen", model_id="gpt-5-mini", title="Dinner")
    _say(uow, "dinner", "user", "What is in season?")
    _say(uow, "dinner", "assistant", "Asparagus.", model_id="gpt-5", input_tokens=20, output_tokens=4)
    _say(uow, "dinner", "user", "And now?")
    _say(uow, "dinner", "assistant", "Pumpkin.", created_at=datetime(2025, 10, 2, tzinfo=UTC))
    _say(uow, "dinner", "user", "With what?", created_at=datetime(2025, 10, 2, 0, 1, tzinfo=UTC))
    uow.sessions.create("left", user_id="bo", project_id="travel", title="Left at once")
    _say(uow, "left", "user", "Hello?")
    _say(uow, "left", "assistant", "Hel", outcome="interrupted", model_id="gpt-5-mini")
    uow.sessions.create("nobodys")
    uow.messages.append_many("nobodys", [{"role": "user", "content": f"{number}"} for number in range(4)])


def _say(uow: UnitOfWork, session_id: str, role: RoleLike, content: str, **more: Any) -> None:
    uow.messages.append(session_id, role, content, **{"created_at": MAY + timedelta(minutes=5)} | more)


def _branches(uow: UnitOfWork) -> None:
    uow.sessions.fork("trip", at=4, new_session_id="trip-by-bus")
    _say(uow, "trip-by-bus", "user", "Is there a bus?")
    uow.sessions.fork("trip-by-bus", at=4, new_session_id="trip-by-boat")
    _say(uow, "trip-by-boat", "user", "Is there a boat?")
    uow.snapshots.take("trip", reason="before the holidays")
    _say(uow, "trip", "assistant", "", outcome="complete", input_tokens=2100, output_tokens=0)


def _observations(uow: UnitOfWork) -> None:
    uow.annotations.add("trip", sequence_number=4, label="good", score=0.9, author="ada")
    uow.annotations.add("talk-1", sequence_number=2, label="bad", score=0.1, author="nina")
    for number in range(3):
        at = datetime(2025, 3, 1 + 20 * number, tzinfo=UTC) if number < 2 else MAY
        uow.metrics.record("first token", number / 10, "s", model_id="gpt-5", at=at)


def _comparisons(uow: UnitOfWork) -> None:
    uow.comparisons.create("harbour", variants=["old", "new"], title="By the harbour", user_id="ada")
    for number in range(8):
        for judge in ("ada", "judge-1"):
            uow.comparisons.record(
                "harbour", f"p{number}", "old", "new", judge=judge,
                judge_kind="person" if judge == "ada" else "model",
                preference=(number % 4 > 0 if judge == "ada" else number % 3 > 0) + 0.0,
                first="new" if number % 2 else "old", cost_a="0.002", cost_b="0.005",
                duration_a_ms=900, duration_b_ms=700 + number, prompt=f"Question {number}",
            )  # fmt: skip
    uow.comparisons.record("harbour", "p8", "old", "new", judge="ada", preference=None, notes="both wrong")
    uow.comparisons.add("harbour", "old", "talk-0", prompt_key="p0")
    uow.comparisons.add("harbour", "new", "talk-2", prompt_key="p0")


def _lifecycle(uow: UnitOfWork) -> None:
    for name in ("taxes", "rent", "gone", "waits", "broken", "case-17"):
        uow.sessions.create(name, user_id="ada", created_at=MAY)
    uow.sessions.archive("taxes", reason="done")
    uow.sessions.expire("rent")
    uow.sessions.pause("waits")
    uow.sessions.fail("broken")
    uow.sessions.hold("case-17", reason="a dispute")
    uow.sessions.delete("gone", reason="not wanted")


def _batches(ledger: Ledger, clock: StoppedClock) -> None:
    items = [{"key": f"k{number}", "payload": f"city {number % 5}", "priority": number % 2} for number in range(6)]
    with ledger.begin() as uow:
        uow.batches.create("night", items, user_id="ada", name="Cities", max_attempts=3)
        uow.batches.create("short", items[:1])
        uow.sessions.create("answer-1", user_id="ada", model_id="gpt-5")
        _say(uow, "answer-1", "assistant", "A city.", cost="0.002")
    with ledger.begin() as uow:
        done, failed, delayed, _left = uow.batches.claim("night", worker="desk 1", limit=4)
        uow.batches.complete(done, {"length": 6}, session_id="answer-1")
        uow.batches.fail(failed, "no paper", retry=False)
        uow.batches.fail(delayed, TimeoutError("no answer"))
        uow.batches.complete(uow.batches.claim("short", worker="desk 2")[0], "right")


def _workflows(ledger: Ledger, raw: Raw) -> None:
    flow = Workflow("digest", inputs={"topics": {}})
    flow.step("split", lambda context: context.input["topics"].split(", "), with_={"topics": "${input.topics}"})

    @flow.does("write", for_each="${split.output}", with_={"topic": "${item}"}, retries=1, backoff=0)
    def write(context: StepContext) -> str:
        if context.attempt == 1:
            raise TimeoutError("no answer")
        context.append("assistant", f"All about {context.input['topic']}.")
        return "written"

    flow.step("apologise", lambda context: None, when={"ref": "${input.topics}", "equals": ""})
    flow.step("print", lambda context: 1 // 0, needs=["write"])
    Runner(ledger, flow).run(flow, {"topics": "tides, walruses"}, user_id="ada", execution_id="monday")

    step = {"wait": {"uses": "time:sleep"}}
    with ledger.begin() as uow:
        uow.workflows.define({"name": "nap", "steps": step})
        uow.workflows.start("nap", execution_id="tuesday")
        uow.workflows.start("nap", execution_id="wednesday")
        uow.workflows.define({"name": "nap", "steps": step | {"again": {"uses": "time:sleep"}}})
    for name, lease_until in (("tuesday", LONG_AGO), ("wednesday", LONG_AHEAD)):
        raw(
            "UPDATE chatledger_workflow_executions SET state = 'running', runner = 'host 1',"
            f" lease_until = '{lease_until}' WHERE execution_id = '{name}'"
        )
    with ledger.begin() as uow:
        uow.workflows.cancel("wednesday")


def _damage(raw: Raw) -> None:
    """What other programs do to a database."""
    raw("DELETE FROM chatledger_messages WHERE session_id = 'nobodys' AND sequence_number = 2")
    raw("DELETE FROM chatledger_sessions WHERE session_id = 'talk-2'")  # was compared
    for name in ("damaged", "uncounted"):
        raw(f"INSERT INTO chatledger_sessions (session_id, project_id, forked_from) VALUES ('{name}', 'raw', 'lost')")
        for number, original in ((1, "NULL, NULL"), (2, "'lost', 1" if name == "uncounted" else "NULL, NULL")):
            raw(
                "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, created_at,"
                " input_tokens, cached_tokens, copied_from, copied_sequence)"
                f" VALUES ('{name}', {number}, 'user', 'Hello?', '2025-05-01 0{9 - number}:00:00.000000', 1, 2, {original})"
            )
    raw("UPDATE chatledger_sessions SET total_tokens = 12, last_sequence = 1 WHERE session_id = 'damaged'")
    raw("UPDATE chatledger_session_usage SET messages = 7 WHERE session_id = 'uncounted' AND copied = 1")
    raw("INSERT INTO chatledger_batch_items (job_id, item_number, key) VALUES ('lost', 1, 'k1')")
