"""The primary of a synchronous pair is killed under eight writers, and its standby is promoted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatledger import CommitUnknown, ConnectionFailed, Ledger, Settings, StandbyServer
from tests.faults.truth import numbered_messages
from tests.support.replication import Pair, running_pair

_WRITERS = 8
_PATIENT = Settings(pool_size=_WRITERS, retry_timeout=120)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair() as pair:
        yield pair


def _append(ledger: Ledger, writer: int, text: str) -> None:
    """Append a message, in one of the two ways; again with its key when nobody knows whether it was committed."""
    while True:
        try:
            if writer % 2:
                ledger.append(f"s{writer}", "user", text, key=text, input_tokens=1)
            else:
                ledger.run(lambda uow: uow.messages.append(f"s{writer}", "user", text, key=text, input_tokens=1))
        except CommitUnknown:
            continue
        return


@pytest.mark.timeout(180)
def test_with_keys_nothing_is_lost_or_doubled(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    acknowledged: dict[int, list[str]] = {writer: [] for writer in range(_WRITERS)}
    enough = threading.Event()
    outage: type[Exception] | None = None
    with Ledger(pair.url(pair.primary, pair.standby), settings=_PATIENT) as ledger:
        with ledger.begin() as uow:
            for writer in range(_WRITERS):
                uow.sessions.create(f"s{writer}")
        pair.replicate_synchronously()

        def write(writer: int) -> None:
            while not enough.is_set():
                text = f"{writer}: message {len(acknowledged[writer])}"
                _append(ledger, writer, text)
                acknowledged[writer].append(text)

        with ThreadPoolExecutor(_WRITERS) as pool:
            writers = [pool.submit(write, writer) for writer in range(_WRITERS)]
            try:
                _wait_until_each_has(acknowledged, 10)
                pair.kill_primary()
                outage = _failure_of(lambda: ledger.run(lambda uow: uow.sessions.get("s0"), retry_timeout=0))
                pair.promote()
                back = time.monotonic()
                _wait_until_each_has(acknowledged, 10)
                record_property("longest time from the promotion until all have written", time.monotonic() - back)
            finally:
                enough.set()
            for writing in writers:
                writing.result()
    # A standby does not count as a server while it takes no writes.
    assert outage in (ConnectionFailed, StandbyServer)
    stored = {writer: numbered_messages(pair.url(pair.standby), f"s{writer}") for writer in acknowledged}
    assert acknowledged == {writer: [*messages.values()] for writer, messages in stored.items()}
    record_property("acknowledged", sum(map(len, acknowledged.values())))


def test_of_several_hosts_the_primary_is_found_wherever_it_is(pair: Pair) -> None:
    with Ledger(pair.url(pair.standby, pair.primary)) as ledger:
        ledger.create("s")
        assert not ledger.health().problems
    impatient = Settings(retry_timeout=0)
    pair.catch_up()
    with pytest.raises(StandbyServer), Ledger(pair.url(pair.standby), settings=impatient) as ledger:
        ledger.create("t")
    asked = pair.url(pair.standby, pair.primary, target_session_attrs="any")
    with Ledger(asked, settings=impatient) as ledger:
        with ledger.read() as uow:
            assert uow.sessions.find("s") is not None
        with pytest.raises(StandbyServer):
            ledger.create("t")


def _wait_until_each_has(acknowledged: dict[int, list[str]], more: int) -> None:
    """Wait until every writer has got so many more acknowledged."""
    before = {writer: len(texts) for writer, texts in acknowledged.items()}
    give_up = time.monotonic() + 100
    while any(len(texts) < before[writer] + more for writer, texts in acknowledged.items()):
        assert time.monotonic() < give_up, "the writers do not come forward"
        time.sleep(0.02)


def _failure_of(call: Callable[[], object]) -> type[Exception] | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - its kind is what is asked for
        return type(error)
    return None
