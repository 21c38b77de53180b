"""Messages of a file that become several: a call and its result stand in one there, and are two of ours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


class Pieces:
    """The nodes of a tree whose messages have several pieces, one behind the other."""

    def __init__(self, counts: Sequence[int], answered: Sequence[int | None]) -> None:
        """`counts` are the pieces of each message of the file, at least one; `answered` is the place of the message
        that it answers.
        """
        self.of = [(place, number) for place, count in enumerate(counts) for number in range(count)]
        """For each node the place of its message in the file, and which of its pieces it is."""
        self.last = [end - 1 for end in accumulate(counts)]
        """For each message of the file the node of its last piece."""
        self.parents: list[int | None] = []
        for node, (place, number) in enumerate(self.of):
            parent = answered[place]
            self.parents.append(node - 1 if number else None if parent is None else self.last[parent])
