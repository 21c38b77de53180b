"""References in a workflow: `${step.output.a[0]}`. They are looked up and never evaluated.

A text that is one reference becomes the value itself, with its type; within a longer text a value is written as text
(other than text: as JSON). `$${` stands for `${`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from chatledger.dialects.encoding import encode_json
from chatledger.errors import InvalidInput

ROOTS = ("input", "item", "index")
"""What a reference may begin with beside the name of a step."""

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_PATH = re.compile(rf"{_NAME}(?:\.{_NAME}|\[\d{{1,9}}\])*")
_PART = re.compile(rf"\.?({_NAME})|\[(\d+)\]")
_FOUND = re.compile(r"\$\$\{|\$\{([^{}]*)\}")


class Reference(NamedTuple):
    """A root (`input`, `item`, `index` or a step) and the way from there."""

    root: str
    path: tuple[str | int, ...]

    def __str__(self) -> str:
        rest = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return f"${{{self.root}{rest}}}"


def references(value: Any, field: str) -> Iterator[Reference]:
    """Every reference in a JSON value.

    Raises:
        InvalidInput: something between `${` and `}` is not a reference.
    """
    if isinstance(value, str):
        for match in _FOUND.finditer(value):
            if match[1] is not None:
                yield parsed(match[1], field)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from references(part, field)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from references(part, field)


def is_one(text: str) -> bool:
    """Whether a text is one reference, and so stands for a value of any type."""
    found = _FOUND.fullmatch(text)
    return found is not None and found[1] is not None


def parsed(text: str, field: str) -> Reference:
    """The reference between the braces.

    Raises:
        InvalidInput: not a reference.
    """
    if not _PATH.fullmatch(text.strip()):
        raise InvalidInput(field, "holds a ${…} that is not a reference such as ${step.output.name[0]}")
    root, *path = (name or int(place) for name, place in _PART.findall(text.strip()))
    return Reference(str(root), tuple(path))


def resolved(value: Any, scope: Mapping[str, Any], field: str) -> Any:
    """A JSON value with its references looked up.

    Raises:
        InvalidInput: a reference does not resolve to a value; names the reference.
    """
    if isinstance(value, str):
        whole = _FOUND.fullmatch(value)
        if whole is not None and whole[1] is not None:
            return looked_up(parsed(whole[1], field), scope, field)
        return _FOUND.sub(lambda match: _as_text(match, scope, field), value)
    if isinstance(value, Mapping):
        return {name: resolved(part, scope, field) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(part, scope, field) for part in value]
    return value


def looked_up(reference: Reference, scope: Mapping[str, Any], field: str) -> Any:
    """What a reference stands for.

    Raises:
        InvalidInput: it does not resolve to a value.
    """
    found: Any = scope
    for part in (reference.root, *reference.path):
        fits = isinstance(found, Mapping) if isinstance(part, str) else isinstance(found, list)
        try:
            if not fits:
                raise KeyError
            found = found[part]
        except (KeyError, IndexError):
            raise InvalidInput(field, f"{reference} does not resolve to a value") from None
    return found


def _as_text(match: re.Match[str], scope: Mapping[str, Any], field: str) -> str:
    if match[1] is None:
        return "${"
    value = looked_up(parsed(match[1], field), scope, field)
    return value if isinstance(value, str) else encode_json(value, field)
