"""URLs of PostgreSQL with several hosts, in every form that people know, and the option that is ours."""

from __future__ import annotations

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.dialects import parse_url
from chatledger.dialects.postgresql.url import split_hosts, take_prepared_statements

_HOSTS = {"host": "h1,h2", "port": "5432,5433"}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://h1:5432,h2:5433/db",
        "postgresql:///db?host=h1:5432,h2:5433",
        "postgresql:///db?host=h1:5432&host=h2:5433",
        "postgresql:///db?host=h1,h2&port=5432,5433",
    ],
)
@pytest.mark.parametrize("user", ["", "ada@", "ada:p%40ss@", "ada:a,b@"])
def test_several_hosts_are_read_in_every_form(text: str, user: str) -> None:
    separator = "&" if "?" in text else "?"
    given = text.replace("://", f"://{user}") + f"{separator}target_session_attrs=read-write"
    url = split_hosts(parse_url(given))
    assert {**_HOSTS, "target_session_attrs": "read-write"} == dict(url.query)
    assert ("db", user.partition(":")[0].rstrip("@") or None) == (url.database, url.username)
    assert {"ada:p%40ss@": "p@ss", "ada:a,b@": "a,b"}.get(user) == url.password


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("postgresql://h1,h2/db", "h1,h2", None),
        ("postgresql://h1,h2:5433/db", "h1,h2", ",5433"),
        ("postgresql://[::1]:5432,[fe80::1]:5433/db", "::1,fe80::1", "5432,5433"),
        ("postgresql://%2Ftmp:5432,h2/db", "/tmp,h2", "5432,"),
        ("postgresql://h1:5432,h2:5433", "h1,h2", "5432,5433"),
        ("postgresql:///db?host=/tmp", "/tmp", None),
        ("postgresql:///db?host=h1:5432", "h1:5432", None),  # one host: the driver reads it
    ],
)
def test_ports_may_be_left_out_and_hosts_may_be_addresses_or_folders(text: str, host: str, port: str | None) -> None:
    query = split_hosts(parse_url(text)).query
    assert (host, port) == (query["host"], query.get("port"))


@pytest.mark.parametrize("text", ["postgresql://h1:54x2,h2/db", "postgresql:///db?host=h1:1,h2:2&port=3,4"])
def test_ports_that_are_invalid_or_given_twice_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"url: .*port"):
        split_hosts(parse_url(text))


@pytest.mark.parametrize(("word", "value"), [("false", False), ("off", False), ("TRUE", True)])
def test_prepared_statements_can_be_set_in_the_url(word: str, value: bool) -> None:
    url, prepared = take_prepared_statements(parse_url(f"postgresql://h/db?prepared_statements={word}&sslmode=prefer"))
    assert (value, {"sslmode": "prefer"}) == (prepared, dict(url.query))


def test_another_word_for_prepared_statements_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be true or false"):
        Ledger("postgresql://h/db?prepared_statements=maybe")
