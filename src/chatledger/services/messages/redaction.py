"""Redacting: the text of a message is replaced wherever the ledger holds it."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from chatledger.dialects.types import Whole
from chatledger.errors import InvalidInput, MessageNotFound
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import validated
from chatledger.schemas.stored_message import to_row
from chatledger.services import audit
from chatledger.services.annotations import statements as annotation_statements
from chatledger.services.base import ServiceContext, logger
from chatledger.services.rows import from_row, messages
from chatledger.services.snapshots.body import COLUMNS, line_of
from chatledger.services.snapshots.statements import lock, replace_message
from chatledger.services.visibility import in_visible_session, visibility_parameters


def redact(context: ServiceContext, old: Message, replacement: str) -> Message:
    """Replace the text of a message, in the snapshots of its session too, and drop what else it says.

    Raises:
        InvalidInput: the replacement cannot be stored.
        MessageNotFound: it was deleted meanwhile.
        CorruptDatabase: a snapshot is damaged.
    """
    if not isinstance(replacement, str):  # parts, which a content may be, would be kept in the payload
        raise InvalidInput("replacement", f"must be text, not {type(replacement).__name__}")
    session_id, number = old.session_id, old.sequence_number
    kept = old.model_dump(include=_KEPT)
    try:
        redacted = validated(NewMessage, {**kept, "content": replacement})
    except InvalidInput as error:
        raise InvalidInput("replacement", error.reason) from None
    row = to_row(redacted, old.created_at)
    lock(context, session_id)  # so that no snapshot is taken meanwhile
    parameters = {**visibility_parameters(context, session_id), "number": number}
    if not context.change(_REDACT, {**parameters, **{name: row[name] for name in _REDACTED}}):
        raise MessageNotFound(session_id, number)  # deleted meanwhile
    replace_message(context, session_id, number, line_of(context.execute(_LINE, parameters).one()))
    annotation_statements.redact(context, session_id, number)
    audit.record_for(context, session_id, "message.redacted", details={"message": number})
    logger.info("message redacted", extra={"session_id": session_id, "sequence_number": number})
    return from_row(session_id, number, {**row, **old.model_dump(include=_STAYS)})


_REDACTED = ("content", "payload", "metadata", "name", "digest", "search_text", "search_extra")
_KEPT = set(NewMessage.model_fields) - {"content", "payload", "metadata", "name"}
_STAYS = {"priced_from", "priced_as", "copied_from", "copied_sequence"}
_THIS = in_visible_session() & (messages.c.sequence_number == bindparam("number", type_=Whole))
_LINE = select(*COLUMNS).where(_THIS)
_REDACT = (
    update(messages).where(_THIS).values({name: bindparam(name, type_=messages.c[name].type) for name in _REDACTED})
)
