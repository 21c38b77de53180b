"""A rehearsed erasure says what the erasure then does."""

from __future__ import annotations

from chatledger import Ledger


def test_an_entry_of_the_audit_log_is_counted_once_and_as_rehearsed(any_ledger: Ledger) -> None:
    with any_ledger.begin(actor="ada") as uow:  # who acts on what is theirs stands twice in the same entry
        uow.sessions.create("trip", user_id="ada")
        uow.messages.append("trip", "user", "Where to in May?")
        uow.sessions.archive("trip")
    rehearsed = any_ledger.erase_user("ada", dry_run=True)
    erased = any_ledger.erase_user("ada", scrub=False)
    assert (1, 1, 1) == (rehearsed.sessions, rehearsed.messages, rehearsed.audit_entries)
    assert rehearsed.model_copy(update={"at": erased.at, "dry_run": False}) == erased
