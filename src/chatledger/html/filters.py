"""Template filters that format numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

MISSING = "–"

_UNITS = ("", "k", "M", "G", "T")


def dollars(amount: Decimal | None) -> str:
    """Format dollars with cents, or with two significant digits below ten cents."""
    if amount is None:
        return MISSING
    if amount == 0:
        return "$0"
    if abs(amount) >= Decimal("0.1"):
        return f"${amount:,.2f}"
    digits = max(2 - amount.adjusted(), 2)
    return f"${amount:.{min(digits, 9)}f}"


def integer(number: int | None) -> str:
    return MISSING if number is None else f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Format a count with its noun, such as 1 prompt or 12 prompts."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def compact(number: float) -> str:
    """Format a number for an axis, such as 1.2k or 3M."""
    value, unit = float(number), 0
    while abs(value) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:g}{_UNITS[unit]}" if abs(value) >= 1 or value == 0 else f"{value:.2g}"


def milliseconds(number: int | Decimal | None) -> str:
    """Format a duration in milliseconds, seconds or minutes."""
    if number is None:
        return MISSING
    if number < 1000:
        return f"{number:.0f} ms"
    seconds = float(number) / 1000
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def percent(fraction: float | None, digits: int = 1) -> str:
    return MISSING if fraction is None else f"{fraction:.{digits}%}"


def change(fraction: float) -> str:
    """Format a relative change, such as +12% or -3%."""
    return f"{fraction:+,.0%}"


def number(value: float | None) -> str:
    """Format a number with four significant digits."""
    return MISSING if value is None else f"{value:.4g}"


def signed(value: float) -> str:
    """Format a number with its sign and four significant digits."""
    return f"{value:+.4g}"


FILTERS: dict[str, Callable[..., str]] = {
    each.__name__: each for each in (change, compact, counted, dollars, integer, milliseconds, number, percent, signed)
}
