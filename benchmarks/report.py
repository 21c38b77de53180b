"""The results: a table to read, and JSON to keep, with its date and command. Neither holds the name of a machine."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_PACKAGES = ("chatledger", "SQLAlchemy", "pydantic", "psycopg", "alembic")
_WIDTH = 150


def surroundings(databases: dict[str, str]) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "packages": {name: version(name) for name in _PACKAGES},
        "databases": databases,
    }


def show(console: Console, figures: Sequence[Figure], around: dict[str, Any]) -> None:
    """Print the table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("case")
    table.add_column("database")
    table.add_column("against")
    for name in ("base", "ours", "ratio", "bar"):
        table.add_column(name, justify="right")
    table.add_column("quartiles", justify="right")
    table.add_column("CPU", justify="right")
    table.add_column("reached")
    for row in figures:
        table.add_row(
            row.case,
            row.database,
            row.against,
            _amount(row.base, row.unit),
            _amount(row.ours, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.bar is None else str(row.bar),
            "" if row.quartiles is None else "{:.2f}–{:.2f}".format(*row.quartiles),
            "" if row.cpu_ratio is None else f"{row.cpu_ratio:.2f}",
            _verdict(row),
        )
    console.print(table)
    packages = ", ".join(f"{name} {number}" for name, number in around["packages"].items())
    databases = ", ".join(f"{name} {number}" for name, number in around["databases"].items())
    console.print(
        f"\nPython {around['python']}, {packages}; {databases}; {around['processors']} processors", style="dim"
    )


def save(path: Path, figures: Sequence[Figure], around: dict[str, Any], *, quick: bool) -> None:
    """Write everything as JSON."""
    # The arguments alone: a path would say where the file was written.
    kept = [word for word in sys.argv[1:] if word != "--json" and word != str(path)]
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python -m benchmarks", *kept]),
        "quick": quick,
        **around,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "figures": [row.as_json() for row in figures],
    }
    path.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def console() -> Console:
    """Standard output, wide enough for the table where it is no terminal."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=_WIDTH)


def _amount(value: float, unit: str) -> str:
    if unit == "slowest/fastest":
        return f"{value:.2f}"
    return f"{value:,.0f} {unit}" if value >= 100 or unit == "/s" else f"{value:,.1f} {unit}"


def _verdict(row: Figure) -> str:
    if row.errors:
        return f"[red]{row.errors} errors[/red]"
    if row.reached is None:
        return "[dim]for information[/dim]"
    return "[green]yes[/green]" if row.reached else "[red]no[/red]"
