"""Both databases find the same, whatever the locale: what the documented rule says, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from chatledger import Ledger
from chatledger.full_text.matching import Matcher
from chatledger.full_text.normalization import words_of
from chatledger.full_text.query import parse
from tests.full_text.corpora import texts
from tests.support.postgres import Server, unique_name

_MESSAGES = 190


@pytest.fixture(params=["sqlite", "postgresql", "postgresql without a locale"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path, shared_data: Path) -> Iterator[tuple[Ledger, list[str]]]:
    """A ledger with texts of many languages, one message each."""
    every = [text for text in texts(shared_data) if len(text) < 2000]
    chosen = random.Random(7).sample(every, min(_MESSAGES, len(every)))
    if request.param == "sqlite":
        url = str(request.getfixturevalue("migrated_sqlite_url"))
        yield from _filled(url, chosen)
        return
    server: Server = request.getfixturevalue("postgres_server")
    if request.param == "postgresql":
        with server.database(template=request.getfixturevalue("postgres_template")) as url:
            yield from _filled(url, chosen)
        return
    name = unique_name("c")
    command = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    server._execute(sql.SQL(command).format(sql.Identifier(name)))
    try:
        yield from _filled(make_url(server.url).set(database=name).render_as_string(hide_password=False), chosen)
    finally:
        server.drop(name)


def _filled(url: str, chosen: list[str]) -> Iterator[tuple[Ledger, list[str]]]:
    with Ledger(url) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.messages.append_many("s", [{"role": "user", "content": text} for text in chosen])
        yield ledger, chosen


def test_a_sample_of_queries_finds_what_the_rule_says(corpus: tuple[Ledger, list[str]]) -> None:
    _compare(corpus, words=8)


@pytest.mark.soak
def test_a_thousand_words_find_what_the_rule_says(corpus: tuple[Ledger, list[str]]) -> None:
    _compare(corpus, words=1000)


@pytest.mark.soak
def test_all_prefixes_of_a_thousand_words_find_what_the_rule_says(corpus: tuple[Ledger, list[str]]) -> None:
    draw = random.Random(13)
    every = sorted({word for text in corpus[1] for word in words_of(text)})
    words = draw.sample(every, min(1000, len(every)))
    _compare_all(corpus, sorted({f"{word[:size]}*" for word in words for size in range(3, len(word) + 1)}))


def _compare(corpus: tuple[Ledger, list[str]], words: int) -> None:
    _compare_all(corpus, _queries(corpus[1], words))


def _compare_all(corpus: tuple[Ledger, list[str]], queries: list[str]) -> None:
    ledger, chosen = corpus
    wrong = []
    with ledger.read() as uow:
        for query in queries:
            matcher = Matcher(parse(query))
            expected = {number for number, text in enumerate(chosen, 1) if matcher.matches(text)}
            hits = uow.search.messages(query, limit=200).items
            if expected != {hit.sequence_number for hit in hits}:
                wrong.append(query)
            elif any("**" not in hit.snippet for hit in hits):
                wrong.append(f"no mark: {query}")
            elif sorted(hit.match for hit in hits) != [hit.match for hit in hits]:
                wrong.append(f"order: {query}")
    assert [] == wrong


def _queries(chosen: list[str], words: int) -> list[str]:
    """Words with their prefixes, phrases and exclusions, as often of a rare script as of a common one."""
    draw = random.Random(11)
    found: list[str] = []
    while len(found) < words * 6:
        text = draw.choice(chosen)
        have = words_of(text)
        place = draw.randrange(len(have))
        word = have[place]
        other = draw.choice(words_of(draw.choice(chosen)))
        found += [
            word,
            f'"{" ".join(have[place : place + 3])}"',
            f"{word} {have[-1]}",
            f"{word} OR {other}",
            f"{word} -{other}",
        ]
        found.append(f"{word[: draw.randint(3, max(3, len(word)))]}*")
        typed = draw.choice(text.split())
        if words_of(typed) and not typed.startswith("-") and '"' not in typed and ":" not in typed:
            found.append(typed)
    return found
