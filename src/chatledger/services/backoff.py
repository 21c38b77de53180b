"""Exponential backoff: how long to wait before the next attempt at a batch item or a workflow step."""

from __future__ import annotations

import random

# Doubling more often changes nothing, because the limit is reached or the first delay is 0.
_MAX_DOUBLINGS = 40


def backoff_delay(first: float, failures: int, limit: float, *, jitter: float) -> float:
    """Return the delay, in the unit of `first`, that doubles with each failure before this one, up to `limit`.

    `jitter` is the share of the delay that is random, from 0 to 1: work that failed together is not repeated together.
    """
    delay = min(limit, first * 2.0 ** min(failures, _MAX_DOUBLINGS))
    return delay * (1 - jitter * random.random())
