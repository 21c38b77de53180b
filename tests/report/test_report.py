"""The report: its numbers are the ledger's, its texts are only texts, and a browser shows it."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, MissingExtra
from chatledger.html import plots
from chatledger.html.environment import CONTENT_SECURITY_POLICY, STYLESHEET
from chatledger.report import charts, write_report
from tests.support import sqlite

HOSTILE = '</style></script><script>alert(1)</script><img src=x onerror="alert(2)">\'"&\x1b[31m\u202e$x_1$'
AT = datetime(2026, 5, 1, 10, tzinfo=UTC)
_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def fill(ledger: Ledger, name: str = "trip", models: int = 3) -> None:
    with ledger.begin() as uow:
        for number in range(models):
            session = f"{name} {number}"
            uow.sessions.create(session, user_id=name, project_id=name, model_id=f"m-{number} {name}", title=name)
            for day in range(5):
                at = AT + timedelta(days=day, minutes=number)
                uow.messages.append(session, "user", "secret words", created_at=at)
                uow.messages.append(
                    session, "assistant", "secret words", input_tokens=1000, output_tokens=234, cost="0.25",
                    duration_ms=1000 * (day + 1), outcome="error" if day == 4 else None, created_at=at,
                )  # fmt: skip


def page(ledger: Any, **how: Any) -> str:
    out = io.StringIO()
    write_report(ledger, out, **how)
    return out.getvalue()


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_it_says_what_the_statistics_say(ledger: Ledger) -> None:
    fill(ledger)
    read = Tags(page(ledger, title="May"))
    assert "May" in read.text
    for said in ("3", "30", "18,510", "$3.75", "20.0%", "5.0 s", "3.0 s", "2026-05-01 to 2026-05-05", "m-2 trip"):
        assert said in read.text, said
    assert "secret words" not in read.text
    # Cost, tokens, latency and activity, each for wide and for narrow screens.
    assert 8 == read.tags.count("svg")


def test_a_day_without_answers_interrupts_the_lines(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for day in (0, 1, 4, 5):
            at = AT + timedelta(days=day)
            uow.messages.append("s", "assistant", "yes", duration_ms=1000, cost=1, input_tokens=1, created_at=at)
    text = page(ledger)
    (latency,) = re.findall(r'<svg class="wide"[^>]*aria-label="Latency.*?</svg>', text, re.DOTALL)
    lines = re.findall(r'<path d="([^"]*)"[^>]*stroke="var\(--accent\)"', latency)
    assert [2, 2] == [len(re.findall(r"L ", piece)) + 1 for piece in lines[0].split("M ")[1:]], lines
    assert "A gap is a day without answers." in Tags(text).text


def test_a_color_of_a_model_stands_for_nothing_else(ledger: Ledger) -> None:
    fill(ledger)
    text = page(ledger)
    for svg in re.findall(r'<svg class="wide".*?</svg>', text, re.DOTALL):
        of_models = "by model" in svg[:300]
        assert of_models == ("var(--s0)" in svg)
        assert of_models != ("var(--accent)" in svg)
    for number, strength in enumerate(charts.PERCENTILE_STRENGTHS):
        assert 1 == text.count(f'swatch strength{number}"')
        shown = re.search(rf"\.strength{number} {{ opacity: (\.\d+)", STYLESHEET)
        assert strength == (float(shown[1]) if shown else 1.0)


def test_axes_have_units_and_captions_hold_in_the_dark(ledger: Ledger) -> None:
    fill(ledger)
    text = page(ledger)
    drawn = re.findall(r'<svg class="wide".*?</svg>', text, re.DOTALL)
    for svg, unit in zip(drawn, ("dollars", "tokens", "seconds", "hour of the day"), strict=True):
        assert f">{unit}</text>" in svg
    assert not re.search(r"\b(dark|light)er\b", text)


def test_every_number_of_a_table_has_its_label_on_a_phone(ledger: Ledger) -> None:
    fill(ledger)
    text = page(ledger)
    bodies = re.findall(r"<tbody>.*?</tbody>", text, re.DOTALL)
    assert len(bodies) > 5
    for row in re.findall(r"<tr>.*?</tr>", "".join(bodies), re.DOTALL):
        first, *others = re.findall(r"<td[^>]*>", row)
        assert "data-label" not in first
        assert all("data-label=" in cell for cell in others), row


def test_a_period_is_held_against_the_one_before(ledger: Ledger) -> None:
    fill(ledger)
    text = Tags(page(ledger, since=AT + timedelta(days=2), until=AT + timedelta(days=4))).text
    assert "+0% against the period before" in text
    assert "from 2026-05-03 10:00 UTC to 2026-05-05 10:00 UTC" in text


def test_one_user_sees_their_own_figures(ledger: Ledger) -> None:
    fill(ledger, "ada", models=1)
    fill(ledger, "bob", models=1)
    text = page(ledger.for_user("ada"))
    assert "ada" in text
    assert "bob" not in text


def test_texts_are_texts_and_there_is_nothing_to_run_or_fetch(ledger: Ledger) -> None:
    fill(ledger, HOSTILE)
    text = page(ledger, title=HOSTILE)
    read = Tags(text)
    assert set(read.tags).isdisjoint({"script", "img", "iframe", "link", "base", "form", "a", "image"})
    assert set() == {name for name in read.names if name.startswith("on") or name in ("src", "style", "href")}
    assert 1 == read.tags.count("style")
    assert read.text.count("alert(1)") >= 8
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "http" not in re.sub(r"http-equiv|http://www\.w3\.org/\d+/(svg|xlink)", "", text)
    assert CONTENT_SECURITY_POLICY in html.unescape(text)


def test_colours_are_those_of_the_page(ledger: Ledger) -> None:
    fill(ledger)
    drawn = "".join(re.findall(r"<svg.*?</svg>", page(ledger), re.DOTALL))
    assert set() == set(re.findall(r"#[0-9a-f]{6}", drawn))
    assert {"var(--s0)", "var(--s1)", "var(--s2)", "var(--soft)", "var(--line)"} <= set(
        re.findall(r"var\(--\w+\)", drawn)
    )


def test_many_models_are_others_and_periods_fit_the_length(ledger: Ledger) -> None:
    fill(ledger, models=12)
    assert "5 others" in page(ledger)
    assert "Cost by day and model" in page(ledger)
    with ledger.begin() as uow:
        uow.messages.append("trip 0", "user", created_at=AT + timedelta(days=300))
    assert "Cost by week and model" in page(ledger)
    assert "Cost by month and model" in page(ledger, period="month")


def test_a_ledger_without_anything_has_a_page(ledger: Ledger) -> None:
    assert "No message matches." in page(ledger)
    with ledger.begin() as uow:
        uow.messages.append(uow.sessions.create().session_id, "user", "no cost, no tokens, no duration")
    assert 2 == page(ledger).count("<svg")


@pytest.mark.parametrize(("field", "wrong"), [("period", "year"), ("tz", "Mars/Base"), ("since", datetime(2026, 5, 1))])
def test_what_is_none_is_refused_by_name(ledger: Ledger, field: str, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=field):
        page(ledger, **{field: wrong})


def test_the_extra_is_named_where_it_is_missing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"chatledger\[report\]"):
        page(ledger)


def test_the_same_page_twice(ledger: Ledger) -> None:
    fill(ledger)
    assert page(ledger) == page(ledger)
    assert plots.series_color(0) == plots.series_color(plots.SERIES)
    assert plots.SERIES == len(set(re.findall(r"\.s\d+ {", STYLESHEET)))


@pytest.mark.skipif(_BROWSER is None, reason="no browser to look with")
@pytest.mark.parametrize(("width", "shown", "hidden"), [(1200, "wide", "narrow"), (390, "narrow", "wide")])
def test_a_browser_shows_it_at_any_width(
    sqlite_template: Path, tmp_path: Path, width: int, shown: str, hidden: str
) -> None:
    with Ledger(sqlite.copy(sqlite_template, tmp_path / "chat.db")) as ledger:
        fill(ledger, HOSTILE)
        text = page(ledger)
    # What the page may not have, the test brings: a script that measures, and the policy made room for it.
    probe = (
        "<script>document.body.dataset.found = JSON.stringify({"
        "wide: document.documentElement.scrollWidth <= innerWidth"
        " && (innerWidth > 1000 || [...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)),"
        f"shown: getComputedStyle(document.querySelector('.{shown}')).display,"
        f"hidden: getComputedStyle(document.querySelector('.{hidden}')).display,"
        "bar: getComputedStyle(document.querySelector('svg [fill=\"var(--s0)\"]')).fill,"
        "scripts: document.scripts.length})</script>"
    )
    (tmp_path / "page.html").write_text(
        text.replace("default-src &#39;none&#39;", "script-src &#39;unsafe-inline&#39;").replace(
            "</body>", f"{probe}</body>"
        ),
        encoding="utf-8",
    )
    assert _BROWSER is not None
    done = subprocess.run(
        [
            _BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900", "--dump-dom", f"file://{tmp_path / 'page.html'}",
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None
    said = found[1].replace("&quot;", '"')
    assert '"shown":"block"' in said
    assert '"hidden":"none"' in said
    assert '"wide":true' in said
    assert '"bar":"rgb(42, 111, 219)"' in said
    assert '"scripts":1' in said


def test_a_cost_that_is_not_known_is_not_shown_as_nothing(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", model_id="gpt-5")
        uow.messages.append("s", "assistant", "otter", input_tokens=5, output_tokens=7)
    shown = Tags(page(ledger)).text
    assert "unknown" in shown
    assert 1 == shown.count("No price is known for gpt-5")
    assert "$0" not in shown
