"""Branches, children, comparisons, batches, workflows, timeouts and the audit log in the pages of `chatledger serve`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chatledger import Ledger
from tests.support.statements import counted_statements
from tests.web.test_pages import clients

pytestmark = pytest.mark.usefixtures("pages_extra")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.sessions.create("trunk", user_id="ada", title="Trunk", hard_timeout=3600)
        uow.messages.append_many("trunk", [{"role": "user", "content": f"number {n}"} for n in range(1, 6)])
        uow.sessions.fork("trunk", at=2, new_session_id="left", title="<Left>")
        uow.sessions.fork("trunk", at=4, new_session_id="right", title="Right")
        uow.sessions.create("child", parent="trunk", title="A helper")
        uow.annotations.add("trunk", label="gold", text="<b>whole</b>")
        uow.annotations.add("trunk", sequence_number=3, score=0.25, author="eve")
        uow.metrics.record("first token", 120, "ms", session_id="trunk")
        uow.metrics.record("first token", 80, "ms", session_id="trunk")
        uow.sessions.create("bobs", user_id="bob", title="Of Bob")
        uow.timeouts.configure_default(idle_timeout=timedelta(days=2))
    return ledger


@pytest.fixture
def client(filled: Ledger) -> Iterator[Any]:
    with clients(filled) as client:
        yield client


def branches(text: str) -> list[tuple[str, bool]]:
    found = re.search(r'<nav class="branches".*?</nav>', text, re.S)
    links = re.findall(r'<a href="([^"]*)"( aria-current="page")?>', found[0]) if found else []
    return [(link, bool(here)) for link, here in links]


def test_branches_leave_behind_the_message_that_they_share(client: Any) -> None:
    text = client.get("/session/trunk").text
    assert [("2", "/session/left"), ("4", "/session/right")] == re.findall(
        r'Branch from #(\d): <a href="([^"]*)"', text
    )
    assert "&lt;Left&gt;" in text
    assert text.index('id="m2"') < text.index("Branch from #2") < text.index('id="m3"')
    assert [] == branches(text)


def test_branches_lead_to_each_other(client: Any) -> None:
    text = client.get("/session/left").text
    assert {("/session/trunk", False), ("/session/left", True), ("/session/right", False)} == set(branches(text))
    assert '<a href="/session/trunk">trunk, message 2</a>' in text


def test_a_branch_is_among_its_siblings_however_many_there_are(client: Any, filled: Ledger) -> None:
    with filled.begin() as uow:
        for number in range(60):
            uow.sessions.fork("trunk", at=1, new_session_id=f"fork {number}")
    assert ("/session/left", True) in branches(client.get("/session/left").text)


def test_a_branch_whose_origin_is_gone_still_reads(client: Any, filled: Ledger) -> None:
    filled.run(lambda uow: uow.sessions.delete("trunk"))
    answer = client.get("/session/left")
    assert 200 == answer.status_code
    assert {("/session/left", True), ("/session/right", False)} == set(branches(answer.text))


def test_children_annotations_metrics_and_limits_are_beside_it(client: Any) -> None:
    text = client.get("/session/trunk").text
    assert '<a href="/session/child" dir="auto">A helper</a>' in text
    assert '<a href="/session/trunk">trunk</a>' in client.get("/session/child").text
    assert "&lt;b&gt;whole&lt;/b&gt;" in text
    assert text.index('id="m3"') < text.index("<b>0.25</b>") < text.index('id="m4"')
    assert re.search(r"first token</dt><dd[^>]*>100 ms \(mean of 2\)", text)
    assert "<dt>ends at</dt>" in text


def test_comparisons_are_listed_and_shown_side_by_side(client: Any, filled: Ledger) -> None:
    assert "No comparisons" in client.get("/comparisons").text
    with filled.begin() as uow:
        uow.comparisons.create("models", variants=["a", "b"], title="<Which> model")
        for variant in ("a", "b"):
            uow.sessions.create(variant)
            uow.messages.append(variant, "assistant", f"An answer of {variant}")
            uow.comparisons.add("models", variant, variant, prompt_key="p1")
        uow.comparisons.record("models", "p1", "a", "b", judge="eve", preference=1.0)
    assert "&lt;Which&gt; model" in client.get("/comparisons").text
    text = client.get("/comparison/models").text
    assert "An answer of a" in text
    assert "An answer of b" in text
    assert "<bdi>eve</bdi>" in text
    assert 'method="post"' not in text
    assert 404 == client.get("/comparison/none").status_code


def test_batches_show_their_progress_and_items(client: Any, filled: Ledger) -> None:
    assert "No batches" in client.get("/batches").text
    with filled.begin() as uow:
        uow.batches.create("job", [{"key": f"k{n}", "payload": {"n": n}} for n in range(60)], name="<Night> run")
        first, second = uow.batches.claim("job", worker="w", limit=2)
        uow.batches.complete(first, {"said": "<done>"}, session_id="trunk")
        uow.batches.fail(second, "no <answer>", retry=False)
    text = client.get("/batches").text
    assert "&lt;Night&gt; run" in text
    assert "60 items" in text
    text = client.get("/batch/job").text
    assert 'aria-label="1 done, 0 running, 1 failed"' in text
    assert "&lt;done&gt;" in text
    assert "no &lt;answer&gt;" in text
    assert '<a href="/session/trunk">conversation</a>' in text
    seen = re.findall(r'<b dir="auto">(k\d+)</b>', text)
    (more,) = re.findall(r'class="more" href="([^"]*)"', text)
    seen += re.findall(r'<b dir="auto">(k\d+)</b>', client.get(more.replace("&amp;", "&")).text)
    assert (60, 60) == (len(seen), len(set(seen)))
    assert ["k1"] == re.findall(r'<b dir="auto">(k\d+)</b>', client.get("/batch/job?status=failed").text)
    assert "No batches" in client.get("/batches?status=cancelled").text
    assert 422 == client.get("/batches?status=nonsense").status_code
    assert 404 == client.get("/batch/none").status_code


def test_workflows_show_their_executions_and_steps(client: Any, filled: Ledger) -> None:
    assert "No executions" in client.get("/workflows").text
    with filled.begin() as uow:
        uow.workflows.define(
            {"name": "two", "inputs": {"topic": {"default": "none"}}, "steps": {"ask": {"uses": "ask"}}}
        )
        one = uow.workflows.start("two", {"topic": "<night>"})
    text = client.get("/workflows").text
    assert "two, version 1" in text
    assert one.execution_id in text
    text = client.get(f"/execution/{one.execution_id}").text
    assert "&lt;night&gt;" in text
    assert "No executions" in client.get("/workflows?name=two&state=succeeded").text
    assert 404 == client.get("/execution/none").status_code


def test_what_is_due_and_what_was_done_are_shown(client: Any, filled: Ledger) -> None:
    filled.run(lambda uow: uow.sessions.hold("bobs", reason="<court>"), actor="eve")
    text = client.get("/timeouts").text
    assert '<a href="/session/trunk" dir="auto">Trunk</a>' in text
    assert "2 days" in text
    text = client.get("/audit").text
    assert "&lt;court&gt;" in text
    assert "eve" in text
    assert "No entries" in client.get("/audit?actor=nobody").text
    assert 422 == client.get("/audit?cursor=nonsense").status_code


def test_a_user_sees_nothing_of_others(filled: Ledger) -> None:
    with filled.begin() as uow:
        uow.comparisons.create("g", user_id="ada", title="Of Ada")
        uow.batches.create("job", user_id="ada", name="Of Ada")
        uow.workflows.define(
            {"name": "two", "inputs": {"topic": {"default": "none"}}, "steps": {"ask": {"uses": "ask"}}}, user_id="ada"
        )
        one = uow.workflows.start("two", user_id="ada")
        uow.sessions.hold("trunk")
    with clients(filled.for_user("bob")) as client:
        for address in ("/", "/usage", "/comparisons", "/batches", "/workflows", "/timeouts", "/audit"):
            answer = client.get(address)
            assert 200 == answer.status_code
            assert not re.search("Of Ada|Trunk|trunk|ada", answer.text), address
        for address in ("/comparison/g", "/batch/job", f"/execution/{one.execution_id}", "/session/left"):
            assert 404 == client.get(address).status_code


@pytest.mark.parametrize(
    ("address", "most"),
    [("/", 4), ("/session/trunk", 12), ("/batches", 3), ("/workflows", 3), ("/audit", 2), ("/timeouts", 4)],
)
def test_a_page_takes_the_same_few_statements_however_much_there_is(filled: Ledger, address: str, most: int) -> None:
    with clients(filled) as client:
        client.get(address)
        with counted_statements() as few:
            client.get(address)
        with filled.begin() as uow:
            for number in range(10):
                uow.sessions.fork("trunk", at=3)
                uow.sessions.create(parent="trunk")
                uow.annotations.add("trunk", label=f"l{number}")
        with counted_statements() as many:
            client.get(address)
    assert len(few) == len(many) <= most, many
