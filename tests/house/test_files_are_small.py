"""A reader finds a thing by its name in the tree, and can read the file that holds it."""

from __future__ import annotations

from tests.house.source import module_name, source_files

_LINES = 300
_NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}


def test_no_file_is_long() -> None:
    assert {} == {
        module_name(path): count
        for path in source_files()
        if (count := len(path.read_text("utf-8").splitlines())) > _LINES
    }


def test_every_file_is_named_for_what_it_holds() -> None:
    assert [] == [
        module_name(path)
        for path in source_files()
        if _NAMES_THAT_SAY_NOTHING.intersection(module_name(path).split("."))
    ]
