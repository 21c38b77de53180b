"""What the demo records. Each session's id begins with `demo-`, and its metadata says that it is the demo's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MARK = "chatledger_demo"
"""The metadata key by which the demo knows its own sessions."""

TRIP = "demo-trip"
FORK = "demo-trip-train"


@dataclass(frozen=True)
class Conversation:
    """One session and its messages, in the form in which callers hand them in."""

    session_id: str
    title: str
    user_id: str
    model_id: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    system_prompt: str | None = None


CONVERSATIONS = (
    Conversation(
        TRIP,
        "A weekend in May",
        "ada",
        "gpt-5",
        [
            {"role": "user", "content": "Where to for a long weekend in May? I live in Paris and like the sea."},
            {
                "role": "assistant",
                "content": "Lisbon: 22 °C, long evenings, and the beaches of Cascais are half an hour away by train.",
                "input_tokens": 58,
                "output_tokens": 27,
                "cost": "0.0003425",
                "duration_ms": 1240,
            },
            {"role": "user", "content": "How do I get there without flying?"},
            {
                "role": "assistant",
                "content": "By train in a day and a half: Paris to Hendaye, Madrid, then a coach to Lisbon.",
                "input_tokens": 102,
                "output_tokens": 31,
                "cost": "0.0004375",
                "duration_ms": 1710,
            },
        ],
        system_prompt="You plan short journeys. Be brief.",
    ),
    Conversation(
        "demo-weather-agent",
        "What to pack",
        "ada",
        "gpt-5",
        [
            {"role": "user", "content": "What should I pack for Lisbon tomorrow?"},
            {
                "role": "assistant",
                "payload": {
                    "tool_calls": [
                        {"id": "call_1", "function": {"name": "get_weather", "arguments": '{"city": "Lisbon"}'}}
                    ]
                },
                "input_tokens": 71,
                "output_tokens": 18,
            },
            {
                "role": "tool",
                "name": "get_weather",
                "tool_call_id": "call_1",
                "content": "21 °C, light wind, no rain",
                "payload": {"celsius": 21, "rain_mm": 0},
                "duration_ms": 180,
            },
            {
                "role": "assistant",
                "content": "A light jacket for the evening. Leave the umbrella at home.",
                "input_tokens": 110,
                "output_tokens": 15,
                "cost": "0.0002875",
                "duration_ms": 930,
            },
        ],
    ),
    Conversation(
        "demo-recipe",
        "晚饭做什么",
        "lin",
        "qwen-3",
        [
            {"role": "user", "content": "有番茄和鸡蛋 晚饭做什么"},
            {
                "role": "assistant",
                "content": "番茄炒蛋。十分钟就好。鸡蛋先炒。盛出来再炒番茄。",
                "input_tokens": 24,
                "output_tokens": 30,
                "cost": "0.0000412",
                "duration_ms": 640,
            },
        ],
    ),
)
