"""Layout C: its projects, and its models with what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from chatledger.adoption.source.database import Row
from chatledger.adoption.source.json_values import is_clean
from chatledger.adoption.source.reader import Reader
from chatledger.adoption.source.rows import OldName
from chatledger.schemas.fields import MAX_IDENTIFIER

NAMES = ("projects", "models")
"""The tables whose rows go into the registry."""
_NOT_AN_OBJECT = "metadata_not_a_json_object"
# Columns of prices, by the kind that they are here.
_PRICES = {"input": "cost_per_1k_input_tokens", "output": "cost_per_1k_output_tokens"}


def registry(reader: Reader) -> Iterator[OldName]:
    """Projects and models whose names can be stored, in the order of their rows. Others are rows without a session."""
    source = reader.source
    if source.has("projects", "id", "name"):
        for row in source.rows("projects"):
            if is_name(name := project_name(row["name"])):
                yield _project(reader, row, name)
    if source.has("models", "id", "provider", "model_name", "model_version"):
        for row in source.rows("models"):
            if is_name(name := model_name(row["provider"], row["model_name"], row["model_version"])):
                yield _model(reader, row, name)


def project_name(name: Any) -> str | None:
    return str(name) if name else None


def model_name(provider: Any, name: Any, version: Any) -> str:
    """As the layout's own views name a model, with its version behind."""
    return f"{provider}/{name}@{version}" if version else f"{provider}/{name}"


def is_name(name: Any) -> TypeGuard[str]:
    """Whether there is a name, and one that can be stored."""
    return isinstance(name, str) and 0 < len(name) <= MAX_IDENTIFIER and is_clean(name)


def _project(reader: Reader, row: Row, name: str) -> OldName:
    reading = reader.read(row, row.key)
    fields = {"name": reading.text("name"), "description": reading.text("description")}
    metadata = reading.names("metadata", _NOT_AN_OBJECT)
    created_at = reading.moment("created_at", "sql", needed=True)
    return OldName("project", name, fields, metadata, reading.as_found(), created_at, row=row)


def _model(reader: Reader, row: Row, name: str) -> OldName:
    reading = reader.read(row, row.key)
    fields = {
        "provider": reading.identifier("provider"),
        "name": reading.text("model_name"),
        "context_window": reading.whole("context_window"),
    }
    metadata = reading.names("metadata", _NOT_AN_OBJECT)
    created_at = reading.moment("created_at", "sql", needed=True)
    prices = {kind: reading.per_million(column) for kind, column in _PRICES.items()}
    return OldName(
        "model",
        name,
        fields,
        metadata,
        reading.as_found(),
        created_at,
        archived=row["is_active"] == 0,
        price={kind: price for kind, price in prices.items() if price is not None},
        row=row,
    )
