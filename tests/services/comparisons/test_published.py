"""The published rows of AlpacaEval give its published leaderboard."""

from __future__ import annotations

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger

CASES = [
    ("text_davinci_001", "alpaca_eval_gpt4"),
    ("phi-2", "alpaca_eval_gpt4"),
    ("gpt4_gamed", "weighted_alpaca_eval_gpt4_turbo"),
]


@pytest.mark.parametrize(("model", "judge"), CASES)
def test_published_rows_give_the_published_figures(
    shared_data: Path, any_ledger: Ledger, model: str, judge: str
) -> None:
    folder = shared_data / "alpaca_eval"
    rows = json.loads((folder / model / judge / "annotations.json").read_text("utf-8"))
    with (folder / f"{judge}_leaderboard.csv").open(encoding="utf-8", newline="") as file:
        published = next(row for row in csv.DictReader(file) if row[""] == model)
    with any_ledger.begin() as uow:
        group = uow.comparisons.create(variants=[rows[0]["generator_1"], rows[0]["generator_2"]])
        uow.comparisons.record_many(group.group_id, [_result(at, row) for at, row in enumerate(rows)])
    with any_ledger.read() as uow:
        summary = uow.comparisons.summary(group.group_id)
    (pair,), (judging,) = summary.pairs, summary.judging
    assert [int(published[name]) for name in ("n_wins", "n_wins_base", "n_draws", "n_total")] == [
        pair.wins, pair.losses, pair.draws, pair.n_total,
    ]  # fmt: skip
    assert len(rows) - pair.n_total == pair.missing
    # The price and the time of each judgment are the judge's, and not the models'.
    assert sum(round(Decimal(repr(row["price_per_example"] or 0)), 9) for row in rows) == judging.cost
    assert pytest.approx(sum(row["time_per_example"] or 0 for row in rows), abs=0.5) == judging.duration
    assert [None, None] == [variant.cost for variant in summary.variants]
    assert pair.win_rate is not None
    assert pair.standard_error is not None
    assert float(published["standard_error"]) == pair.standard_error * 100
    if model != "gpt4_gamed":
        assert float(published["win_rate"]) == pair.win_rate * 100
    # Its grades were rounded to ten decimals when they were published, so that the last bit of their sum is not to be
    # had from them: it is the same to all the digits that a double keeps.
    digits = f".{sys.float_info.dig}g"
    assert format(float(published["win_rate"]), digits) == format(pair.win_rate * 100, digits)


def _result(at: int, row: dict[str, Any]) -> dict[str, Any]:
    said = row["preference"]
    return {
        "prompt_key": f"{at:04}",
        "variant_a": row["generator_1"],
        "variant_b": row["generator_2"],
        "judge": row["annotator"],
        "judge_kind": "model",
        "judge_cost": row["price_per_example"],
        "judge_duration_ms": None if row["time_per_example"] is None else round(row["time_per_example"] * 1000),
        # 1 the baseline, 2 the model, 0 a draw, null no verdict.
        "preference": None if said is None else (0.5 if said == 0 else said - 1),
    }
