"""How large a part of a file may be."""

from __future__ import annotations

MAX_RECORD = 1 << 28
"""Bytes of one record: a line, or an element of the outermost array. It is held in memory while it is imported."""
TOO_LONG = f"is longer than {MAX_RECORD >> 20} MiB: split it, or use a format with a line for each message"

BATCH_MESSAGES = 1000
"""Messages, and characters of their text, that are held in memory and stored at a time."""
BATCH_CHARACTERS = 1 << 23

MAX_TRANSCRIPT = 1 << 28
"""Bytes of an agent's transcript, whose lines are held in memory together."""

MAX_BRANCHED = 1_000_000
"""Messages of all forks of one conversation together, those that they have in common with it included: each fork is
stored whole, so that a small file with branches at every step could fill a disk.
"""
MAX_BRANCHED_BYTES = 1 << 30
