"""Summaries: the test that fits, intervals that hold, and nothing said where there is too little to say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from scipy import stats

from chatledger import ComparisonGroup, ComparisonKind, ComparisonResult, ComparisonSummary, InvalidInput, PairSummary
from chatledger.services.comparisons.summary import summarise

_AT = datetime(2026, 5, 1, tzinfo=UTC)


def summary(*results: ComparisonResult, variants: tuple[str, ...] = ("a", "b"), **how: Any) -> ComparisonSummary:
    group = ComparisonGroup(
        group_id="g", user_id=None, kind=ComparisonKind.MODEL, title=None, variants=variants, created_at=_AT
    )
    return summarise(group, results, **how)


def pair(*results: ComparisonResult) -> PairSummary:
    (found,) = summary(*results).pairs
    return found


def said(prompt: object, preference: float | None = None, **more: Any) -> ComparisonResult:
    fields: dict[str, Any] = dict.fromkeys(ComparisonResult.model_fields)
    fields |= {"group_id": "g", "prompt_key": str(prompt), "variant_a": "a", "variant_b": "b", "judge": "ada"}
    fields |= {"judge_kind": "person", "created_at": _AT, "preference": preference, "trial": 1}
    return ComparisonResult.model_validate({**fields, **more})


def test_wins_are_counted_by_a_sign_test_and_a_missing_verdict_is_no_draw() -> None:
    found = pair(*(said(at, at < 9) for at in range(10)), said("draw", 0.5), said("none"))
    assert (9, 1, 1, 11, 1) == (found.wins, found.losses, found.draws, found.n_total, found.missing)
    assert ("sign", stats.binomtest(9, 10).pvalue, True, None) == (
        found.test,
        found.p_value,
        found.significant,
        found.needed,
    )


def test_without_draws_the_interval_is_wilsons_and_holds_for_a_clean_sweep() -> None:
    found = pair(*(said(at, 1) for at in range(5)))
    assert found.interval is not None
    expected = stats.binomtest(5, 5).proportion_ci(method="wilson")
    assert (1.0, expected.low, expected.high) == (found.win_rate, found.interval.low, found.interval.high)


def test_grades_are_ranked() -> None:
    grades = [0.7, 0.6, 0.8, 0.55, 0.9, 0.4, 0.65]
    found = pair(*(said(at, grade) for at, grade in enumerate(grades)))
    assert ("Wilcoxon signed-rank", stats.wilcoxon([grade - 0.5 for grade in grades]).pvalue) == (
        found.test,
        found.p_value,
    )


def test_grades_equally_far_from_a_draw_share_their_rank() -> None:
    grades = [0.7, 0.3, 0.9, 0.1, 0.6, 0.4, 0.8, 0.8, 0.7, 0.9]  # 0.7 - 0.5 is a little less than 0.5 - 0.3
    tenths = [round(grade * 10) - 5 for grade in grades]
    found = pair(*(said(at, grade) for at, grade in enumerate(grades)))
    assert stats.wilcoxon(tenths).pvalue == found.p_value


def test_a_grade_that_is_a_draw_but_for_its_rounding_is_not_tested() -> None:
    found = pair(said(1, 0.5 + 1e-15), said(2, 0.5))
    assert ("Wilcoxon signed-rank", None) == (found.test, found.p_value)


def test_what_cannot_be_told_says_how_many_prompts_it_would_take() -> None:
    found = pair(*(said(at, at % 5 < 3) for at in range(20)))  # 12 of 20
    assert not found.significant
    assert found.needed is not None
    assert 195 < found.needed < 205  # (1.96 + 0.84)² ÷ (0.1 ÷ 0.5026)² is 198, and a little more for t
    found = pair(*(said(at, at % 2) for at in range(20)))
    assert (False, None) == (found.significant, found.needed)


@pytest.mark.parametrize("preferences", [[None], [0.5, 0.5, 0.5], [1.0], [0.25]])
def test_too_little_is_said_to_be_too_little(preferences: list[float | None]) -> None:
    found = pair(*(said(at, preference) for at, preference in enumerate(preferences)))
    assert not found.significant


def test_several_judges_make_no_more_prompts() -> None:
    results = [said(at, preference, judge=judge) for at in range(4) for judge, preference in (("x", 1), ("y", 0.5))]
    found = summary(*results)
    assert (4, 0.75) == (found.pairs[0].n_total, found.pairs[0].win_rate)
    (agreement,) = found.agreements
    assert ("x", "y", 4, 0.0, None) == (
        agreement.judge_a, agreement.judge_b, agreement.n, agreement.rate, agreement.tau,
    )  # fmt: skip


def test_judges_who_agree_are_seen_to() -> None:
    found = summary(*(said(at, at % 2, judge=judge) for at in range(6) for judge in ("x", "y")))
    assert found.agreements[0].rate == 1.0
    assert pytest.approx(1.0) == found.agreements[0].tau


def test_costs_times_and_scores_are_paired_where_prompts_are_shared() -> None:
    a, b = [0.1, 0.2, 0.4], [0.2, 0.25, 0.6]
    found = pair(
        *(
            said(at, cost_a=str(one), cost_b=str(two), duration_a_ms=1000, scores_a={"k": at}, scores_b={"k": at + 1})
            for at, (one, two) in enumerate(zip(a, b, strict=True))
        )
    )
    expected = stats.ttest_rel(b, a)
    assert found.cost is not None
    assert ("paired t", 3) == (found.cost.test, found.cost.n)
    assert pytest.approx(expected.pvalue) == found.cost.p_value
    assert found.cost.interval is not None
    assert pytest.approx(expected.confidence_interval().low) == found.cost.interval.low
    assert found.duration is None
    assert (1.0, None) == (found.scores["k"].mean, found.scores["k"].interval)


def test_a_difference_that_is_the_same_everywhere_has_no_interval() -> None:
    found = pair(*(said(at, cost_a=f"0.{at}", cost_b=f"0.{at + 1}") for at in range(1, 6))).cost
    assert found is not None
    assert (5, None, None) == (found.n, found.interval, found.p_value)
    assert pytest.approx(0.1) == found.mean


def test_measurements_of_different_prompts_are_compared_by_welch() -> None:
    one = [said(f"a{at}", variant_b=None, duration_a_ms=1000 * at) for at in range(1, 5)]
    two = [said(f"b{at}", variant_a="b", variant_b=None, duration_a_ms=2000 * at) for at in range(1, 6)]
    found = pair(*one, *two).duration
    assert found is not None
    assert ("Welch's t", 3.5) == (found.test, found.mean)
    assert pytest.approx(stats.ttest_ind([2, 4, 6, 8, 10], [1, 2, 3, 4], equal_var=False).pvalue) == found.p_value


def test_position_bias_shows() -> None:
    found = pair(*(said(at, at % 2, first="b" if at % 2 else "a") for at in range(20)))
    assert found.win_rate == 0.5
    assert found.position is not None
    assert (1.0, 20, {"a": 10, "b": 10}) == (found.position.preference, found.position.n, found.position.first)
    assert found.position.p_value is not None
    assert found.position.p_value < 0.001


def test_more_than_two_are_ranked_with_intervals_even_after_a_clean_sweep() -> None:
    results = []
    for at in range(30):
        results += [
            said(at, 1, variant_a="weak", variant_b="strong"),
            said(at, at % 4 > 0, variant_a="weak", variant_b="fair"),
            said(at, at % 4 > 0, variant_a="fair", variant_b="strong"),
        ]
    found = summary(*results, variants=("weak", "fair", "strong", "unseen"))
    rated = {variant.variant: (variant.rating, variant.rating_interval) for variant in found.variants}
    assert (None, None) == rated["unseen"]
    ratings = [rated[name][0] or 0 for name in ("weak", "fair", "strong")]
    assert sorted(ratings) == ratings
    assert pytest.approx(1000) == sum(ratings) / 3
    for rating, interval in (rated[name] for name in ("weak", "fair", "strong")):
        assert interval is not None
        assert rating is not None
        assert interval.low <= rating <= interval.high
    assert found == summary(*results, variants=("weak", "fair", "strong", "unseen"))


def test_two_that_draw_are_rated_alike_and_ten_to_one_is_four_hundred() -> None:
    results = [said(at, at % 11 > 0, variant_a="x", variant_b="y") for at in range(11000)]
    results += [said(at, 0.5, variant_a="y", variant_b="z") for at in range(1100)]
    rated = {variant.variant: variant.rating or 0 for variant in summary(*results, variants=("x", "y", "z")).variants}
    assert pytest.approx(400, abs=2) == rated["y"] - rated["x"]
    assert pytest.approx(0, abs=2) == rated["z"] - rated["y"]


@pytest.mark.parametrize("confidence", [0.5, 1, 95, True, "0.9"])
def test_a_confidence_that_is_none_is_refused(confidence: Any) -> None:
    with pytest.raises(InvalidInput, match="confidence"):
        summary(said(1, 1), confidence=confidence)
