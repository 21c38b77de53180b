"""Which message answers which, in files that keep more than one answer: paths and branches, without recursion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from chatledger.errors import InvalidInput

Value = TypeVar("Value")


class Branch(NamedTuple):
    """A way through a tree that leaves the main path."""

    leaf: int
    """The node at its end."""
    at: int
    """How many messages it has in common with the main path, from the beginning."""


class Tree:
    """Nodes by their place in the file; each has at most one parent, and some of them hold a message.

    A node without a message passes its parent on to its children. Siblings stand in the order of `rank`, which is any
    sortable thing for each node. A cycle, in which nodes would be their own ancestors, is refused.

    Raises:
        InvalidInput: there is a cycle.
    """

    def __init__(
        self, parents: Sequence[int | None], holds_message: Sequence[bool], rank: Sequence[Any], field: str
    ) -> None:
        self._parents, self._holds = parents, holds_message
        self._children: list[list[int]] = [[] for _ in parents]
        self._roots: list[int] = []
        for node in sorted(range(len(parents)), key=rank.__getitem__):
            parent = parents[node]
            (self._roots if parent is None else self._children[parent]).append(node)
        self._ordered = self._walk()
        if len(self._ordered) < len(parents):
            raise InvalidInput(field, "holds messages that answer themselves, directly or in a cycle")
        self._depth = self.sums(holds_message)
        self._speaks_below = [False] * len(parents)
        for node in reversed(self._ordered):
            parent = parents[node]
            if parent is not None and (holds_message[node] or self._speaks_below[node]):
                self._speaks_below[parent] = True

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self._parents)

    def depth(self, node: int) -> int:
        """How many messages the path to a node has, its own included."""
        return self._depth[node]

    def sums(self, weights: Sequence[int]) -> list[int]:
        """For each node the sum over the path to it, its own weight included."""
        found = list(weights)
        for node in self._ordered:
            parent = self._parents[node]
            found[node] += 0 if parent is None else found[parent]
        return found

    def inherited(self, own: Sequence[Value | None], first: Value | None) -> list[Value | None]:
        """For each node its own value, else that of the node before it, else `first`."""
        found: list[Value | None] = list(own)
        for node in self._ordered:
            if found[node] is None:
                parent = self._parents[node]
                found[node] = first if parent is None else found[parent]
        return found

    def messages(self) -> list[int]:
        """The nodes with a message."""
        return [node for node, holds in enumerate(self._holds) if holds]

    def end(self, *, last: bool, below: int | None = None) -> int | None:
        """Where one comes by following each time the first child, or the last, that leads to a message.

        From the beginning, or from the message `below`.
        """
        found, nodes = below, self._roots if below is None else self._children[below]
        while speaking := [node for node in nodes if self._holds[node] or self._speaks_below[node]]:
            found = speaking[-1 if last else 0]
            nodes = self._children[found]
        return found

    def path(self, leaf: int, above: int = 0) -> list[int]:
        """The nodes with messages on the way to a node, without the first `above`."""
        found: list[int] = []
        node: int | None = leaf
        while node is not None and self._depth[node] > above:
            if self._holds[node]:
                found.append(node)
            node = self._parents[node]
        found.reverse()
        return found

    def branches(self, end: int) -> list[Branch]:
        """All other ways to a message without an answer, beside the path to `end`."""
        main = set(self.path(end))
        common = [0] * len(self._parents)
        found: list[Branch] = []
        for node in self._ordered:
            parent = self._parents[node]
            common[node] = self._depth[node] if node in main else 0 if parent is None else common[parent]
            if self._holds[node] and not self._speaks_below[node] and node not in main:
                found.append(Branch(node, common[node]))
        return found

    def first_branches(self, branches: Sequence[Branch]) -> list[int | None]:
        """For each node the first of the branches that it is on, by its place in the list."""
        found: list[int | None] = [None] * len(self._parents)
        for place, (leaf, at) in enumerate(branches):
            node: int | None = leaf
            # What lies before a node that an earlier branch has, it has as well.
            while node is not None and self._depth[node] > at and found[node] is None:
                found[node] = place
                node = self._parents[node]
        return found

    def _walk(self) -> list[int]:
        """The nodes that can be reached, each behind its parent, one branch after the other."""
        ordered: list[int] = []
        ahead = self._roots[::-1]
        while ahead:
            node = ahead.pop()
            ordered.append(node)
            ahead += reversed(self._children[node])
        return ordered
