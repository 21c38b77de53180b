"""Messages in batches, and where one stands that a ledger refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Self

from chatledger.errors import InvalidInput
from chatledger.exchange.readers.conversation import Turn
from chatledger.exchange.readers.size_limits import BATCH_CHARACTERS, BATCH_MESSAGES

_PLACED = re.compile(r"messages\[(\d+)\]\.(.*)", re.DOTALL)


class Misplaced(InvalidInput):
    """A message of a batch that cannot be stored, by its place in the conversation and its line."""

    line: int | None

    @classmethod
    def of(cls, error: InvalidInput, batch: list[Turn], before: int, among: str) -> Self | InvalidInput:
        """The error that a batch met which follows on `before` messages of those called `among`."""
        found = _PLACED.fullmatch(error.field)
        if found is None:
            return error
        index = int(found[1])
        placed = cls(f"{among}[{before + index}].{found[2]}", error.reason)
        placed.line = batch[index].line
        return placed


def in_batches(messages: Iterable[Turn]) -> Iterator[list[Turn]]:
    """The messages in lists that are small enough to be held."""
    batch: list[Turn] = []
    characters = 0
    for turn in messages:
        batch.append(turn)
        characters += len(turn.message.content)
        if len(batch) == BATCH_MESSAGES or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def fork_messages(number: int) -> str:
    """What the messages of a fork are called in errors."""
    return f"forks[{number}].messages"
