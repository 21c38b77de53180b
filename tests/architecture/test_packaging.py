"""What the installed package says of itself."""

from __future__ import annotations

import re
from importlib import metadata

import chatledger
from tests.architecture.source import ROOT


def test_every_console_script_resolves() -> None:
    scripts = metadata.distribution("chatledger").entry_points.select(group="console_scripts")
    assert {"chatledger", "chat-init", "chat-history", "chat-cleanup"} <= set(scripts.names)
    assert [] == [script.name for script in scripts if not callable(script.load())]


def test_the_package_knows_its_version() -> None:
    assert metadata.version("chatledger") == chatledger.__version__


def test_the_changelog_has_the_version() -> None:
    headings = re.findall(
        r"(?m)^## \[(.+?)\] - (?:\d{4}-\d\d-\d\d|unreleased)$", (ROOT / "CHANGELOG.md").read_text("utf-8")
    )
    assert chatledger.__version__ in headings
