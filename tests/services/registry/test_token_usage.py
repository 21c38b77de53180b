"""What providers report as usage becomes the columns of a message; what is not understood makes the cost unknown."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.exchange import read_usage

ANTHROPIC: dict[str, Any] = {
    "input_tokens": 2, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 15_000, "output_tokens": 80,
}  # fmt: skip
ANTHROPIC_COUNTS: dict[str, Any] = {
    "input_tokens": 15_102, "cached_tokens": 15_000, "cache_write_tokens": 100, "output_tokens": 80,
}  # fmt: skip

UNDERSTOOD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "OpenAI chat": (
        {
            "prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 16, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 4, "audio_tokens": 0, "accepted_prediction_tokens": 1, "rejected_prediction_tokens": 0,
            },
        },
        {"input_tokens": 20, "cached_tokens": 16, "output_tokens": 9, "reasoning_tokens": 4, "tokens_used": 29},
    ),
    "OpenAI responses": (
        {
            "input_tokens": 20, "input_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 3}, "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 29,
        },
        {
            "input_tokens": 20, "cached_tokens": 16, "cache_write_tokens": 3, "output_tokens": 9, "reasoning_tokens": 4,
            "tokens_used": 29,
        },
    ),
    "DeepSeek": (
        {
            "prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21, "prompt_cache_hit_tokens": 5,
            "prompt_cache_miss_tokens": 15, "prompt_tokens_details": {"cached_tokens": 5},
        },
        {"input_tokens": 20, "cached_tokens": 5, "output_tokens": 1, "tokens_used": 21},
    ),
    "xAI": (
        {
            "prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 30, "num_sources_used": 0,
            "completion_tokens_details": {"reasoning_tokens": 9},
        },
        {"input_tokens": 20, "output_tokens": 10, "reasoning_tokens": 9, "tokens_used": 30},
    ),
    "Anthropic": (ANTHROPIC, ANTHROPIC_COUNTS),
    "Anthropic, all of it": (
        {
            **ANTHROPIC, "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 2}, "service_tier": "standard",
            "inference_geo": "not_available", "speed": "standard",
            "iterations": [{"type": "message", "input_tokens": 2, "output_tokens": 80}],
        },
        {**ANTHROPIC_COUNTS, "cache_write_1h_tokens": 40},
    ),
    "Anthropic's batch": ({**ANTHROPIC, "service_tier": "batch"}, {**ANTHROPIC_COUNTS, "service_tier": "batch"}),
    "Gemini": (
        {
            "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 7, "thoughtsTokenCount": 30,
            "toolUsePromptTokenCount": 5, "totalTokenCount": 142, "trafficType": "ON_DEMAND",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90}, {"modality": "IMAGE", "tokenCount": 10}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
        },
        {"input_tokens": 105, "cached_tokens": 60, "output_tokens": 37, "reasoning_tokens": 30, "tokens_used": 142},
    ),
    "Gemini's SDK": (
        {"prompt_token_count": 100, "candidates_token_count": 7, "total_token_count": 107, "thoughts_token_count": None},
        {"input_tokens": 100, "output_tokens": 7, "tokens_used": 107},
    ),
    "Bedrock": (
        {
            "inputTokens": 2, "outputTokens": 80, "totalTokens": 15_182, "cacheReadInputTokens": 15_000,
            "cacheWriteInputTokens": 100, "cacheDetails": [{"ttl": "1h", "inputTokens": 100}],
        },
        {**ANTHROPIC_COUNTS, "cache_write_1h_tokens": 100, "tokens_used": 15_182},
    ),
    "LangChain": (
        {
            "input_tokens": 15_102, "output_tokens": 80, "total_tokens": 15_182,
            "input_token_details": {"cache_read": 15_000, "cache_creation": 0, "ephemeral_5m_input_tokens": 100},
            "output_token_details": {"reasoning": 8},
        },
        {**ANTHROPIC_COUNTS, "reasoning_tokens": 8, "tokens_used": 15_182},
    ),
    "nothing": ({}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), UNDERSTOOD.values(), ids=list(UNDERSTOOD))
def test_every_shape_gives_the_same_columns(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read_usage(usage)
    assert expected == {name: count for name, count in found.items() if count or name in expected}
    assert "unpriced_units" not in found
    assert found == read_usage(SimpleNamespace(model_dump=lambda: usage))


NOT_UNDERSTOOD: dict[str, tuple[dict[str, Any], int]] = {
    "audio in": ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 4}}, 4),
    "audio out": ({"prompt_tokens": 9, "completion_tokens": 5, "completion_tokens_details": {"audio_tokens": 3}}, 3),
    "web searches": ({**ANTHROPIC, "server_tool_use": {"web_search_requests": 2}}, 2),
    "another region": ({**ANTHROPIC, "inference_geo": "us"}, 1),
    "a cache of another time": ({**ANTHROPIC, "cache_creation": {"ephemeral_24h_input_tokens": 100}}, 100),
    "cache writes that do not add up": ({**ANTHROPIC, "cache_creation": {"ephemeral_1h_input_tokens": 7}}, 1),
    "a compaction": ({**ANTHROPIC, "iterations": [{"input_tokens": 900, "output_tokens": 80}]}, 1),
    "a total of more": ({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 15}, 5),
    "two names, two numbers": ({"prompt_tokens": 9, "completion_tokens": 1, "input_tokens": 4}, 1),
    "sources": ({"prompt_tokens": 9, "completion_tokens": 1, "num_sources_used": 3}, 3),
    "speech": (
        {"promptTokenCount": 9, "totalTokenCount": 9, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}]}, 5,
    ),
    "pictures": (
        {
            "promptTokenCount": 9, "candidatesTokenCount": 1290, "totalTokenCount": 1299,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
        }, 1290,
    ),
    "a negative number": ({"input_tokens": -1, "output_tokens": 3}, 1),
    "a text": ({"input_tokens": "12", "output_tokens": 3}, 1),
    "details that are a number": ({"input_tokens": 12, "output_tokens": 3, "input_tokens_details": 4}, 1),
    "another total of Bedrock": ({"inputTokens": 12, "outputTokens": 3, "totalTokens": 40}, 1),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "units"), NOT_UNDERSTOOD.values(), ids=list(NOT_UNDERSTOOD))
def test_what_is_not_understood_has_no_price(usage: dict[str, Any], units: int) -> None:
    assert units == read_usage(usage)["unpriced_units"]


@pytest.mark.parametrize("usage", ["12", [1], 7, object()], ids=["text", "list", "number", "object"])
def test_what_is_no_usage_has_no_price(usage: Any) -> None:
    assert {"unpriced_units": 1} == read_usage(usage)
    assert {} == read_usage(None)


def test_the_tier_of_a_response_is_that_of_its_usage() -> None:
    assert {"input_tokens": 1, "service_tier": "flex"} == read_usage({"input_tokens": 1}, service_tier="flex")
    assert {"input_tokens": 1} == read_usage({"input_tokens": 1}, service_tier="default")


@pytest.mark.parametrize("many", [False, True], ids=["append", "append_many"])
def test_cache_writes_and_reads_are_priced(any_ledger: Ledger, many: bool) -> None:
    """The usage of the issue, at the prices of Claude Opus 4.5: 0.00201 was stored before."""
    with any_ledger.begin() as uow:
        uow.models.price("claude", input=5, output=25, cached_input="0.5", cache_write="6.25", cache_write_1h=10)
        uow.sessions.create("s", model_id="claude")

        def cost(usage: dict[str, Any]) -> Decimal | None:
            fields: dict[str, Any] = {"role": "assistant", **read_usage(usage)}
            add: Callable[[], Any] = lambda: uow.messages.append("s", **fields)  # noqa: E731 - one of two
            message = uow.messages.append_many("s", [fields])[0] if many else add()
            assert message == uow.messages.get("s", message.sequence_number)
            return Decimal(message.cost) if message.cost is not None else None

        assert Decimal("0.010135") == cost(ANTHROPIC)
        an_hour = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}
        # 40 tokens at 10 instead of 6.25
        assert Decimal("0.010285") == cost({**ANTHROPIC, "cache_creation": an_hour})
        assert cost({**ANTHROPIC, "server_tool_use": {"web_search_requests": 1}}) is None
        # A price that knows nothing of cache writes says nothing of their cost.
        uow.models.price("claude", cache_write=None)
        assert cost(ANTHROPIC) is None
        assert Decimal("0.000010") == cost({"input_tokens": 2, "output_tokens": 0})


def test_a_sum_that_no_column_can_hold_is_left_out() -> None:
    most = 10**12
    counts = read_usage({"prompt_token_count": most, "candidates_token_count": most, "thoughts_token_count": 1})
    assert (most, 1) == (counts["input_tokens"], counts["reasoning_tokens"])
    assert "output_tokens" not in counts
    assert counts["unpriced_units"]
