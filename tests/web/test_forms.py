"""The forms of `chatledger serve --write`, as a browser without scripts sends them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from chatledger import Ledger
from tests.web.test_pages import clients

ORIGIN = "http://127.0.0.1"

pytestmark = pytest.mark.usefixtures("pages_extra")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.begin() as uow:
        uow.sessions.create("trip", user_id="ada", title="Trip")
        uow.messages.append("trip", "user", "Which night trains? My number is 555-walrus.")
        uow.messages.append("trip", "assistant", "Three of them.")
        uow.sessions.create("bobs", user_id="bob", title="Of Bob")
        uow.messages.append("bobs", "user", "mine")
    return ledger


@pytest.fixture
def client(filled: Ledger) -> Iterator[Any]:
    with clients(filled, author="ada") as client:
        yield client


def forms(text: str, action: str) -> list[dict[str, str]]:
    """The hidden fields of each form of a page that does something."""
    found = []
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.S):
        fields = {
            unescape(name): unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
        }
        if fields["action"] == action:
            found.append(fields)
    return found


def send(client: Any, address: str, action: str, *, at: int = 0, **fields: str) -> Any:
    """Open a page, fill in the form at a place, and send it."""
    form = forms(client.get(address).text, action)[at]
    return client.post(address, data={**form, **fields}, headers={"origin": ORIGIN, "sec-fetch-site": "same-origin"})


def test_a_page_without_write_has_no_forms(filled: Ledger) -> None:
    with clients(filled) as client:
        assert 'method="post"' not in client.get("/session/trip").text
        assert 405 == client.post("/session/trip", data={"action": "delete"}).status_code


def test_a_conversation_is_renamed(client: Any, filled: Ledger) -> None:
    answer = send(client, "/session/trip", "rename", title="To <Rome>")
    assert (200, "/session/trip") == (answer.status_code, answer.url.path)
    assert "Renamed." in answer.text
    assert "To &lt;Rome&gt;" in answer.text
    assert "To <Rome>" == filled.view(lambda uow: uow.sessions.get("trip")).title


def test_a_message_is_annotated_voted_on_and_the_annotation_removed(client: Any, filled: Ledger) -> None:
    answer = send(client, "/session/trip", "annotate", at=2, label="wrong", score="0.5", text="There are\r\nfour")
    assert "Annotated." in answer.text
    assert answer.url.fragment == "m2"
    send(client, "/session/trip", "vote", at=1, label="up")
    send(client, "/session/trip", "vote", at=1, label="down")
    with filled.read() as uow:
        vote, note = uow.annotations.list(session_id="trip")
    assert ("wrong", 0.5, "There are\nfour", "ada", 2) == (
        note.label, note.score, note.text, note.author, note.sequence_number,
    )  # fmt: skip
    assert ("down", "ada", 2) == (vote.label, vote.author, vote.sequence_number)
    assert "/?label=wrong" in client.get("/session/trip").text
    assert "Trip" in client.get("/?label=wrong").text
    assert "Of Bob" not in client.get("/?label=wrong").text
    answer = send(client, "/session/trip", "unannotate")
    assert "The annotation is removed." in answer.text
    assert ["down"] == [one.label for one in filled.view(lambda uow: uow.annotations.list(session_id="trip"))]


def test_a_conversation_is_archived_held_and_back(client: Any, filled: Ledger) -> None:
    for action, status, held in (
        ("hold", "active", True), ("release", "active", False), ("archive", "archived", False), ("reopen", "active", False),
    ):  # fmt: skip
        assert 200 == send(client, "/session/trip", action, reason="because").status_code
        session = filled.view(lambda uow: uow.sessions.get("trip"))
        assert (status, held) == (session.status.value, session.held_at is not None)
    with filled.read() as uow:
        entries = uow.audit.list(session_id="trip").items
    assert {("ada", "because")} == {(one.actor, one.reason) for one in entries if one.action != "session.renamed"}
    assert "because" in client.get("/audit?session=trip").text


def test_what_cannot_be_undone_is_asked_for_again(client: Any, filled: Ledger) -> None:
    asked = send(client, "/session/trip", "delete", reason="wished")
    assert "2 messages, the snapshots" in asked.text
    (form,) = forms(asked.text, "delete")
    again = client.post("/session/trip", data={**form, "confirm": "yes"})
    assert "Type the word" in again.text
    assert filled.view(lambda uow: uow.sessions.find("trip")) is not None
    done = client.post("/session/trip", data={**form, "confirm": "delete"})
    assert "The conversation is deleted." in done.text
    with filled.read() as uow:
        assert uow.sessions.find("trip") is None
        (entry,) = uow.audit.list(action="session.deleted")
    assert ("ada", "wished", "trip") == (entry.actor, entry.reason, entry.session_id)


def test_a_message_is_redacted(client: Any, filled: Ledger) -> None:
    asked = send(client, "/session/trip", "redact")
    assert "555-walrus" in asked.text
    (form,) = forms(asked.text, "redact")
    done = client.post("/session/trip", data={**form, "confirm": "redact"})
    assert "The message is redacted." in done.text
    assert "walrus" not in done.text
    with filled.read() as uow:
        assert "[redacted]" == uow.messages.get("trip", 1).content
        assert not list(uow.search.messages("walrus"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": ""},
        {"sec-fetch-site": "cross-site", "origin": ORIGIN},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(client: Any, filled: Ledger, headers: dict[str, str]) -> None:
    form = forms(client.get("/session/trip").text, "rename")[0]
    assert 403 == client.post("/session/trip", data={**form, "title": "x"}, headers=headers).status_code
    assert "Trip" == filled.view(lambda uow: uow.sessions.get("trip")).title


@pytest.mark.parametrize("form_token", ["", "wrong", None])
def test_a_form_without_our_secret_is_refused(client: Any, filled: Ledger, form_token: str | None) -> None:
    form = {"action": "rename", "title": "x"} | ({} if form_token is None else {"form_token": form_token})
    assert 403 == client.post("/session/trip", data=form).status_code
    assert 415 == client.post("/session/trip", json=form).status_code
    assert "Trip" == filled.view(lambda uow: uow.sessions.get("trip")).title


def test_a_form_behind_a_proxy_that_does_not_pass_on_the_host_is_ours(client: Any) -> None:
    form = forms(client.get("/session/trip").text, "rename")[0]
    headers = {"origin": "https://chats.example", "sec-fetch-site": "same-origin"}
    assert 200 == client.post("/session/trip", data={**form, "title": "x"}, headers=headers).status_code


def test_the_secret_of_a_form_is_of_no_use_in_another_browser(filled: Ledger) -> None:
    from fastapi.testclient import TestClient

    with clients(filled, author="ada") as one:
        other = TestClient(one.app, base_url="http://127.0.0.1")
        form = {**forms(one.get("/session/trip").text, "rename")[0], "title": "x"}
        assert 403 == other.post("/session/trip", data=form).status_code  # without a cookie
        assert form["form_token"] not in other.get("/session/trip").text
        assert 403 == other.post("/session/trip", data=form).status_code  # with its own
        assert 200 == one.post("/session/trip", data=form).status_code


def test_the_cookie_of_forms_is_kept_and_not_for_scripts(filled: Ledger) -> None:
    with clients(filled, author="ada") as client:
        cookie = client.get("/session/trip").headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert "set-cookie" not in client.get("/").headers
    with clients(filled, author="ada") as client:
        assert "; secure" in client.get("https://127.0.0.1/").headers["set-cookie"].lower()
    with clients(filled) as client:
        assert "set-cookie" not in client.get("/session/trip").headers


def test_another_users_comparison_is_not_found(filled: Ledger) -> None:
    with filled.begin() as uow:
        uow.comparisons.create("models", variants=["a", "b"], user_id="bob")
        for variant in ("a", "b"):
            uow.sessions.create(variant, user_id="bob")
            uow.messages.append(variant, "assistant", "This one")
            uow.comparisons.add("models", variant, variant, prompt_key="p")
    fields = {"prompt": "p", "first": "a", "second": "b", "preference": "first"}
    for user, own, status in (("ada", "trip", 404), ("bob", "bobs", 200)):
        with clients(filled.for_user(user), author=user) as client:
            form = forms(client.get(f"/session/{own}").text, "rename")[0]
            assert status == client.post("/comparison/models", data={**form, **fields}).status_code
    assert ["bob"] == [one.judge for one in filled.view(lambda uow: list(uow.comparisons.results("models")))]


def test_another_users_conversation_is_not_found(filled: Ledger) -> None:
    with clients(filled.for_user("ada"), author="ada") as client:
        form = forms(client.get("/session/trip").text, "rename")[0]
        for action in ("rename", "annotate", "vote", "archive", "hold", "redact", "delete"):
            fields = {**form, "action": action, "number": "1", "label": "up", "title": "x", "confirm": action}
            answer = client.post("/session/bobs", data=fields)
            assert (404, True) == (answer.status_code, "<h1>Not Found</h1>" in answer.text)
    bobs = filled.view(lambda uow: uow.sessions.get("bobs"))
    assert ("Of Bob", "active", 1) == (bobs.title, bobs.status.value, bobs.message_count)


def test_an_annotation_is_removed_on_its_own_page_only(client: Any, filled: Ledger) -> None:
    with filled.begin() as uow:
        note = uow.annotations.add("bobs", label="x")
    form = forms(client.get("/session/trip").text, "rename")[0]
    fields = {**form, "action": "unannotate", "annotation": note.annotation_id}
    assert 422 == client.post("/session/trip", data=fields).status_code
    assert note == filled.view(lambda uow: uow.annotations.get(note.annotation_id))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "nonsense"}, 422),
        ({"action": "annotate"}, 422),
        ({"action": "annotate", "label": "x", "score": "many"}, 422),
        ({"action": "annotate", "label": "x", "score": "nan"}, 422),
        ({"action": "annotate", "label": "x", "number": "-1"}, 422),
        ({"action": "annotate", "label": "x", "number": "²"}, 422),
        ({"action": "annotate", "label": "x", "number": "9" * 30}, 422),
        ({"action": "annotate", "label": "x", "number": "77"}, 404),
        ({"action": "annotate", "label": "a\x00b"}, 422),
        ({"action": "vote", "label": "sideways"}, 422),
        ({"action": "unannotate", "annotation": "none"}, 404),
        ({"action": "redact"}, 422),
        ({"action": "redact", "number": "77"}, 404),
        ({"action": "redact", "number": "77", "confirm": "redact"}, 404),
        ({"action": "rename", "title": "x" * (1 << 20)}, 413),
        ({"action": "release"}, 200),
        ({"action": "reopen"}, 200),
    ],
    ids=str,
)
def test_a_form_that_is_not_right_is_said_in_words(
    client: Any, filled: Ledger, fields: dict[str, str], status: int
) -> None:
    form = forms(client.get("/session/trip").text, "rename")[0]
    answer = client.post("/session/trip", data={**form, **fields})
    assert status == answer.status_code, answer.text
    assert "<h1" in answer.text
    assert 2 == filled.view(lambda uow: uow.sessions.get("trip")).message_count


def test_answers_are_judged(client: Any, filled: Ledger) -> None:
    with filled.begin() as uow:
        uow.comparisons.create("models", variants=["a", "b"], title="Which model")
        for variant in ("a", "b"):
            uow.sessions.create(variant)
            uow.messages.append(variant, "user", "Which?")
            uow.messages.append(variant, "assistant", f"This one, says {variant}")
            uow.comparisons.add("models", variant, variant, prompt_key="p1")
    send(client, "/comparison/models", "judge", preference="first")
    answer = send(client, "/comparison/models", "judge", preference="second", notes="shorter")
    assert "Your verdict is stored." in answer.text
    with filled.read() as uow:
        (result,) = uow.comparisons.results("models")
    assert ("ada", "person", 1.0, "shorter") == (result.judge, result.judge_kind.value, result.preference, result.notes)
    form = forms(client.get("/comparison/models").text, "judge")[0]
    assert 422 == client.post("/comparison/models", data={**form, "preference": "best"}).status_code
    assert 404 == client.post("/comparison/none", data={**form, "preference": "draw"}).status_code
