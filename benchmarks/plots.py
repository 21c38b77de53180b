"""`python -m benchmarks.plots results.json [peers.json]`: the plots of docs/performance.md, as SVG."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

FOLDER = Path(__file__).parents[1] / "docs" / "performance"
_COLOURS = {"sqlite": "#2a78b5", "postgresql": "#c8752b"}
_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
# Text stays text, and the same figures give the same file.
_OPTIONS: Any = {"svg.fonttype": "none", "svg.hashsalt": "chatledger", "font.size": 9}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("results", type=Path, help="what `python -m benchmarks --json FILE` wrote")
    parser.add_argument("peers", type=Path, nargs="?", help="the same with `--only peers`")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    mpl.use("svg")
    arguments.folder.mkdir(exist_ok=True)
    figures = json.loads(arguments.results.read_text("utf-8"))["figures"]
    with mpl.rc_context(_OPTIONS):
        times = [one for one in figures if one["bar"] and one["ratio"] and not one["bar"]["at_least"]]
        _bars(times, "× the same by hand (less is better)", arguments.folder / "times.svg")
        rates = [one for one in figures if one["bar"] and one["ratio"] and one["bar"]["at_least"]]
        _bars(rates, "share of the same by hand (more is better)", arguments.folder / "rates.svg")
        if arguments.peers is not None:
            peers = json.loads(arguments.peers.read_text("utf-8"))["figures"]
            for one in peers:
                one["case"] = one["case"].removeprefix("peer: ")
            _bars(peers, "one append, × lean raw, processor time", arguments.folder / "peers.svg", value="cpu_ratio")


def _bars(figures: Sequence[dict[str, Any]], label: str, path: Path, *, value: str = "ratio") -> None:
    """A bar for each figure, by database, with the quartiles of its ratio and a mark where its bar is."""
    cases = list(dict.fromkeys(one["case"] for one in figures))[::-1]
    databases = [name for name in _COLOURS if any(one["database"] == name for one in figures)]
    height = 0.8 / max(len(databases), 1)
    _, axes = plt.subplots(figsize=(7.5, 0.6 + 0.42 * len(cases)), layout="constrained")
    for place, database in enumerate(databases):
        offset = (len(databases) - 1) / 2 * height - place * height
        for one in figures:
            if one["database"] != database or one[value] is None:
                continue
            at = cases.index(one["case"]) + offset
            axes.barh(at, one[value], height * 0.9, color=_COLOURS[database])
            if one["bar"]:
                limit = one["bar"]["value"]
                axes.plot([limit, limit], [at - height / 2, at + height / 2], color="black", linewidth=1.5)
            if one["quartiles"] and value == "ratio":
                axes.plot(one["quartiles"], [at, at], color="#555", linewidth=1)
            end = max(one[value], one["quartiles"][1] if one["quartiles"] and value == "ratio" else 0)
            axes.annotate(f" {one[value]:.2f}", (end, at), va="center", fontsize=8)
    axes.set_yticks(range(len(cases)), cases)
    axes.set_xlabel(label)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(color=_COLOURS[name]) for name in databases]
    axes.legend(handles, [_TITLES[name] for name in databases], frameon=False, loc="lower right")
    plt.savefig(path, metadata={"Date": None})
    plt.close()


if __name__ == "__main__":
    main()
