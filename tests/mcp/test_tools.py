"""What agents are told: bounded, paged, in whole turns, and of one user's conversations only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, MessageNotFound, SessionNotFound
from chatledger.mcp.tools import DATA, MAX_ANSWER, MAX_TEXT, NOTES, ConversationTools
from chatledger.schemas.message_parts import tool_call, tool_result

MAY = datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.fixture
def tools(ledger: Ledger) -> ConversationTools:
    """A trip of three turns, and a conversation of somebody else."""
    with ledger.begin() as uow:
        uow.sessions.create("trip", user_id="ada", title="Trip", project_id="p", model_id="m", created_at=MAY)
        uow.models.price("m", input=1, output=2)
        uow.messages.append("trip", "user", "Which night trains are there?", created_at=MAY)
        uow.messages.append("trip", "assistant", "", payload={"tool_calls": [tool_call("trains", {"to": "Rome"}, "c")]})
        uow.messages.append("trip", **tool_result("Three trains", tool_call_id="c", name="trains"))
        uow.messages.append("trip", "assistant", "Three.", model_id="m", input_tokens=1000, output_tokens=500)
        uow.messages.append("trip", "user", "Thanks")
        uow.sessions.create("other", user_id="bob", project_id="q")
        uow.messages.append("other", "user", "night shift")
    return ConversationTools(ledger)


def numbers(answer: dict[str, Any]) -> list[int]:
    return [message["number"] for message in answer["messages"]]


def test_a_search_says_where_and_how_to_go_on(tools: ConversationTools) -> None:
    found = tools.search_conversations("night", limit=1)
    assert DATA == found["notice"]
    more = tools.search_conversations("night", limit=1, page=found["next_page"])
    assert "next_page" not in more
    assert {("trip", 1), ("other", 1)} == {(hit["session_id"], hit["number"]) for hit in found["hits"] + more["hits"]}
    (hit,) = tools.search_conversations("trains", session_id="trip", until="2026-05-02")["hits"]
    assert ("Trip", "user", "2026-05-01T09:00:00Z", "exact") == (hit["title"], hit["role"], hit["time"], hit["match"])
    assert "Which night **trains** are there?" == hit["snippet"]
    assert [] == tools.search_conversations("trains", project_id="q")["hits"]


def test_a_conversation_is_read_with_its_tools(tools: ConversationTools) -> None:
    read = tools.read_conversation("trip")
    assert ("Trip", "m", 5, "active") == tuple(read[name] for name in ("title", "model_id", "message_count", "status"))
    assert [1, 2, 3, 4, 5] == numbers(read)
    assert [{"name": "trains", "arguments": '{"to": "Rome"}'}] == read["messages"][1]["tool_calls"]
    assert ("tool", "trains", "Three trains") == tuple(read["messages"][2][name] for name in ("role", "name", "text"))
    assert not {"earlier", "later"} & read.keys()


def test_a_long_conversation_is_read_turn_by_turn(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("long")
        for number in range(30):
            uow.messages.append("long", "user", f"question {number} " + "x" * 900)
            uow.messages.append("long", "assistant", "y" * 900)
    tools = ConversationTools(ledger)
    seen: list[int] = []
    read = tools.read_conversation("long")
    while True:
        assert len(str(read)) < 1.5 * MAX_ANSWER
        assert "user" == read["messages"][0]["role"]
        seen = numbers(read) + seen
        if "earlier" not in read:
            break
        assert f"read_conversation(session_id, before={seen[0]})" == read["earlier"]
        read = tools.read_conversation("long", before=seen[0])
    assert list(range(1, 61)) == seen
    ahead = tools.read_conversation("long", after=10)
    assert (11, f"read_conversation(session_id, after={numbers(ahead)[-1]})") == (numbers(ahead)[0], ahead["later"])
    middle = tools.read_conversation("long", around=31)
    assert 31 in numbers(middle)
    assert {"earlier", "later"} <= middle.keys()


def test_a_turn_that_is_too_long_is_read_from_its_end(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("long")
        uow.messages.append("long", "user", "do it")
        for number in range(60):
            uow.messages.append("long", **tool_result("z" * 3000, tool_call_id=str(number)))
    read = ConversationTools(ledger).read_conversation("long")
    assert 61 == numbers(read)[-1]
    assert 1 < len(numbers(read)) < 10


def test_a_long_text_is_cut_and_read_in_parts(ledger: Ledger) -> None:
    text = "".join(f"{number:09}," for number in range(3000))
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", text)
    tools = ConversationTools(ledger)
    (message,) = tools.read_conversation("s")["messages"]
    assert (text[:MAX_TEXT], "read_message(session_id, 1, offset=4000)") == (message["text"], message["text_goes_on"])
    first = tools.read_message("s", 1)
    rest = tools.read_message("s", 1, offset=len(first["text"]))
    assert text == first["text"] + rest["text"]
    assert "text_goes_on" not in rest


def test_conversations_are_listed_page_by_page(tools: ConversationTools) -> None:
    first = tools.list_conversations(limit=1)
    second = tools.list_conversations(limit=1, page=first["next_page"])
    assert {"trip", "other"} == {answer["conversations"][0]["session_id"] for answer in (first, second)}
    assert [] == tools.list_conversations(until="2020-01-01")["conversations"]


def test_usage_has_costs_and_says_what_is_unknown(tools: ConversationTools) -> None:
    answer = tools.usage()
    (line,) = [line for line in answer["lines"] if line["model"] == "m"]
    assert ("0.002000000", 1000, 500) == (line["cost"], line["input_tokens"], line["output_tokens"])
    assert {"p", "q"} == {line["project"] for line in tools.usage("project")["lines"]}
    assert "2026-05-01T00:00:00Z" == tools.usage("day", until="2026-05-02")["lines"][0]["day"]


def test_notes_are_found_again(tools: ConversationTools) -> None:
    assert {"session_id": NOTES, "number": 1} == tools.append_note("Ada likes window seats")
    assert {"session_id": "trip", "number": 6} == tools.append_note("Booked", session_id="trip")
    (hit,) = tools.search_conversations("window")["hits"]
    assert (NOTES, "Notes of agents") == (hit["session_id"], hit["title"])


def test_a_user_has_their_own(ledger: Ledger, tools: ConversationTools) -> None:
    bob = ConversationTools(ledger.for_user("bob"))
    assert ["other"] == [hit["session_id"] for hit in bob.search_conversations("night")["hits"]]
    assert ["other"] == [found["session_id"] for found in bob.list_conversations()["conversations"]]
    with pytest.raises(SessionNotFound):
        bob.read_conversation("trip")
    with pytest.raises(SessionNotFound):
        bob.read_message("trip", 1)
    with pytest.raises(SessionNotFound):
        bob.append_note("x", session_id="trip")
    assert f"{NOTES}:bob" == bob.append_note("mine")["session_id"]
    assert tools.read_conversation(f"{NOTES}:bob")["messages"]


@pytest.mark.parametrize(
    ("tool", "given", "field"),
    [
        ("search_conversations", {"query": "x", "since": "yesterday"}, "since"),
        ("search_conversations", {"query": "x", "limit": 0}, "limit"),
        ("search_conversations", {"query": "x", "page": "no page"}, "cursor"),
        ("read_conversation", {"session_id": "trip", "before": 3, "after": 1}, "before"),
        ("read_message", {"session_id": "trip", "number": 1, "offset": -1}, "offset"),
        ("list_conversations", {"until": "2026-13-01"}, "until"),
        ("usage", {"by": "mood"}, "by"),
        ("append_note", {"text": " "}, "text"),
    ],
)
def test_what_is_wrong_is_named(tools: ConversationTools, tool: str, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        getattr(tools, tool)(**given)
    assert field == caught.value.field


def test_what_is_not_there_is_said(tools: ConversationTools) -> None:
    with pytest.raises(MessageNotFound):
        tools.read_message("trip", 99)
    with pytest.raises(MessageNotFound):
        tools.read_conversation("trip", around=99)
    assert [] == tools.read_conversation("trip", before=1)["messages"]
