"""Projects, models and prices of a source fill the registry, which keeps what it knows better; no cost is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import AdoptionFailed, Ledger
from chatledger.adoption import AdoptionReport, adopt
from chatledger.enums import Status
from chatledger.services.registry.models import Models
from tests.adoption.old import AI_ROUTER, LLM_SESSIONS, fill_ai_router, made, put
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw

MADE = datetime(2025, 1, 7, 12, 0, tzinfo=UTC)
ROWS = "llm-sessions-rows"
GPT, OPUS, LLAMA = "openai/gpt-4", "anthropic/claude-3-opus@20240229", "ollama/llama3:70b@q4"
MORE = {
    "projects": ("description TEXT", "updated_at TIMESTAMP", "metadata JSON"),
    "models": (
        "endpoint_url TEXT", "context_window INTEGER", "cost_per_1k_input_tokens REAL",
        "cost_per_1k_output_tokens REAL", "is_active BOOLEAN", "created_at TIMESTAMP", "metadata JSON",
    ),
}  # fmt: skip
"""Columns that sessions do without."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A project, models (one twice, one free, one put away), and messages with a cost, without one, and of no price."""
    path = tmp_path / "old.db"
    with made(path, LLM_SESSIONS) as connection:
        for table, columns in MORE.items():
            for column in columns:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        put(
            connection, "projects", id=1, name="Reviews", description="of papers", created_at="2025-01-01 00:00:00",
            updated_at="2025-01-02 00:00:00", metadata='{"owner": "team"}',
        )  # fmt: skip
        common: dict[str, Any] = {"created_at": "2025-01-07 12:00:00", "is_active": 1}
        put(
            connection, "models", id=1, provider="openai", model_name="gpt-4", context_window=8192,
            cost_per_1k_input_tokens=0.03, cost_per_1k_output_tokens=0.06, endpoint_url="https://api.invalid", **common,
        )  # fmt: skip
        put(
            connection, "models", id=2, provider="anthropic", model_name="claude-3-opus", model_version="20240229",
            metadata="no JSON", **{**common, "is_active": 0},
        )  # fmt: skip
        put(
            connection, "models", id=3, provider="ollama", model_name="llama3:70b", model_version="q4",
            cost_per_1k_input_tokens=0.0, cost_per_1k_output_tokens="free", **common,
        )  # fmt: skip
        put(connection, "models", id=4, provider="openai", model_name="gpt-4", context_window=1, **common)
        put(
            connection, "sessions", id=1, session_uuid="s", project_id=1, model_id=1, status="active",
            started_at="2025-01-08 09:00:00",
        )  # fmt: skip
        for number, (model, cost) in enumerate([(1, 0.5), (1, None), (1, 0.0), (4, None), (2, None)], 1):
            put(
                connection, "messages", id=number, message_uuid=f"m-{number}", session_id=1, sequence_number=number,
                role="assistant", content="x", model_id=model, timestamp="2025-01-08 09:00:00", input_tokens=1000,
                output_tokens=1000, cost=cost,
            )  # fmt: skip
    return path


def costs(ledger: Ledger) -> list[Decimal | None]:
    with ledger.read() as uow:
        return [message.cost for message in uow.messages.history("s")]


def beside(ledger: Ledger) -> list[tuple[str | None, Any]]:
    with ledger.read() as uow:
        if uow.sessions.find(ROWS) is None:
            return []
        return [(message.name, message.payload["id"]) for message in uow.messages.history(ROWS)]


def fates(report: AdoptionReport, table: str) -> tuple[int, int, int]:
    (found,) = [account for account in report.tables if account.table == table]
    return found.copied, found.kept, found.already_there


def test_what_the_source_knows_of_names_is_in_the_registry(path: Path, ledger: Ledger) -> None:
    trial = adopt(ledger, path, dry_run=True)
    report = adopt(ledger, path)
    assert (trial.findings, trial.tables) == (report.findings, report.tables)
    assert (1, 0, 0) == fates(report, "projects")
    assert (3, 1, 0) == fates(report, "models")
    assert [("models", 4)] == beside(ledger)  # its name is that of the first
    with ledger.read() as uow:
        project = uow.projects.get("Reviews")
        gpt, opus, llama = (uow.models.get(name) for name in (GPT, OPUS, LLAMA))
        (price,), (free,) = uow.models.prices(GPT), uow.models.prices(LLAMA)
        assert [] == uow.models.prices(OPUS)
    assert ("Reviews", "of papers", datetime(2025, 1, 1, tzinfo=UTC), "team") == (
        project.name, project.description, project.created_at, project.metadata["owner"]
    )  # fmt: skip
    assert {"id": 1, "updated_at": "2025-01-02 00:00:00"} == project.metadata["adopted"]["as_found"]
    assert ("openai", "gpt-4", 8192, MADE, None) == (
        gpt.provider, gpt.name, gpt.context_window, gpt.created_at, gpt.archived_at
    )  # fmt: skip
    assert ("https://api.invalid", 0.03) == tuple(
        gpt.metadata["adopted"]["as_found"][name] for name in ("endpoint_url", "cost_per_1k_input_tokens")
    )
    assert (Decimal(30), Decimal(60), MADE) == (price.input, price.output, price.effective_from)
    assert (Decimal(0), None) == (free.input, free.output)
    assert "free" == llama.metadata["adopted"]["as_found"]["cost_per_1k_output_tokens"]
    assert opus.archived_at is not None
    assert ("20240229", "no JSON") == tuple(
        opus.metadata["adopted"]["as_found"][name] for name in ("model_version", "metadata")
    )
    assert {"metadata_not_a_json_object", "not_a_number"} <= {finding.kind for finding in report.findings}


def test_a_cost_is_the_sources_own_and_none_is_counted_until_that_is_asked_for(path: Path, ledger: Ledger) -> None:
    with ledger.begin() as uow:  # prices that the ledger has
        uow.models.price(OPUS, input=1, output=1, effective_from="1970-01-01")
    adopt(ledger, path)
    assert [Decimal("0.5"), None, 0, None, None] == costs(ledger)
    with ledger.read() as uow:
        assert Decimal("0.5") == uow.sessions.get("s").total_cost
        assert [None] * 5 == [message.priced_from for message in uow.messages.history("s")]
    done = ledger.reprice()
    assert (3, 0) == (done.filled, done.corrected)
    assert [Decimal("0.5"), Decimal("0.09"), 0, Decimal("0.09"), Decimal("0.002")] == costs(ledger)
    # What was counted here is no change of the source.
    assert None is adopt(ledger, path).finding("changed_since")


def test_adopted_again_the_registry_stays_as_it_is(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    with ledger.begin() as uow:
        uow.models.register(GPT, notes="ours", context_window=9)
        uow.projects.update("Reviews", description="ours")
        uow.models.remove_price(GPT, MADE)
    report = adopt(ledger, path)
    assert (0, 0, 1) == fates(report, "projects")
    assert (0, 0, 4) == fates(report, "models")
    with ledger.read() as uow:
        gpt = uow.models.get(GPT)
        assert ("ours", 9, []) == (gpt.notes, gpt.context_window, uow.models.prices(GPT))
        assert "ours" == uow.projects.get("Reviews").description
    assert [] == [f.kind for f in report.findings if f.kind.startswith("registry") or f.kind == "changed_since"]


def test_a_row_that_changed_is_kept_beside_what_was_adopted_first(path: Path, ledger: Ledger) -> None:
    adopt(ledger, path)
    with made(path) as connection:
        connection.execute("UPDATE projects SET description = 'of books'")
    for added in (1, 0):
        report = adopt(ledger, path)
        assert (added, 0, 0) == (report.other_rows, report.messages, report.sessions)
        found = report.finding("registry_differs")
        assert found is not None
        assert ("projects", ("1",)) == (found.table, found.examples)
        assert [("models", 4), ("projects", 1)] == beside(ledger)
    with ledger.read() as uow:
        assert "of papers" == uow.projects.get("Reviews").description


def test_what_the_registry_knows_already_stays_and_the_sources_is_kept_as_found(path: Path, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.models.register(GPT, context_window=9, notes="ours", metadata={"tier": 1})
        uow.models.price(GPT, input=7, effective_from="2026-01-01")
        uow.projects.create("Reviews", metadata={"owner": "ours"})
    report = adopt(ledger, path)
    with ledger.read() as uow:
        project, gpt = uow.projects.get("Reviews"), uow.models.get(GPT)
        assert [Decimal(7)] == [price.input for price in uow.models.prices(GPT)]
    assert ("openai", "gpt-4", 9, "ours", 1) == (
        gpt.provider, gpt.name, gpt.context_window, gpt.notes, gpt.metadata["tier"]
    )  # fmt: skip
    as_found = gpt.metadata["adopted"]["as_found"]
    assert (8192, 0.06, "2025-01-07 12:00:00") == tuple(
        as_found[name] for name in ("context_window", "cost_per_1k_output_tokens", "created_at")
    )
    assert ("of papers", "ours", "team") == (
        project.description, project.metadata["owner"], project.metadata["adopted"]["as_found"]["metadata.owner"]
    )  # fmt: skip
    assert [("models", ("1",)), ("projects", ("1",))] == [
        (found.table, found.examples) for found in report.findings if found.kind == "registry_kept"
    ]


def test_models_of_an_ai_router_have_the_name_of_the_newest_session(tmp_path: Path, ledger: Ledger) -> None:
    with made(tmp_path / "router.db", AI_ROUTER) as connection:
        for number, name in enumerate(("Phi", "Phi-4 14B", None, "")):
            fill_ai_router(connection, session=f"s{number}")
            connection.execute("UPDATE sessions SET model_name = ? WHERE session_id = ?", (name, f"s{number}"))
    adopt(ledger, tmp_path / "router.db")
    with ledger.begin() as uow:
        assert "Phi-4 14B" == uow.models.get("phi4").name
        assert "Phi" == uow.sessions.get("s0").metadata["model_name"]
        uow.models.register("phi4", name="ours")
    adopt(ledger, tmp_path / "router.db")
    with ledger.read() as uow:
        assert "ours" == uow.models.get("phi4").name


def test_a_registry_that_does_not_hold_what_it_was_given(
    path: Path, ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = Models.price
    monkeypatch.setattr(
        Models, "price", lambda self, name, **given: price(self, name, **{**given, "input": 1, "output": 1})
    )
    with pytest.raises(AdoptionFailed, match="model 'openai/gpt-4' does not equal its source"):
        adopt(ledger, path)
    assert [0] * 4 == [
        Raw(url).count(table)
        for table in ("chatledger_sessions", "chatledger_projects", "chatledger_models", "chatledger_model_prices")
    ]


@ONE_DATABASE
def test_the_real_example(shared_data: Path, ledger: Ledger) -> None:
    report = adopt(ledger, shared_data / "legacy" / "llm-sessions.db")
    assert (4, 0, 0) == fates(report, "projects")
    assert (5, 1, 0) == fates(report, "models")
    with ledger.read() as uow:
        prices = {
            model.model_id: [(price.input, price.output) for price in uow.models.prices(model.model_id)]
            for model in uow.models.list()
        }
        assert {128000} == {model.context_window for model in uow.models.list()}
        found = uow.sessions.list(status=list(Status), limit=1000)
        messages = [one for chat in found for one in uow.messages.iterate(chat.session_id)]
    assert {
        "openai/gpt-4": [(30, 60)],
        "anthropic/claude-3-opus@20240229": [(15, 75)],
        "ollama/llama3:70b@q4": [(0, 0)],
        "openai/gpt-4o-mini@2024-07-18": [(Decimal("0.15"), Decimal("0.6"))],
        "google/gemini-1.5-pro": [],
    } == prices
    # As the source has them: 60 messages have tokens and no cost.
    assert 575 - 365 == sum(one.cost is not None for one in messages)
    assert 60 == sum(one.cost is None and one.output_tokens is not None for one in messages)
