"""How snapshots lie in the database: compact, and damage to them is found before anything is done by them."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest

from chatledger import CorruptDatabase, Ledger, UnitOfWork
from tests.support.contents import contents
from tests.support.raw import Raw

MANY = [
    {"role": "user", "content": f"message {number} of a long talk about otters", "cost": 1} for number in range(500)
]
"""More than is unpacked at a time."""


@pytest.fixture
def long(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", MANY)
        uow.snapshots.take("s")
        uow.messages.clear("s")
        uow.messages.append("s", "user", "still here")
    return ledger


def replace(raw: Raw, **columns: Any) -> None:
    """Write into the one snapshot as damage or a forger would."""
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    raw(f"UPDATE chatledger_session_snapshots SET {changes}", **columns)


def forged(text: bytes) -> dict[str, Any]:
    """A body that is whole, and holds something else: the digest stays that of the old one."""
    return {"body": zlib.compress(text), "size": len(text)}


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()


DAMAGE: dict[str, Callable[[bytes, int], dict[str, Any]]] = {
    "a flipped byte in the middle": lambda body, size: {"body": flip(body, len(body) // 2)},
    "a flipped byte near the end": lambda body, size: {"body": flip(body, len(body) - 100)},
    "a flipped first byte": lambda body, size: {"body": flip(body, 0)},
    "cut off": lambda body, size: {"body": body[: len(body) // 2]},
    "empty": lambda body, size: {"body": b""},
    "too short a size": lambda body, size: {"size": size - 1},
    "too large a size": lambda body, size: {"size": size + 1},
    "no size": lambda body, size: {"size": 0},
    "an absurd size": lambda body, size: {"size": 2**62},
    "another digest": lambda body, size: {"digest": bytes(16)},
    "no digest": lambda body, size: {"digest": b""},
    "a way of writing that is not known": lambda body, size: {"encoding": "jsonl+brotli"},
    "no JSON": lambda body, size: forged(b"no json\n" * 20_000),
    "no text": lambda body, size: forged(b"\xff\xfe\n" * 20_000),
    "JSON of another kind": lambda body, size: forged(b"[1]\n" * 20_000),
    "a line without an end": lambda body, size: forged(zlib.decompress(body)[:-1]),
    "a bomb": lambda body, size: {"body": bomb(2**23)},
    "a bomb that says so": lambda body, size: {"body": bomb(2**23), "size": 2**23},
}


def flip(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 0x10]) + body[place + 1 :]


READERS: dict[str, Callable[[UnitOfWork], object]] = {
    "messages": lambda uow: uow.snapshots.messages("s:1"),
    "diff": lambda uow: uow.snapshots.diff("s:1"),
    "restore": lambda uow: uow.snapshots.restore("s:1"),
    "restore as new": lambda uow: uow.snapshots.restore("s:1", as_session_id="t"),
    "redact": lambda uow: uow.messages.redact("s", len(MANY) + 1),
}


def test_damage_of_any_kind_is_told_and_changes_nothing(long: Ledger, raw: Raw) -> None:
    whole = raw("SELECT body, size, digest, encoding FROM chatledger_session_snapshots")[0]._mapping
    facts: dict[str, Any] = {
        name: bytes(value) if name in ("body", "digest") else value for name, value in whole.items()
    }
    before = {table: rows for table, rows in contents(raw).items() if table != "chatledger_session_snapshots"}
    for kind, damage in DAMAGE.items():
        replace(raw, **facts | damage(facts["body"], facts["size"]))
        for name, read in READERS.items():
            with pytest.raises(CorruptDatabase) as caught, long.begin() as uow:
                pytest.fail(f"{name} took {kind}: {read(uow)}")
            assert "s:1" in str(caught.value), (kind, name)
        with long.begin() as uow:  # its figures can be read all the same, and it can be deleted
            assert len(MANY) == uow.snapshots.list("s")[0].message_count
            assert len(MANY) == uow.snapshots.get("s:1").message_count
        assert before == {
            table: rows for table, rows in contents(raw).items() if table != "chatledger_session_snapshots"
        }, kind
    replace(raw, **facts)
    with long.begin() as uow:
        assert len(MANY) == uow.snapshots.restore("s:1").message_count
        uow.snapshots.delete("s:1")
        uow.messages.redact("s", 1)


def test_a_header_of_a_newer_release_is_refused(ledger: Ledger, raw: Raw) -> None:
    ledger.run(lambda uow: (uow.sessions.create("s"), uow.snapshots.take("s")))
    for line in (b'{"chatledger":"snapshot","version":3}', b'{"version":1}', b"[]", b"7", b"null", b"{}", b""):
        text = line + b"\n"
        replace(raw, **forged(text), digest=blake2b(text, digest_size=16).digest())
        for name in ("diff", "restore", "restore as new"):
            with pytest.raises(CorruptDatabase), ledger.begin() as uow:
                READERS[name](uow)


def test_a_bomb_is_refused_in_little_memory(ledger: Ledger, raw: Raw) -> None:
    ledger.run(lambda uow: (uow.sessions.create("s"), uow.snapshots.take("s")))
    replace(raw, body=bomb(2**26), size=2**40)
    with ledger.read() as uow:
        tracemalloc.start()
        try:
            with pytest.raises(CorruptDatabase):
                uow.snapshots.messages("s:1")
            assert tracemalloc.get_traced_memory()[1] < 2**22
        finally:
            tracemalloc.stop()


def test_a_long_conversation_is_stored_compactly(long: Ledger) -> None:
    with long.read() as uow:
        snapshot = uow.snapshots.get("s:1")
        assert [message["content"] for message in MANY] == [m.content for m in uow.snapshots.messages("s:1")]
    assert snapshot.size > 2**16
    assert snapshot.stored_size < snapshot.size / 5


def test_a_message_of_many_megabytes_comes_back(ledger: Ledger) -> None:
    long = "otter " * 500_000
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": text} for text in ("first", long, "last")])
        uow.snapshots.take("s")
        assert ["first", long, "last"] == [message.content for message in uow.snapshots.messages("s:1")]
        uow.messages.clear("s")
        uow.snapshots.restore("s:1")
        assert long == uow.messages.get("s", 2).content
