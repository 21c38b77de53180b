"""`python -m benchmarks`: the speed table, as ratios to the bare driver doing the same work in the same run."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.cases import CASES, Case, chosen
from benchmarks.databases import NAMES, opened
from benchmarks.figures import Figure


def main() -> None:
    arguments = _arguments()
    cases = chosen(arguments.only, quick=arguments.quick, large=arguments.large)
    names = NAMES if arguments.database == "both" else (arguments.database,)
    # Beside the table, so that standard output holds nothing else.
    progress = Console(stderr=True)
    figures: list[Figure] = []
    versions: dict[str, str] = {}
    for name in names:
        found, versions[name] = _run(name, cases, progress, quick=arguments.quick, large=arguments.large)
        figures += found
    order = list(dict.fromkeys(row.case for row in figures))
    figures.sort(key=lambda row: order.index(row.case))
    around = report.surroundings(versions)
    report.show(report.console(), figures, around)
    if arguments.json is not None:
        report.save(arguments.json, figures, around, quick=arguments.quick)


def _run(name: str, cases: dict[str, Case], progress: Console, *, quick: bool, large: bool) -> tuple[list[Figure], str]:
    figures: list[Figure] = []
    with progress.status(f"{name}: starting") as status, opened(name) as database:
        bench = Bench(database, QUICK if quick else FULL, quick=quick, large=large)
        try:
            for title, case in cases.items():
                status.update(f"{name}: {title}")
                figures += case(bench)
        finally:
            bench.close()
        return figures, database.version()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller stores and fewer rounds: under a minute")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=[], metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--database", choices=[*NAMES, "both"], default="both")
    parser.add_argument("--large", action="store_true", help="also measure with a million messages, memory included")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args()


if __name__ == "__main__":  # the processes of a crowd import this module again
    main()
