"""How much memory grows while a long session is walked through."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.figures import Bar, Figure
from benchmarks.starting import environment

# The high-water mark of the address space where the system tells it: ru_maxrss may begin at the parent's size.
_PEAK = """
import re, resource, sys
from pathlib import Path

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
"""
_ITERATE = """
from chatledger import Ledger

with Ledger({url!r}) as ledger, ledger.read() as uow:
    for _ in uow.messages.iterate("{short}"):
        pass
    before = peak()
    for _ in uow.messages.iterate("{long}"):
        pass
    print(before, peak())
"""


def memory(bench: Bench) -> Iterator[Figure]:
    """The peak above the start, in a process of its own that has read a short session before."""
    library = bench.library
    program = _PEAK + _ITERATE.format(url=library.url, short=library.short, long=library.long)
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, check=True, env=environment(), capture_output=True, text=True).stdout
    before, after = map(float, answer.split())
    yield Figure(
        case=f"memory, iterate {bench.scale.long:,}",
        database=bench.database.name,
        against="at the start",
        base=before,
        ours=after - before,
        unit="MiB",
        ratio=None,
        bar=Bar(64, absolute=True),
    )
