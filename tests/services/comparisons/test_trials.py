"""Repeated runs and judgments: pass@k, pass^k, ratios, and what the judge itself cost."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from scipy import stats

from chatledger import InvalidInput, Ledger
from chatledger.services.comparisons.repeated import pass_at_k, pass_hat_k
from chatledger.services.comparisons.significance import difference
from tests.services.comparisons.test_summary import pair, said, summary


@pytest.mark.parametrize(
    ("n", "c", "k", "at_least_one", "all_of_them"),
    [
        (5, 2, 3, 0.9, 0.0),  # 1 - C(3, 3) / C(5, 3) = 1 - 1 / 10
        (5, 3, 2, 0.9, 0.3),  # 1 - C(2, 2) / C(5, 2), and C(3, 2) / C(5, 2) = 3 / 10
        (4, 3, 4, 1.0, 0.0),
        (4, 4, 4, 1.0, 1.0),
        (4, 0, 1, 0.0, 0.0),
        (200, 50, 100, 1.0, 0.0),
    ],
)
def test_pass_at_k_and_pass_hat_k_by_hand(n: int, c: int, k: int, at_least_one: float, all_of_them: float) -> None:
    assert pytest.approx(at_least_one) == pass_at_k(n, c, k)
    assert pytest.approx(all_of_them, abs=1e-12) == pass_hat_k(n, c, k)


def test_the_estimates_are_the_mean_over_every_choice_of_k_trials() -> None:
    for n in range(1, 7):
        for c in range(n + 1):
            trials = [True] * c + [False] * (n - c)
            for k in range(1, n + 1):
                chosen = list(combinations(trials, k))
                assert pytest.approx(fmean(map(any, chosen))) == pass_at_k(n, c, k)
                assert pytest.approx(fmean(map(all, chosen))) == pass_hat_k(n, c, k)


@pytest.fixture
def tried(any_ledger: Ledger) -> Ledger:
    """Three prompts, tried by `new` four, four and three times, by `base` once each."""
    passed = {"p1": [1, 1, 1, 1], "p2": [1, 0, 0, 1], "p3": [0, 0, 0]}
    with any_ledger.begin() as uow:
        uow.comparisons.create("g", variants=["base", "new"])
        for prompt, scores in passed.items():
            for trial, score in enumerate(scores, 1):
                for variant in ("base", "new")[trial > 1 :]:
                    uow.comparisons.record(
                        "g", prompt, variant, judge="env", judge_kind="metric", trial=trial,
                        scores_a={"reward": score, "steps": 3 + trial},
                    )  # fmt: skip
    return any_ledger


def test_pass_rates_are_averaged_over_prompts(tried: Ledger) -> None:
    with tried.read() as uow:
        rates = uow.comparisons.pass_rates("g", "reward")
        assert [("base", 1), ("new", 1), ("new", 2), ("new", 3)] == [(rate.variant, rate.k) for rate in rates]
        _, one, two, three = rates
        assert (3, 11, "reward") == (two.prompts, two.trials, two.criterion)
        assert pytest.approx([1 / 2, (1 + 5 / 6) / 3, 2 / 3]) == [rate.pass_at_k for rate in (one, two, three)]
        assert pytest.approx([1 / 2, (1 + 1 / 6) / 3, 1 / 3]) == [rate.pass_hat_k for rate in (one, two, three)]
        # The interval is that of a mean over prompts, not over trials.
        expected = stats.t.interval(0.95, 2, fmean([1, 5 / 6, 0]), stats.sem([1, 5 / 6, 0]))
        assert two.pass_at_k_interval is not None
        assert pytest.approx((max(0, expected[0]), min(1, expected[1]))) == (
            two.pass_at_k_interval.low,
            two.pass_at_k_interval.high,
        )
        (four,) = uow.comparisons.pass_rates("g", "reward", k=4)
        assert (2, 1.0, 0.5) == (four.prompts, four.pass_at_k, four.pass_hat_k)
        assert [1.0, 1.0] == [rate.pass_hat_k for rate in uow.comparisons.pass_rates("g", "steps", threshold=4, k=1)]
        assert 0.5 == uow.comparisons.pass_rates("g", "reward", k=[1], judge="env")[1].pass_at_k


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("k", {"k": 5}),
        ("k", {"k": 0}),
        ("k", {"k": []}),
        ("k", {"k": True}),
        ("criterion", {"criterion": "speed"}),
        ("criterion", {"judge": "nobody"}),
        ("confidence", {"confidence": 1}),
        ("threshold", {"threshold": float("nan")}),
    ],
)
def test_rates_that_cannot_be_computed_are_refused(tried: Ledger, field: str, changes: dict[str, Any]) -> None:
    with tried.read() as uow, pytest.raises(InvalidInput) as caught:
        uow.comparisons.pass_rates("g", **{"criterion": "reward", **changes})
    assert field == caught.value.field


def test_trials_are_averaged_before_judges_and_count_as_one_prompt() -> None:
    found = pair(
        *(said("p1", preference, trial=trial) for trial, preference in enumerate((1, 1, 1, 1, 0), 1)),
        said("p1", 0, judge="bob"),
        said("p2", 1),
    )
    assert (2, 0.7) == (found.n_total, found.win_rate)  # p1: (0.8 + 0) / 2, p2: 1


def test_a_judge_who_repeats_itself_has_a_consistency_and_a_cost_of_its_own() -> None:
    found = summary(
        *(said("p1", preference, trial=trial) for trial, preference in enumerate((1, 0.8, 0), 1)),
        *(said("p2", 1, trial=trial, judge_cost="0.000000003", judge_duration_ms=250) for trial in (1, 2)),
        said("p1", 1, judge="bob", cost_a=5),
    )
    ada, bob = found.judging
    assert ("ada", 5, 2, (1 / 3 + 1) / 2) == (ada.judge, ada.results, ada.repeated, ada.consistency)
    assert (Decimal("0.000000006"), 3, 0.5) == (ada.cost, ada.without_cost, ada.duration)
    assert (None, 1, None, 0, None) == (bob.cost, bob.without_cost, bob.duration, bob.repeated, bob.consistency)
    # Not part of the variants' costs.
    assert [5.0, None] == [variant.cost for variant in found.variants]
    (agreement,) = found.agreements
    assert (1, 1.0) == (agreement.n, agreement.rate)  # the mean of ada's trials, 0.6, prefers the same variant


def test_both_orders_of_a_pair_in_two_trials_cancel_a_position_bias() -> None:
    found = pair(*(said(at, side, trial=side + 1, first="ab"[side]) for at in range(4) for side in (0, 1)))
    assert found.position is not None
    assert (4, 1.0, 0.5) == (found.position.n, found.position.preference, found.win_rate)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bounds_of_a_ratio_are_where_the_t_test_stops_rejecting(confidence: float) -> None:
    a, b = [3.0, 4.5, 2.0, 5.0, 4.0, 3.5], [4.0, 4.4, 3.1, 6.0, 5.2, 3.9]
    found = difference(
        {str(at): value for at, value in enumerate(a)}, {str(at): value for at, value in enumerate(b)}, confidence
    )
    assert found is not None
    assert found.ratio is not None
    assert pytest.approx(26.6 / 22) == found.ratio
    assert found.ratio_interval is not None
    for bound in (found.ratio_interval.low, found.ratio_interval.high):
        assert (
            pytest.approx(1 - confidence)
            == stats.ttest_1samp([y - bound * x for x, y in zip(a, b, strict=True)], 0).pvalue
        )
    assert found.ratio_interval.low < found.ratio < found.ratio_interval.high


def test_a_ratio_of_different_prompts_has_fiellers_interval_without_a_covariance() -> None:
    a, b = [3.0, 4.5, 2.0, 5.0], [8.0, 8.4, 7.1, 9.0, 9.2]
    found = difference(
        {f"a{at}": value for at, value in enumerate(a)}, {f"b{at}": value for at, value in enumerate(b)}, 0.95
    )
    assert found is not None
    assert found.ratio_interval is not None
    # By hand: 3.625 and 8.34; variances of the means 0.473958 and 0.1416; Welch's degrees of freedom at the ratio.
    assert pytest.approx(8.34 / 3.625) == found.ratio
    xx, yy, ratio = 0.4739583, 0.1416, 8.34 / 3.625
    freedom = (ratio**2 * xx + yy) ** 2 / ((ratio**2 * xx) ** 2 / 3 + yy**2 / 4)
    t = stats.t.ppf(0.975, freedom)
    for bound in (found.ratio_interval.low, found.ratio_interval.high):
        assert pytest.approx(t, rel=1e-4) == abs(8.34 - bound * 3.625) / (yy + bound**2 * xx) ** 0.5


@pytest.mark.parametrize(
    ("a", "b", "ratio"),
    [
        ([0, 0, 0], [1, 2, 3], None),
        ([-1, -2], [1, 2], None),
        ([1], [3], 3.0),
        ([-9, 1, 11], [1, 2, 3], 2.0),
        ([2, 2], [4, 4], 2.0),
    ],
)
def test_a_ratio_without_bounds_has_no_interval(a: list[float], b: list[float], ratio: float | None) -> None:
    found = difference(
        {str(at): value for at, value in enumerate(a)}, {str(at): value for at, value in enumerate(b)}, 0.95
    )
    assert found is not None
    assert (ratio, None) == (found.ratio, found.ratio_interval)


def test_the_rewards_of_tau_bench_give_its_pass_rate(shared_data: Path, ledger: Ledger) -> None:
    tasks = json.loads((shared_data / "tau_bench" / "gpt-4o-airline.trial0.json").read_text("utf-8"))
    rows = [
        {"prompt_key": str(task["task_id"]), "variant_a": "gpt-4o", "judge": "env", "judge_kind": "metric",
         "trial": task["trial"] + 1, "scores_a": {"reward": task["reward"]}}
        for task in tasks
    ]  # fmt: skip
    with ledger.begin() as uow:
        uow.comparisons.create("tau", variants=["gpt-4o"])
        uow.comparisons.record_many("tau", rows)
        (rate,) = uow.comparisons.pass_rates("tau", "reward")
    passed = sum(task["reward"] for task in tasks)
    assert (49, passed / 49, passed / 49) == (rate.prompts, rate.pass_at_k, rate.pass_hat_k)
    wilson = stats.binomtest(int(passed), 49).proportion_ci(method="wilson")
    assert rate.pass_hat_k_interval is not None
    assert (wilson.low, wilson.high) == (rate.pass_hat_k_interval.low, rate.pass_hat_k_interval.high)
