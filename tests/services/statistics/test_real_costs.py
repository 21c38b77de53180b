"""Real prices and times of graded answers, added up by the ledger, are those computed apart, to the last nano-dollar."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

from chatledger import Ledger

_START = datetime(2026, 3, 1, tzinfo=UTC)


def test_sums_means_and_percentiles_are_exact(ledger: Ledger, shared_data: Path) -> None:
    runs = {path.parts[-3]: json.loads(path.read_text("utf-8")) for path in _files(shared_data)}
    assert 3 == len(runs)
    for name, examples in runs.items():
        with ledger.begin() as uow:
            uow.sessions.create(name, model_id=name)
            uow.messages.append_many(name, [_message(at, example) for at, example in enumerate(examples)])
    with ledger.read() as uow:
        found = {one.key: one for one in uow.statistics.by_model()}
        latencies = {one.key: one for one in uow.statistics.latency_by("model")}
        total, days = uow.statistics.overview(), uow.statistics.by_day(tz="America/New_York")
    for name, examples in runs.items():
        messages = [_message(at, example) for at, example in enumerate(examples)]
        # An example without a price was never graded: it has no cost and no duration, and counts for neither mean.
        nanos = [int(message["cost"].scaleb(9)) for message in messages if message["cost"] is not None]
        took = sorted(message["duration_ms"] for message in messages if message["duration_ms"] is not None)
        assert (len(examples), len(nanos), len(took)) == (found[name].messages, found[name].priced, found[name].timed)
        assert 0 < len(nanos) < len(examples)
        assert Decimal(sum(nanos)).scaleb(-9) == found[name].cost
        assert round(Fraction(sum(nanos), len(nanos))) == int((found[name].average_cost or Decimal(0)).scaleb(9))
        assert round(Fraction(sum(took) * 1000, len(took))) == int(
            (latencies[name].average_ms or Decimal(0)) * 1000
        )  # fmt: skip
        assert [took[ceil(len(took) * rank / 100) - 1] for rank in (50, 90, 95, 99)] == [
            getattr(latencies[name], f"p{rank}_ms") for rank in (50, 90, 95, 99)
        ]
    assert total.cost == sum(one.cost for one in found.values()) == sum(day.cost for day in days)


def _files(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "alpaca_eval").glob("*/*/annotations.json"))


def _message(at: int, example: dict[str, Any]) -> dict[str, Any]:
    price, seconds = example["price_per_example"], example["time_per_example"]
    return {
        "role": "assistant",
        "content": example["output_2"],
        "cost": None if price is None else Decimal(repr(price)).quantize(Decimal(1).scaleb(-9), ROUND_HALF_EVEN),
        "duration_ms": None if seconds is None else round(seconds * 1000),
        "created_at": _START + timedelta(hours=at),
    }
