"""The digest of a message: 16 bytes that show whether one of its stored bytes has changed.

BLAKE2b over the JSON of what the caller gave and the time it was given. Fields that are absent leave no trace, so that
new columns do not change old digests. Left out are the session and the number, which the keys of the table guard and
which differ in a fork, and the cost, which the ledger may fill in later and the session's total guards.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from pydantic_core import to_json

from chatledger.dialects.types import stamp

FIELDS = (
    "role", "content", "payload", "metadata", "name", "tool_call_id", "model_id", "input_tokens", "output_tokens",
    "cached_tokens", "tokens_used", "duration_ms", "key", "reasoning_tokens", "outcome", "hidden",
    "cache_write_tokens", "cache_write_1h_tokens", "unpriced_units", "service_tier",
)  # fmt: skip
"""What the digest covers, besides the time."""

_covered = itemgetter(*FIELDS)


def message_digest(row: Mapping[str, Any], created_at: datetime) -> bytes:
    """The digest of a row in stored form: JSON columns as their text."""
    given = {field: value for field, value in zip(FIELDS, _covered(row), strict=True) if value is not None}
    given["created_at"] = stamp(created_at)
    return blake2b(to_json(given), digest_size=16).digest()
