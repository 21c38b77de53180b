"""Messages: appended, read back in order, never renumbered."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from chatledger.dialects.types import dollars, to_moment
from chatledger.enums import OutcomeLike, RoleLike
from chatledger.errors import InvalidInput, MessageNotFound
from chatledger.models import Message as MessageRow
from chatledger.models.base import table_of
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.costs import PriceList, is_countable
from chatledger.schemas.fields import MAX_COUNT, flags, identifier, validated, whole
from chatledger.schemas.message import SettledMessage, origin_of
from chatledger.schemas.stored_message import to_row
from chatledger.services.base import Service, logger
from chatledger.services.messages.append import (
    Stored,
    append_statement,
    at_place,
    explain_refusal,
    lock_session,
    placed,
    with_keys,
)
from chatledger.services.messages.history import history_statement
from chatledger.services.messages.removal import remove
from chatledger.services.registry.pricing import price_list
from chatledger.services.registry.registration import register_models
from chatledger.services.rows import from_row, to_messages
from chatledger.services.visibility import require_visible, visibility_parameters

#: What stands in the place of a redacted text.
REDACTED = "[redacted]"
#: Messages that `iterate` holds in memory at a time.
_BATCH = 500


class Messages(Service):
    """The turns of sessions. Numbers rise by one from 1 and are never handed out twice."""

    __slots__ = ()

    def append(
        self,
        session_id: str,
        role: RoleLike,
        content: str | None = "",
        *,
        payload: Any = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        tool_call_id: str | None = None,
        model_id: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        tokens_used: int | None = None,
        duration_ms: int | None = None,
        cost: Decimal | float | str | None = None,
        outcome: OutcomeLike | None = None,
        hidden: bool = False,
        key: str | None = None,
        expected_sequence: int | None = None,
        created_at: datetime | None = None,
    ) -> Message:
        """Add a message at the end of a session, in one statement.

        `payload` is any JSON value, a Pydantic model or a dict of models; it comes back unchanged (`payload_as` makes it
        typed again). Tokens and milliseconds are whole numbers, `cost` is in dollars; where it is left out, it is counted
        from the price of the model that is in force, if tokens and price are known. `key` makes the append idempotent:
        the same key with the same content gives back the first message. `expected_sequence` is the number that the
        message is to get; when somebody else has taken it, nothing is written. A `hidden` message is in the history
        and not in titles, previews and search: people do not see it, and the model does.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            SessionClosed: the session is archived, expired or failed.
            SequenceConflict: the message would get another number than expected.
            KeyReused: the key was used for other content.
            InvalidInput: a value that cannot be stored, by name.
        """
        began = time.perf_counter()
        flags(hidden=hidden)
        identifier(session_id, "session_id")
        if expected_sequence is not None:
            whole(expected_sequence, "expected_sequence")
        fields = {
            "role": role, "content": "" if content is None else content, "payload": payload, "metadata": metadata,
            "name": name, "tool_call_id": tool_call_id, "model_id": model_id, "input_tokens": input_tokens,
            "output_tokens": output_tokens, "cached_tokens": cached_tokens,
            "reasoning_tokens": reasoning_tokens, "tokens_used": tokens_used, "duration_ms": duration_ms, "cost": cost,
            "outcome": outcome, "hidden": hidden, "key": key, "created_at": created_at,
        }  # fmt: skip
        message = validated(NewMessage, fields)
        row = to_row(message, self._context.now())
        parameters = {**row, "session": session_id, "owner": self._context.owner, "expected": expected_sequence}
        priced = is_countable(row)
        statement = append_statement(self._context.dialect, keyed=key is not None, priced=priced)
        rows = self._context.rows(statement, parameters)
        if not rows:
            return explain_refusal(self._context, session_id, row, expected_sequence, timed=created_at is not None)
        number: int = rows[0][0]
        self._context.appended += 1
        if model_id is not None:
            register_models(self._context, (model_id,))
        if priced and rows[0][1] is not None:
            row["cost"], row["priced_from"] = dollars(rows[0][1]), to_moment(rows[0][2])
        if logger.isEnabledFor(logging.DEBUG):
            took = (time.perf_counter() - began) * 1000
            facts = {"session_id": session_id, "sequence_number": number, "duration_ms": took}
            logger.debug("message appended", extra=facts)
        return from_row(session_id, number, row)

    def append_many(self, session_id: str, messages: Iterable[NewMessage | Mapping[str, Any]]) -> list[Message]:
        """Add messages at the end of a session, in their order, all or none.

        Two statements, however many messages: one locks the session, one inserts them all (one more looks for keys, and
        one for prices).

        A message whose `key` is there already, with the same content, is not added again; the stored one stands in its
        place in the result.

        Raises:
            SessionNotFound, SessionClosed, KeyReused: as `append`.
            InvalidInput: as `append`; its field begins with the place in the list.
        """
        identifier(session_id, "session_id")
        if not isinstance(messages, Iterable):
            raise InvalidInput("messages", f"must be a list of messages, not {type(messages).__name__}")
        given = [at_place(place, message) for place, message in enumerate(messages)]
        last = lock_session(self._context, session_id)
        now = self._context.now()
        keys = [message.key for message in given if message.key is not None]
        known = with_keys(self._context, session_id, keys) if keys else {}
        unsettled = [one for one in given if not isinstance(one, SettledMessage)]
        listed = (
            price_list(self._context, session_id, {one.model_id for one in unsettled if one.model_id})
            if any(map(is_countable, map(vars, unsettled)))
            else PriceList()
        )
        added: list[dict[str, Any]] = []
        result: list[Message] = []
        for index, message in enumerate(given):
            try:
                row = to_row(message, now)
            except InvalidInput as error:
                raise placed(index, error) from None
            if message.key is not None and message.key in known:
                result.append(known[message.key].require_same(row, timed=message.created_at is not None))
                continue
            last += 1
            if isinstance(message, SettledMessage):
                row["priced_from"] = message.priced_from
            else:
                listed.price(row)
            row |= origin_of(message)
            added.append({"session_id": session_id, "sequence_number": last, **row})
            result.append(from_row(session_id, last, row))
            if message.key is not None:
                known[message.key] = Stored(result[-1], row["digest"], new=True)
        if added:
            self._context.insert_rows(_TABLE, added)
            register_models(self._context, (row["model_id"] for row in added))
            self._context.appended += len(added)
            logger.debug("messages appended", extra={"session_id": session_id, "count": len(added)})
        return result

    def history(
        self,
        session_id: str,
        *,
        last: int | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[Message]:
        """Messages of a session, always in the order of their numbers.

        `after` and `before` are sequence numbers and leave out the message they name. `limit` keeps the first so many of
        what remains, `last` the last so many; the time this takes does not depend on how long the session is.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: both `last` and `limit`, or a number that is none.
        """
        identifier(session_id, "session_id")
        if last is not None and limit is not None:
            raise InvalidInput("last", "cannot stand beside `limit`: one counts from the end, the other from the start")
        bounds = {"after": after, "before": before, "count": last if last is not None else limit}
        for field, value in (("after", after), ("before", before), ("last", last), ("limit", limit)):
            if value is not None:
                whole(value, field)
        statement = history_statement(
            has_owner=self._context.owner is not None,
            backwards=last is not None,
            bounds=tuple(name for name, value in bounds.items() if value is not None),
        )
        parameters = {**bounds, **visibility_parameters(self._context, session_id)}
        found = to_messages(self._context.rows(statement, parameters))
        if not found:
            require_visible(self._context, session_id)
        if last is not None:
            found.reverse()
        return found

    def iterate(self, session_id: str, *, after: int | None = None, before: int | None = None) -> Iterator[Message]:
        """All messages of a session in their order, however many, in constant memory.

        Raises:
            SessionNotFound: at the first message asked for.
        """
        while batch := self.history(session_id, after=after, before=before, limit=_BATCH):
            yield from batch
            if len(batch) < _BATCH:
                return
            after = batch[-1].sequence_number

    def get(self, session_id: str, sequence_number: int) -> Message:
        """One message.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MessageNotFound: the session has no message of this number.
        """
        whole(sequence_number, "sequence_number", most=MAX_COUNT - 1)
        found = self.history(session_id, after=max(sequence_number - 1, 0), before=sequence_number + 1)
        if not found:
            raise MessageNotFound(session_id, sequence_number)
        return found[0]

    def find(self, session_id: str, *, key: str) -> Message | None:
        """The message that was appended under a key, or None.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        stored = with_keys(self._context, session_id, [identifier(key, "key")]).get(key)
        if stored is None:
            require_visible(self._context, session_id)
            return None
        return stored.message

    def pop(self, session_id: str) -> Message:
        """Take the last message away and give it back. Its number is not handed out again.

        Raises:
            SessionNotFound, SessionClosed: as `append`.
            MessageNotFound: the session is empty.
        """
        identifier(session_id, "session_id")
        lock_session(self._context, session_id, deleting=True)
        newest = self.history(session_id, last=1)
        if not newest:
            raise MessageNotFound(session_id)
        remove(self._context, session_id, newest[0].sequence_number)
        return newest[0]

    def clear(self, session_id: str) -> int:
        """Delete all messages of a session; how many there were. Numbers go on from where they were.

        Raises:
            SessionNotFound, SessionClosed: as `append`.
        """
        identifier(session_id, "session_id")
        lock_session(self._context, session_id, deleting=True)
        return remove(self._context, session_id)

    def redact(self, session_id: str, sequence_number: int, *, replacement: str = REDACTED) -> Message:
        """Replace the text of a message and drop its payload, metadata and name. Its number, times, tokens and cost stay.

        Allowed in closed sessions too. The old text leaves the tables, the full-text index and the session's snapshots,
        but not forks, exports and backups.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MessageNotFound: the session has no message of that number.
            InvalidInput: the replacement cannot be stored.
            CorruptDatabase: a snapshot of the session is damaged.
        """
        from chatledger.services.messages.redaction import redact  # noqa: PLC0415 - few messages are redacted

        return redact(self._context, self.get(session_id, sequence_number), replacement)


_TABLE = table_of(MessageRow)
