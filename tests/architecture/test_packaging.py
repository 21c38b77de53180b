"""What the installed package says of itself."""

from __future__ import annotations

from importlib import metadata

import chatledger


def test_every_console_script_resolves() -> None:
    scripts = metadata.distribution("chatledger").entry_points.select(group="console_scripts")
    assert {"chatledger", "chat-init", "chat-history", "chat-cleanup"} <= set(scripts.names)
    assert [] == [script.name for script in scripts if not callable(script.load())]


def test_the_package_knows_its_version() -> None:
    assert metadata.version("chatledger") == chatledger.__version__
