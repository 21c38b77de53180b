"""Definitions in files: JSON, or YAML with the extra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chatledger.errors import InvalidInput, MissingExtra
from chatledger.schemas.workflow import WorkflowDefinition, definition_of

# The most bytes of a definition. A larger file is a mistake.
_MAX_SIZE = 5_000_000


def read_definition(path: str | Path) -> WorkflowDefinition:
    """Return the definition in a file: YAML if its name ends in `.yaml` or `.yml`, else JSON.

    Raises:
        InvalidInput: it is not a valid definition; the error names what is wrong.
        MissingExtra: it is YAML, and the extra `yaml` is not installed.
        OSError: the file cannot be read.
    """
    file = Path(path)
    if file.stat().st_size > _MAX_SIZE:
        raise InvalidInput("file", "is too large for a definition")
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InvalidInput("file", "is not UTF-8")
    found = _yaml(text) if file.suffix in (".yaml", ".yml") else _json(text)
    if not isinstance(found, dict):
        raise InvalidInput("file", "holds no definition: an object with `name` and `steps`")
    return definition_of(found)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
    raise InvalidInput("file", f"is not JSON (line {line})")


def _yaml(text: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("yaml", "a definition in YAML") from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
    raise InvalidInput("file", f"is not YAML{f' (line {mark.line + 1})' if mark else ''}")
