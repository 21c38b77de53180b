"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

_UNITS = ("", "k", "M", "G", "T")


def dollars(amount: Decimal | None) -> str:
    """Cents where there are any, more digits where there are only parts of one."""
    if amount is None:
        return "–"
    if amount == 0:
        return "$0"
    if abs(amount) >= Decimal("0.1"):
        return f"${amount:,.2f}"
    digits = max(2 - amount.adjusted(), 2)
    return f"${amount:.{min(digits, 9)}f}"


def whole(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def short(number: float) -> str:
    """A number on an axis: 1.2k, 3M."""
    value, place = float(number), 0
    while abs(value) >= 1000 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    return f"{value:g}{_UNITS[place]}" if abs(value) >= 1 or value == 0 else f"{value:.2g}"


def milliseconds(number: int | Decimal | None) -> str:
    if number is None:
        return "–"
    if number < 1000:
        return f"{number:.0f} ms"
    seconds = float(number) / 1000
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def share(part: float | None) -> str:
    return "–" if part is None else f"{part:.1%}"
