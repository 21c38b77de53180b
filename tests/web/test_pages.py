"""The pages of `chatledger serve`, as a browser gets them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.cli.serving.open_page import page_address
from chatledger.schemas.message_parts import tool_call, tool_result

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

pytestmark = pytest.mark.usefixtures("pages_extra")


def clients(ledger: Any, **options: Any) -> Any:
    from fastapi.testclient import TestClient

    from chatledger.web.pages.application import browser

    return TestClient(browser(ledger, **options), base_url="http://127.0.0.1")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.models.price("gpt-x", input=1, output=2)
        uow.sessions.create("trip", user_id="ada", title="A <b>trip</b>", project_id="p", model_id="gpt-x")
        uow.messages.append("trip", "user", "Which night trains?\n<script>alert(1)</script>")
        uow.messages.append(
            "trip", "assistant", "**Three**\n\n```python\nx = 1\n```\n[l](javascript:alert(1)) ![i](http://elsewhere/x.png)",
            payload={"tool_calls": [tool_call("trains", {"to": "Rome"}, "c")], "reasoning": [{"text": "Hm"}]},
            model_id="gpt-x", input_tokens=1000, output_tokens=500,
        )  # fmt: skip
        uow.messages.append("trip", **tool_result('{"n": 3}', tool_call_id="c", name="trains"))
        uow.messages.append(
            "trip", "user",
            [{"type": "text", "text": "This"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
        )  # fmt: skip
        uow.messages.append("trip", "system", "profile", hidden=True, outcome="interrupted")
        uow.sessions.create("a/b?c", user_id="bob", title="Slashes")
        uow.messages.append("a/b?c", "user", "night shift")
    return ledger


@pytest.fixture
def client(filled: Ledger) -> Iterator[Any]:
    with clients(filled) as client:
        yield client


def test_conversations_are_listed_with_what_they_cost(client: Any) -> None:
    answer = client.get("/")
    assert 200 == answer.status_code
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "A &lt;b&gt;trip&lt;/b&gt;" in answer.text
    assert "5 messages" in answer.text
    assert "$0.0020" in answer.text
    assert "Slashes" not in client.get("/?project=p").text
    assert "Slashes" not in client.get("/?model=gpt-x").text
    assert "No conversations" in client.get("/?status=expired").text


def test_every_link_of_the_list_leads_somewhere(client: Any) -> None:
    links = re.findall(r'href="(/[^"]*)"', client.get("/").text)
    assert {"/usage", "/session/trip", "/session/a%2Fb%3Fc"} <= set(links)
    assert [200] * len(links) == [client.get(link).status_code for link in links]


def test_a_search_marks_what_was_found_and_leads_to_it(client: Any) -> None:
    text = client.get("/?q=which").text
    assert "<mark>Which</mark> night trains?" in text
    assert "<script>alert" not in text
    assert "/session/trip?around=1#m1" in text
    assert "Slashes" in client.get("/?q=night").text
    assert "Slashes" not in client.get("/?q=night&project=p").text
    assert "Slashes" not in client.get("/?q=night&model=gpt-x").text
    assert "Nothing was found" in client.get("/?q=elephant").text


def test_a_conversation_reads_as_it_was_said(client: Any) -> None:
    text = client.get("/session/trip").text
    assert "<strong>Three</strong>" in text
    assert '<span class="hl-n">x</span>' in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>calls trains</b>" in text
    assert "<b>reasoning</b>" in text
    assert f'<img src="data:image/png;base64,{PNG}"' in text
    assert "system (hidden)" in text
    assert "interrupted" in text
    assert "javascript:" not in re.sub(r"\[l\]\(javascript:alert\(1\)\)", "", text)
    assert 'src="http' not in text


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[x](  javascript:alert(1))", "<a href='data:text/html,x'>",
        "```html\n<script>alert(1)</script>\n```", "`<script>alert(1)</script>`", "[x](vbscript:x)", "<style>*{}</style>",
        "```\"><script>alert(1)</script>\nx\n```", "<https://x.test/\"onmouseover=alert(1)>", "\ud7ff\u202e\x1b[31m",
    ],
)  # fmt: skip
def test_no_text_runs_or_loads(text: str) -> None:
    from chatledger.web.pages.prose import code, prose

    for html in (prose(text), prose(text * 20_000)[:10_000], code(text, "html"), code(text, "nonsense")):
        assert not re.search(r"<(script|img|svg|style|iframe|object|form|input)\b", html)
        assert not re.search(r"<[^>]*\son\w+\s*=", html)
        assert not re.search(r'href="(?!https?:|mailto:)', html)
        assert "\x1b" not in html
        assert "\u202e" not in html


def test_a_long_conversation_has_pages(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("long")
        uow.messages.append_many("long", [{"role": "user", "content": f"number {n}"} for n in range(1, 251)])
    with clients(ledger) as client:
        seen: set[int] = set()
        link = "/session/long"
        for _ in range(5):
            text = client.get(link).text
            seen |= set(map(int, re.findall(r'id="m(\d+)"', text)))
            found = re.search(r'href="(/session/long\?before=\d+)"', text)
            link = found[1] if found else ""
        assert (set(range(1, 251)), "") == (seen, link)
        middle = client.get("/session/long?around=120").text
        assert ["/session/long?before=96", "/session/long?after=145"] == re.findall(
            r'class="more" href="([^"]*)"', middle
        )


def test_many_conversations_have_pages(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        for number in range(60):
            uow.sessions.create(f"s{number}", title=f"Chat {number}")
            uow.messages.append(f"s{number}", "user", "common words")
    with clients(ledger) as client:
        for first in ("/", "/?q=common"):
            text = client.get(first).text
            (more,) = re.findall(r'class="more" href="([^"]*)"', text)
            rest = client.get(more.replace("&amp;", "&")).text
            titles = re.findall(r">Chat (\d+)<", text + rest)
            assert (60, 60) == (len(titles), len(set(titles)))


def test_usage_is_the_report_with_plots(client: Any) -> None:
    text = client.get("/usage").text
    assert "<svg" in text
    assert "Cost by day and model" in text
    assert "all time" in text
    assert 422 == client.get("/usage?days=3").status_code


def test_what_is_not_there_is_said_in_words(client: Any) -> None:
    for address in ("/session/nobody", "/nothing", "/static/../environment.py", "/static/environment.py"):
        answer = client.get(address)
        assert (404, True) == (answer.status_code, "<h1>Not Found</h1>" in answer.text)
    assert 422 == client.get("/?cursor=nonsense").status_code
    assert 422 == client.get("/?status=nonsense").status_code


def test_a_user_sees_their_own(filled: Ledger) -> None:
    with clients(filled.for_user("bob")) as client:
        assert "trip" not in client.get("/").text
        assert "trip" not in client.get("/?q=trains").text.replace("trains", "")
        assert 404 == client.get("/session/trip").status_code
        assert 200 == client.get("/session/a%2Fb%3Fc").status_code


def test_a_token_is_asked_for_and_kept_in_a_cookie(filled: Ledger) -> None:
    with clients(filled, token="long-enough-to-be-a-secret") as client:
        assert 401 == client.get("/").status_code
        assert 401 == client.get("/?token=wrong").status_code
        assert 401 == client.get("/static/style.css").status_code
        answer = client.get("/session/trip?token=long-enough-to-be-a-secret")
        assert (200, "http://127.0.0.1/session/trip") == (answer.status_code, str(answer.url))
        cookie = answer.history[0].headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert 200 == client.get("/").status_code


def test_servers_on_two_ports_keep_their_cookies_apart(filled: Ledger) -> None:
    with clients(filled, token="the-secret-of-one") as one:
        (first,) = one.get("http://127.0.0.1:1111/?token=the-secret-of-one").history[0].cookies
        (second,) = one.get("http://127.0.0.1:2222/?token=the-secret-of-one").history[0].cookies
    assert first != second


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "LocalHost:1", "[::1]:8765"])
def test_the_pages_answer_to_their_own_names(filled: Ledger, host: str) -> None:
    with clients(filled, hosts=["127.0.0.1", "localhost", "::1"]) as client:
        assert 200 == client.get("/", headers={"host": host}).status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "[::1", "[::2]", "127.0.0.1:x", ""]
)
def test_the_pages_answer_to_no_other_name(filled: Ledger, host: str) -> None:
    with clients(filled, hosts=["127.0.0.1", "localhost", "::1"], author="ada") as client:
        for answer in (client.get("/", headers={"host": host}), client.post("/session/trip", headers={"host": host})):
            assert (400, "These pages are at 127.0.0.1 or localhost or ::1 only.\n") == (
                answer.status_code,
                answer.text,
            )


@pytest.mark.parametrize("query", ["before=yesterday", "before=-1", "around=1e3", f"after={'9' * 40}", "before="])
def test_an_address_that_is_not_right_is_said_in_words(client: Any, query: str) -> None:
    answer = client.get(f"/session/trip?{query}")
    assert (422, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert "<h1>Unprocessable" in answer.text


def test_an_error_that_nobody_expected_is_a_page_without_what_it_says(
    filled: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    from chatledger.web.pages import conversation
    from chatledger.web.pages.application import browser

    def break_(*_: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(conversation, "_window", break_)
    client = TestClient(browser(filled), base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/session/trip")
    assert (500, True) == (answer.status_code, "The log of the server" in answer.text)
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_nothing_can_be_changed(client: Any) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert 405 == getattr(client, method)("/session/trip").status_code


def test_the_address_that_open_prints_leads_to_the_message(filled: Ledger) -> None:
    with clients(filled, token="se&cret") as client:
        assert 401 == client.get(page_address("a/b?c", 1, port=80, token=None)).status_code
        page = client.get(page_address("a/b?c", 1, port=80, token="se&cret"))
    assert 200 == page.status_code
    assert 'id="m1"' in page.text
