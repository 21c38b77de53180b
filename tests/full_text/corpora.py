"""Texts of many languages from the data sets beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any


@cache
def texts(data: Path) -> tuple[str, ...]:
    """Texts in English, Chinese, Japanese, Urdu, Russian, Ukrainian, Thai, Vietnamese and Hungarian."""
    return tuple(dict.fromkeys(text for text in _texts(data) if text.strip()))


def _texts(data: Path) -> Iterator[str]:
    for folder in ("mt_bench", "mt_bench_jp", "mt_bench_urdu"):
        for line in (data / folder / "question.jsonl").read_text("utf-8").splitlines():
            yield from json.loads(line)["turns"]
    for line in (data / "oasst_multilingual/oa_questions.dev.jsonl").read_text("utf-8").splitlines():
        yield from _strings(json.loads(line))
    for conversation in json.loads((data / "llama_factory/glaive_toolcall_zh_demo.json").read_text("utf-8"))[:100]:
        yield from (turn["value"] for turn in conversation["conversations"])
    for line in (data / "oasst/en_100_tree.first40.jsonl").read_text("utf-8").splitlines()[:10]:
        yield from (text for text in _strings(json.loads(line)) if " " in text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
