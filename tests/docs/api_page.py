"""Writes `docs/api.md` from the signatures and docstrings: `python -m tests.docs.api_page`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel

import chatledger
from chatledger import adoption, exchange, migrate, telemetry
from chatledger.observers import Observer
from chatledger.services.annotations.service import Annotations
from chatledger.services.audit import Audit
from chatledger.services.batches.service import Batches
from chatledger.services.comparisons.service import Comparisons
from chatledger.services.messages.service import Messages
from chatledger.services.metadata import Metadata
from chatledger.services.metrics.service import Metrics
from chatledger.services.registry.models import Models
from chatledger.services.registry.projects import Projects
from chatledger.services.search.service import Search
from chatledger.services.sessions.service import Sessions
from chatledger.services.snapshots.service import Snapshots
from chatledger.services.statistics.service import Statistics
from chatledger.services.timeouts.service import Timeouts
from chatledger.services.workflows.service import Workflows
from chatledger.telemetry import opentelemetry, prometheus
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "api.md"

SERVICES = {
    "sessions": Sessions,
    "messages": Messages,
    "metadata": Metadata,
    "search": Search,
    "timeouts": Timeouts,
    "snapshots": Snapshots,
    "audit": Audit,
    "projects": Projects,
    "models": Models,
    "statistics": Statistics,
    "metrics": Metrics,
    "annotations": Annotations,
    "comparisons": Comparisons,
    "batches": Batches,
    "workflows": Workflows,
}
#: Functions of the two modules that are public beside the package.
MIGRATE = ("upgrade", "downgrade", "stamp", "include_object")
_RECORDS = (
    "Session", "Message", "NewMessage", "SearchHit", "SessionHit", "Page", "Timeout", "TimeoutDefault", "Due",
    "SweepReport", "SweepFailure", "TimeoutReport", "Snapshot", "SnapshotDiff", "PurgeReport", "ErasureReceipt",
    "AuditEntry", "IntegrityReport", "Finding", "RepairReport", "RepairAction",
    "BackupReport", "RestoreReport", "CopyReport", "MaintenanceReport",
    "UpkeepStep", "Health", "Problem",
    "Usage", "UsageOf", "UsagePeriod", "Activity", "Latency", "LatencyOf", "LatencyPeriod",
    "ContextUse", "UsageComparison",
    "Project", "Model", "Price", "PriceListReport", "PriceProblem", "RepriceReport",
    "UpkeepStep", "Health", "Problem", "BatchJob", "NewBatchItem", "BatchItem", "BatchProgress",
    "Annotation", "NewAnnotation", "AnnotationHit", "AnnotationSummary", "LabelSummary",
    "Metric", "NewMetric", "MetricPoint", "MetricSummary",
    "ComparisonGroup", "ComparisonSession", "NewComparisonResult", "ComparisonResult", "ComparisonSummary",
    "VariantSummary", "PairSummary", "PositionBias", "Difference", "Interval", "Agreement",
    "UpkeepStep", "Health", "Problem", "WorkflowVersion", "WorkflowExecution", "WorkflowStep",
)  # fmt: skip
_WORDS = (
    chatledger.Role, chatledger.Outcome, chatledger.Status, chatledger.LimitKind, chatledger.SweepAction,
    chatledger.Scope, chatledger.SnapshotKind, chatledger.Severity, chatledger.Orphans,
    chatledger.BatchStatus, chatledger.ItemStatus,
    chatledger.ComparisonKind, chatledger.JudgeKind,
    chatledger.ExecutionState, chatledger.StepState,
)  # fmt: skip
_RECORDS_OF_ADOPTION = ("AdoptionReport", "SourceFinding", "TableAccount", "AdoptionProgress")
_RECORDS_OF_EXCHANGE = ("ImportReport", "ExportReport", "Failure", "Progress")

_NOT_SHOWN = ("self", "cls", "clock", "dialect")
_WIDTH = 100

_HEAD = """# API

Everything public, with what it promises. Whatever is not here may change without notice. `AsyncLedger` and its unit of
work have the same names with the same arguments, awaited; `uow.messages.iterate` is iterated with `async for` there.
`KEEP` stands for an argument that was not given.

This page is made from the docstrings (`python -m tests.docs.api_page`), and a test compares the signatures.
"""


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties that users call, inherited ones included, in the order of the source."""
    for parent in reversed(cls.__mro__):
        for name, value in vars(parent).items():
            if parent is object or name.startswith("_") or isinstance(value, type):
                continue
            if callable(value) or isinstance(value, property | classmethod | cached_property):
                yield name, value


def signature(name: str, value: Any) -> str:
    """A signature as a reader writes it, a line for each argument where they are many."""
    found = inspect.signature(value.__func__ if isinstance(value, classmethod) else value)
    arguments: list[str] = []
    starred = False
    for parameter in found.parameters.values():
        if parameter.name in _NOT_SHOWN:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            arguments.append("*")
            starred = True
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        given = "" if parameter.default is parameter.empty else f" = {_plain(parameter.default)}"
        arguments.append(f"{stars}{parameter.name}: {parameter.annotation}{given}")
    returned = "" if found.return_annotation in ("None", found.empty) else f" -> {found.return_annotation}"
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= _WIDTH:
        return line
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"{name}(\n{lines}){returned}"


def main() -> None:
    PAGE.write_text("\n".join(_lines()).rstrip() + "\n", encoding="utf-8")


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Ledger\n"
    yield from _class(chatledger.Ledger, "Ledger")
    yield "## AsyncLedger\n"
    yield from _class(chatledger.AsyncLedger, "AsyncLedger", methods=False)
    yield "## copy_ledger\n"
    yield from _method("copy_ledger", chatledger.copy_ledger)
    yield "## Sweeper\n"
    yield from _class(chatledger.Sweeper, "Sweeper", constructor=False)
    yield "## Settings\n"
    yield from _prose(chatledger.Settings)
    yield from _fields(chatledger.Settings)
    yield from _method("Settings.preset", vars(chatledger.Settings)["preset"])
    yield f"`Preset`: {', '.join(f'`{word.value}`' for word in chatledger.Preset)}.\n"
    yield "## UnitOfWork\n"
    yield from _class(chatledger.UnitOfWork, "UnitOfWork", skip={"complete", *SERVICES})
    yield "## AsyncUnitOfWork\n"
    yield from _class(chatledger.AsyncUnitOfWork, "AsyncUnitOfWork", skip=set(SERVICES))
    for attribute, service in SERVICES.items():
        yield f"## uow.{attribute}\n"
        yield from _class(service, f"uow.{attribute}", constructor=False)
    yield "## What you hold\n\nFrozen, and usable after the transaction.\n"
    for name in _RECORDS:
        yield f"### {name}\n"
        yield from _record(getattr(chatledger, name))
    for words in _WORDS:
        yield from _words(words)
    yield "## Errors\n\n```text"
    yield re.sub(r"(?m)^    ", "", inspect.getdoc(chatledger.errors).split("\n\n")[1])  # type: ignore[union-attr]
    yield "```\n"
    for name in chatledger.__all__:
        thing = getattr(chatledger, name)
        if isinstance(thing, type) and issubclass(thing, chatledger.ChatledgerError):
            facts = [fact for fact in vars(thing).get("__annotations__", {}) if fact != "code"]
            said = (inspect.getdoc(thing) if "__doc__" in vars(thing) else "") or ""
            carries = f" Carries {', '.join(f'`{fact}`' for fact in facts)}." if facts else ""
            yield f"* `{name}`{': ' if said or carries else ''}{' '.join(said.split())}{carries}"
    yield "\n## chatledger.exchange\n"
    yield from _prose(exchange)
    for name in exchange.__all__:
        thing = getattr(exchange, name)
        if inspect.isfunction(thing):
            yield from _method(name, thing)
    for formats in (exchange.Format, exchange.ExportFormat, exchange.TableFormat, exchange.TableOf):
        yield from _words(formats)
    yield "`OnConflict`: `error`, `skip`, `new`.\n"
    for name in _RECORDS_OF_EXCHANGE:
        yield f"### {name}\n"
        yield from _record(getattr(exchange, name))
    yield "## chatledger.adoption\n"
    yield from _prose(adoption)
    yield from _method("adopt", adoption.adopt)
    yield from _words(adoption.Layout)
    for name in _RECORDS_OF_ADOPTION:
        yield f"### {name}\n"
        yield from _record(getattr(adoption, name))
    yield "## chatledger.telemetry\n"
    yield from _prose(telemetry)
    for module in (prometheus, opentelemetry):
        yield from _method(f"{module.__name__.removeprefix('chatledger.')}.instrument", module.instrument)
    yield "### Observer\n"
    yield from _prose(Observer)
    for name, value in public_methods(Observer):
        yield from _method(f"Observer.{name}", value)
    yield "## chatledger.migrate\n"
    for name in MIGRATE:
        yield from _method(f"migrate.{name}", getattr(migrate, name))
    yield "## chatledger.models\n"
    yield "The declared tables, for queries of your own. Their columns: [design](design.md#the-tables).\n"
    yield f"{', '.join(f'`{name}`' for name in chatledger.models.__all__)}.\n"
    yield "## chatledger.\\_\\_version\\_\\_\n\n`__version__` is the release, as text."


def _class(
    cls: type,
    name: str,
    *,
    methods: bool = True,
    constructor: bool = True,
    skip: frozenset[str] | set[str] = frozenset(),
) -> Iterator[str]:
    if constructor:
        yield f"```text\n{signature(name, cls.__init__)}\n```\n"  # type: ignore[misc]
    yield from _prose(cls)
    for method, value in public_methods(cls) if methods else ():
        if method not in skip:
            yield from _method(f"{name}.{method}", value)


def _words(words: type[StrEnum]) -> Iterator[str]:
    yield f"### {words.__name__}\n"
    yield from _prose(words)
    yield f"{', '.join(f'`{word.value}`' for word in words)}.\n"


def _method(name: str, value: Any) -> Iterator[str]:
    yield f"### {name}\n"
    if callable(value) or isinstance(value, classmethod):
        yield f"```text\n{signature(name.rpartition('.')[2], value)}\n```\n"
    yield from _prose(value)


def _record(cls: type[BaseModel]) -> Iterator[str]:
    yield from _prose(cls)
    yield from _fields(cls)
    for name, value in vars(cls).items():
        if isinstance(value, property):
            yield f"`{name}`: {' '.join((inspect.getdoc(value) or 'whether nothing was found.').split())}\n"
        elif inspect.isfunction(value) and not name.startswith("_"):
            yield from _method(name, value)


def _fields(cls: type[BaseModel]) -> Iterator[str]:
    comments = _comments(cls)
    for name, field in cls.model_fields.items():
        default = "" if field.is_required() else f" = {_plain(field.default)}"
        yield f"* `{name}{default}`{': ' + comments[name] if name in comments else ''}"
    yield ""


def _plain(value: Any) -> str:
    return repr(value.value if isinstance(value, StrEnum) else value)


def _comments(cls: type) -> dict[str, str]:
    """The `#:` comments above fields."""
    found: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if parent.__module__.partition(".")[0] != "chatledger":
            continue
        pending: list[str] = []
        for line in map(str.strip, inspect.getsource(parent).splitlines()):
            if line.startswith("#: "):
                pending.append(line.removeprefix("#: "))
            elif pending and (name := re.match(r"(\w+):", line)):
                found[name[1]] = " ".join(pending)
                pending = []
    return found


def _prose(thing: Any) -> Iterator[str]:
    """A docstring as Markdown: what is indented is code, and errors are a list."""
    doc = inspect.getdoc(thing) or ""
    for paragraph in doc.split("\n\n"):
        if paragraph.startswith("Raises:"):
            yield from _raises(paragraph)
        elif paragraph.startswith("    "):
            yield "```text\n" + inspect.cleandoc(paragraph) + "\n```\n"
        elif "\n    " in paragraph:
            said, _, code = paragraph.partition("\n    ")
            yield f"{said}\n\n```text\n" + inspect.cleandoc("    " + code) + "\n```\n"
        elif paragraph:
            yield " ".join(paragraph.split()) + "\n"


def _raises(paragraph: str) -> Iterator[str]:
    said = re.sub(r"\n {8,}", " ", paragraph).splitlines()[1:]
    yield "Raises:\n"
    for line in said:
        errors, colon, why = line.strip().partition(": ")
        names = ", ".join(f"`{error.strip()}`" for error in errors.split(","))
        yield f"* {names}{': ' + why if colon else ''}"
    yield ""


if __name__ == "__main__":
    main()
