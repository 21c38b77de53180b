"""Changing what a stored message says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Text, bindparam, update

from chatledger.dialects.types import Whole, wire
from chatledger.enums import SnapshotKind
from chatledger.errors import InvalidInput, MessageChanged
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.content_parts import without_parts
from chatledger.schemas.costs import is_countable
from chatledger.schemas.digest import FIELDS
from chatledger.schemas.fields import validated
from chatledger.schemas.stored_message import to_row
from chatledger.services import audit
from chatledger.services.base import ServiceContext, logger
from chatledger.services.messages.copies import pass_on
from chatledger.services.registry.pricing import price_list
from chatledger.services.registry.registration import register_models
from chatledger.services.rows import from_row, messages
from chatledger.services.snapshots.statements import take
from chatledger.services.visibility import in_visible_session, visibility_parameters


def take_snapshot(context: ServiceContext, session_id: str, act: str) -> None:
    """Keep what a session is before it is changed."""
    take(context, session_id, SnapshotKind.CHECKPOINT, reason=f"before messages.{act}")


def require_unchanged(old: Message, expected: Any) -> None:
    """Compare a message with what the caller has read.

    Raises:
        MessageChanged: it says something else.
        InvalidInput: `expected` is not this message.
    """
    if expected is None:
        return
    if not isinstance(expected, Message):
        raise InvalidInput("expected", f"must be the Message as it was read, not {type(expected).__name__}")
    if (expected.session_id, expected.sequence_number) != (old.session_id, old.sequence_number):
        raise InvalidInput("expected", "is another message")
    if any(getattr(expected, name) != getattr(old, name) for name in FIELDS):
        raise MessageChanged(old.session_id, old.sequence_number)


def change(
    context: ServiceContext, old: Message, changes: Mapping[str, Any], *, reason: str | None, audited: bool = True
) -> Message:
    """Give a message of a session that is locked other values. Its number, key and time stay.

    A cost that the ledger calculated is calculated again, with the price that applied when the message was written.

    Raises:
        InvalidInput: a value that cannot be stored.
    """
    session_id, number = old.session_id, old.sequence_number
    fields = old.model_dump(include=_FIELDS) | dict(changes)
    if "content" in changes and "payload" not in changes:
        fields["payload"] = without_parts(old.payload)
    if "cost" not in changes and old.priced_from is not None:
        fields["cost"] = None
    row = to_row(validated(NewMessage, fields), old.created_at)
    row["priced_from"] = row["priced_as"] = None
    if row["model_id"] != old.model_id:
        # Before the price is looked up: a new name may be priced as another model.
        register_models(context, (row["model_id"],))
    if is_countable(row):
        price_list(context, session_id, [row["model_id"]] if row["model_id"] else []).price(row)
    before = to_row(validated(NewMessage, old.model_dump(include=_FIELDS)), old.created_at)
    before |= {"priced_from": old.priced_from, "priced_as": old.priced_as}
    changed = [name for name in row if row[name] != before[name]]
    origin = {"copied_from": old.copied_from, "copied_sequence": old.copied_sequence}
    if not changed:
        return old
    written = list(changed)
    if "digest" in changed:
        written = [*{*changed, *_DIGESTED}]  # the digest covers JSON as it is written, and it is written anew
        # It says something else than its copies now, or than the message that it was a copy of.
        if old.copied_from is not None:
            origin = dict.fromkeys(origin)
            written += origin
        else:
            pass_on(context, [session_id], [number], changed=True)
    values = row | origin
    bound = {name: bindparam(f"new_{name}", type_=_type(name)) for name in sorted(written)}
    parameters = {**visibility_parameters(context, session_id), "number": number}
    context.execute(
        update(messages).where(_THIS).values(bound), {**parameters, **{f"new_{name}": values[name] for name in written}}
    )
    if audited:
        details = {"message": number, "fields": [name for name in changed if name not in _DERIVED]}
        audit.record_for(context, session_id, "message.updated", reason=reason, details=details)
    logger.info("message updated", extra={"session_id": session_id, "sequence_number": number})
    return from_row(session_id, number, {**row, **origin})


def _type(name: str) -> Any:
    """The type of a value in stored form."""
    return Text() if name in ("role", "outcome") else wire(messages.c[name].type)


_FIELDS = set(NewMessage.model_fields)
_DIGESTED = ("payload", "metadata")
_DERIVED = {"digest", "search_text", "search_extra", "priced_from", "priced_as"}
_THIS = in_visible_session() & (messages.c.sequence_number == bindparam("number", type_=Whole))
