"""Nasty text, and what is no text, through every door: it comes back unchanged or is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any

import pytest

from chatledger import ChatledgerError, InvalidInput, Ledger, UnitOfWork
from tests.services.messages.nasty_values import BAD_TEXTS, GOOD_TEXTS, LONG_TEXTS, NO_TEXTS
from tests.support.once import ONE_DATABASE

Door = Callable[[UnitOfWork, Any], Any]


def appended(**fields: Any) -> Callable[[UnitOfWork], Any]:
    """The message as a reader finds it."""

    def act(uow: UnitOfWork) -> Any:
        number = uow.messages.append("s", "user", **fields).sequence_number
        return uow.messages.get("s", number)

    return act


def added(uow: UnitOfWork, **fields: Any) -> Any:
    number = uow.messages.append_many("s", [{"role": "user", **fields}])[0].sequence_number
    return uow.messages.get("s", number)


def created(uow: UnitOfWork, **fields: Any) -> Any:
    return uow.sessions.get(uow.sessions.create(**fields).session_id)


def keyed(uow: UnitOfWork, key: Any) -> Any:
    session = uow.sessions.create().session_id
    uow.metadata.set(session, key, 1)
    assert 1 == uow.metadata.get(session, key)
    ((found, _),) = uow.metadata.all(session).items()
    uow.metadata.delete(session, key)
    assert {} == uow.metadata.all(session)
    return found


def keyed_from_the_start(uow: UnitOfWork, key: Any) -> Any:
    return next(iter(created(uow, metadata={key: 1}).metadata))


DOORS: dict[str, tuple[str, bool, Door]] = {
    "content": ("content", False, lambda uow, v: appended(content=v)(uow).content),
    "content in bulk": ("messages[0].content", False, lambda uow, v: added(uow, content=v).content),
    "name": ("name", True, lambda uow, v: appended(name=v)(uow).name),
    "name in bulk": ("messages[0].name", True, lambda uow, v: added(uow, name=v).name),
    "tool_call_id": ("tool_call_id", True, lambda uow, v: appended(tool_call_id=v)(uow).tool_call_id),
    "model of a message": ("model_id", True, lambda uow, v: appended(model_id=v)(uow).model_id),
    "key": ("key", True, lambda uow, v: appended(key=v)(uow).key),
    "key in bulk": ("messages[0].key", True, lambda uow, v: added(uow, key=v, content="bulk", name="bulk").key),
    "replacement": ("replacement", False, lambda uow, v: redacted(uow, v)),
    "session_id": ("session_id", True, lambda uow, v: created(uow, session_id=v).session_id),
    "user_id": ("user_id", True, lambda uow, v: created(uow, user_id=v).user_id),
    "project_id": ("project_id", True, lambda uow, v: created(uow, project_id=v).project_id),
    "model_id": ("model_id", True, lambda uow, v: created(uow, model_id=v).model_id),
    "title": ("title", False, lambda uow, v: created(uow, title=v).title),
    "system_prompt": ("system_prompt", False, lambda uow, v: created(uow, system_prompt=v).system_prompt),
    "new user_id": ("user_id", True, lambda uow, v: uow.sessions.update("s", user_id=v).user_id),
    "new project_id": ("project_id", True, lambda uow, v: uow.sessions.update("s", project_id=v).project_id),
    "new title": ("title", False, lambda uow, v: uow.sessions.update("s", title=v).title),
    "fork": ("session_id", True, lambda uow, v: uow.sessions.fork("t", new_session_id=v).session_id),
    "title of a fork": ("title", False, lambda uow, v: uow.sessions.fork("t", title=v).title),
    "key of metadata": ("key", True, keyed),
    "reason of a snapshot": ("reason", False, lambda uow, v: uow.snapshots.take("t", reason=v).reason),
    "reason of a hold": ("reason", False, lambda uow, v: held(uow, v)),
    "actor": ("actor", True, lambda uow, v: acted(uow, v)),
    "restored session": ("session_id", True, lambda uow, v: uow.snapshots.restore("t:1", as_session_id=v).session_id),
    "user of a default": ("user_id", True, lambda uow, v: uow.timeouts.configure_default(user_id=v).scope_id),
    "project of a default": ("project_id", True, lambda uow, v: uow.timeouts.configure_default(project_id=v).scope_id),
    "first key of metadata": ("metadata", True, keyed_from_the_start),
}
"""Field, whether it is an identifier (not empty, at most 255 characters), and the way there and back."""


def held(uow: UnitOfWork, reason: Any) -> Any:
    uow.sessions.release("t")
    uow.sessions.hold("t", reason=reason)
    return uow.audit.list(session_id="t", action="session.held", limit=1).items[0].reason


def acted(uow: UnitOfWork, actor: Any) -> Any:
    """What the audit log says, which is also what it can be asked for."""
    UnitOfWork(uow.session, actor=actor).timeouts.configure_default()
    return uow.audit.list(actor=actor, limit=1).items[0].actor


def redacted(uow: UnitOfWork, value: Any) -> str:
    number = uow.messages.append("s", "user", "secret").sequence_number
    uow.messages.redact("s", number, replacement=value)
    return uow.messages.get("s", number).content


def outcome(door: Door, uow: UnitOfWork, value: Any) -> Any:
    try:
        return door(uow, value)
    except InvalidInput as error:
        return ("refused", error.field)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is listed
        return ("RAISED", type(error).__name__, str(error)[:200])


def expected_of(value: Any, field: str, *, identifier: bool) -> Any:
    if field.endswith("content") and isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return "\n".join(value)  # a list of parts
    most = 255 if identifier else 1000 if field == "reason" else 10**9
    fits = isinstance(value, str) and value not in BAD_TEXTS and len(value) <= most
    return value if fits else ("refused", field)


def short(value: Any) -> str:
    return ascii(value)[:60]


@pytest.mark.parametrize("name", DOORS)
def test_text_comes_back_unchanged_or_is_refused_by_name(ledger: Ledger, name: str) -> None:
    field, identifier, door = DOORS[name]
    values: list[Any] = [*GOOD_TEXTS, *BAD_TEXTS, *LONG_TEXTS, *NO_TEXTS]
    wrong = []
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("t")
        uow.snapshots.take("t")
        for value in values:
            if name == "first key of metadata" and not isinstance(value, Hashable):
                continue  # Python itself does not make a dict of it
            expected = expected_of(value, field, identifier=identifier)
            found = outcome(door, uow, value)
            if isinstance(found, tuple) and found[0] == "refused" and name == "fork":
                found = ("refused", found[1].replace("new_session_id", "session_id"))
            if isinstance(found, tuple) and found[0] == "refused" and name == "first key of metadata":
                found = ("refused", found[1].split(".")[0])
            if (type(found), found) != (type(expected), expected):
                wrong.append((short(value), short(found), short(expected)))
    assert [] == wrong


def test_an_empty_text_is_no_identifier(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("t")
        uow.snapshots.take("t")
        for name, (field, identifier, door) in DOORS.items():
            found = outcome(door, uow, "")
            if identifier:
                assert "refused" == found[0], name
                assert field.split("_")[-1] in found[1], name
            else:
                assert "" == found, name


def test_a_role_is_one_of_five(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for value in [*GOOD_TEXTS, *BAD_TEXTS, *NO_TEXTS, None, ""]:
            found = outcome(lambda uow, v: uow.messages.append("s", v).role, uow, value)
            assert (value if value in ("user", "system") and isinstance(value, str) else ("refused", "role")) == found


QUESTIONS: dict[str, tuple[str, Door]] = {
    "find": ("session_id", lambda uow, v: uow.sessions.find(v)),
    "key": ("key", lambda uow, v: uow.metadata.get("s", v)),
    "key of a message": ("key", lambda uow, v: uow.messages.find("s", key=v)),
    "user_id": ("user_id", lambda uow, v: uow.sessions.list(user_id=v).items or None),
    "project_id": ("project_id", lambda uow, v: uow.sessions.list(project_id=v).items or None),
    "model_id": ("model_id", lambda uow, v: uow.sessions.list(model_id=v).items or None),
    "user_id of a search": ("user_id", lambda uow, v: uow.search.messages("word", user_id=v).items or None),
    "session_id of a search": ("session_id", lambda uow, v: uow.search.sessions("word", session_id=v).items or None),
    "project_id of a search": ("project_id", lambda uow, v: uow.search.messages("word", project_id=v).items or None),
    "session of the trail": ("session_id", lambda uow, v: uow.audit.list(session_id=v).items or None),
    "user of the trail": ("user_id", lambda uow, v: uow.audit.list(user_id=v).items or None),
    "actor of the trail": ("actor", lambda uow, v: uow.audit.list(actor=v).items or None),
    "action of the trail": ("action", lambda uow, v: uow.audit.list(action=v).items or None),
}
"""Questions: text that fits asks for what is not there, the rest is refused."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_about_anything_is_answered_or_refused_by_name(ledger: Ledger, name: str) -> None:
    field, door = QUESTIONS[name]
    with ledger.begin() as uow:
        uow.sessions.create("s")
    wrong = []
    with ledger.read() as uow:
        for value in [*GOOD_TEXTS, *LONG_TEXTS, "", *BAD_TEXTS, *NO_TEXTS]:
            fits = isinstance(value, str) and value not in BAD_TEXTS and value != "s"
            if (found := outcome(door, uow, value)) != (None if fits else ("refused", field)):
                wrong.append((short(value), found))
    assert [] == wrong


CLOSED: dict[str, tuple[str, Door]] = {
    "kind": ("kind", lambda uow, v: uow.snapshots.take("s", v)),
    "cursor of the trail": ("cursor", lambda uow, v: uow.audit.list(cursor=v)),
    "status of a purge": ("status", lambda uow, v: uow.timeouts.purge(older_than=0, status=v)),
    "age of a purge": ("older_than", lambda uow, v: uow.timeouts.purge(older_than=v)),
    "hours": ("hours", lambda uow, v: uow.sessions.expire_older_than(v)),
}
"""Words and cursors of the ledger's own: nothing that a user types is one."""


@pytest.mark.parametrize("name", CLOSED)
@ONE_DATABASE
def test_what_is_no_word_of_the_ledgers_own_is_refused_by_name(ledger: Ledger, name: str) -> None:
    field, door = CLOSED[name]
    numbers = (int, float, timedelta, datetime)
    wrong = []
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for value in [*GOOD_TEXTS, *LONG_TEXTS, "", *BAD_TEXTS, *NO_TEXTS]:
            if field in ("older_than", "hours") and isinstance(value, numbers):
                continue
            if (found := outcome(door, uow, value)) != ("refused", field):
                wrong.append((short(value), found))
        assert 0 == uow.timeouts.report().by_status["expired"]
    assert [] == wrong


ON_SNAPSHOTS: dict[str, Door] = {
    "get": lambda uow, v: uow.snapshots.get(v),
    "messages": lambda uow, v: uow.snapshots.messages(v),
    "diff": lambda uow, v: uow.snapshots.diff(v),
    "restore": lambda uow, v: uow.snapshots.restore(v),
    "delete": lambda uow, v: uow.snapshots.delete(v),
}
SHAPES = (
    "s:", ":1", "s:0", "s:2", "s:-1", "s:+1", "s: 1", "s:1 ", " s:1", "s:1:1", "s:s:1", "s:1.0", "s:1e0", "s:0x1",
    "s:1_0", "s:01", "s:²", "s:\uff11", "s:\u0661", "s:" + "9" * 18, "s:" + "9" * 19, "s:" + "9" * 5000,
    "S:1", "s", "1", "::", ":",
    *(f"{text}:1" for text in GOOD_TEXTS),
)  # fmt: skip
"""Beside every text: ids that look like those of the one snapshot of `s`."""


def test_a_snapshot_of_any_name_is_not_found_or_the_name_refused(ledger: Ledger) -> None:
    wrong = []
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.snapshots.take("s")
        for name, door in ON_SNAPSHOTS.items():
            for value in [*SHAPES, *GOOD_TEXTS[::3], *LONG_TEXTS, "", *BAD_TEXTS, *NO_TEXTS]:
                fits = isinstance(value, str) and value not in BAD_TEXTS
                try:
                    found: Any = door(uow, value)
                except ChatledgerError as error:
                    found = type(error).__name__, getattr(error, "field", getattr(error, "snapshot_id", None))
                except Exception as error:  # noqa: BLE001 - listed
                    found = "RAISED", repr(error)
                if found != (("SnapshotNotFound", value) if fits else ("InvalidInput", "snapshot_id")):
                    wrong.append((name, short(value), found))
    assert [] == wrong


def test_a_snapshot_is_found_by_the_name_of_its_session_whatever_that_is(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        for name in (*GOOD_TEXTS[::5], "a:1", ":", "a:"):
            uow.sessions.create(name)
            taken = uow.snapshots.take(name)
            assert (taken, f"{name}:1") == (uow.snapshots.get(f"{name}:1"), taken.snapshot_id)


def test_nobody_of_any_name_can_be_erased(ledger: Ledger) -> None:
    wrong = []
    with ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        for value in [*GOOD_TEXTS, *LONG_TEXTS, "", *BAD_TEXTS, *NO_TEXTS]:
            fits = isinstance(value, str) and value not in (*BAD_TEXTS, "")
            found = outcome(lambda uow, v: uow.sessions.erase_user(v).sessions, uow, value)
            if found != (0 if fits else ("refused", "user_id")):
                wrong.append((short(value), found))
    assert [] == wrong


ON_NOBODY: dict[str, Door] = {
    "get": lambda uow, v: uow.sessions.get(v),
    "update": lambda uow, v: uow.sessions.update(v, title="x"),
    "update_context": lambda uow, v: uow.sessions.update_context(v, {}),
    "archive": lambda uow, v: uow.sessions.archive(v),
    "delete": lambda uow, v: uow.sessions.delete(v),
    "reopen": lambda uow, v: uow.sessions.reopen(v),
    "hold": lambda uow, v: uow.sessions.hold(v),
    "release": lambda uow, v: uow.sessions.release(v),
    "limits": lambda uow, v: uow.timeouts.get(v),
    "configure": lambda uow, v: uow.timeouts.configure(v),
    "clear limits": lambda uow, v: uow.timeouts.clear(v),
    "snapshot": lambda uow, v: uow.snapshots.take(v),
    "snapshots": lambda uow, v: uow.snapshots.list(v),
    "fork": lambda uow, v: uow.sessions.fork(v),
    "append": lambda uow, v: uow.messages.append(v, "user"),
    "append_many": lambda uow, v: uow.messages.append_many(v, []),
    "history": lambda uow, v: uow.messages.history(v),
    "iterate": lambda uow, v: list(uow.messages.iterate(v)),
    "get a message": lambda uow, v: uow.messages.get(v, 1),
    "find a message": lambda uow, v: uow.messages.find(v, key="k"),
    "pop": lambda uow, v: uow.messages.pop(v),
    "clear": lambda uow, v: uow.messages.clear(v),
    "redact": lambda uow, v: uow.messages.redact(v, 1),
    "set": lambda uow, v: uow.metadata.set(v, "k", 1),
    "all": lambda uow, v: uow.metadata.all(v),
    "delete metadata": lambda uow, v: uow.metadata.delete(v, "k"),
}


def test_a_session_of_any_name_is_not_found_or_the_name_refused(ledger: Ledger) -> None:
    wrong = []
    with ledger.begin() as uow:
        for name, door in ON_NOBODY.items():
            for value in [*GOOD_TEXTS[::3], LONG_TEXTS[0], "", *BAD_TEXTS, *NO_TEXTS]:
                fits = isinstance(value, str) and value not in BAD_TEXTS
                try:
                    found: Any = door(uow, value)
                except ChatledgerError as error:
                    found = type(error).__name__, getattr(error, "field", None)
                except Exception as error:  # noqa: BLE001 - listed
                    found = "RAISED", repr(error)
                if found != (("SessionNotFound", None) if fits else ("InvalidInput", "session_id")):
                    wrong.append((name, short(value), found))
    assert [] == wrong
