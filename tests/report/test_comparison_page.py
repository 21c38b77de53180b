"""The page of a comparison: who won and how certain that is, colors that stand for variants, answers side by side."""

from __future__ import annotations

import html
import io
import re
import sys
from typing import Any

import pytest

from chatledger import ComparisonNotFound, InvalidInput, Ledger
from chatledger.html.environment import CONTENT_SECURITY_POLICY
from chatledger.report import write_comparison
from tests.report.test_report import HOSTILE, Tags

VARIANTS = ("plain", HOSTILE)


@pytest.fixture
def compared(ledger: Ledger) -> Ledger:
    """Twelve prompts, of which the second variant wins ten; three of them with answers."""
    with ledger.begin() as uow:
        uow.comparisons.create("g", variants=VARIANTS, title=HOSTILE)
        for number in range(12):
            key = f"p{number:02}"
            uow.comparisons.record(
                "g", key, *VARIANTS, judge=HOSTILE, preference=float(number > 1), notes=HOSTILE, judge_cost="0.25",
                cost_a="0.001", cost_b="0.002",
            )  # fmt: skip
            for variant in VARIANTS if number < 3 else ():
                session = uow.sessions.create().session_id
                uow.messages.append_many(
                    session,
                    [{"role": "user", "content": f"otter {key} {HOSTILE}"}, {"role": "assistant", "content": f"seal {HOSTILE}"}],
                )  # fmt: skip
                uow.comparisons.add("g", variant, session, prompt_key=key)
    return ledger


def page(ledger: Any, **how: Any) -> str:
    out = io.StringIO()
    write_comparison(ledger, "g", out, **how)
    return out.getvalue()


def text_of(page: str) -> str:
    return " ".join(Tags(page).text.replace("\u2060", "").split())


def test_a_sentence_says_who_won_and_how_certain_that_is(compared: Ledger) -> None:
    text = text_of(page(compared))
    printable = " ".join(HOSTILE.replace("\x1b", "␛").replace("\u202e", "\ufffd").split())
    won = f"{printable} won against plain: its win rate is 83.3% over 12 prompts (95% interval 55.2% to 95.3%). A difference"
    assert f"{won} this large is unlikely to be chance (sign test, p = 0.039)." in text
    assert "2 times as much" in text
    assert "$3.00" in text  # the judge's own
    with compared.begin() as uow:
        for number in (2, 3, 4):
            uow.comparisons.record("g", f"p{number:02}", *VARIANTS, judge=HOSTILE, preference=0, replace=True)
    text = text_of(page(compared))
    assert f"No clear winner between {printable} and plain: {printable} has a win rate of 58.3%" in text
    assert "which may be chance (sign test, p = 0.77). To show a difference this large, about" in text


def test_of_many_variants_the_leader_is_named(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.comparisons.create("g", variants=("a", "b", "c"))
        for number in range(20):
            for pair, won in ((("a", "b"), 0), (("a", "c"), number % 2), (("b", "c"), number % 4 > 0)):
                uow.comparisons.record("g", str(number), *pair, judge="ada", preference=float(won))
    text = text_of(page(ledger))
    assert "a has the highest rating. It won against b (win rate 100.0%, p = 1.9e-06)" in text
    assert "There is no clear winner between it and c (win rate 50.0%, p = 1)." in text
    assert "There are no verdicts yet" not in text


def test_measurements_alone_have_no_winner(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.comparisons.create("g", variants=("a", "b"))
        for trial in (1, 2):
            for variant in ("a", "b"):
                uow.comparisons.record("g", "p", variant, judge="run", trial=trial, scores_a={"reward": trial % 2})
    text = text_of(page(ledger))
    assert "There are no verdicts yet" in text
    assert "pass@k: at least one of k trials passes." in text
    assert "a reward 2 1 100.0% 0.0%" in text


def test_answers_stand_side_by_side_in_the_colors_of_their_variants(compared: Ledger) -> None:
    text = page(compared, prompts=2)
    assert 2 == text.count('<details class="prompt"')
    assert "The first 2 of 12 prompts." in text
    for prompt in re.findall(r'<details class="prompt".*?</details>', text, re.DOTALL):
        assert ["k0", "k1"] == re.findall(r'<article class="answer (k\d)"', prompt)
        assert 2 == Tags(prompt).text.count("seal ")
        assert 1 == prompt.count('class="text question"')
        assert "prefers" in prompt
    # A color stands for one variant everywhere.
    for number, variant in enumerate(("plain", "&lt;/style&gt;")):
        colors = re.findall(rf'class="swatch s(\d)"></span>&#8288;<bdi>{variant}', text)
        assert len(colors) > 8
        assert {str(number)} == set(colors)
    dots = re.findall(r'<svg class="range (\w+)"', text)
    assert ["k1"] == dots  # the winner


def test_without_prompts_the_page_has_no_messages(compared: Ledger) -> None:
    text = page(compared, prompts=0)
    assert "otter" not in text
    assert "seal" not in text
    assert "Prompts and answers" not in text


def test_texts_are_escaped_and_nothing_runs(compared: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # these plots need none
    text = page(compared)
    read = Tags(text)
    assert set(read.tags).isdisjoint({"script", "img", "iframe", "link", "base", "form", "a"})
    assert set() == {name for name in read.names if name.startswith("on") or name in ("src", "style", "href")}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "http" not in text.replace("http-equiv", "")
    assert CONTENT_SECURITY_POLICY in html.unescape(text)


def test_only_the_results_of_a_judge(compared: Ledger) -> None:
    with compared.begin() as uow:
        uow.comparisons.record("g", "p00", *VARIANTS, judge="bob", preference=1.0)
    assert "1 result of bob" in text_of(page(compared, judge="bob"))


@pytest.mark.parametrize("how", [{"prompts": -1}, {"prompts": True}, {"confidence": 2}])
def test_invalid_arguments_are_refused(compared: Ledger, how: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        page(compared, **how)
    with pytest.raises(ComparisonNotFound):
        write_comparison(compared, "h", io.StringIO())
