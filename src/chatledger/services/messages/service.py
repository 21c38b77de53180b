"""Messages: appended, read back in order, never renumbered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from chatledger.callbacks import callback
from chatledger.enums import OutcomeLike, RoleLike
from chatledger.errors import InvalidInput, MessageNotFound, SequenceConflict
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import MAX_COUNT, flags, identifier, stated, validated, whole
from chatledger.schemas.message_parts import ToolCall
from chatledger.schemas.session import KEEP, Keep
from chatledger.schemas.turns import Truncated, stored_tokens
from chatledger.services.base import Service
from chatledger.services.messages import history
from chatledger.services.messages.append import Append, lock_session, with_keys
from chatledger.services.messages.append_many import AppendMany, messages_of
from chatledger.services.messages.history import Bounds
from chatledger.services.messages.removal import newest, remove, require_numbers
from chatledger.services.visibility import require_visible

REDACTED = "[redacted]"
"""What stands in the place of a redacted text."""
# Messages that `iterate` holds in memory at a time.
_BATCH = 500


class Messages(Service):
    """The turns of sessions. Numbers rise by one from 1 and are never handed out twice."""

    __slots__ = ()

    def append(
        self,
        session_id: str,
        role: RoleLike,
        content: str | Sequence[Any] | None = "",
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
        cache_write_tokens: int | None = None,
        cache_write_1h_tokens: int | None = None,
        unpriced_units: int | None = None,
        service_tier: str | None = None,
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

        `content` is text, or the list of parts that OpenAI's and Anthropic's APIs use: its text is stored and searched,
        and the parts come back unchanged (`Message.parts`, `to_openai`, `to_anthropic`).

        `payload` is any JSON value, a Pydantic model or a dict of models; it comes back unchanged (`payload_as` makes
        it typed again). `key` makes the append idempotent: the same key with the same content returns the first
        message. `expected_sequence` is the number that the message must get; if another writer has taken it, nothing is
        written. A `hidden` message is in the history and not in titles, previews and search: people do not see it, and
        the model does.

        Tokens and milliseconds are whole numbers. `cached_tokens` (read from a cache) and `cache_write_tokens` are part
        of `input_tokens`, `cache_write_1h_tokens` are part of `cache_write_tokens`, and `reasoning_tokens` part of
        `output_tokens`; `chatledger.exchange.read_usage` converts what providers report. `cost` is in dollars. Without
        it, the cost is calculated from the price of the model, if tokens and price are known. `service_tier` is
        `batch`, `flex`, `priority` or another tier with prices of its own; None, "default" and "standard" are the
        standard tier. `unpriced_units` are billed units that no price covers; if there are any, no cost is calculated.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            SessionClosed: the session is archived, expired or failed.
            SequenceConflict: the message would get another number than expected.
            KeyReused: the key was used for other content.
            InvalidInput: a value that cannot be stored, by name.
        """
        flags(hidden=hidden)
        identifier(session_id, "session_id")
        if expected_sequence is not None:
            whole(expected_sequence, "expected_sequence")
        given = {
            "payload": payload, "metadata": metadata,
            "name": name, "tool_call_id": tool_call_id, "model_id": model_id, "input_tokens": input_tokens,
            "output_tokens": output_tokens, "cached_tokens": cached_tokens,
            "reasoning_tokens": reasoning_tokens, "cache_write_tokens": cache_write_tokens,
            "cache_write_1h_tokens": cache_write_1h_tokens, "unpriced_units": unpriced_units,
            "service_tier": service_tier, "tokens_used": tokens_used, "duration_ms": duration_ms, "cost": cost,
            "outcome": outcome, "key": key, "created_at": created_at,
        }  # fmt: skip
        # None is what each of them is without being looked at.
        fields = {name: value for name, value in given.items() if value is not None}
        context = self._context
        message = validated(
            NewMessage, {"role": role, "content": "" if content is None else content, "hidden": hidden, **fields}
        )
        return context.perform(Append(session_id, message, context.now(), expected=expected_sequence))

    def append_many(
        self,
        session_id: str,
        messages: Iterable[NewMessage | Mapping[str, Any]],
        *,
        expected_sequence: int | None = None,
        on_key: Literal["same", "keep"] = "same",
    ) -> list[Message]:
        """Add messages at the end of a session, in their order, all or none.

        Two statements, however many messages: one locks the session, one inserts them all (one more looks for keys, and
        one for prices). A single message costs what `append` costs.

        A message whose `key` is there already is not added again; the stored message is in its place in the result.
        With `on_key="same"` it must have the same content; with `on_key="keep"` whatever is stored stays.
        `expected_sequence` is the number that the first message that is added is to get.

        Raises:
            SessionNotFound, SessionClosed, SequenceConflict, KeyReused: as `append`.
            InvalidInput: as `append`; its field begins with the place in the list.
        """
        identifier(session_id, "session_id")
        if expected_sequence is not None:
            whole(expected_sequence, "expected_sequence")
        if on_key not in ("same", "keep"):
            raise InvalidInput("on_key", "must be 'same' or 'keep'")
        given = messages_of(messages, "messages")
        context, keep = self._context, on_key == "keep"
        return context.perform(AppendMany(session_id, given, context.now(), expected=expected_sequence, keep=keep))

    def history(
        self,
        session_id: str,
        *,
        last: int | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        after_key: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        include_unfinished: bool = True,
        whole_turns: bool = False,
        max_tokens: int | None = None,
        count_tokens: Callable[[Message], int] | None = None,
    ) -> list[Message]:
        """Messages of a session, always in the order of their numbers.

        `after` and `before` are sequence numbers and leave out the message they name; `after_key` is the key of such a
        message. `since` is the earliest time wanted, `until` the first not wanted. `limit` keeps the first messages of
        what remains, `last` the last ones; the time this takes does not depend on how long the session is.

        `include_unfinished=False` leaves out messages that are being streamed, were interrupted or failed.

        `whole_turns` returns whole turns only: the newest ones that have at most `last` messages together, and the
        newest turn even if it is longer. A turn begins with a message of the role `user`, `system` or `developer`, or
        with the first message inside the bounds; a tool call is never separated from its result.

        `max_tokens` returns the newest whole turns that have at most so many tokens together, and nothing if the newest
        one has more. Tokens are `count_tokens(message)`; by default what is stored of the message (the output of an
        assistant's message, the total of another), or a quarter of its characters.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MessageNotFound: no message has the key `after_key`.
            InvalidInput: both `last` and `limit`, `limit` with whole turns, or a value that is not valid.
        """
        flags(include_unfinished=include_unfinished, whole_turns=whole_turns)
        identifier(session_id, "session_id")
        if last is not None and limit is not None:
            raise InvalidInput(
                "last", "cannot be combined with `limit`: one counts from the end, the other from the start"
            )
        bounds = Bounds.of(
            after=after,
            before=before,
            after_key=after_key,
            since=since,
            until=until,
            finished=None if include_unfinished else True,
        )
        for field, value in (("last", last), ("limit", limit), ("max_tokens", max_tokens)):
            if value is not None:
                whole(value, field)
        tokens = callback(count_tokens, "count_tokens")
        if not whole_turns and max_tokens is None:
            return self._context.perform(history.Read(session_id, bounds, last=last, limit=limit))
        if last == 0:
            return self._context.perform(history.Read(session_id, bounds, last=0))
        if limit is not None:
            raise InvalidInput("limit", "counts from the start, and whole turns from the end: use `last`")
        return self._context.perform(
            history.ReadTurns(session_id, bounds, last=last, max_tokens=max_tokens, tokens=tokens or stored_tokens)
        )

    def payloads(
        self,
        session_id: str,
        *,
        last: int | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[Any]:
        """The payloads of messages, in the order of their numbers; None for a message without a payload.

        Reads one column and builds no `Message`, which is several times as fast where a program keeps its own objects
        in payloads. The arguments are those of `history`.

        Raises:
            SessionNotFound, InvalidInput: as `history`.
        """
        identifier(session_id, "session_id")
        if last is not None and limit is not None:
            raise InvalidInput(
                "last", "cannot be combined with `limit`: one counts from the end, the other from the start"
            )
        for field, value in (("last", last), ("limit", limit)):
            if value is not None:
                whole(value, field)
        bounds = Bounds.of(after=after, before=before)
        return history.payloads(self._context, session_id, bounds, last=last, limit=limit)

    def open_calls(self, session_id: str) -> list[ToolCall]:
        """The tool calls of the newest turn that have no result yet, in order. A model refuses such a conversation.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        return history.open_calls(self._context, session_id)

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
        last = self.history(session_id, last=1)
        if not last:
            raise MessageNotFound(session_id)
        remove(self._context, session_id, [last[0].sequence_number])
        return last[0]

    def clear(self, session_id: str) -> int:
        """Delete all messages of a session; how many there were. Numbers go on from where they were.

        Raises:
            SessionNotFound, SessionClosed: as `append`.
        """
        identifier(session_id, "session_id")
        lock_session(self._context, session_id, deleting=True)
        return remove(self._context, session_id)

    def update(
        self,
        session_id: str,
        sequence_number: int | None = None,
        *,
        key: str | None = None,
        role: RoleLike | Keep = KEEP,
        content: str | Sequence[Any] | Keep = KEEP,
        payload: Any = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
        name: str | Keep | None = KEEP,
        tool_call_id: str | Keep | None = KEEP,
        model_id: str | Keep | None = KEEP,
        input_tokens: int | Keep | None = KEEP,
        output_tokens: int | Keep | None = KEEP,
        cached_tokens: int | Keep | None = KEEP,
        reasoning_tokens: int | Keep | None = KEEP,
        cache_write_tokens: int | Keep | None = KEEP,
        cache_write_1h_tokens: int | Keep | None = KEEP,
        unpriced_units: int | Keep | None = KEEP,
        service_tier: str | Keep | None = KEEP,
        tokens_used: int | Keep | None = KEEP,
        duration_ms: int | Keep | None = KEEP,
        cost: Decimal | float | str | Keep | None = KEEP,
        outcome: OutcomeLike | Keep | None = KEEP,
        hidden: bool | Keep = KEEP,
        expected: Message | None = None,
        snapshot: bool = False,
        reason: str | None = None,
    ) -> Message:
        """Change what a message says; None clears a field. Its number, key and time stay, and so do its annotations.

        The message is named by its number or by its `key`. Counters, statistics, search and the digest follow. A cost
        that the ledger calculated is calculated again; one that was given stays, unless you pass another. A message
        that was a copy is an original afterwards, and if it had copies, one of them becomes an original. The audit log
        says which fields were changed. The old text stays in forks, and in snapshots of the session; `snapshot=True`
        takes one before the change. (`redact` removes a text everywhere in the session.)

        `expected` is the message as you read it: if it was changed since, nothing is written.

        Raises:
            SessionNotFound, SessionClosed: as `append`.
            MessageNotFound: the session has no such message.
            MessageChanged: the message does not say what `expected` says.
            InvalidInput: a value that cannot be stored; neither a number nor a key, or both.
        """
        given = {
            "role": role, "content": content, "payload": payload, "metadata": metadata, "name": name,
            "tool_call_id": tool_call_id, "model_id": model_id, "input_tokens": input_tokens,
            "output_tokens": output_tokens, "cached_tokens": cached_tokens, "reasoning_tokens": reasoning_tokens,
            "cache_write_tokens": cache_write_tokens, "cache_write_1h_tokens": cache_write_1h_tokens,
            "unpriced_units": unpriced_units, "service_tier": service_tier, "tokens_used": tokens_used,
            "duration_ms": duration_ms, "cost": cost, "outcome": outcome, "hidden": hidden,
        }  # fmt: skip
        from chatledger.services.messages import changes  # noqa: PLC0415 - few messages are changed, here and below

        flags(snapshot=snapshot, **({} if hidden is KEEP else {"hidden": hidden}))
        why = stated(reason)
        wanted = {field: value for field, value in given.items() if value is not KEEP}
        old = self._locked(session_id, sequence_number, key)
        changes.require_unchanged(old, expected)
        if snapshot:
            changes.take_snapshot(self._context, session_id, "update")
        return changes.change(self._context, old, wanted, reason=why)

    def delete(self, session_id: str, *sequence_numbers: int, snapshot: bool = False, reason: str | None = None) -> int:
        """Delete messages by their numbers, all or none; return how many. The other messages keep their numbers.

        Annotations of the messages are deleted with them. If a message has copies in forks, one of them becomes an
        original. `snapshot=True` takes a snapshot of the session before.

        Raises:
            SessionNotFound, SessionClosed: as `append`.
            MessageNotFound: the session has no message of one of the numbers. Nothing is deleted.
            InvalidInput: not a number.
        """
        from chatledger.services.messages import changes  # noqa: PLC0415

        flags(snapshot=snapshot)
        why = stated(reason)
        identifier(session_id, "session_id")
        numbers = sorted({whole(number, "sequence_numbers") for number in sequence_numbers})
        lock_session(self._context, session_id, deleting=True)
        require_numbers(self._context, session_id, numbers)
        if snapshot and numbers:
            changes.take_snapshot(self._context, session_id, "delete")
        return remove(self._context, session_id, numbers, reason=why)

    def truncate(
        self,
        session_id: str,
        *,
        after: int,
        replacement: Iterable[NewMessage | Mapping[str, Any]] = (),
        expected_last: int | None = None,
        snapshot: bool = False,
        reason: str | None = None,
    ) -> Truncated:
        """Delete every message behind number `after` (0: all), append `replacement`, and return the appended messages.

        This is how an answer is regenerated, and how a long conversation is compacted into a summary. Numbers go on
        from where they were. `expected_last` is the number of the newest message that you have read: if another writer
        has appended or deleted messages since, nothing is changed. `snapshot=True` takes a snapshot of the session
        before.

        If the session then ends with tool calls that have no result, `open_calls` of the returned list has them. If the
        cut left them, a warning is logged, too.

        Raises:
            SessionNotFound, SessionClosed, KeyReused: as `append`.
            SequenceConflict: the newest message is not `expected_last`.
            InvalidInput: as `append_many`.
        """
        from chatledger.services.messages import changes  # noqa: PLC0415

        flags(snapshot=snapshot)
        why = stated(reason)
        identifier(session_id, "session_id")
        whole(after, "after")
        new = messages_of(replacement, "replacement")
        if expected_last is not None:
            whole(expected_last, "expected_last")
        last = lock_session(self._context, session_id, deleting=True)
        if expected_last is not None and (actual := newest(self._context, session_id)) != expected_last:
            raise SequenceConflict(session_id, expected_last, actual, newest=True)
        if after < last:
            if snapshot:
                changes.take_snapshot(self._context, session_id, "truncate")
            remove(self._context, session_id, after=after, reason=why)
        context = self._context
        added = AppendMany(session_id, new, context.now(), field="replacement").perform(context) if new else []
        find = history.report_open_calls if 0 < after < last else history.open_calls
        return Truncated(added, find(context, session_id))

    def _locked(self, session_id: str, number: int | None, key: str | None) -> Message:
        """A message, by its number or its key, of a session that is open and now locked until the transaction ends."""
        if (number is None) == (key is None):
            raise InvalidInput("sequence_number", "name the message by its number or by its key")
        identifier(session_id, "session_id")
        lock_session(self._context, session_id, deleting=True)
        if number is not None:
            return self.get(session_id, number)
        found = self.find(session_id, key=key or "")
        if found is None:
            raise MessageNotFound(session_id, key=key)
        return found

    def redact(self, session_id: str, sequence_number: int, *, replacement: str = REDACTED) -> Message:
        """Replace the text of a message and drop its payload, metadata and name. Its number, times, tokens and cost
        stay.

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
