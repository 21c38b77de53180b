"""One foreign row, read column by column: what can be stored is given back, the rest is kept as it was found."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from chatledger.adoption.findings import Notes
from chatledger.adoption.source.database import Row
from chatledger.adoption.source.json_values import NotJson, cleaned, is_clean, kept, read_json
from chatledger.adoption.source.message_content import role_of
from chatledger.adoption.source.timestamps import Shape, read_time
from chatledger.enums import Role
from chatledger.schemas.fields import MAX_COST, MAX_COUNT, MAX_IDENTIFIER, MAX_TEXT
from chatledger.schemas.registry import MAX_PRICE

LONG = 50_000
"""Characters from which on a message is worth a word."""
_NANO = Decimal(1).scaleb(-9)
# Below this a difference is what binary fractions leave.
_NOISE = Decimal(1).scaleb(-12)


class Reading:
    """A row with the key by which findings name it. Columns that nobody asks for are kept as found."""

    def __init__(self, row: Row, key: Any, notes: Notes, zone: tzinfo) -> None:
        self.row, self._key, self._notes, self._zone = row, key, notes, zone
        self._asked: set[str] = set()
        self._as_found: dict[str, Any] = {}

    def note(self, kind: str) -> None:
        self._notes.add(kind, self.row.table, self._key)

    def raw(self, column: str) -> Any:
        """The value itself, which the caller takes care of."""
        self._asked.add(column)
        return self.row[column]

    def keep(self, column: str) -> None:
        """Keep a column as found."""
        if self.row[column] is not None:
            self._as_found[column] = kept(self.row[column])

    def text(self, column: str) -> str | None:
        """Text; a number is its digits, bytes are kept as found."""
        value = self.raw(column)
        if value is None or isinstance(value, bytes):
            if value is not None:
                self._refuse(column, "cannot_be_stored")
            return None
        text = value if isinstance(value, str) else str(value)
        if not is_clean(text):
            self._refuse(column, "cannot_be_stored")
            text = cleaned(text)
        if len(text) > MAX_TEXT:
            self.note("too_long")
            self._as_found[column] = {"rest": text[MAX_TEXT:]}
        return text[:MAX_TEXT]

    def content(self, column: str) -> str:
        """The text of a message."""
        text = self.text(column)
        if text == "":
            self.note("empty_content")
        elif text and len(text) > LONG:
            self.note("long_message")
        return text or ""

    def identifier(self, column: str) -> str | None:
        """A short text, or None for an empty one."""
        value = self.raw(column)
        if value is None or value == "":
            return None
        text = value if isinstance(value, str) else str(value)
        if isinstance(value, bytes) or not is_clean(text) or len(text) > MAX_IDENTIFIER:
            self._refuse(column, "cannot_be_stored")
            return None
        return text

    def role(self, column: str) -> Role:
        """Who speaks: a word of ours, or another word for one. Any word but ours is noted, and kept as found."""
        word = self.raw(column)
        found = role_of(word)
        if found is None:
            self._refuse(column, "unknown_role")
            return Role.USER
        if word != found.value:
            self._refuse(column, "other_role_word")
        return found

    def whole(self, column: str, *, text: str = "not_a_number", real: str = "out_of_range") -> int | None:
        """A count. A text or a fraction is kept as found, under the kinds that are given for them."""
        value = self.raw(column)
        if value is None or (isinstance(value, int) and 0 <= value <= MAX_COUNT):
            return value
        if isinstance(value, float) and value.is_integer() and 0 <= value <= MAX_COUNT:
            return int(value)
        self._refuse_number(column, value, text, real)
        return None

    def milliseconds(self, column: str, *, of_a_second: int = 1, text: str = "not_a_number") -> int | None:
        """A duration, from seconds (1) or milliseconds (1000)."""
        value = self.raw(column)
        if value is None:
            return None
        if isinstance(value, int | float) and 0 <= value <= MAX_COUNT // 1000:
            exact = Decimal(repr(value)) * 1000 / of_a_second
            whole = int(exact.quantize(Decimal(1)))
            if whole != exact:
                self._refuse(column, "finer_than_stored")
            return whole
        self._refuse_number(column, value, text)
        return None

    def cost(self, column: str) -> Decimal | None:
        """Dollars, to the nano-dollar. What binary fractions leave behind the twelfth digit is no loss."""
        value = self.raw(column)
        if value is None:
            return None
        if isinstance(value, int | float) and 0 <= value <= MAX_COST:
            exact = Decimal(repr(value))
            rounded = exact.quantize(_NANO)
            if abs(exact - rounded) > _NOISE:
                self._refuse(column, "finer_than_stored")
            return rounded
        self._refuse_number(column, value)
        return None

    def per_million(self, column: str) -> Decimal | None:
        """Dollars per million tokens, from dollars for a thousand. The column is kept as found in any case."""
        value = self.row[column]
        if value is None:
            return None
        if isinstance(value, int | float) and 0 <= value <= MAX_PRICE / 1000:
            exact = Decimal(repr(value)) * 1000
            rounded = exact.quantize(_NANO)
            if abs(exact - rounded) > _NOISE:
                self.note("finer_than_stored")
            return rounded
        self._refuse_number(column, value)
        return None

    def moment(
        self, column: str, usual: Shape | None = None, *, odd: str = "other_time_shape", needed: bool = False
    ) -> datetime | None:
        """A time. Notes what is naive, what is written otherwise than usual, and with `needed` a missing one."""
        value = self.raw(column)
        if value is None:
            if needed:
                self._notes.add("missing_time", f"{self.row.table}.{column}", self._key)
            return None
        found = read_time(value, self._zone)
        if found is None:
            self._refuse(column, "unreadable_time")
            return None
        if found.naive:
            self._notes.add("naive_time", f"{self.row.table}.{column}", self._key)
        if found.ambiguous:
            self.note("ambiguous_time")
        if usual is not None and found.shape != usual:
            self.note(odd)
            self.keep(column)
        return found.moment

    def json(self, column: str, wrong: str, *kinds: type) -> Any:
        """What a JSON text says, when it is of the kinds that are wanted; None where there is nothing."""
        value = self.raw(column)
        if value is None:
            return None
        try:
            found = read_json(value)
        except NotJson:
            self._refuse(column, wrong)
            return None
        if kinds and not isinstance(found, kinds):
            self._refuse(column, wrong)
            return None
        return found

    def names(self, column: str, wrong: str) -> dict[str, Any]:
        """A JSON object, empty where there is none."""
        found: dict[str, Any] | None = self.json(column, wrong, dict)
        return found or {}

    def as_found(self) -> dict[str, Any]:
        """What has no place of its own: values that were refused, and columns that nobody asked for."""
        rest = {name: kept(value) for name, value in self.row.values.items() if name not in self._asked}
        return {**{name: value for name, value in rest.items() if value is not None}, **self._as_found}

    def _refuse_number(self, column: str, value: Any, text: str = "not_a_number", real: str = "out_of_range") -> None:
        kinds = {str: text, int: "out_of_range", float: real}
        self._refuse(column, kinds.get(type(value), "not_a_number"))

    def _refuse(self, column: str, kind: str) -> None:
        self.note(kind)
        self.keep(column)


def plain(row: Row) -> dict[str, Any]:
    """A whole row in a JSON form, without what is NULL."""
    return {name: kept(value) for name, value in row.values.items() if value is not None}
