"""Text whose words are not separated by spaces, cut so that a full-text index can find its parts.

Chinese, Japanese, Thai, Lao, Burmese and Khmer are cut into characters (with their marks). A search for 数据库 then is a
search for the three characters in a row: any part of a text is found, of any length, without a dictionary.
"""

from __future__ import annotations

import re
import unicodedata

UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"  # Han and kana
    "\uff66-\uff9f"  # half-width kana
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6"  # Thai and Lao
    "\u1000-\u102a\u103f\u1050-\u1055\u105a-\u109d\u1780-\u17b3"  # Burmese and Khmer
)
UNSPACED_MARKS = (
    "\u0300-\u036f\u3099\u309a\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e"
    "\u1056-\u1059\u17b4-\u17d3"
)

# Full-width Latin is not cut, but unified.
_ANY = re.compile(f"[{UNSPACED}\uff01-\uff5e]")
_CHARACTER = re.compile(f"([{UNSPACED}][{UNSPACED_MARKS}]*)")
_SPACES = re.compile(" {2,}")


def segment(text: str) -> str | None:
    """The text with every such character set apart, or None where there is none and the text can be indexed as it is.

    Compatibility forms are unified on the way (half-width kana, full-width Latin).
    """
    if text.isascii() or not _ANY.search(text):
        return None
    return _SPACES.sub(" ", _CHARACTER.sub(r" \1 ", unicodedata.normalize("NFKC", text)))
