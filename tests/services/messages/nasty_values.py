"""Values that have broken stores like ours, by what is nasty about them."""

# Letters that look like others are here on purpose.
# ruff: noqa: RUF001

from __future__ import annotations

import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

GOOD_TEXTS: tuple[str, ...] = (
    "a", "0", "-1", "1e5", "NaN", "null", "None", "NULL", "true", "undefined", "[object Object]", "\\N", "\\",
    "\\\\", "\\0", "\\x00", "\\u0000", "%00", "&#0;", "'", "''", '"', '""', "`", "´", "’", ";", "--", "#", "/*", "*/",
    "' OR '1'='1", "'; DROP TABLE chatledger_messages; --", "\"; DELETE FROM chatledger_sessions; --", "1; SELECT pg_sleep(10)", "$$;$$",
    "$1", ":name", ":1", "::text", "?", "??", "?1", "@p", "%s", "%(name)s", "%d%n", "%", "%%", "{}", "{0}", "{x!r}",
    "${jndi:ldap://x}", "$(id)", "`id`", "{{7*7}}", "<%= 1 %>", "<script>alert(1)</script>", "<b>", "&amp;", "]]>",
    "../../etc/passwd", "C:\\CON", "file:///etc", "a/b", "a?b=c&d#e", "=1+1", "+1", "@SUM(A1)", "-2+3", "\tx", "\rx",
    "LIKE '%_'", "_", "__proto__", "constructor", "COPY x FROM stdin", "E'\\001'", "U&'\\0061'", "\\.", "\\copy",
    " ", "  ", " leading", "trailing ", "\t", "\n", "\r\n", "a\nb", "a\rb", "\v\f", "\x01", "\x07\x08\x1b[31mred\x1b[0m",
    "\x1f", "\x7f", "\x80\x85\x9f", "\xa0", "\xad", "\u061c", "\u180e", "\u200b\u200c\u200d", "\u200e\u200f",
    "\u2028\u2029", "\u202a\u202b\u202c\u202d\u202e", "\u2066\u2067\u2068\u2069", "\ufeff", "\ufffc\ufffd", "\ufffe",
    "\uffff", "\U0001fffe", "\U0010ffff", "\ue000", "\U000f0000", "é", "e\u0301", "ﬁ", "ß", "ẞ", "İ", "ı", "Ω", "Å",
    "Ⅷ", "①", "½", "㎏", "ｆｕｌｌ", "ｱｲｳ", "ǅ", "ŉ", "ΐ", "\u0345", "a" + "\u0301" * 100, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "مرحبا", "שלום", "\u202eabc", "‮test‬", "日本語", "汉字", "한국어", "\u1112\u1161\u11ab", "ไทย", "हिन्दी",
    "မြန်မာ", "ខ្មែរ", "አማርኛ", "ᚠᛇᚻ", "𐍈", "𝕋𝕖𝕩𝕥", "𠜎𠜱", "𒈙", "😀", "👩‍👩‍👧‍👦", "👍🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇺🇳", "❤️", "☠",
    "\U0001f9d1\u200d", "x" * 255, "é" * 255, "𝕏" * 255, "a b " * 60, '{"a": 1}',
    "[1,", '{"a":', "\\u0041", "\\ud800", "b'x'", "0x10",
    "１２", "1_000", "١٢٣", "inf", "-0", "00", "01",
    "2026-02-30", "0000-00-00", "9999-99-99", "24:00", "user", "system", "id",
    "session_id", "rowid", "oid", "ctid", "select", "messages", "sqlite_master", "pg_catalog", "public.messages",
)  # fmt: skip
"""Text that every database can keep: it must come back unchanged."""
LONG_TEXTS: tuple[str, ...] = ("x" * 256, "y" * 10_000, "𝕏" * 5000, "a " * 5000, "数" * 5000, "z" * 300_000)
"""Too long for an id, a key or a name; fine as content."""
BAD_TEXTS: tuple[str, ...] = (
    "\x00", "a\x00b", "\x00" * 10, "end\x00", "\ud800", "\udfff", "a\ud83d", "\udc00\ud800", "\udc80", "ok \udcff ok",
)  # fmt: skip
"""Text that some database cannot keep."""


class Plain:
    pass


class Number(enum.IntEnum):
    ONE = 1


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = {"d": value}
    return value


NO_TEXTS: tuple[Any, ...] = (
    0, 1, -1, True, False, 1.5, float("nan"), float("inf"), 10**30, b"bytes", b"\xff", bytearray(b"x"), memoryview(b"x"),
    [], ["a"], (), ("a", "b"), {}, {"a": 1}, set(), {"a"}, frozenset(), object(), Plain(), Plain, len, Ellipsis, 1j,
    Decimal(1), Fraction(1, 2), Number.ONE, datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), timedelta(1),
    uuid.UUID(int=1), PurePosixPath("x"), range(3), iter([]), NotImplemented, Exception("x"),
)  # fmt: skip
"""No text at all."""

GOOD_JSON: tuple[Any, ...] = (
    0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**300, -(10**3000), 0.0, -0.0, 0.1, 1.0,
    1e15, 1e16, 1e17, 1e22, 1e308, -1e308, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 1 / 3, 0.1 + 0.2,
    123456789.123456789, True, False, "", "text", [], {}, [[]], [{}], {"": {}}, [None], [None, None], {"a": None},
    [True, 1, 1.0, "1"], {"1": 1, "1.0": 2, "True": 3}, {"b": 1, "a": 2, "B": 3, "é": 4, "e\u0301": 5}, {"a.b": 1},
    {"$ref": "x", "@type": 1, "__class__": "x", "lc": 1, "type": "constructor"}, {"'": 1, '"': 2, "\\": 3, "\n": 4},
    {str(number): number for number in range(200)}, list(range(2000)), deep(64), [[[[[[1]]]]]], ["x" * 100_000],
    *GOOD_TEXTS[-60:], [*GOOD_TEXTS], {text: text for text in GOOD_TEXTS},
)  # fmt: skip
"""JSON that must come back equal, type by type."""
BAD_JSON: tuple[Any, ...] = (
    float("nan"), float("inf"), float("-inf"), [float("nan")], {"a": {"b": [float("-inf")]}}, 10**5000, [-(10**4001)],
    deep(65), deep(1000), {1: 2}, {None: 1}, {True: 1}, {1.5: 1}, {("a",): 1}, {b"a": 1}, {"a": {1: 1}}, "\x00", ["\x00"],
    {"\x00": 1}, {"a": {"b\x00": 1}}, "\ud800", ["\ud800"], {"\udfff": 1}, "a\udc80", object(), [object()], Plain(),
    {"a": Plain()}, len, Ellipsis, b"\xff\xfe", [b"\x80"], NotImplemented, {frozenset({1}): 1}, {1}, {"a": set()}, frozenset(), b"{}", b"",
    [bytearray(b"a")], memoryview(b"a"), 1j, {"a": [2 + 0j]}, {1: 2}.keys(), iter([1]), (n for n in [1]),
)  # fmt: skip
"""JSON or something like it that must be refused."""

GOOD_COUNTS: tuple[int, ...] = (0, 1, 2, 2**15, 2**31 - 1, 2**31, 2**32, 2**33, 10**12 - 1, 10**12)
"""Whole numbers within every bound of ours."""
BAD_COUNTS: tuple[Any, ...] = (
    -1, -(2**63), 10**12 + 1, 2**63 - 1, 2**63, 2**64, 10**100, 10**5000, True, False, 0.0, 1.0, 1.5, float("nan"),
    float("inf"), "1", "", "1" * 5000, b"1", [], [1], {}, (), object(), 1j, Decimal(1), Fraction(1), timedelta(1),
    "\ud800",
)  # fmt: skip

HOUR = timedelta(hours=1)
GOOD_TIMES: tuple[datetime, ...] = (
    datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, 23, 59, 59, 999999, tzinfo=UTC), datetime(99, 12, 31, tzinfo=UTC),
    datetime(1582, 10, 10, tzinfo=UTC), datetime(1899, 12, 31, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 2, 29, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
    datetime(2026, 5, 17, tzinfo=timezone(14 * HOUR)), datetime(2026, 5, 17, tzinfo=timezone(-12 * HOUR)),
    datetime(2026, 5, 17, tzinfo=timezone(23.99 * HOUR)), datetime(2026, 5, 17, tzinfo=timezone(timedelta(seconds=1))),
    datetime(2026, 5, 17, tzinfo=timezone(timedelta(microseconds=-1))), datetime(1, 1, 1, 12, tzinfo=timezone(HOUR)),
    datetime(9999, 12, 31, 12, tzinfo=timezone(-HOUR)), datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=UTC),
)  # fmt: skip
BAD_TIMES: tuple[Any, ...] = (
    datetime(2026, 1, 1), datetime(1, 1, 1), datetime(9999, 12, 31), datetime.min.replace(tzinfo=timezone(14 * HOUR)),
    datetime.max.replace(tzinfo=timezone(-HOUR)), datetime(1, 1, 1, tzinfo=timezone(timedelta(seconds=1))),
    date(2026, 1, 1), time(12, 0), timedelta(1), "", "now", "yesterday", "2026-13-01T00:00:00Z", "\x00", "\ud800",
    float("nan"), float("inf"), 1e300, -1e300, 10**100, [], {}, object(), True, b"2026", 1j,
)  # fmt: skip


def total() -> int:
    tables = (
        GOOD_TEXTS,
        LONG_TEXTS,
        BAD_TEXTS,
        NO_TEXTS,
        GOOD_JSON,
        BAD_JSON,
        GOOD_COUNTS,
        BAD_COUNTS,
        GOOD_TIMES,
        BAD_TIMES,
    )
    return sum(map(len, tables))
