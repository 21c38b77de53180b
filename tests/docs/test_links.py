"""Links between the pages lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import name_of, pages

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_every_link_leads_somewhere() -> None:
    assert [] == [f"{name_of(page)}: {link}" for page in pages() for link in _links(page) if not _leads(page, link)]


def _links(page: Path) -> Iterator[str]:
    fenced = re.compile(r"```.*?```", re.DOTALL)
    yield from (link for link in _LINK.findall(fenced.sub("", page.read_text("utf-8"))) if "://" not in link)


def _leads(page: Path, link: str) -> bool:
    path, _, place = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not place or place in {_anchor(heading) for heading in _HEADING.findall(target.read_text("utf-8"))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
