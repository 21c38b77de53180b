"""How far a job is, for people."""

from __future__ import annotations

from collections.abc import Sequence

from chatledger.cli.arguments.duration import spelled
from chatledger.cli.output.screen import Column, Screen, counted, when
from chatledger.enums import BatchStatus
from chatledger.schemas import BatchJob, BatchProgress

_WIDTH = 30


def said(now: BatchProgress) -> str:
    """The figures beside a bar."""
    parts = [f"{now.done:,} done", *([f"{now.failed:,} failed"] if now.failed else [])]
    if now.rate:
        parts.append(f"{now.rate:,.1f}/s")
    if now.time_left is not None and now.left:
        parts.append(f"{spelled(now.time_left)} left")
    if now.status is not BatchStatus.OPEN:
        parts.append(now.status.value)
    return ", ".join(parts)


def show_progress(screen: Screen, now: BatchProgress) -> None:
    """A job at a moment."""
    screen.line((now.job_id, "bold"), f" · {_state(now)}")
    if now.total:
        filled = round(_WIDTH * (now.done + now.failed) / now.total)
        share = 100 * (now.done + now.failed) / now.total
        screen.line("█" * filled + "░" * (_WIDTH - filled), f" {share:.0f} % of {counted(now.total, 'item')}")
    facts = {"waiting": now.waiting, "delayed": now.delayed, "running": now.running, "done": now.done,
             "failed": now.failed}  # fmt: skip
    screen.line(" · ".join(f"{name} {number:,}" for name, number in facts.items()))
    if now.rate is not None and now.left:
        left = f", {spelled(now.time_left)} left" if now.time_left is not None else ""
        screen.line(f"{now.rate:,.1f} items a second{left}")
    for kind, number in sorted(now.errors.items(), key=lambda pair: (-pair[1], pair[0])):
        screen.line((kind, "bold"), f"  {number:,}")


def show_jobs(screen: Screen, jobs: Sequence[BatchJob]) -> None:
    """Jobs as a table."""
    columns = (Column("ID"), Column("Name", rank=2, flexible=True), Column("User", rank=3), Column("Status"),
               Column("Items", right=True), Column("Created", rank=1))  # fmt: skip
    screen.table(
        columns,
        [
            (
                job.job_id,
                job.name or "",
                job.user_id or "",
                job.status.value,
                f"{job.last_item:,}",
                when(job.created_at),
            )
            for job in jobs
        ],
    )


def _state(now: BatchProgress) -> str:
    return "finished" if now.status is BatchStatus.OPEN and now.finished else now.status.value
