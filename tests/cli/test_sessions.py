"""create, list, fork, archive, delete."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_create_prints_the_id_alone(run: Command) -> None:
    session_id = run.text("create", "--title", "Trip")
    assert [session_id] == [session["session_id"] for session in run.json("list")["items"]]


def test_create_keeps_all_that_is_given(run: Command) -> None:
    created = run.json(
        "create", "--id", "s", "--user-id", "ada", "--project", "p", "--model", "gpt-5", "--title", "Trip",
        "--system-prompt", "Be brief.", "--metadata", "tags=[1,2]", "-m", "channel=web=1",
    )  # fmt: skip
    expected = {
        "session_id": "s",
        "user_id": "ada",
        "project_id": "p",
        "model_id": "gpt-5",
        "title": "Trip",
        "system_prompt": "Be brief.",
        "metadata": {"tags": [1, 2], "channel": "web=1"},
        "total_cost": "0",
    }
    assert expected == {name: created[name] for name in expected}


def test_an_id_that_is_taken_is_an_error(run: Command) -> None:
    run.text("create", "--id", "s")
    assert "chatledger: session 's' exists already" == run.error("create", "--id", "s")


def test_an_id_that_is_taken_can_be_left_as_it_is(run: Command) -> None:
    assert "s" == run.text("create", "--id", "s", "--title", "Trip", "--if-not-exists")
    assert "s" == run.text("create", "--id", "s", "--title", "Another", "--if-not-exists")
    assert ["Trip"] == [session["title"] for session in run.json("list")["items"]]
    assert 2 == run("create", "--if-not-exists").exit_code


def test_metadata_must_be_key_and_value(run: Command) -> None:
    result = run("create", "--metadata", "lonely")
    assert 2 == result.exit_code
    assert "KEY=VALUE" in result.stderr


def test_list_filters(run: Command) -> None:
    for session_id, user, model in (("a", "ada", "x"), ("b", "ada", "y"), ("c", "bob", "x")):
        run.text("create", "--id", session_id, "--user-id", user, "--model", model, "--project", f"of {user}")
    run.text("archive", "c")
    assert {"a", "b"} == listed(run, "--user-id", "ada")
    assert {"a", "c"} == listed(run, "--model", "x")
    assert {"c"} == listed(run, "--project", "of bob")
    assert {"c"} == listed(run, "--status", "archived")
    assert {"a", "b", "c"} == listed(run, "--status", "archived", "--status", "active", "--since", "2026-01-01")
    assert set() == listed(run, "--until", "2026-01-01T00:00:00Z")
    assert set() == listed(run, "--since", "2999-01-01T00:00:00+02:00")


def test_list_goes_on_at_the_cursor(run: Command) -> None:
    for number in range(3):
        run.text("create", "--id", f"s{number}")
    first = run.json("list", "--limit", "2")
    rest = run.json("list", "--limit", "2", "--cursor", first["next_cursor"])
    assert ["s2", "s1", "s0"] == [session["session_id"] for session in first["items"] + rest["items"]]
    assert rest["next_cursor"] is None
    assert f"more with --cursor {first['next_cursor']}\n" == run("list", "--limit", "2").stderr
    assert {"s0", "s1", "s2"} == listed(run, "--all", "--limit", "1")


def test_the_table_off_a_terminal_is_plain_and_whole(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada", "--title", "A title that is rather long for a narrow terminal")
    run.text("add", "s", "user", "Hello", "--tokens", "1200", "--cost", "0.0125")
    header, row = run.text("list").splitlines()
    assert ["ID", "Title", "User"] == header.split()[:3]
    assert (
        "s   A title that is rather long for a narrow terminal  ada   -      active         1   1,200  $0.0125" in row
    )


def test_an_empty_list_says_so_beside_the_output(run: Command) -> None:
    result = run("list")
    assert (0, "", "no sessions\n") == (result.exit_code, result.stdout, result.stderr)


def test_a_time_without_a_zone_is_refused_with_the_remedy(run: Command) -> None:
    result = run("list", "--since", "2026-05-01T12:00")
    assert 2 == result.exit_code
    assert "add Z for UTC" in " ".join(result.stderr.replace("│", "").split())
    assert 2 == run("list", "--until", "someday").exit_code


def test_fork_copies_up_to_a_message(run: Command) -> None:
    run.text("create", "--id", "s", "--title", "Trip")
    for text in ("one", "two", "three"):
        run.text("add", "s", "user", text)
    forked = run.json("fork", "s", "--at", "2", "--title", "Other", "--id", "f")
    assert ("f", "Other", 2, "s") == tuple(
        forked[name] for name in ("session_id", "title", "message_count", "forked_from")
    )
    assert "chatledger: no message 9 in session 's'" == run.error("fork", "s", "--at", "9")


def test_an_archived_session_takes_no_message(run: Command) -> None:
    run.text("create", "--id", "s")
    run.text("archive", "s")
    assert "fork it to go on from here" in run.error("add", "s", "user", "Hello")


def test_delete_wants_to_hear_yes(run: Command) -> None:
    run.text("create", "--id", "s")
    assert "add --yes" in run.error("delete", "s")
    run.text("delete", "s", "--yes")
    assert "chatledger: no session 's'" == run.error("delete", "s")


def test_another_users_session_is_not_found(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada")
    for command in (["history", "s"], ["add", "s", "user", "x"], ["fork", "s"], ["archive", "s"], ["delete", "s"]):
        assert "chatledger: no session 's'" == run.error(*command, "--user-id", "bob")
    assert "0" == run.json("list", "--user-id", "ada")["items"][0]["total_cost"]


def listed(run: Command, *options: str) -> set[str]:
    return {session["session_id"] for session in run.json("list", *options)["items"]}


def test_sessions_have_names_and_children(run: Command) -> None:
    made = run.json("create", "--user-id", "ada", "--name", "main")
    assert made == run.json("create", "--user-id", "ada", "--name", "main", "--if-not-exists")
    assert "is named 'main'" in run.error("create", "--user-id", "ada", "--name", "main")
    parent = made["session_id"]
    run.text("create", "--id", "child", "--parent", parent, "--name", "helper")
    assert {"child"} == listed(run, "--parent", parent) == listed(run, "--name-prefix", "help")
    in_order = [session["name"] for session in run.json("list", "--order", "name")["items"]]
    assert ["helper", "main"] == in_order
    assert ["ID", "Name"] == run.text("list").split()[:2]
    assert "  parent" in run.text("session", "show", "child")
    assert "other" == run.json("session", "update", "child", "--name", "other")["name"]
    assert run.json("session", "update", "child", "--clear", "name")["name"] is None
    assert "and 1 child session: add --yes" in run.error("delete", parent)
    run.text("delete", parent, "--yes")
    assert set() == listed(run)
    assert "'--if-not-exists'" in run("create", "--if-not-exists").stderr
