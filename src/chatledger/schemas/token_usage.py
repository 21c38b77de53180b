"""What providers report as `usage`, as the columns of a message.

Providers count differently: cached tokens are part of OpenAI's and Gemini's input, and beside Anthropic's and
Bedrock's; thoughts are beside Gemini's output. Here they are always a part. Whatever a usage contains that is not
understood becomes `unpriced_units`, so that no cost is calculated from the rest of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatledger.schemas.fields import MAX_COUNT, MAX_IDENTIFIER, STANDARD_TIERS

# Facts beside the counts that no price depends on: times, and costs in a provider's own account.
_IRRELEVANT = frozenset({
    "cost", "cost_details", "is_byok", "queue_time", "prompt_time", "completion_time", "total_time", "traffic_type",
    "trafficType",
})  # fmt: skip
# Words under other names that stand for what is usual.
_USUAL = frozenset({"", "standard", "default", "global", "not_available", "ON_DEMAND"})
# Of Gemini's input; others are audio.
_AS_TEXT = frozenset({"TEXT", "IMAGE", "VIDEO", "DOCUMENT"})


def token_counts(usage: Any, service_tier: Any = None) -> dict[str, Any]:
    """The counts of a usage, by the names of a message's columns. What is None or empty has none."""
    dump = getattr(usage, "model_dump", None)
    given = dump() if callable(dump) else usage
    if not isinstance(given, Mapping):
        return {} if given is None else {"unpriced_units": 1}
    found = _Reader(given)
    found.read(service_tier)
    return {name: value for name, value in found.columns.items() if value is not None}


class _Reader:
    """Takes what it understands out of a usage, and counts the rest."""

    def __init__(self, usage: Mapping[str, Any]) -> None:
        self.rest = {name: value for name, value in usage.items() if name not in _IRRELEVANT}
        self.columns: dict[str, Any] = {}
        self.unpriced = 0

    def read(self, service_tier: Any) -> None:
        self._tier(self.rest.pop("service_tier", None) or self.rest.pop("serviceTier", None) or service_tier)
        names = self.rest.keys()
        if names & {"promptTokenCount", "prompt_token_count", "totalTokenCount", "total_token_count"}:
            self._gemini()
        elif names & {"inputTokens", "outputTokens"}:
            self._bedrock()
        elif "prompt_tokens" in names or "completion_tokens" in names:
            self._openai_chat()
        else:
            self._input_and_output()
        self._reject_the_rest(self.rest)
        for name, value in list(self.columns.items()):
            if isinstance(value, int) and value > MAX_COUNT:  # a sum: each of its parts is within bounds
                del self.columns[name]
                self.unpriced += 1
        if self.unpriced:
            self.columns["unpriced_units"] = min(self.unpriced, MAX_COUNT)

    def _tier(self, name: Any) -> None:
        name = getattr(name, "value", name)
        if isinstance(name, str) and len(name) <= MAX_IDENTIFIER:
            if name.lower() not in STANDARD_TIERS:
                self.columns["service_tier"] = name.lower()
        elif name:
            self.unpriced += 1

    def _openai_chat(self) -> None:
        given, written, total = (self._take(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
        self._input(given, {**self._details("input_tokens_details"), **self._details("prompt_tokens_details")})
        of_output = {**self._details("output_tokens_details"), **self._details("completion_tokens_details")}
        reasoning = self._within(of_output, "reasoning_tokens")
        for name in ("accepted_prediction_tokens", "rejected_prediction_tokens", "text_tokens"):
            self._within(of_output, name)  # billed as any output
        self._reject_the_rest(of_output)
        self._same("input_tokens", "input_tokens")
        # DeepSeek's and LiteLLM's names, of which the details say the same.
        self._same("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
        self._same("cache_write_tokens", "cache_creation_input_tokens")
        self._take("prompt_cache_miss_tokens")
        self.columns["output_tokens"] = written
        self._same("output_tokens", "output_tokens")
        if None not in (given, written, total, reasoning) and total == given + written + reasoning:
            written += reasoning  # xAI counts reasoning beside the output
        self.columns |= {"output_tokens": written, "reasoning_tokens": reasoning, "tokens_used": total}
        self._require_total(total)

    def _input_and_output(self) -> None:
        """Anthropic's messages, OpenAI's responses, and LangChain's `usage_metadata`, whose names are partly the same."""
        names = self.rest.keys()
        given, written, total = (self._take(name) for name in ("input_tokens", "output_tokens", "total_tokens"))
        if names & {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"}:
            self._anthropic(given, written)
        else:
            details = {**self._details("input_tokens_details"), **self._details("input_token_details")}
            self._input(given, details)
        of_output = {**self._details("output_tokens_details"), **self._details("output_token_details")}
        reasoning = self._within(of_output, "reasoning_tokens", "reasoning", "thinking_tokens")
        self._within(of_output, "text_tokens")
        self._reject_the_rest(of_output)
        self.columns |= {"output_tokens": written, "reasoning_tokens": reasoning, "tokens_used": total}
        self._require_total(total)

    def _anthropic(self, given: Any, written: Any) -> None:
        cached, stored = self._take("cache_read_input_tokens"), self._take("cache_creation_input_tokens")
        details = self._details("cache_creation")
        long, short = (self._within(details, f"ephemeral_{ttl}_input_tokens") for ttl in ("1h", "5m"))
        self._reject_the_rest(details)
        self._iterations(given, written)
        tools = self._details("server_tool_use")
        self._within(tools, "web_fetch_requests")  # which cost nothing but their tokens
        self._reject_the_rest(tools)
        self._beside(given, cached, _sum(long, short) if stored is None else stored, long, short)

    def _iterations(self, given: Any, written: Any) -> None:
        """Samplings of one request. Those of a compaction are billed, and not in the totals."""
        parts = self.rest.pop("iterations", None) or ()
        known = [one for one in parts if isinstance(one, Mapping)] if isinstance(parts, list | tuple) else []
        sums = [sum(self._count(one.get(name)) or 0 for one in known) for name in ("input_tokens", "output_tokens")]
        if parts and (len(known) != len(parts) or sums != [given, written]):
            self.unpriced += 1

    def _bedrock(self) -> None:
        given, written, total = (self._take(name) for name in ("inputTokens", "outputTokens", "totalTokens"))
        cached = self._take("cacheReadInputTokens", "cacheReadInputTokenCount")
        stored = self._take("cacheWriteInputTokens", "cacheWriteInputTokenCount")
        by_ttl = {"1h": 0, "5m": 0}
        details = self.rest.pop("cacheDetails", None) or ()
        for one in details if isinstance(details, list | tuple) else [details]:
            if isinstance(one, Mapping) and one.get("ttl") in by_ttl:
                by_ttl[one["ttl"]] += self._count(one.get("inputTokens")) or 0
            else:
                self.unpriced += 1
        long, short = (by_ttl["1h"], by_ttl["5m"]) if details else (None, None)
        self._beside(given, cached, stored, long, short)
        self.columns |= {"output_tokens": written, "tokens_used": total}
        sizes = (self.columns["input_tokens"], given)
        if total is not None and not any(size is not None and total == size + (written or 0) for size in sizes):
            self.unpriced += 1

    def _gemini(self) -> None:
        given, answer = self._take("promptTokenCount", "prompt_token_count"), self._candidates()
        thoughts = self._take("thoughtsTokenCount", "thoughts_token_count")
        of_tools = self._take("toolUsePromptTokenCount", "tool_use_prompt_token_count")
        total = self._take("totalTokenCount", "total_token_count")
        for name in ("promptTokensDetails", "cacheTokensDetails", "toolUsePromptTokensDetails"):
            self._modalities(name, _AS_TEXT)
        self._modalities("candidatesTokensDetails", frozenset({"TEXT"}))
        self.columns |= {
            "input_tokens": _sum(given, of_tools), "output_tokens": _sum(answer, thoughts), "reasoning_tokens": thoughts,
            "cached_tokens": self._take("cachedContentTokenCount", "cached_content_token_count"), "tokens_used": total,
        }  # fmt: skip
        self._require_total(total)

    def _candidates(self) -> Any:
        return self._take(
            "candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"
        )

    def _modalities(self, name: str, known: frozenset[str]) -> None:
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        details = self.rest.pop(name, None) or self.rest.pop(snake, None) or ()
        for one in details if isinstance(details, list | tuple) else [details]:
            modality = one.get("modality") if isinstance(one, Mapping) else None
            if str(getattr(modality, "value", modality)) not in known:
                count = one.get("tokenCount", one.get("token_count")) if isinstance(one, Mapping) else None
                self.unpriced += 1 if (counted := self._count(count)) is None else counted

    def _input(self, given: Any, details: dict[str, Any]) -> None:
        """An input that cached tokens are part of."""
        cached = self._within(details, "cached_tokens", "cache_read")
        stored = self._within(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation")
        long = self._within(details, "ephemeral_1h_input_tokens")
        short = self._within(details, "ephemeral_5m_input_tokens")
        self._within(details, "text_tokens")
        self._reject_the_rest(details)
        if long or short:
            stored = _sum(long, short)  # LangChain leaves the total at 0 beside them
        self.columns |= {
            "input_tokens": given, "cached_tokens": cached, "cache_write_tokens": stored, "cache_write_1h_tokens": long,
        }  # fmt: skip

    def _beside(self, given: Any, cached: Any, stored: Any, long: Any, short: Any) -> None:
        """An input that cached tokens are beside."""
        if (long is not None or short is not None) and (long or 0) + (short or 0) != (stored or 0):
            self.unpriced += 1
        self.columns |= {
            "input_tokens": None if given is None else _sum(given, cached, stored), "cached_tokens": cached,
            "cache_write_tokens": stored, "cache_write_1h_tokens": long,
        }  # fmt: skip

    def _same(self, column: str, *names: str) -> None:
        """Another name for a column. It must not say anything else."""
        for name in names:
            value = self._take(name)
            if value is not None and self.columns.get(column) not in (None, value):
                self.unpriced += 1
            elif value is not None:
                self.columns[column] = value

    def _require_total(self, total: Any) -> None:
        counted = _sum(self.columns.get("input_tokens"), self.columns.get("output_tokens"))
        if total is not None and counted is not None and total != counted:
            self.unpriced += abs(total - counted)

    def _take(self, *names: str) -> Any:
        return self._within(self.rest, *names)

    def _details(self, name: str) -> dict[str, Any]:
        details = self.rest.pop(name, None)
        if details is not None and not isinstance(details, Mapping):
            self.unpriced += 1
        return dict(details) if isinstance(details, Mapping) else {}

    def _within(self, part: dict[str, Any], *names: str) -> Any:
        """Take a count out of a part of the usage, under the first of its names that is there."""
        found = [part.pop(name) for name in names if name in part]
        return next((self._count(value) for value in found if value is not None), None)

    def _count(self, value: Any) -> int | None:
        if value is None:
            return None
        if type(value) is int and 0 <= value <= MAX_COUNT:
            return value
        self.unpriced += 1
        return None

    def _reject_the_rest(self, part: Mapping[str, Any]) -> None:
        """Count what is left: units as they are, and anything else that says something as one."""
        for value in part.values():
            if isinstance(value, Mapping):
                self._reject_the_rest(value)
            elif type(value) is int:
                self.unpriced += abs(value)
            elif value and not (isinstance(value, str) and value in _USUAL):
                self.unpriced += 1


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
