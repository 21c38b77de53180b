"""Server-sent events, as a browser reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

Event = tuple[str, Any]


def events_of(text: str) -> list[Event]:
    """The events of a whole response."""
    return list(read_events(text.splitlines()))


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a response, one by one. Comments are left out."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
