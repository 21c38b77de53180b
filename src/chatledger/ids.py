"""UUIDv7 identifiers: sorted by the time they were made, so that index pages fill from the right."""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A UUIDv7 as text. Ids made in one process rise strictly, whatever the clock does."""
    global _last
    # 60 bits: milliseconds above, a twelve-bit fraction of the millisecond below (RFC 9562, method 3).
    ticks = (time.time_ns() * 4096) // 1_000_000
    with _lock:
        _last = ticks = max(ticks, _last + 1)
    value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62
    value |= int.from_bytes(os.urandom(8)) >> 2
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
