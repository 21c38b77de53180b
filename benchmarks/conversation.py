"""Messages to measure with: the same ones in every run, from a seed.

They average 600 bytes with their metadata, and a tenth of them hold text outside of ASCII (accents, Chinese, Greek with
emoji), some of which full text has to cut into characters. Words follow Zipf's law, so that there are words in most
messages, words in a few of them, and phrases between.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

from chatledger.dialects.types import stamp
from chatledger.full_text.normalization import indexed_text

COMMON = "the"
"""In most messages."""
PHRASE = "of the"
"""Two words that follow each other in a good part of them."""
RARE = "cinnabar"
"""In one message of 2,000."""

BEGIN = datetime(2025, 1, 1, 9, tzinfo=UTC)

_FREQUENT = (
    "the of to and a in is it you that for on are with as this be at have from or by not but what all were when we "
    "there can an your which their if will each about how up out then them these so some would make like him into time"
)
_ABROAD = (
    "Où est la bibliothèque déjà fermée ? Peut-être près du café, à côté de l’hôtel.",
    "数据库的连接在今天下午中断了两次，请检查服务器的日志并告诉我原因。",  # noqa: RUF001 - Chinese commas
    "Η θάλασσα είναι ήρεμη σήμερα 🌊 και ο ήλιος λάμπει 🙂",  # noqa: RUF001 - Greek
)
_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu bra cle dri flo gru ster pla sno tra vin"


@dataclass(frozen=True)
class Turn:
    """One message: what a caller hands to the ledger, and what the hand-written SQL stores of it."""

    given: dict[str, Any]
    """The keyword arguments of `append`, or a dict for `append_many`."""
    search_text: str | None
    """What raw is spared to compute, although the ledger computes it: the text for full text, and the time."""
    created_at: datetime
    stamp: str
    """The time as SQLite keeps it."""


class Conversation:
    """An endless conversation. Two of the same seed are equal, turn by turn. `step` lies between two turns."""

    def __init__(self, seed: int = 1, step: timedelta = timedelta(milliseconds=1)) -> None:
        self._step = step
        self._random = random.Random(seed)
        self._words, self._weights = vocabulary()
        self._count = 0

    def turns(self, count: int) -> list[Turn]:
        """The next turns of it."""
        return [self._turn() for _ in range(count)]

    def _turn(self) -> Turn:
        self._count += 1
        chance = self._random
        role = ("user", "assistant", "user", "assistant", "tool")[self._count % 5]
        length = min(300, max(4, round(chance.lognormvariate(4.09, 0.65))))
        words = chance.choices(self._words, cum_weights=self._weights, k=length)
        if chance.random() < 0.3:
            words.insert(chance.randrange(len(words)), PHRASE)
        if self._count % 2000 == 7:
            words.insert(chance.randrange(len(words)), RARE)
        if self._count % 10 == 3:
            words.insert(chance.randrange(len(words)), _ABROAD[self._count // 10 % len(_ABROAD)])
        content = " ".join(words)
        given: dict[str, Any] = {
            "role": role,
            "content": content,
            "metadata": {
                "client": "web",
                "request_id": f"{chance.getrandbits(64):016x}",
                "temperature": 0.7,
                "tags": ["support", words[0]],
            },
        }
        if role == "assistant":
            given |= {
                "model_id": "gpt-large",
                "input_tokens": 3 * length,
                "output_tokens": 2 * length,
                "duration_ms": 900,
            }
        elif role == "tool":
            given |= {
                "name": "search",
                "tool_call_id": f"call_{self._count}",
                "payload": {"rows": [[n, words[n % len(words)]] for n in range(5)], "total": length},
            }
        created_at = BEGIN + self._count * self._step
        return Turn(given, indexed_text(content), created_at, stamp(created_at))


@cache
def vocabulary() -> tuple[list[str], list[float]]:
    """Words, the frequent ones first, and the running sum of their weights."""
    made = random.Random(0)
    words, syllables = _FREQUENT.split(), _SYLLABLES.split()
    known = set(words)
    while len(words) < 8000:
        word = "".join(made.choices(syllables, k=made.choice((2, 2, 3, 3, 4))))
        if word not in known:
            known.add(word)
            words.append(word)
    return words, list(accumulate(1 / (place + 3) for place in range(len(words))))
