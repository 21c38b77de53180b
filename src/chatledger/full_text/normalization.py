"""The words of a text, the same on every database whatever its version or locale.

Databases disagree about letters beyond ASCII: which are upper case, which carry an accent, which belong to a word. So a
text that has such letters is normalised here, once, and the databases index the result. They only have to split at
spaces and ASCII punctuation, and to fold the case of ASCII letters. A text in ASCII is indexed as it is written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

INDEXED = 100_000
"""Characters of a text that are indexed. A tsvector holds 1 MB, and a longer text would make the append fail."""
# Normalised, a text may be longer: characters are set apart, and some stand for a whole word.
_NORMALIZED = 2 * INDEXED

SEPARATORS = (
    "\u0080-\u00a9\u00ab\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7"
    "\u2000-\u200a\u2010-\u2029\u202f-\u205f\u20a0-\u20a7\u20a9-\u20b9\u2190-\u23f3\u2400-\u2426\u2440-\u244a"
    "\u2500-\u26ff\u2701-\u2755\u2794-\u2b4c\u2b50-\u2b59\u3000-\u3003\u3008-\u3020\uff01-\uff0f\uff1a-\uff20"
    "\U0001f300-\U0001f320\U0001f330-\U0001f335\U0001f337-\U0001f37c\U0001f380-\U0001f393\U0001f3a0-\U0001f3c4"
    "\U0001f3c6-\U0001f3ca\U0001f3e0-\U0001f3f0\U0001f400-\U0001f43e\U0001f440\U0001f442-\U0001f4f7"
    "\U0001f4f9-\U0001f4fc\U0001f500-\U0001f53d\U0001f550-\U0001f567\U0001f5fb-\U0001f640\U0001f645-\U0001f64f"
    "\U0001f680-\U0001f6c5"
)
"""Beyond ASCII, the characters that each database takes for a separator: general punctuation, currency, arrows,
mathematics, boxes and blocks, and the emoji of Unicode 6. A text with no others is indexed as it is written.
Migration 0003 holds the same ranges.
"""
_IS_PLAIN = re.compile(f"[\\x00-\\x7f{SEPARATORS}]*").fullmatch

# Text written without spaces. Han and kana are single characters; the others take their marks along.
_HAN_AND_KANA = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u3098\u309b-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_SOUTHEAST_ASIAN = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6"
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u109d\u1780-\u17b3"
)
_SOUTHEAST_ASIAN_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"
)
_SARA_AM, _LAO_AM = "\u0e33", "\u0eb3"
"""Vowels that Unicode's composition leaves in two where they are typed in two, and that NFKC takes apart."""
_WHOLE = frozenset({_SARA_AM, _LAO_AM})
_has_southeast_asian = re.compile("[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff]").search
_set_apart = re.compile(f"([{_SOUTHEAST_ASIAN}][{_SOUTHEAST_ASIAN_MARKS}]*)").sub
_is_han_or_kana = re.compile(f"[{_HAN_AND_KANA}]").match

# Left out of words: accents and voicing that did not compose, the vowel signs of Arabic and Hebrew, tatweel, variation
# selectors, and signs of rare scripts that one database takes for a separator.
_is_dropped = re.compile(
    "[\u1715\u1734\u1bf2\u1bf3\u1ce1\u1cf7\u302e\u302f\u3099\u309a\ua9c0\uabec"
    "\U000111c0\U00011235\U0001134d\U000116b6\U0001193d\U0001d165\U0001d166\U0001d16d-\U0001d172"
    "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8"
    "\u06ea-\u06ed\ufe00-\ufe0f\U000e0100-\U000e01ef]"
).match
# Half-width kana with a voicing mark of its own.
_voiced = re.compile("[\uff66-\uff9d][\uff9e\uff9f\u3099\u309a]").sub
_WORD_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "Mn", "Mc"})
# Letters that no decomposition makes plain.
_PLAIN_LETTERS = {
    "\u0131": "i", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "ς": "\u03c3", "ħ": "h", "ŧ": "t",
}  # fmt: skip

# Encoded data that is no text: a data URI, or a long run of letters and digits.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.-]+)*;base64,[\w+/=-]+", re.ASCII)
_ENCODED = re.compile("[A-Za-z0-9+/=]{256,}")
_has_digit = re.compile("[0-9]").search
_STRIDE = 128


def indexed_text(text: str) -> str | None:
    """What full text indexes in place of a text, or None where the text can be indexed as it is written."""
    cut = text if len(text) <= INDEXED else text[:INDEXED]
    if len(cut) > 2 * _STRIDE and _may_hold_data(cut):
        without = _ENCODED.sub(_without_data, _DATA_URI.sub(" ", cut))
        if without != cut:
            return without if _IS_PLAIN(without) else normalized(without)[:_NORMALIZED]
    if is_plain(cut):
        return None
    return normalized(cut)[:_NORMALIZED]


def normalized(text: str) -> str:
    """The words of a text with single spaces between them, folded.

    Chinese, Japanese, Thai, Lao, Burmese and Khmer are set apart character by character (with their marks), so that any
    part of a text is found, of any length, without a dictionary.
    """
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return " ".join(_folded_text(text).split())


def _folded_text(text: str) -> str:
    """A text in NFC with what stands for each of its characters, and a space wherever a word ends."""
    if not _has_southeast_asian(text):
        return _voiced(_unified, text).translate(_TABLE)
    # Before any character is left out: what stands next to each other only afterwards does not compose.
    text = text.replace("\u0e4d\u0e32", _SARA_AM).replace("\u0ecd\u0eb2", _LAO_AM)
    return _set_apart(r" \1 ", _voiced(_unified, text).translate(_TABLE))


def _without_data(found: re.Match[str]) -> str:
    return " " if _has_digit(found[0]) else found[0]


def _unified(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


_ascii_words = re.compile("[a-z0-9]+").findall
_pieces = re.compile(r"\S+").finditer


def words_of(text: str) -> list[str]:
    """The words of a text, as an index holds them."""
    if is_plain(text):
        return _ascii_words(text.lower())
    return normalized(text).split()


def is_plain(text: str) -> bool:
    """Whether a text is indexed as it is written, and all letters and digits in it are ASCII."""
    return text.isascii() or _IS_PLAIN(text) is not None


def placed_words(text: str, within: tuple[int, int] | None = None) -> Iterator[tuple[str, int, int]]:
    """The words of a text, or of a part of it that is cut at spaces, with the places where each begins and ends."""
    for piece in _pieces(text, *(within or (0, len(text)))):
        chunk, start = piece[0], piece.start()
        if chunk.isascii():
            for found in re.finditer("[a-z0-9]+", chunk.lower()):
                yield found[0], start + found.start(), start + found.end()
        else:
            yield from _placed(chunk, start)


def _placed(chunk: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Cluster by cluster, because a normalisation may make one character of several, or several of one."""
    word: list[str] = []
    begin = end = 0
    for first, last in _clusters(chunk):
        pieces = _cluster_pieces(chunk[first:last])
        for number, piece in enumerate(pieces):
            if number and word:
                yield "".join(word), start + begin, start + end
                word = []
            if piece:
                if not word:
                    begin = first
                word.append(piece)
                end = last
            elif word and len(pieces) == 1:
                end = last  # a mark that is left out belongs to the letter before it
    if word:
        yield "".join(word), start + begin, start + end


def _clusters(chunk: str) -> Iterator[tuple[int, int]]:
    """Where each cluster begins and ends."""
    begin = end = 0
    for cluster in _CLUSTER.finditer(chunk):
        # A normalisation may sort the marks of one letter, those of other scripts among them.
        if end and not unicodedata.combining(chunk[end]):
            yield begin, end
            begin = end
        end = cluster.end()
    if end:
        yield begin, end


# What may compose: a letter with its marks, the letters of a Hangul syllable, half-width kana with its voicing.
_CLUSTER = re.compile(
    "[\u1100-\u115f\ua960-\ua97c]*[\u1160-\u11a7\ud7b0-\ud7c6]+[\u11a8-\u11ff\ud7cb-\ud7fb]*"
    "|(?s:.)(?:"
    "[\u11a8-\u11ff\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u0816-\u082d\u0859-\u085b"
    "\u08d3-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u09e2\u09e3"
    "\u0a01-\u0a03\u0a3c-\u0a51\u0a70\u0a71\u0a75\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0ae2\u0ae3\u0b01-\u0b03\u0b3c"
    "\u0b3e-\u0b57\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3e-\u0c56\u0c81-\u0c83\u0cbc\u0cbe-\u0cd6\u0d00-\u0d03"
    "\u0d3b\u0d3c\u0d3e-\u0d4d\u0d57\u0d81-\u0d83\u0dca-\u0ddf\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ecd\u0f18\u0f19\u0f35\u0f37\u0f39\u0f71-\u0f84\u0f86\u0f87\u0f90-\u0fbc\u102b-\u103e\u1056-\u1059"
    "\u135d-\u135f\u17b4-\u17d3\u1ab0-\u1aff\u1b00-\u1b04\u1b34-\u1b44\u1dc0-\u1dff\u20d0-\u20f0\u302a-\u302f"
    "\u3099\u309a\ua66f\ua674-\ua67d\ua802\ua806\ua823-\ua827\uabe3-\uabea\ufe00-\ufe0f\ufe20-\ufe2f\uff9e\uff9f"
    "\u200b-\u200f\u00ad\U00011000-\U00011002\U00011038-\U00011046\U000110b0-\U000110ba\U00011100-\U00011134\U000e0100-\U000e01ef"
    "]|(?<=[\u0e4d])\u0e32|(?<=[\u0ecd])\u0eb2)*"
)


@lru_cache(maxsize=20_000)
def _cluster_pieces(cluster: str) -> tuple[str, ...]:
    """A cluster's part of the words around it. A change of the piece is a change of the word."""
    if cluster.isascii():
        return (cluster.lower(),) if cluster.isalnum() else ("", "")
    if not unicodedata.is_normalized("NFC", cluster):
        cluster = unicodedata.normalize("NFC", cluster)
    return tuple(re.split(" +", _folded_text(cluster)))


class _Table(dict[int, str]):
    """For `str.translate`: what stands for a character in a word. A space ends the word."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _folded(chr(code))
        return found


_TABLE = _Table()


def _folded(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else " "
    if character in _WHOLE:
        return character
    if _is_dropped(character) or unicodedata.category(character) == "Cf":
        return ""
    pieces = []
    for letter in unicodedata.normalize("NFC", unicodedata.normalize("NFKC", character).casefold().lower()):
        parts = unicodedata.normalize("NFD", letter)
        if len(parts) > 1 and (parts[0].isascii() or "\u0370" <= parts[0] <= "\u03ff"):
            letter = parts[0]
        for plain in _PLAIN_LETTERS.get(letter, letter):
            if _is_dropped(plain):
                continue
            if plain.isascii():
                pieces.append(plain if plain.isalnum() else " ")
            elif unicodedata.category(plain) not in _WORD_CATEGORIES:
                pieces.append(" ")
            else:
                pieces.append(f" {plain} " if _is_han_or_kana(plain) else plain)
    return "".join(pieces)


def _may_hold_data(text: str) -> bool:
    """Whether there is a run of 256 characters without a space: such a run covers one of these windows whole."""
    return any(text.find(" ", at, at + _STRIDE) < 0 for at in range(0, len(text) - _STRIDE + 1, _STRIDE))
