"""What users store, and passwords, stay out of errors, tracebacks, logs and reprs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import text

from chatledger import Ledger, UnitOfWork
from chatledger.models import Message
from tests.support.raw import Raw

_SECRET = "walrus-7f3a"


# In these the driver's error stays reachable behind ours: the statement and its values are the caller's own.
_OWN = ("a caller's own statement", "a caller's own row")


def _told(error: BaseException, *, deep: bool = True) -> str:
    """Everything that a log would show, and with `deep` all that an error tracker could dig out."""
    told = traceback.format_exception(error)
    chain: list[BaseException | None] = [error]
    while chain:
        each = chain.pop()
        if each is not None:
            told += [str(each), repr(each), repr(each.args)]
            if deep:
                told.append(repr(vars(each)))
            chain += [each.__cause__, each.__context__]
    return "\n".join(told)


def _violate(uow: UnitOfWork) -> None:
    uow.session.execute(
        text(
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('nobody', 1, 'user', :c)"
        ),
        {"c": _SECRET},
    )
    uow.session.execute(text("SELECT 1"))


def _orm(uow: UnitOfWork) -> None:
    uow.session.add(Message(session_id="nobody", sequence_number=1, role="user", content=_SECRET))
    uow.session.flush()


_MISTAKES: dict[str, Callable[[UnitOfWork], object]] = {
    "unknown session": lambda uow: uow.messages.append("nobody", "user", _SECRET),
    "wrong role": lambda uow: uow.messages.append("s", "robot", _SECRET),  # type: ignore[arg-type]
    "payload that is no JSON": lambda uow: uow.messages.append("s", "user", "", payload={_SECRET: float("nan")}),
    "a NUL": lambda uow: uow.messages.append("s", "user", f"{_SECRET}\0"),
    "a surrogate": lambda uow: uow.messages.append("s", "user", f"{_SECRET}\ud800"),
    "a key reused": lambda uow: uow.messages.append("s", "user", _SECRET, key="k"),
    "a wrong count": lambda uow: uow.messages.append("s", "user", _SECRET, input_tokens=-1),
    "many": lambda uow: uow.messages.append_many("s", [{"role": "user", "content": _SECRET}, {"role": "robot"}]),
    "metadata": lambda uow: uow.metadata.set("nobody", "k", _SECRET),
    "context": lambda uow: uow.sessions.create("t", context={"a": _SECRET, "b": float("inf")}),
    "an existing session": lambda uow: uow.sessions.create("s", system_prompt=_SECRET),
    "a caller's own statement": _violate,
    "a caller's own row": _orm,
}


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_no_error_repeats_what_was_to_be_stored(ledger: Ledger, mistake: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "other", key="k")
    with pytest.raises(Exception) as caught, ledger.begin() as uow:  # noqa: PT011 - whichever error it is
        _MISTAKES[mistake](uow)
    assert _SECRET not in _told(caught.value, deep=mistake not in _OWN)


def test_sqlalchemys_log_does_not_show_what_is_stored(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm"):
        caplog.set_level(logging.INFO, logger=name)
    with ledger.begin() as uow:
        uow.sessions.create("s", title=_SECRET, system_prompt=_SECRET, context={"a": _SECRET})
        uow.messages.append("s", "user", _SECRET, payload={"a": _SECRET}, metadata={"b": _SECRET})
        uow.messages.append_many("s", [{"role": "user", "content": _SECRET}])
        uow.metadata.set("s", "k", _SECRET)
        uow.messages.redact("s", 1)
        uow.sessions.update("s", title=f"{_SECRET} again")
    with ledger.read() as uow:
        uow.messages.history("s")
        uow.search.messages(_SECRET)
    with pytest.raises(Exception), ledger.begin() as uow:  # noqa: B017, PT011
        _violate(uow)
    shown = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "INSERT INTO chatledger_messages" in shown or "chatledger_messages" in shown
    assert _SECRET not in shown


def test_our_log_names_the_session_and_the_number(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="chatledger"):
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append("s", "user", _SECRET)
        records = [record for record in caplog.records if record.name == "chatledger"]
    appended = next(record for record in records if hasattr(record, "sequence_number"))
    assert ("s", 1) == (appended.__dict__["session_id"], appended.__dict__["sequence_number"])
    assert appended.__dict__["duration_ms"] >= 0
    assert _SECRET not in repr([vars(record) for record in records])


def test_the_library_says_nothing_unless_it_is_asked_to(ledger: Ledger, capfd: pytest.CaptureFixture[str]) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    ledger.run(lambda uow: uow.messages.append("s", "user", _SECRET))
    ledger.downgrade("0002")
    ledger.upgrade()
    assert ("", "") == capfd.readouterr()


def test_a_password_is_in_no_repr(migrated_postgres_url: str) -> None:
    url = migrated_postgres_url.replace("postgresql://postgres@", f"postgresql://postgres:{_SECRET}@")
    assert _SECRET in url
    with closing(Ledger(url, migrate="never")) as ledger:
        shown = [repr(ledger), str(ledger), ledger.url, repr(ledger.engine), repr(ledger.for_user("ada"))]
        shown += [repr(ledger.info()), str(ledger.info()), repr(ledger.pool_status())]
    assert _SECRET not in "".join(shown)
    assert "***" in shown[0]


def test_a_wrong_url_is_refused_without_repeating_it() -> None:
    for url in (f"postgresql://ada:{_SECRET}@host:port/x", f"oracle://ada:{_SECRET}@host/x", f"://{_SECRET}"):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            Ledger(url)
        assert _SECRET not in _told(caught.value)


def test_erased_words_are_gone_from_search_and_tables(ledger: Ledger, url: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", _SECRET)
        uow.sessions.delete("s")
    raw = Raw(url)
    assert 0 == raw.count("chatledger_messages")
    assert _SECRET not in repr(raw("SELECT * FROM chatledger_audit_log"))
    with ledger.read() as uow:
        assert not list(uow.search.messages("walrus"))
