"""The history that LangChain's programs use. Skipped where LangChain is not installed."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, MissingExtra, SessionClosed
from tests.support.once import ONE_DATABASE


def test_without_langchain_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "langchain_core"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "chatledger.interop.langchain", raising=False)
    monkeypatch.setitem(sys.modules, "langchain_core", None)
    with pytest.raises(MissingExtra, match=r"chatledger\[langchain\]"):
        importlib.import_module("chatledger.interop.langchain")


class TestHistory:
    @pytest.fixture(autouse=True)
    def _langchain(self) -> None:
        pytest.importorskip("langchain_core")

    def history(self, ledger: Ledger, session_id: str = "s", **options: Any) -> Any:
        from chatledger.interop.langchain import ChatledgerChatMessageHistory  # noqa: PLC0415 - an extra

        return ChatledgerChatMessageHistory(session_id, ledger, **options)

    def messages(self) -> list[Any]:
        from langchain_core import messages  # noqa: PLC0415 - an extra

        usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11, "input_token_details": {"audio": 1}}
        call = {"name": "weather", "args": {"city": "Lisbon", "days": 1.0}, "id": "c1"}
        chunk = {"name": "f", "args": '{"a', "id": "1", "index": 0}
        wrong = {"name": "f", "args": "{", "id": "c2", "error": "no JSON"}
        return [
            messages.HumanMessage("hi \0 \ud800", id="1", name="ada"),
            messages.HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, "look"]),
            messages.SystemMessage("Be brief.", additional_kwargs={"k": {"deep": ["\udc00"]}}),
            messages.AIMessage(
                "",
                tool_calls=[call],
                invalid_tool_calls=[wrong],
                usage_metadata=usage,
                response_metadata={"model_name": "gpt-4o", "finish_reason": "tool_calls"},
                id="run-1",
            ),
            messages.AIMessage("", additional_kwargs={"tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}),
            messages.ToolMessage("21 °C", tool_call_id="c1", name="weather", artifact={"rows": [1]}, status="error"),
            messages.FunctionMessage("42", name="answer"),
            messages.ChatMessage("No.", role="critic"),
            messages.AIMessageChunk("Lis", tool_call_chunks=[chunk]),
            messages.HumanMessageChunk("bon"),
        ]  # fmt: skip

    def test_messages_come_back_as_they_were_added(self, ledger: Ledger) -> None:
        history = self.history(ledger)
        assert [] == history.messages
        given = self.messages()
        history.add_messages(given)
        history.add_messages([])
        found = history.messages
        assert given == found
        assert [type(one) for one in given] == [type(one) for one in found]

    def test_async_methods_do_the_same(self, ledger: Ledger) -> None:
        history = self.history(ledger)

        async def use() -> tuple[list[Any], list[Any]]:
            await history.aadd_messages(self.messages())
            found = await history.aget_messages()
            await history.aclear()
            return found, await history.aget_messages()

        assert (self.messages(), []) == asyncio.run(use())

    def test_messages_are_found_and_counted(self, ledger: Ledger) -> None:
        self.history(ledger).add_messages(self.messages())
        with ledger.read() as uow:
            assert ["Be **brief**."] == [hit.snippet for hit in uow.search.messages("brief")]
            answer = uow.messages.get("s", 4)
            assert (9, 2, "gpt-4o") == (answer.input_tokens, answer.output_tokens, answer.model_id)
            assert ["weather", "f"] == [call.name for call in answer.tool_calls]
            result = uow.messages.get("s", 6).tool_result
            assert result is not None
            assert ("c1", "weather", True) == (result.tool_call_id, result.name, result.is_error)

    @ONE_DATABASE
    def test_one_message_that_is_refused_refuses_them_all(self, ledger: Ledger) -> None:
        from langchain_core.messages import HumanMessage, RemoveMessage  # noqa: PLC0415 - an extra

        history = self.history(ledger)
        for wrong in (RemoveMessage(id="1"), HumanMessage("x", additional_kwargs={"k": b"bytes"}), "text"):
            with pytest.raises(InvalidInput, match=r"messages\.1"):
                history.add_messages([HumanMessage("a"), wrong])
        assert [] == history.messages

    @ONE_DATABASE
    def test_options_reach_the_session(self, ledger: Ledger) -> None:
        self.history(ledger, user_id="ada").add_user_message("a")
        assert [] == self.history(ledger, user_id="bob").messages
        with ledger.begin() as uow:
            uow.sessions.archive("s")
        with pytest.raises(SessionClosed):
            self.history(ledger).add_user_message("b")
        self.history(ledger, on_closed="fork").add_ai_message("b")
        assert "Human: a\nAI: b" == str(self.history(ledger, on_closed="fork"))
        assert "s" == self.history(ledger, on_closed="fork").session_id

    @ONE_DATABASE
    @pytest.mark.filterwarnings("ignore:RunnableWithMessageHistory is deprecated")
    def test_a_chain_remembers_what_was_said(self, ledger: Ledger) -> None:
        from langchain_core.runnables import RunnableLambda  # noqa: PLC0415 - an extra
        from langchain_core.runnables.history import RunnableWithMessageHistory  # noqa: PLC0415 - an extra

        chain = RunnableWithMessageHistory(
            RunnableLambda(lambda messages: f"{len(messages)} messages"), lambda id: self.history(ledger, id)
        )
        config = {"configurable": {"session_id": "chain"}}
        assert ["1 messages", "3 messages"] == [chain.invoke(text, config) for text in ("hi", "again")]
        assert "5 messages" == asyncio.run(chain.ainvoke("and again", config))

    @ONE_DATABASE
    def test_rows_that_were_adopted_are_read(self, ledger: Ledger) -> None:
        """`adoption` keeps the message in the same place."""
        from langchain_core.messages import AIMessage, message_to_dict  # noqa: PLC0415 - an extra

        data = message_to_dict(AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}], id="1"))["data"]
        rest = {name: value for name, value in data.items() if name != "content"}
        with ledger.begin() as uow:
            uow.sessions.create("s")
            payload = {"source_format": "langchain", "message": {"type": "ai", "data": rest}}
            uow.messages.append("s", "assistant", payload=payload)
        assert [AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}], id="1")] == self.history(
            ledger
        ).messages
