"""Tables: CSV and Parquet hold every value, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from chatledger import InvalidInput, Ledger, SessionNotFound
from chatledger.exchange import ExportReport, TableFormat, TableOf, export_table, import_file
from chatledger.exchange.writers import parquet as writer

AT = datetime(2026, 5, 1, 10, 0, 0, 1, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://x","y")'


def fill(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create(
            "s", user_id="ada", project_id="p", model_id="m", title=FORMULA, context={"a": 1e16}, created_at=AT
        )
        uow.messages.append("s", "user", 'a,\n"b" Zürich 東京', metadata={"k": [1]}, created_at=AT)
        uow.messages.append(
            "s", "assistant", FORMULA, payload={"plan": None}, model_id="own", name="-name", input_tokens=2**39,
            output_tokens=1, cached_tokens=0, reasoning_tokens=1, duration_ms=5, cost="0.000000001",
            outcome="error", key="+k", created_at=AT + timedelta(seconds=1),
        )  # fmt: skip
        uow.sessions.create("t", user_id="bob", created_at=AT - timedelta(days=1))


def table(ledger: Any, of: str = "messages", **how: Any) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    export_table(ledger, out, format="csv", of=of, **how)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def packed(ledger: Any, of: str = "messages", **how: Any) -> Any:
    out = io.BytesIO()
    export_table(ledger, out, format="parquet", of=of, **how)
    return parquet.read_table(io.BytesIO(out.getvalue()))


def test_csv_holds_every_message_with_its_session(ledger: Ledger) -> None:
    fill(ledger)
    first, second = table(ledger, guard=False)
    assert ("s", "1", "ada", "p", "m", "") == tuple(
        first[name]
        for name in ("session_id", "sequence_number", "user_id", "project_id", "session_model_id", "model_id")
    )
    assert 'a,\n"b" Zürich 東京' == first["content"]
    assert {"k": [1]} == json.loads(first["metadata"])
    assert "" == first["payload"]
    assert (FORMULA, "own", str(2**39), "0", "1", "0.000000001", "error", "+k") == tuple(
        second[name] for name in
        ("content", "model_id", "input_tokens", "cached_tokens", "reasoning_tokens", "cost", "outcome", "key")
    )  # fmt: skip
    assert AT + timedelta(seconds=1) == datetime.fromisoformat(second["created_at"])


def test_what_looks_like_a_formula_is_text(ledger: Ledger) -> None:
    fill(ledger)
    _, second = table(ledger)
    assert ("'" + FORMULA, "'-name", "'+k") == (second["content"], second["name"], second["key"])
    assert "'" + FORMULA == table(ledger, "sessions")[0]["title"]
    with ledger.begin() as uow:
        uow.messages.append_many("t", [{"role": "user", "content": f"{sign}1"} for sign in "=+-@\t\r"])
    assert {"'"} == {row["content"][0] for row in table(ledger, session_ids=["t"])}


def test_parquet_holds_the_same_typed(ledger: Ledger) -> None:
    fill(ledger)
    found = packed(ledger)
    assert found.schema.field("cost").type == pyarrow.decimal128(19, 9)
    assert found.schema.field("created_at").type == pyarrow.timestamp("us", tz="UTC")
    first, second = found.to_pylist()
    assert (None, None, AT) == (first["payload"], first["cost"], first["created_at"])
    assert (Decimal("0.000000001"), FORMULA, 2**39, "error") == (
        second["cost"], second["content"], second["input_tokens"], second["outcome"],
    )  # fmt: skip
    sessions = packed(ledger, "sessions").to_pylist()
    assert [("s", 2, Decimal("0.000000001"), "active"), ("t", 0, Decimal(0), "active")] == [
        (row["session_id"], row["message_count"], row["total_cost"], row["status"]) for row in sessions
    ]
    assert {"a": 1e16} == json.loads(sessions[0]["context"])
    assert list(table(ledger, "sessions")[0]) == list(sessions[0])


def test_groups_of_rows_end_early_where_texts_are_long(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": "x" * 10}] * 7)
    monkeypatch.setattr(writer, "_CHARACTERS", 30)
    out = io.BytesIO()
    export_table(ledger, out, format="parquet")
    file = parquet.ParquetFile(io.BytesIO(out.getvalue()))
    assert 7 == file.metadata.num_rows
    assert file.metadata.num_row_groups > 2


@pytest.mark.parametrize("form", TableFormat)
@pytest.mark.parametrize("of", TableOf)
def test_choices_reports_and_refusals(ledger: Ledger, form: TableFormat, of: TableOf) -> None:
    def export(seen: Any = ledger, **how: Any) -> ExportReport:
        return export_table(seen, io.StringIO() if form is TableFormat.CSV else io.BytesIO(), format=form, of=of, **how)

    assert (0, 0) == (export().sessions, export().messages)
    fill(ledger)
    told: list[ExportReport] = []
    assert [export(progress=told.append)] == told
    assert 2 == told[0].sessions
    assert 1 == export(ledger.for_user("bob")).sessions
    assert 1 == export(project_id="p", since=AT).sessions

    class Nothing:
        def write(self, _: Any) -> int:
            raise AssertionError("was written to")

    with pytest.raises(SessionNotFound):
        export_table(ledger.for_user("bob"), Nothing(), format=form, of=of, session_ids=["t", "s"])  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        export(session_ids=["s"], user_id="ada")
    with pytest.raises(InvalidInput, match="format"):
        export_table(ledger, io.StringIO(), format="xlsx")
    with pytest.raises(InvalidInput, match="of"):
        export_table(ledger, io.StringIO(), format=form, of="users")


def test_real_conversations(ledger: Ledger, shared_data: Path) -> None:
    import_file(ledger, shared_data / "tau_bench" / "gpt-4o-airline.trial0.json")
    rows, found = table(ledger, guard=False), packed(ledger).to_pylist()
    assert 1344 == len(rows) == len(found)
    assert [row["content"] for row in rows] == [row["content"] for row in found]
    assert [row["payload"] for row in rows] == [row["payload"] or "" for row in found]
