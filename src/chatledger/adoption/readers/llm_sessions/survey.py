"""Layout C as a whole: counters against rows, numbers, names and ids."""

from __future__ import annotations

import re

from chatledger.adoption.source.database import sum_of
from chatledger.adoption.source.json_values import kept
from chatledger.adoption.source.ordering import oddities
from chatledger.adoption.source.reader import Reader

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
# Dollars that binary fractions lose while a thousand of them are added.
_NOISE = 1e-9


def survey(reader: Reader) -> None:
    _ids(reader)
    _totals(reader)
    _numbers(reader)
    _models(reader)
    _batches(reader)


def _ids(reader: Reader) -> None:
    for (uuid,) in reader.source.query("SELECT session_uuid FROM sessions ORDER BY id"):
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
            reader.notes.add("session_uuid_of_another_shape", "sessions", kept(uuid))
    empty = "NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.session_id = t.id)"
    reader.note_rows("sessions_without_messages", "sessions", empty, "session_uuid")


def _totals(reader: Reader) -> None:
    sql = (
        "SELECT s.session_uuid, s.total_messages, s.total_input_tokens, s.total_output_tokens, s.total_cost,"
        " coalesce(m.n, 0), m.given, m.written, m.cost,"
        " coalesce(m.high - m.low + 1 - m.n, 0) + CASE WHEN m.low > 1 THEN m.low - 1 ELSE 0 END"
        " FROM sessions AS s LEFT JOIN (SELECT session_id, count(*) AS n,"
        " exact_sum(input_tokens) AS given, exact_sum(output_tokens) AS written, exact_sum(cost) AS cost,"
        " min(sequence_number) AS low, max(sequence_number) AS high"
        " FROM messages GROUP BY session_id) AS m ON m.session_id = s.id ORDER BY s.id"
    )
    for uuid, messages, given, written, cost, *sums, holes in reader.source.query(sql):
        found = [*map(sum_of, sums)]
        said = (messages, given, written, cost)
        # A fraction of a token in a row is its own finding.
        noise = (0, 1, 1, _NOISE * (1 + found[3]))
        if all(_near(one, other, least) for one, other, least in zip(said, found, noise, strict=True)):
            continue
        explained = isinstance(messages, int) and holes > 0 and messages == found[0] + holes
        explained = explained and all(
            isinstance(one, int | float) and one >= other - least
            for one, other, least in zip(said, found, noise, strict=True)
        )
        # A message deleted by hand leaves a hole, and the totals still count it.
        reader.notes.add("totals_of_deleted" if explained else "totals_off", "sessions", kept(uuid))


def _near(said: object, found: float, noise: float) -> bool:
    return isinstance(said, int | float) and (said == found or abs(said - found) < noise)


def _numbers(reader: Reader) -> None:
    """By session: the holes themselves are in the metadata of the messages behind them."""
    seen: set[tuple[str, object]] = set()
    for found in oddities(reader.source, "messages", "session_id", "id", of="SELECT id FROM sessions"):
        if (found.kind, found.session) in seen:
            continue
        seen = {other for other in seen if other[1] == found.session} | {(found.kind, found.session)}
        uuid = reader.source.one("SELECT session_uuid FROM sessions WHERE id = ?", (found.session,))[0]
        reader.notes.add(found.kind, "messages", kept(uuid))


def _models(reader: Reader) -> None:
    if "models" in reader.source.tables:
        equal = (
            "EXISTS (SELECT 1 FROM models AS m WHERE m.id < t.id AND m.provider = t.provider"
            " AND m.model_name = t.model_name AND m.model_version IS t.model_version)"
        )
        reader.note_rows("duplicate_models", "models", equal, "id")


def _batches(reader: Reader) -> None:
    if {"batch_jobs", "batch_items"} <= reader.source.tables.keys():
        off = (
            "t.total_items IS NOT (SELECT count(*) FROM batch_items AS i WHERE i.batch_job_id = t.id)"
            " OR t.completed_items IS NOT"
            " (SELECT count(*) FROM batch_items AS i WHERE i.batch_job_id = t.id AND i.status = 'completed')"
            " OR t.failed_items IS NOT"
            " (SELECT count(*) FROM batch_items AS i WHERE i.batch_job_id = t.id AND i.status = 'failed')"
        )
        reader.note_rows("batch_counts_off", "batch_jobs", off, "id")
