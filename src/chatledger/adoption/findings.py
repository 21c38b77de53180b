"""What can be wrong with a source, what is done about it, and the notes that a reading takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatledger.adoption.report import NAMED, SourceFinding

ACTIONS: dict[str, str] = {
    # The file
    "only_in_wal": "read from the -wal and adopted with the rest",
    "foreign_key_broken": "see the orphans and the dangling rows",
    "constraint_broken": "read as it stands",
    "search_index_broken": "not read; the ledger makes its own",
    "stale_fts": "not read; the ledger makes its own",
    "table_left_out": "left where it is: the layout has no such table",
    "derived_rows": "not copied: they repeat other rows, and the ledger makes its own index",
    # Sessions
    "sessions_without_messages": "adopted without messages",
    "no_title": "adopted without a title",
    "anonymous": "adopted without an owner",
    "expired": "adopted and expired; its time is kept",
    "expired_before_created": "adopted and expired; its time is kept",
    "session_uuid_of_another_shape": "adopted under this id",
    "unknown_status": "adopted as active; the word is kept as found",
    "hard_timeout": "kept as metadata and not set: it would end the session at the first sweep",
    "timeout_out_of_range": "kept as metadata and not set",
    "snapshots": "kept as metadata",
    # Messages
    "long_message": "copied whole",
    "too_long": "the first 50,000,000 characters are the text; the rest is kept as found",
    "empty_content": "copied",
    "sequence_gaps": "numbers close up; those of the source are kept in the metadata of the messages behind",
    "zero_based_sequence": "numbered from 1; those of the source are kept in the metadata of the messages",
    "duplicate_sequence": "both copied, in the order of their rows",
    "unknown_role": "stored as a user's; the word is kept as found",
    "other_role_word": "stored under the ledger's word for it; the word is kept as found",
    "not_a_message": "stored with its JSON as payload, as a user's",
    "removal": "kept with the rows that belong to no session; the message that it removes stays",
    "same_timestamp": "ordered by the number of the row",
    "id_order_is_not_time_order": "ordered by time",
    "branches": "each adopted as a fork of its session; messages that it shares are copies",
    "encrypted": "adopted without text, with the encrypted content as payload: only its key opens it",
    "history_differs": "both copied: the thread does not begin as the older tables have the conversation",
    "shared_messages": "copied into each session that has them",
    "unreachable_messages": "adopted in a session of their own, in the order of their rows",
    # Orphans
    "orphan_messages": "kept in a recovery session for each missing session",
    "orphan_metadata": "kept with the recovery session, or with the rows that belong to no session",
    "orphan_rows": "kept with the rows that belong to no session",
    "dangling_annotations": "kept with the rows that belong to no session",
    # Counters
    "message_count_off": "recounted; the old figure is kept as found",
    "total_tokens_off": "recomputed; the old figure is kept as found",
    "total_duration_off": "recomputed; the old figure is kept as found",
    "totals_off": "recounted; the old figures are kept as found",
    "totals_of_deleted": "recounted without what was deleted; the old figures are kept as found",
    "batch_counts_off": "kept as found",
    # The registry
    "duplicate_models": "one model in the ledger, from the first row; the other is kept with the rows of no session",
    "registry_kept": "the registry keeps what it has; the source's is kept as found, in its metadata",
    "registry_differs": "the registry keeps what was adopted first; the row is kept with the rows of no session",
    # Annotations, measurements, comparisons, batches, workflows
    "workflow_left": "kept with the rows that belong to no session, with its executions: it is no valid definition here",
    # Values
    "metadata_not_a_json_object": "kept as found, as text",
    "context_or_metadata_not_a_json_object": "kept as found, as text",
    "tags_or_metadata_not_json_of_the_right_kind": "kept as found, as text",
    "context_null": "adopted with an empty context",
    "invalid_json": "kept as found, as text",
    "latency_is_text": "kept as found; the duration stays empty",
    "tokens_are_real": "kept as found; the number stays empty",
    "not_a_number": "kept as found; the number stays empty",
    "out_of_range": "kept as found; the number stays empty",
    "finer_than_stored": "rounded; the exact figure is kept as found",
    "cannot_be_stored": "shown with a sign in its place, and kept as found in an escaped form",
    "naive_time": "read as {zone}",
    "ambiguous_time": "read as the first of the two times that {zone} has",
    "other_time_shape": "read",
    "aware_updated_at": "read with its own offset",
    "unreadable_time": "takes the time before it; the text is kept as found",
    "missing_time": "takes the time before it, or the moment of the adoption if there is none",
    "no_time": "takes the moment of the adoption: the layout knows none",
    # The ledger
    "id_taken": "adopted under an id with the name of the layout before it",
    "changed_since": "the ledger keeps what was adopted first",
    "closed_since": "left out: the session is closed in the ledger and takes no more messages",
}
"""What becomes of each kind. `{zone}` is how times without one are read."""

_DROPPED = {
    "orphan_messages": "left out, and named here",
    "orphan_metadata": "left out, and named here",
    "orphan_rows": "left out, and named here",
    "dangling_annotations": "left out, and named here",
}


class Notes:
    """Findings as they are made. Bounded: of each kind and table, the count and the first thousand keys."""

    def __init__(self, *, zone: str, dropping: bool) -> None:
        self._zone, self._dropping = zone, dropping
        self._found: dict[tuple[str, str], tuple[list[int], list[Any]]] = {}

    def add(self, kind: str, table: str, key: Any, *, count: int = 1) -> None:
        counts, keys = self._found.setdefault((kind, table), ([0], []))
        counts[0] += count
        if len(keys) < NAMED:
            keys.append(key)

    def add_all(self, kind: str, table: str, keys: Iterable[Any]) -> None:
        for key in keys:
            self.add(kind, table, key)

    def findings(self) -> tuple[SourceFinding, ...]:
        """In the order of `ACTIONS`."""
        order = {kind: place for place, kind in enumerate(ACTIONS)}
        return tuple(
            SourceFinding(kind=kind, table=table, count=counts[0], examples=tuple(keys), action=self._action(kind))
            for (kind, table), (counts, keys) in sorted(
                self._found.items(), key=lambda item: (order[item[0][0]], item[0])
            )
        )

    def _action(self, kind: str) -> str:
        action = _DROPPED.get(kind) if self._dropping else None
        return (action or ACTIONS[kind]).format(zone=self._zone)
