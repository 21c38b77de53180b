"""Exports hold what was asked for, and nothing in them can pass for something else."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from chatledger import InvalidInput, Ledger, SessionNotFound
from chatledger.exchange import ExportFormat, ExportReport, export_sessions
from chatledger.html.environment import CONTENT_SECURITY_POLICY
from tests.exchange.files import exported

HOSTILE = '</pre></script><script>alert(1)</script><img src=x onerror="alert(2)">\'"&\x1b[31m\x07'


def ids(text: str) -> list[str]:
    return [session["session_id"] for session in json.loads(text)]


def fill(ledger: Ledger, count: int = 3) -> None:
    with ledger.begin() as uow:
        for number in range(count):
            at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number)
            owner = "ada" if number % 2 else "bob"
            uow.sessions.create(f"s{number}", user_id=owner, project_id="p", created_at=at)
            uow.messages.append(f"s{number}", "user", f"hello {number}", created_at=at)


def test_every_session_is_exported_once_newest_first(ledger: Ledger) -> None:
    fill(ledger, 230)
    with ledger.begin() as uow:
        uow.sessions.expire("s7")
    assert [f"s{number}" for number in reversed(range(230))] == ids(exported(ledger, "json"))


def test_filters_and_ids_choose(ledger: Ledger) -> None:
    fill(ledger)
    second = datetime(2025, 1, 2, tzinfo=UTC)
    assert ["s1"] == ids(exported(ledger, "json", user_id="ada"))
    assert ["s2", "s0"] == ids(exported(ledger.for_user("bob"), "json"))
    assert ["s2", "s1"] == ids(exported(ledger, "json", since=second, project_id="p"))
    assert ["s0"] == ids(exported(ledger, "json", until=second, status="active"))
    assert [] == ids(exported(ledger, "json", status="archived"))
    assert ["s2", "s0"] == ids(exported(ledger, "json", session_ids=["s2", "s0", "s2"]))
    for wrong in ({"session_ids": ["s0"], "user_id": "ada"}, {"session_ids": "s0"}, {"status": "lost"}):
        with pytest.raises(InvalidInput):
            exported(ledger, "json", **wrong)
    with pytest.raises(InvalidInput):
        exported(ledger, "pdf")


@pytest.mark.parametrize("form", ExportFormat)
def test_an_unknown_id_is_told_before_anything_is_written(ledger: Ledger, form: ExportFormat) -> None:
    fill(ledger)

    class Nothing:
        def write(self, text: str) -> int:
            raise AssertionError("was written to")

    for user, missing in ((ledger, "nobody's"), (ledger.for_user("ada"), "s0")):
        with pytest.raises(SessionNotFound):
            export_sessions(user, Nothing(), format=form, session_ids=["s1", missing])  # type: ignore[arg-type]


def test_the_report_counts(ledger: Ledger) -> None:
    fill(ledger)
    told: list[ExportReport] = []
    assert len(exported(ledger, "jsonl", progress=told.append).splitlines()) == 1 + 3 + 3
    assert [ExportReport(sessions=3, messages=3)] == told


def hostile(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create(HOSTILE, user_id=HOSTILE, title=HOSTILE, metadata={HOSTILE: HOSTILE}, system_prompt=HOSTILE)
        calls = [{"id": HOSTILE, "type": "function", "function": {"name": HOSTILE, "arguments": HOSTILE}}]
        uow.messages.append(
            HOSTILE, "assistant", HOSTILE, name=HOSTILE, model_id=HOSTILE, payload={"tool_calls": calls, HOSTILE: 1}
        )
        uow.messages.append(HOSTILE, "tool", "[" + HOSTILE + "]", tool_call_id=HOSTILE, metadata={"x": HOSTILE})
        uow.messages.append(HOSTILE, "user", f"```{HOSTILE}\n{HOSTILE}\n```\n~~~ html\n{HOSTILE}")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.policy = self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs).get("content") or ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_html_export_holds_no_tag_that_is_not_ours(ledger: Ledger) -> None:
    hostile(ledger)
    text = exported(ledger, "html")
    page = _Page()
    page.feed(text)
    assert page.tags.isdisjoint({"script", "img", "iframe", "link", "base", "form"})
    assert {name for name in page.names if name.startswith("on") or name in ("src", "style")} == set()
    assert CONTENT_SECURITY_POLICY == page.policy
    assert page.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert page.text.count("alert(1)") >= 15
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    assert 'dir="auto"' in text


def test_a_markdown_fence_is_longer_than_what_it_holds(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("`s`", title="# not *mine*\n## nor this", metadata={"a": "x\n````\ny"})
        uow.messages.append("`s`", "user", "## 9 · system\n```\nnever closed", payload={"p": "``````"})
    lines = exported(ledger, "markdown").split("\n")
    assert r"# \# not \*mine\* \#\# nor this" == lines[0]
    assert "- session: `` `s` ``" in lines
    assert 2 == sum(line.startswith("#") for line in lines)
    assert "> ```" in lines
    assert "`````json" in lines
    assert "```````json" in lines


@pytest.mark.parametrize("arguments", ['{"x": "\\ud800"}', "[" * 900 + "]" * 900, "9" * 5000, "not JSON", "NaN"])
def test_arguments_of_any_kind_are_shown(ledger: Ledger, arguments: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        call = {"function": {"name": "f", "arguments": arguments}}
        uow.messages.append("s", "assistant", payload={"tool_calls": [call]})
    for form in ExportFormat:
        assert exported(ledger, form).encode()


@pytest.mark.parametrize("form", ExportFormat)
def test_an_empty_ledger_exports(ledger: Ledger, form: ExportFormat) -> None:
    text = exported(ledger, form)
    if form is ExportFormat.JSON:
        assert [] == json.loads(text)
    assert "Traceback" not in text


def test_a_hidden_message_says_so(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "system", "Her name is Ada.", hidden=True)
    assert "## 1 · system · hidden · " in exported(ledger, ExportFormat.MARKDOWN)
    assert "system (hidden)" in exported(ledger, ExportFormat.HTML)
    assert '"hidden":true' in exported(ledger, ExportFormat.JSONL)
