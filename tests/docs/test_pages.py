"""What the pages show is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import LANGUAGES, ROOT, blocks, name_of, pages
from tests.docs.running import Reader

ON_POSTGRESQL = {"docs/postgresql.md", "docs/scaling.md"}
"""Pages about PostgreSQL: their ledger is on the server."""
QUERIES = "docs/queries.md"
"""Its queries and calls are run by test_queries_page.py, on both databases."""
ON_BOTH = {
    "README.md",
    "docs/adopting.md",
    "docs/agents.md",
    "docs/import-export.md",
    "docs/integrations.md",
    "docs/lifecycle.md",
    "docs/payloads.md",
    "docs/quickstart.md",
    "docs/search.md",
    "docs/statistics.md",
    "docs/web.md",
}
"""Pages that hold for both databases: followed once on each."""


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_says_whether_it_is_run(page: Path) -> None:
    assert [] == [str(block) for block in blocks(page) if block.language not in LANGUAGES]


# The handbook of the command line has some two hundred commands, each a process.
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "page", [page for page in pages() if name_of(page) not in {*ON_POSTGRESQL, QUERIES}], ids=name_of
)
def test_a_page_does_what_it_shows(page: Path, folder: Path) -> None:
    Reader(folder).follow(blocks(page))


@pytest.mark.parametrize("name", sorted(ON_POSTGRESQL | ON_BOTH))
def test_a_page_does_what_it_shows_on_postgresql(
    name: str, folder: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ON_POSTGRESQL:
        monkeypatch.setenv("CHATLEDGER_URL", postgres_url)
    Reader(folder, postgres_url).follow(blocks(ROOT / name))
