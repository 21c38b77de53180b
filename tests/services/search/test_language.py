"""The query language, the same on both databases: which messages a query finds."""

# Letters that look like others are here on purpose.
# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from chatledger import Ledger
from tests.support.once import ONE_DATABASE

CORPUS = {
    "train": "The last train to Porto leaves at 21:40.",
    "bus": "A bus leaves at noon; the train is cheaper.",
    "hotel": "Hotel near the train station, with breakfast",
    "lisbon": "Lisbon in May is warm.",
    "café": "We met at a café in Málaga, naïve as ever",
    "running": "She was running and jumped over boxes",
    "code": "def get_user_id(self): return self.user_id  # TODO",
    "email": "write to ada.lovelace@example.com or see https://example.com/a-b?c=d",
    "stop": "to be or not to be, that is the question",
    "numbers": "Order 12345 costs 3.14 euro, model gpt-4o-mini",
    "chinese": "数据库连接失败，请检查网络",
    "mixed": "请用Python连接数据库server",
    "japanese": "東京タワーへ行きました。カタカナ",
    "thai": "ฉันรักภาษาไทยมาก",
    "korean": "안녕하세요 세계",
    "russian": "Привет, мир! Ёлка",
    "arabic": "مرحبا بالعالم",
    "greek": "Καλημέρα κόσμε",
    "german": "Die Straße nach Köln ist groß",
    "emoji": "ship it 🚀 now",
    "case": "ISTANBUL and istanbul",
    "operators": "AND OR NOT NEAR are words",
    "vietnamese": "Tiếng Việt ở Huế",
    "turkish": "İzmir ve Iğdır",
    "polish": "Łódź i Kraków",
    "norwegian": "smørbrød på bordet",
    "hindi": "हिन्दी भाषा",
    "hebrew": "שלום עולם",
    "half": "add ½ cup of flour",
    "empty": "",
    "marks": "!!! --- ***",
}

QUERIES: list[tuple[str, set[str]]] = [
    ("train", {"train", "bus", "hotel"}),
    ("TRAIN", {"train", "bus", "hotel"}),
    ("train leaves", {"train", "bus"}),
    ("leaves train", {"train", "bus"}),
    ("trains", {"train", "bus", "hotel"}),
    ('"last train"', {"train"}),
    ('"train last"', set()),
    ('"last train" porto', {"train"}),
    ('"last train', {"train"}),
    ("train -porto", {"bus", "hotel"}),
    ("train -porto -hotel", {"bus"}),
    ('train -"last train"', {"bus", "hotel"}),
    ("-train", set()),
    ('-train -"bus"', set()),
    ("porto OR lisbon", {"train", "lisbon"}),
    ("porto | lisbon", {"train", "lisbon"}),
    ("porto or lisbon", set()),
    ("porto OR lisbon OR hotel", {"train", "lisbon", "hotel"}),
    ("leaves porto OR bus", {"train", "bus"}),
    ("porto OR", {"train"}),
    ("OR porto", {"train"}),
    ("porto OR OR lisbon", {"train", "lisbon"}),
    ("train AND porto", {"train"}),
    ("porto OR lisbon -may", {"train"}),
    ("por*", {"train"}),
    ("lisb*", {"lisbon"}),
    ("po*", set()),
    ("tra* lea*", {"train", "bus"}),
    ('"last tra"*', {"train"}),
    ('"las tra"*', set()),
    ("trai", set()),
    ("cafe", {"café"}),
    ("café", {"café"}),
    ("cafe\u0301", {"café"}),
    ("CAFÉ", {"café"}),
    ("malaga", {"café"}),
    ("naive", {"café"}),
    ("run", {"running"}),
    ("runs", {"running"}),
    ("running", {"running"}),
    ("jump", {"running"}),
    ("box", {"running"}),
    ("user", {"code"}),
    ("user_id", {"code"}),
    ("get_user_id", {"code"}),
    ("id(self)", {"code"}),
    ("TODO", {"code"}),
    ("ada.lovelace@example.com", {"email"}),
    ("lovelace", {"email"}),
    ("https://example.com/a-b?c=d", {"email"}),
    ("example", {"email"}),
    ("to be", {"stop"}),
    ('"to be or not to be"', {"stop"}),
    ("the", {"train", "bus", "hotel", "stop"}),
    ("12345", {"numbers"}),
    ("3.14", {"numbers"}),
    ("gpt-4o-mini", {"numbers"}),
    ("gpt 4o", {"numbers"}),
    ("21:40", {"train"}),
    ("数据库", {"chinese", "mixed"}),
    ("连接数据库", {"mixed"}),
    ("数据", {"chinese", "mixed"}),
    ("库", {"chinese", "mixed"}),
    ("数据库 python", {"mixed"}),
    ("数据库 -python", {"chinese"}),
    ("python", {"mixed"}),
    ("server", {"mixed"}),
    ("据数", set()),
    ("東京", {"japanese"}),
    ("タワー", {"japanese"}),
    ("ｶﾀｶﾅ", {"japanese"}),
    ("行きました", {"japanese"}),
    ("ภาษาไทย", {"thai"}),
    ("รัก", {"thai"}),
    ("세계", {"korean"}),
    ("안녕*", {"korean"}),
    ("안녕하*", {"korean"}),
    ("мир", {"russian"}),
    ("ПРИВЕТ", {"russian"}),
    ("مرحبا", {"arabic"}),
    # Accents fold where the letters are Latin or Greek; elsewhere a word is found as it is written.
    ("κόσμε", {"greek"}),
    ("ΚΌΣΜΕ", {"greek"}),
    ("κοσμε", {"greek"}),
    ("ёлка", {"russian"}),
    ("елка", set()),
    ("tieng viet", {"vietnamese"}),
    ("HUẾ", {"vietnamese"}),
    ("izmir", {"turkish"}),
    ("łodz", {"polish"}),
    ("lodz", {"polish"}),
    ("krakow", {"polish"}),
    ("smørbrød", {"norwegian"}),
    ("pa", {"norwegian"}),
    ("भाषा", {"hindi"}),
    ("हिन्दी", {"hindi"}),
    ("שלום", {"hebrew"}),
    ("koln", {"german"}),
    ("groß", {"german"}),
    ("istanbul", {"case"}),
    ("NEAR", {"hotel", "operators"}),
    ("NOT", {"stop", "operators"}),
    # A fraction is its digits, and so is a number in a circle.
    ("½ -flour", set()),
    ("½ -zebra", {"half"}),
    ("① -zebra", {"half"}),
    ("flour OR ①", {"half"}),
    ("flour -③", {"half"}),
    ("🚀", set()),
    ("ship 🚀", {"emoji"}),
    ("", set()),
    ("   ", set()),
    ('""', set()),
    ('"', set()),
    ("-", set()),
    ("*", set()),
    ("OR", set()),
    ("AND", set()),
    ("!!!", set()),
    ("'); DROP TABLE chatledger_messages; --", set()),
    ("train'", {"train", "bus", "hotel"}),
    ('train" OR "', set()),
    ("train & porto", {"train"}),
    ("train:*", {"train", "bus", "hotel"}),
    ("(train porto)", {"train"}),
    ("train^2", set()),
    ("content:train", set()),
    ("NEAR(train, 5)", set()),
    ("train\x00porto", {"train"}),
    ("train\ud800", {"train", "bus", "hotel"}),
    ("por\u200bto", {"train"}),
    ("por\u00adto", {"train"}),
    ("zebra", set()),
]


@pytest.fixture
def corpus(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        for name, text in CORPUS.items():
            uow.sessions.create(name)
            uow.messages.append(name, "user", text)
    return any_ledger


def test_each_query_finds_what_it_says(corpus: Ledger) -> None:
    with corpus.read() as uow:
        found = [(query, {hit.session_id for hit in uow.search.messages(query, limit=100)}) for query, _ in QUERIES]
    assert [] == [(query, hits, expected) for (query, hits), (_, expected) in zip(found, QUERIES, strict=True)
                  if hits != expected]  # fmt: skip


def test_sessions_are_found_by_the_same_queries(corpus: Ledger) -> None:
    with corpus.read() as uow:
        for query in ("train", "数据库", '"to be"', "-train", ""):
            messages = {hit.session_id for hit in uow.search.messages(query)}
            assert messages == {hit.session_id for hit in uow.search.sessions(query)}


def test_a_long_query_is_cut_and_not_refused(corpus: Ledger) -> None:
    with corpus.read() as uow:
        assert {"train"} == {hit.session_id for hit in uow.search.messages("porto " * 5000)}
        assert {"chinese", "mixed"} == {hit.session_id for hit in uow.search.messages('"数据库' + " " * 10_000)}
        assert [] == list(uow.search.messages("数" * 10_000))
        assert [] == list(uow.search.messages('"' + "a b " * 1000 + '"'))


@pytest.mark.parametrize("query", [5, None, b"train", ["train"]])
@ONE_DATABASE
def test_a_query_is_text(ledger: Ledger, query: object) -> None:
    with pytest.raises(ValueError, match="query"), ledger.read() as uow:
        uow.search.messages(query)  # type: ignore[arg-type]
