"""The routes of `chat_router`, on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from tests.web.conftest import Make


def said(client: Any, session_id: str, *texts: str) -> None:
    for text in texts:
        assert 201 == client.post(f"sessions/{session_id}/messages", json={"content": text}).status_code


def problem(response: Any) -> tuple[int, str]:
    assert "application/problem+json" == response.headers["content-type"]
    body = response.json()
    assert response.status_code == body["status"]
    return body["status"], body["type"].removeprefix("urn:chatledger:error:")


def test_a_session_is_created_read_changed_and_deleted(client: Any) -> None:
    created = client.post("sessions", json={"title": "Trip", "model_id": "gpt-5", "metadata": {"channel": "web"}})
    session = created.json()
    assert (201, "ada", "Trip", {"channel": "web"}) == (
        created.status_code, session["user_id"], session["title"], session["metadata"],
    )  # fmt: skip
    found = client.get(created.headers["location"])
    assert session == found.json()
    path = f"sessions/{session['session_id']}"
    changed = client.patch(path, json={"title": None}).json()
    assert (None, "gpt-5") == (changed["title"], changed["model_id"])
    assert (204, b"") == ((gone := client.delete(path)).status_code, gone.content)
    assert (404, "session-not-found") == problem(client.get(path))
    assert (404, "session-not-found") == problem(client.delete(path))


def test_sessions_are_listed_by_pages(client: Any) -> None:
    for number in range(3):
        client.post("sessions", json={"session_id": f"s{number}", "project_id": "p" if number else None})
    first = client.get("sessions", params={"limit": 2}).json()
    second = client.get("sessions", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert {"s0", "s1", "s2"} == {one["session_id"] for one in [*first["items"], *second["items"]]}
    assert (2, None) == (len(first["items"]), second["next_cursor"])
    assert 2 == len(client.get("sessions", params={"project_id": "p"}).json()["items"])
    assert [] == client.get("sessions", params=[("status", "archived"), ("status", "failed")]).json()["items"]
    assert (422, "invalid-input") == problem(client.get("sessions", params={"cursor": "x"}))
    assert (422, "invalid-input") == problem(client.get("sessions", params={"since": "2026-01-01T00:00:00"}))


def test_a_user_sees_only_their_own_sessions(client_of: Make) -> None:
    ada, lin, nobody = client_of("ada"), client_of("lin"), client_of(None)
    ada.post("sessions", json={"session_id": "s"})
    said(ada, "s", "otters")
    assert (404, "session-not-found") == problem(lin.get("sessions/s"))
    for method, path, body in (
        ("GET", "sessions/s/messages", None),
        ("POST", "sessions/s/messages", {"content": "x"}),
        ("POST", "sessions/s/answer", {"content": "x"}),
        ("POST", "sessions/s/fork", None),
        ("POST", "sessions/s/archive", None),
        ("PATCH", "sessions/s", {"title": "x"}),
        ("DELETE", "sessions/s", None),
        ("GET", "sessions/s/export", None),
    ):
        assert (404, "session-not-found") == problem(lin.request(method, path, json=body)), path
    assert [] == lin.get("sessions").json()["items"]
    assert [] == lin.get("search", params={"q": "otters"}).json()["items"]
    assert (409, "session-exists") == problem(lin.post("sessions", json={"session_id": "s"}))
    refused = nobody.get("sessions")
    assert (401, "application/problem+json") == (refused.status_code, refused.headers["content-type"])
    assert 1 == len(ada.get("sessions/s/messages").json()["items"])


def test_messages_are_listed_from_the_newest_page_to_the_oldest(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    said(client, "s", *"abcde")
    pages, cursor = [], None
    while True:
        page = client.get("sessions/s/messages", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        pages.append([one["content"] for one in page["items"]])
        if (cursor := page["next_cursor"]) is None:
            break
    assert [["d", "e"], ["b", "c"], ["a"]] == pages


def test_messages_behind_a_number_are_listed_forwards(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    said(client, "s", *"abcde")
    first = client.get("sessions/s/messages", params={"after": 1, "limit": 3}).json()
    rest = client.get("sessions/s/messages", params={"after": 1, "cursor": first["next_cursor"]}).json()
    assert ["b", "c", "d"] == [one["content"] for one in first["items"]]
    assert (["e"], None) == ([one["content"] for one in rest["items"]], rest["next_cursor"])
    assert [] == client.get("sessions/s/messages", params={"after": 5}).json()["items"]
    forged = {"cursor": first["next_cursor"]}
    assert (422, "invalid-input") == problem(client.get("sessions/s/messages", params=forged))


def test_hidden_messages_are_not_listed(client: Any, ledger: Ledger) -> None:
    client.post("sessions", json={"session_id": "s"})
    ledger.run(lambda uow: uow.messages.append("s", "user", "a profile", hidden=True))
    said(client, "s", "Hello")
    assert ["Hello"] == [one["content"] for one in client.get("sessions/s/messages").json()["items"]]


def test_a_message_with_a_key_is_stored_once(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    body = {"content": "Hello", "key": "k", "metadata": {"via": "phone"}}
    first, again = (client.post("sessions/s/messages", json=body) for _ in range(2))
    assert (201, first.json()) == (again.status_code, again.json())
    assert (409, "key-reused") == problem(client.post("sessions/s/messages", json={"content": "other", "key": "k"}))


def test_content_may_be_a_list_of_parts(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://x.test/1"}}]
    stored = client.post("sessions/s/messages", json={"content": parts}).json()
    assert ("What is this?", parts) == (stored["content"], stored["payload"]["content"])


def test_clients_append_only_the_roles_that_the_application_allows(client_of: Make) -> None:
    strict, open_ = client_of(), client_of(roles=["user", "assistant"])
    strict.post("sessions", json={"session_id": "s"})
    body = {"role": "assistant", "content": "I said so."}
    assert (422, "invalid-input") == problem(strict.post("sessions/s/messages", json=body))
    assert 201 == open_.post("sessions/s/messages", json=body).status_code


def test_a_closed_session_takes_no_messages_until_it_is_reopened(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    assert "archived" == client.post("sessions/s/archive").json()["status"]
    assert (409, "session-closed") == problem(client.post("sessions/s/messages", json={"content": "x"}))
    assert (409, "session-closed") == problem(client.post("sessions/s/answer", json={"content": "x"}))
    assert "active" == client.post("sessions/s/reopen").json()["status"]
    said(client, "s", "x")


def test_a_fork_goes_its_own_way(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    said(client, "s", *"abc")
    whole, part = client.post("sessions/s/fork"), client.post("sessions/s/fork", json={"at": 2, "session_id": "t"})
    assert (201, 3) == (whole.status_code, whole.json()["message_count"])
    assert ("t", 2, "s") == (part.json()["session_id"], part.json()["message_count"], part.json()["forked_from"])
    assert part.json() == client.get(f"sessions/s/{part.headers['location']}").json() | {"open_calls": []}
    assert (404, "message-not-found") == problem(client.post("sessions/s/fork", json={"at": 9}))


def test_messages_and_sessions_are_found(client: Any) -> None:
    client.post("sessions", json={"session_id": "s", "title": "Animals"})
    said(client, "s", "otters swim", "badgers dig")
    (hit,) = client.get("search", params={"q": "otter"}).json()["items"]
    assert ("s", 1, "**otters** swim") == (hit["session_id"], hit["sequence_number"], hit["snippet"])
    (hit,) = client.get("search/sessions", params={"q": "animals"}).json()["items"]
    assert ("s", "title") == (hit["session_id"], hit["found_in"])
    assert [] == client.get("search", params={"q": 'AND ( " * NEAR'}).json()["items"]
    assert [] == client.get("search", params={"q": "otter", "session_id": "other"}).json()["items"]


def test_a_session_is_exported_as_a_file(client: Any) -> None:
    client.post("sessions", json={"session_id": "s"})
    said(client, "s", "otters swim", "ö" * 300_000)
    for format, ending in (("jsonl", "jsonl"), ("json", "json"), ("markdown", "md"), ("html", "html")):
        response = client.get("sessions/s/export", params={"format": format})
        assert (200, "nosniff") == (response.status_code, response.headers["x-content-type-options"])
        assert f"attachment; filename*=utf-8''s.{ending}" == response.headers["content-disposition"]
        assert "otters swim" in response.text
    lines = client.get("sessions/s/export").text.splitlines()
    assert ["header", "session", "message", "message"] == [json.loads(line)["type"] for line in lines]


def test_an_application_with_one_user_sees_the_whole_ledger(client_of: Make) -> None:
    client_of("ada").post("sessions", json={"session_id": "s"})
    assert 200 == client_of(None, user=None).get("sessions/s").status_code


def test_ids_that_clients_choose_can_stand_in_a_url(sqlite_client: Any) -> None:
    for wrong in ("", "a/b", "..", ".", "a?b", "a b", "x" * 256, "a\x00"):
        assert (422, "invalid-input") == problem(sqlite_client.post("sessions", json={"session_id": wrong})), wrong


BAD_BODIES = (
    b'{"content": "a\\u0000b"}',
    b'{"content": "\\ud800"}',
    b'{"content": 1}',
    b'{"content": []}',
    b'{"content": [1]}',
    b'{"content": "x", "metadata": {"a": NaN}}',
    b'{"content": "x", "metadata": {"\\ud800": 1}}',
    b'{"content": "x", "\\ud800": 1}',
    b'{"content": "x", "unknown": 1}',
    b'{"content": "x", "role": "nobody"}',
    b'{"content": "x", "key": ""}',
    b'{"content": ',
    b"",
    b'"text"',
    b"null",
)


def test_a_body_that_is_not_valid_is_refused_without_its_values(sqlite_client: Any) -> None:
    sqlite_client.post("sessions", json={"session_id": "s"})
    headers = {"content-type": "application/json"}
    for route in ("messages", "answer"):
        for content in BAD_BODIES:
            response = sqlite_client.post(f"sessions/s/{route}", content=content, headers=headers)
            assert (422, "invalid-input") == problem(response), content
            assert "input" not in response.json()
    assert [] == sqlite_client.get("sessions/s/messages").json()["items"]


def test_a_body_that_cannot_be_parsed_is_refused(sqlite_client: Any) -> None:
    sqlite_client.post("sessions", json={"session_id": "s"})
    for content in (b"[" * 100_000, b"\xff\xfe"):
        headers = {"content-type": "application/json"}
        response = sqlite_client.post("sessions/s/messages", content=content, headers=headers)
        assert "application/problem+json" == response.headers["content-type"]
        assert response.status_code in (400, 422)


def test_a_session_id_of_any_shape_is_an_answer(client: Any) -> None:
    for session_id in ("no", "%00", "%ED%A0%80", "%F0%9F%A6%A6", "x" * 3000):
        for path in (f"sessions/{session_id}", f"sessions/{session_id}/messages", f"sessions/{session_id}/export"):
            assert problem(client.get(path)) in ((404, "session-not-found"), (422, "invalid-input"))


def test_all_that_is_wrong_with_a_request_is_named(sqlite_client: Any) -> None:
    body = sqlite_client.post("sessions", json={"title": 1, "model_id": ""}).json()
    assert [("body.title", "must be text"), ("body.model_id", "must not be empty")] == [
        (one["field"], one["reason"]) for one in body["errors"]
    ]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"answer": "text"}, "answer"),
        ({"roles": "user"}, "roles"),
        ({"roles": ["nobody"]}, "roles"),
        ({"history": 1}, "history"),
        ({"on_error": 1}, "on_error"),
    ],
)
def test_an_argument_that_is_not_valid_is_refused(options: dict[str, Any], field: str) -> None:
    from chatledger.web import chat_router

    with pytest.raises(InvalidInput) as caught:
        chat_router(user=None, **options)
    assert field == caught.value.field


def test_an_answer_that_is_no_generator_is_refused() -> None:
    from chatledger.web import chat_router

    async def answer(turn: Any) -> str:
        return "all at once"

    with pytest.raises(InvalidInput, match="with `yield`"):
        chat_router(user=None, answer=answer)  # type: ignore[arg-type]
