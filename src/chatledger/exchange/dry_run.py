"""What an import would be told by the ledger, without writing to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from chatledger.dialects.encoding import encode_json
from chatledger.errors import InvalidInput, SessionExists
from chatledger.exchange.readers.conversation import Fork
from chatledger.schemas import NewMessage, NewSession
from chatledger.transactions import Transactions
from chatledger.validation import invalid_input


def try_session(ledger: Transactions, fields: dict[str, Any], *, conflicts: bool) -> None:
    """Whether a session could be created from these fields.

    Raises:
        InvalidInput: a value that cannot be stored, or another user than the one that the ledger is limited to.
        SessionExists: the id is taken (when that conflicts), as far as the ledger's user can see.
    """
    try:
        new = NewSession(**fields)
    except ValidationError as error:
        raise invalid_input(error) from None
    owner = ledger.user_id
    if owner is not None and new.user_id not in (None, owner):
        raise InvalidInput("user_id", "is not the user that this ledger is limited to")
    encode_json(new.context or {}, "context")
    for key, value in (new.metadata or {}).items():
        encode_json(value, f"metadata.{key}")
    if conflicts and new.session_id is not None:
        with ledger.read() as uow:
            if uow.sessions.find(new.session_id, include_expired=True):
                raise SessionExists(new.session_id)


def try_fork(ledger: Transactions, fork: Fork, *, conflicts: bool) -> None:
    """Whether a fork of a session could be made.

    Raises:
        InvalidInput, SessionExists: as `try_session`.
    """
    try_session(ledger, {"session_id": fork.session_id}, conflicts=conflicts)


def try_messages(messages: Sequence[NewMessage]) -> None:
    """Whether messages, which are valid as such, have payloads and metadata that can be stored.

    Raises:
        InvalidInput: its field begins with the place in the list, as that of `append_many` does.
    """
    for index, message in enumerate(messages):
        encode_json(message.payload, f"messages[{index}].payload")
        encode_json(message.metadata, f"messages[{index}].metadata")
