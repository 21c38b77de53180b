"""Price lists are read exactly, and what is wrong with a row is told with its place."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from chatledger.exchange import price_list_date, read_prices, shipped_prices


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "prices"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv(tmp_path: Path, ledger: Ledger) -> None:
    text = (
        "\ufeffmodel_id, input,output,cached_input,effective_from,context_window\r\n"
        "gpt-5,1.25,10,0.125,2025-08-07,400000\r\n"
        '"o, 1",15,60,,,\r\n'
        "short,1\r\n"
        "odd,1,x,,,\r\n"
    )
    rows = read_prices(written(tmp_path, text))
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    assert [("line 4", "row: has more or fewer cells than the header"), ("line 5", "output: is not a price")] == [
        (problem.place, problem.reason) for problem in report.problems
    ]
    with ledger.read() as uow:
        (price,) = uow.models.prices("gpt-5")
        assert (Decimal("1.25"), Decimal(10), Decimal("0.125")) == (price.input, price.output, price.cached_input)
        assert ("2025-08-07", 400_000) == (
            price.effective_from.date().isoformat(), uow.models.get("gpt-5").context_window,
        )  # fmt: skip
        assert "1970-01-01" == uow.models.prices("o, 1")[0].effective_from.date().isoformat()


def test_a_json_list_keeps_every_digit(tmp_path: Path, ledger: Ledger) -> None:
    rows = read_prices(written(tmp_path, '[{"model_id": "m", "input": 0.100000001, "others": {"audio": 1e-9}}, 7]'))
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    assert ["item 2"] == [problem.place for problem in report.problems]
    with ledger.read() as uow:
        (price,) = uow.models.prices("m")
    assert (Decimal("0.100000001"), {"audio": Decimal("1E-9")}) == (price.input, price.others)


def test_prices_for_one_token_become_prices_for_a_million(tmp_path: Path, ledger: Ledger) -> None:
    text = """{"gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat",
        "cache_read_input_token_cost": 1.2500000000000001e-06, "max_input_tokens": 128000, "litellm_provider": "openai"},
        "pictures": {"output_cost_per_image": 0.04}, "odd": {"input_cost_per_token": "free"}, "none": 3}"""
    rows = read_prices(written(tmp_path, text))
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    assert ["odd", "none"] == [problem.place for problem in report.problems]
    assert ({"output_cost_per_image": 1}, 1) == (report.not_stored, report.without_token_prices)
    with ledger.read() as uow:
        assert uow.models.find("pictures") is None
        (price,) = uow.models.prices("gpt-4o")
        assert (Decimal("2.5"), Decimal(10), Decimal("1.25")) == (price.input, price.output, price.cached_input)
        assert ("openai", 128_000) == ((model := uow.models.get("gpt-4o")).provider, model.context_window)


LITELLM = """{
    "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "litellm_provider": "see the docs"},
    "sonnet": {
        "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
        "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
        "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
        "input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 7.5e-06,
        "search_context_cost_per_query": {"search_context_size_low": 0.01}, "input_cost_per_audio_token": 0.0
    },
    "qwen": {"tiered_pricing": [
        {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
        {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}
    ]},
    "deepseek": {"input_cost_per_token": 2e-06, "input_cost_per_token_cache_hit": 1e-07},
    "pictures": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "output_cost_per_image": 0.04},
    "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "odd": {"tiered_pricing": [{"range": ["a"], "input_cost_per_token": 1}]}
}"""


def test_a_list_of_litellm_loses_nothing_silently(tmp_path: Path, ledger: Ledger) -> None:
    rows = read_prices(written(tmp_path, LITELLM))
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    assert (6, 4, 4, 1) == (report.rows, report.models, report.prices, report.without_token_prices)
    assert {"output_cost_per_image": 1, "search_context_cost_per_query": 1} == report.not_stored
    assert ["odd"] == [problem.place for problem in report.problems]
    assert 4 == ledger.run(lambda uow: uow.models.import_prices(rows)).unchanged
    with ledger.read() as uow:
        (sonnet,), (qwen,), (deepseek,) = (uow.models.prices(name) for name in ("sonnet", "qwen", "deepseek"))
        assert (Decimal("3.75"), Decimal(6)) == (sonnet.cache_write, sonnet.cache_write_1h)
        assert [
            (None, 200_000, Decimal(6), Decimal("22.5"), Decimal(12)),
            ("batch", 0, Decimal("1.5"), Decimal("7.5"), None),
            # The list does not say what a long batch costs.
            ("batch", 200_000, None, None, None),
        ] == [(one.service_tier, one.above_tokens, one.input, one.output, one.cache_write_1h) for one in sonnet.tiers]
        assert Decimal("0.05") == qwen.input
        assert [(256_000, Decimal("0.25"), Decimal(2))] == [
            (one.above_tokens, one.input, one.output) for one in qwen.tiers
        ]
        assert Decimal("0.1") == deepseek.cached_input


def test_tiers_are_rows_of_a_csv_file(tmp_path: Path, ledger: Ledger) -> None:
    text = (
        "model_id,input,output,cache_write,service_tier,above_tokens,effective_from\n"
        "m,6,22.5,,,200000,\n"
        "m,3,15,3.75,,,\n"
        "m,1.5,7.5,,batch,0,\n"
        "n,1,1,,,0,2026-01-01\n"
        "n,1,1,,flex,,2026-02-01\n"
        "m,3,15,,,many,\n"
    )
    report = ledger.run(lambda uow: uow.models.import_prices(read_prices(written(tmp_path, text))))
    assert [
        ("line 3", "tiers.2.above_tokens: must be a whole number"),
        ("line 6", "row: is a tier of a price that is not in the file"),
    ] == [(problem.place, problem.reason) for problem in report.problems]
    rows = read_prices(written(tmp_path, text.replace("m,3,15,,,many,\n", "")))
    ledger.run(lambda uow: uow.models.import_prices(rows))
    with ledger.read() as uow:
        tiers = uow.models.prices("m")[0].tiers
        assert [(None, 200_000), ("batch", 0), ("batch", 200_000)] == [(t.service_tier, t.above_tokens) for t in tiers]


def test_a_line_separator_within_a_name_begins_no_other_row(tmp_path: Path) -> None:
    rows = read_prices(written(tmp_path, "model_id,input\nold\u2028new,1\nlast\x0bone,2\n"))
    assert ["old\u2028new", "last\x0bone"] == [row["model_id"] for row in rows]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (f"model_id,input,context_window\nm,1,{'9' * 5000}\nn,1,\n", "line 2", "context_window"),
        ('{"m": {"input_cost_per_token": 9e999999}, "n": {"input_cost_per_token": 1e-6}}', "m", "out of bounds"),
    ],
    ids=["digits", "exponent"],
)
def test_a_number_that_no_machine_holds_is_told_and_the_other_rows_are_taken(
    tmp_path: Path, text: str, place: str, reason: str, ledger: Ledger
) -> None:
    rows = read_prices(written(tmp_path, text))
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    (problem,) = report.problems
    assert (1, place) == (report.prices, problem.place)
    assert reason in problem.reason


@pytest.mark.parametrize(
    "text",
    [
        "", "name,price\n", "model_id,model_id\n", "model_id,input,tax\n", "{", '{"m": NaN}', b"\xff\xfe",
        'model_id,input\n"m,1\n', "[" * 100_000,
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_price_list_is_refused(tmp_path: Path, text: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_prices(written(tmp_path, text))
    assert "file" == caught.value.field


def test_the_list_that_comes_with_the_package(ledger: Ledger) -> None:
    rows = shipped_prices()
    report = ledger.run(lambda uow: uow.models.import_prices(rows))
    assert (len(rows), len(rows), ()) == (report.models, report.prices, report.problems)
    assert len(rows) == ledger.run(lambda uow: uow.models.import_prices(shipped_prices())).unchanged
    begin = datetime.combine(price_list_date(), time(tzinfo=UTC))
    with ledger.begin() as uow:
        (price,) = uow.models.prices("claude-sonnet-4-5")
        assert (Decimal(3), Decimal(15), begin) == (price.input, price.output, price.effective_from)
        uow.sessions.create("s")
        said = {
            "role": "assistant",
            "model_id": "claude-sonnet-4-5-20250929",
            "input_tokens": 1000,
            "output_tokens": 100,
        }
        before, after = (
            uow.messages.append("s", created_at=begin + timedelta(days=days), **said)  # type: ignore[arg-type]  # as above
            for days in (-1, 1)
        )
    assert (None, Decimal("0.0045")) == (before.cost, after.cost)
