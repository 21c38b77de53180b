"""A page of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from chatledger.schemas.fields import Record

Item = TypeVar("Item")


class Page(Record, Generic[Item]):
    """Some items of a list, and the cursor that leads to the next ones.

    Iterating, indexing and `len` go over the items. `next_cursor` is None on the last page; it is opaque, belongs to
    the call (and the filters) that gave it, and stays valid while rows are added.
    """

    items: tuple[Item, ...]
    next_cursor: str | None = None
    truncated: bool = False
    """Search only: more messages matched than were ranked; these are the best among the newest."""

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]  # a page is its items; fields are read by name
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Item:
        return self.items[place]
