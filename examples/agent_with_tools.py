"""An agent whose tool calls and results are kept with their types.

    python examples/agent_with_tools.py [URL]

Each step has a key. When a program is stopped and runs the same steps again, what is stored already is not stored twice.
"""

from __future__ import annotations

import sys

from pydantic import BaseModel

from chatledger import Ledger, Message, UnitOfWork
from chatledger.exchange import to_openai


class ToolCall(BaseModel):
    """What the model asks for."""

    id: str
    name: str
    arguments: dict[str, str]


class Weather(BaseModel):
    """What the tool answers."""

    city: str
    celsius: float
    rain_mm: float


def get_weather(city: str) -> Weather:
    """Stands for a tool."""
    return Weather(city=city, celsius=21.0, rain_mm=0.0)


def remember(uow: UnitOfWork, session_id: str) -> None:
    """One turn of the agent, as three messages in one transaction."""
    call = ToolCall(id="call_1", name="get_weather", arguments={"city": "Lisbon"})
    result = get_weather(**call.arguments)
    uow.messages.append(
        session_id, "assistant", payload={"tool_calls": [call]}, input_tokens=71, output_tokens=18, key="turn-1/call"
    )
    uow.messages.append(
        session_id,
        "tool",
        f"{result.celsius:g} °C",
        payload={"result": result},
        name=call.name,
        tool_call_id=call.id,
        key="turn-1/result",
    )
    uow.messages.append(
        session_id,
        "assistant",
        "Leave the umbrella at home.",
        input_tokens=110,
        output_tokens=15,
        cost="0.0002875",
        key="turn-1/answer",
    )


def main(url: str = "sqlite:///example.db") -> None:
    with Ledger(url) as ledger:
        agent = ledger.create(user_id="ada", title="What to pack", model_id="pretend-1")
        ledger.run(
            lambda uow: uow.messages.append(agent.session_id, "user", "What should I pack?", key="turn-1/question")
        )
        for _ in range(2):  # the second time changes nothing
            ledger.run(lambda uow: remember(uow, agent.session_id))
        with ledger.read() as uow:
            session = uow.sessions.get(agent.session_id)
            messages = uow.messages.history(agent.session_id)
        show(messages)
        print(f"{session.message_count} messages, {session.total_tokens} tokens, ${session.total_cost.normalize()}")


def show(messages: list[Message]) -> None:
    for message in messages:
        if message.role == "assistant" and message.payload:
            for call in message.payload_as(list[ToolCall], "tool_calls"):
                print(f"{message.sequence_number} call {call.name}({call.arguments})")
        elif message.role == "tool":
            weather = message.payload_as(Weather, "result")
            print(f"{message.sequence_number} {weather.city}: {weather.celsius:g} °C, {weather.rain_mm:g} mm")
        else:
            print(f"{message.sequence_number} {message.role}: {message.content}")
    print(to_openai(messages[-1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
