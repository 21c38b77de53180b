"""Messages that people do not see are marked, and stay part of what the model saw."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, NewMessage
from tests.support.raw import Raw


def test_the_mark_comes_back_and_goes_along_with_copies(any_ledger: Ledger, url: str) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        assert uow.messages.append("s", "system", "Her name is Ada.", hidden=True).hidden
        uow.messages.append_many("s", [NewMessage(role="user", content="Hi"), {"role": "user", "hidden": True}])
        uow.sessions.fork("s", new_session_id="fork")
        snapshot = uow.snapshots.take("s", "manual")
        uow.messages.clear("s")
        uow.snapshots.restore(snapshot.snapshot_id)
    with any_ledger.read() as uow:
        for session_id in ("s", "fork"):
            assert [True, False, True] == [message.hidden for message in uow.messages.history(session_id)]
    rows = Raw(url)("SELECT hidden FROM chatledger_messages WHERE session_id = 's' ORDER BY sequence_number")
    assert [1, None, 1] == [row[0] for row in rows]


@pytest.mark.parametrize("wrong", ["false", 1, []])
def test_a_mark_is_true_or_false(any_ledger: Ledger, wrong: Any) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(InvalidInput) as refused:
            uow.messages.append_many("s", [{"role": "user", "hidden": wrong}])
    assert "messages[0].hidden" == refused.value.field
