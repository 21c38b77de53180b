"""The query language of search.

    lisbon may          both words, anywhere in the message
    "last train"        the words in a row, exactly
    -hotel              without this word (or -"this phrase")
    train OR bus        either
    port*               words that begin so (three characters or more)
    C++  a_b  #123      code, as it is typed
    role:user           only messages of this role; also title: tool: model: user: after: before:

Nothing that is typed is an error: what cannot be searched for is left out, and a query of which nothing is left (or
that only excludes) finds nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from chatledger.enums import Role
from chatledger.full_text.inflections import inflections
from chatledger.full_text.normalization import words_of
from chatledger.full_text.parts import tool_word

_MAX_LENGTH = 2000
_MAX_TERMS = 32
_MIN_PREFIX = 3
# Bytes of the longest word that PostgreSQL indexes.
_LONGEST_WORD = 2046

_TOKEN = re.compile(
    r"(?P<minus>-(?=[^\s-]))?"
    r"(?:(?P<field>title|role|tool|model|user|after|before):(?=[^\s]))?"
    r'(?:"(?P<phrase>[^"]*)(?:"(?P<star>\*)?|$)|(?P<word>[^\s"]+))'
)
NO_WORD = "chatledgernoword"
"""In place of a word that is too long for an index: it is found nowhere."""
# What is stripped from a word before it is looked at as code: quotes, brackets and the punctuation of sentences.
_OPENING, _CLOSING = "'`([{<", "'`)]}>([{,;:!?."
# A word with one of these is code, and is found as it is typed. A dot or colon between letters is one, too.
_CODE = re.compile(r"[+#_@$/\\=&%~|^]|\w[.:]\w|^-{1,2}\w|^\.\w", re.ASCII)


_WHEN = re.compile(r"today|yesterday|\d{1,9}[smhdw]|\d{4}([-/].*)?", re.IGNORECASE)
# Whether a value can be one of a qualifier.
_QUALIFIERS: dict[str, Callable[[str], object]] = {
    "role": lambda value: value.lower() in frozenset(Role),
    "model": bool,
    "user": bool,
    "after": _WHEN.fullmatch,
    "before": _WHEN.fullmatch,
}


@dataclass(frozen=True)
class Term:
    """A word or words in a row. With `prefix`, the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False
    inflections: tuple[str, ...] = ()
    """Other forms of a single word."""
    literal: str | None = None
    """Code that the text must hold, too, in lower case."""

    @property
    def is_loose(self) -> bool:
        """Whether the term finds other words than those that it names."""
        return self.prefix or bool(self.inflections)


@dataclass(frozen=True)
class Qualifier:
    """A condition such as `role:user`, as it was typed."""

    field: str
    value: str
    excluded: bool = False


Groups = tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Query:
    """All of the groups, any term of a group, none of the excluded."""

    groups: Groups
    excluded: tuple[Term, ...] = ()
    titles: tuple[Term, ...] = ()
    """Words of the title of the session, all of them, and those that it must not have."""
    excluded_titles: tuple[Term, ...] = ()
    qualifiers: tuple[Qualifier, ...] = ()

    def terms(self) -> list[Term]:
        """The terms that are looked for."""
        return [term for group in self.groups for term in group]


def parse(text: str) -> Query:
    """Read what a user typed. Never raises."""
    clean = text[:_MAX_LENGTH].encode("utf-8", "ignore").decode().replace("\x00", " ")
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    titles: list[Term] = []
    excluded_titles: list[Term] = []
    qualifiers: list[Qualifier] = []
    either = False
    for count, token in enumerate(_TOKEN.finditer(clean)):
        if count >= _MAX_TERMS:
            break
        word, field, minus = token["word"], token["field"], bool(token["minus"])
        if field is None and word in ("OR", "|"):
            either = bool(groups)
            continue
        if field is None and word == "AND":
            continue
        raw = token["phrase"] if word is None else word
        if field in _QUALIFIERS and _QUALIFIERS[field](raw):
            qualifiers.append(Qualifier(field, raw, minus))
            either = False
            continue
        if field in _QUALIFIERS:
            raw = f"{field}:{raw}"  # not one of its values: it is looked for as it was typed
        term = _tool(raw) if field == "tool" else _term(raw, starred=bool(token["star"]), exact=word is None)
        if term is None:
            continue
        if field == "title":
            (excluded_titles if minus else titles).append(term)
        elif minus:
            excluded.append(term)
        elif either:
            groups[-1].append(term)
        else:
            groups.append([term])
        either = False
    return Query(tuple(map(tuple, groups)), tuple(excluded), tuple(titles), tuple(excluded_titles), tuple(qualifiers))


def _term(raw: str, *, starred: bool, exact: bool) -> Term | None:
    words = tuple(words_of(raw))
    if not words:
        return None
    if any(len(word.encode()) > _LONGEST_WORD for word in words):
        words = (NO_WORD,)
    prefix = starred or raw.endswith("*")
    # A syllable of Hangul is two or three letters.
    if prefix and len(unicodedata.normalize("NFD", words[-1])) >= _MIN_PREFIX:
        return Term(words, prefix=True)
    literal = _literal(raw)
    if exact or literal is not None or prefix or len(words) > 1:
        return Term(words, literal=literal)
    return Term(words, inflections=inflections(words[0]))


def _literal(raw: str) -> str | None:
    """What the text must hold besides the words, where the query is code and in ASCII."""
    if not raw.isascii() or any(character.isspace() for character in raw):
        return None
    code = raw.rstrip("*").lstrip(_OPENING).rstrip(_CLOSING)
    return code.lower() if _CODE.search(code) else None


def _tool(raw: str) -> Term | None:
    word = tool_word(raw)
    return None if word is None else Term((word,), prefix=raw.endswith("*"))
