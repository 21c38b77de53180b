"""Which shorter names a model's name may be priced by: without a provider's prefix, without a date.

Each rule takes one part away. Applied again and again, they give candidates on levels, by how many parts are gone:

    openai/gpt-5                            1: gpt-5
    gpt-5-2026-08-07                        1: gpt-5
    anthropic/claude-opus-4-5@20251101      1: claude-opus-4-5@20251101, anthropic/claude-opus-4-5  2: claude-opus-4-5
    us.anthropic.claude-x-20250929-v1:0     1: anthropic.claude-x-20250929-v1:0, us.anthropic.claude-x-20250929
                                            2: …  3: …  4: claude-x
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

_DATE = re.compile(r"(?:-(20\d\d)-(\d\d)-(\d\d)|[-@](20\d\d)(\d\d)(\d\d))\Z", re.ASCII)
# Bedrock's inference profiles begin with a region, its models with a vendor, and both end with a version.
_REGION = re.compile(r"(?:us|us-gov|eu|apac|ap|jp|au|ca|sa|global)\.(?=[a-z0-9]+\.)")
_VENDOR = re.compile(
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|nvidia|openai|qwen|writer|zai)\."
    r"(?=[a-z])"
)
_VERSION = re.compile(r"-v\d+:\d+\Z", re.ASCII)


def shorter_names(model_id: str) -> list[list[str]]:
    """The names whose prices may apply to a model without prices, by how many parts are taken away."""
    found, level, levels = {model_id}, [model_id], []
    while level := list(dict.fromkeys(shorter for name in level for rule in _RULES if (shorter := rule(name)))):
        level = [name for name in level if name not in found]
        found.update(level)
        if level:
            levels.append(level)
    return levels


def _without_prefix(name: str) -> str:
    return name.partition("/")[2]


def _without_date(name: str) -> str:
    found = _DATE.search(name)
    if found is None:
        return ""
    try:
        date(*(int(part) for part in found.groups() if part is not None))
    except ValueError:
        return ""
    return name[: found.start()]


def _without(pattern: re.Pattern[str], *, at_start: bool) -> Callable[[str], str]:
    def rule(name: str) -> str:
        found = pattern.match(name) if at_start else pattern.search(name)
        return "" if found is None else name[found.end() :] if at_start else name[: found.start()]

    return rule


_RULES = (
    _without(_REGION, at_start=True), _without_prefix, _without(_VENDOR, at_start=True),
    _without(_VERSION, at_start=False), _without_date,
)  # fmt: skip
