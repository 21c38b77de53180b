"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over.

Each is imported when it is first named.
"""

from typing import TYPE_CHECKING

from chatledger._lazy import lazy_names

if TYPE_CHECKING:
    from chatledger.schemas.audit import AuditEntry
    from chatledger.schemas.backup import (
        BackupReport,
        CopyReport,
        Health,
        MaintenanceReport,
        Problem,
        RestoreReport,
        UpkeepStep,
    )
    from chatledger.schemas.batch import BatchItem, BatchJob, BatchProgress, NewBatch, NewBatchItem
    from chatledger.schemas.comparison import (
        ComparisonGroup,
        ComparisonResult,
        ComparisonSession,
        NewComparisonResult,
        ResultProblem,
        ResultsReport,
    )
    from chatledger.schemas.comparison_summary import (
        Agreement,
        ComparisonSummary,
        Difference,
        Interval,
        JudgeSummary,
        PairSummary,
        PassRate,
        PositionBias,
        VariantSummary,
    )
    from chatledger.schemas.execution import WorkflowExecution, WorkflowStep, WorkflowVersion
    from chatledger.schemas.forked_session import ForkedSession
    from chatledger.schemas.integrity import Finding, IntegrityReport, RepairAction, RepairReport
    from chatledger.schemas.message import Message, NewMessage
    from chatledger.schemas.message_parts import Reasoning, ToolCall, ToolResult, reasoning, tool_call, tool_result
    from chatledger.schemas.new_session import NewSession
    from chatledger.schemas.observations import (
        Annotation,
        AnnotationHit,
        AnnotationSummary,
        LabelSummary,
        Metric,
        MetricPoint,
        MetricSummary,
        ModelAnnotations,
        NewAnnotation,
        NewMetric,
    )
    from chatledger.schemas.page import Page
    from chatledger.schemas.registry import (
        Model,
        Price,
        PriceListReport,
        PriceProblem,
        PriceTier,
        Project,
        RepriceReport,
    )
    from chatledger.schemas.retention import ErasureReceipt, PurgeReport
    from chatledger.schemas.search import SearchHit, SessionHit
    from chatledger.schemas.session import Session
    from chatledger.schemas.snapshot import Snapshot, SnapshotDiff
    from chatledger.schemas.state import StateEntry
    from chatledger.schemas.statistics import (
        Activity,
        ContextUse,
        Latency,
        LatencyOf,
        LatencyPeriod,
        Usage,
        UsageComparison,
        UsageOf,
        UsagePeriod,
    )
    from chatledger.schemas.timeout import Due, SweepFailure, SweepReport, Timeout, TimeoutDefault, TimeoutReport
    from chatledger.schemas.turns import Truncated

# The modules, and what each of them has.
_HOMES = {
    "audit": ("AuditEntry",),
    "batch": ("BatchItem", "BatchJob", "BatchProgress", "NewBatch", "NewBatchItem"),
    "comparison": (
        "ComparisonGroup",
        "ComparisonResult",
        "ComparisonSession",
        "NewComparisonResult",
        "ResultProblem",
        "ResultsReport",
    ),
    "comparison_summary": (
        "Agreement",
        "ComparisonSummary",
        "Difference",
        "Interval",
        "JudgeSummary",
        "PairSummary",
        "PassRate",
        "PositionBias",
        "VariantSummary",
    ),
    "execution": ("WorkflowExecution", "WorkflowStep", "WorkflowVersion"),
    "integrity": ("Finding", "IntegrityReport", "RepairAction", "RepairReport"),
    "message": ("Message", "NewMessage"),
    "message_parts": ("Reasoning", "ToolCall", "ToolResult", "reasoning", "tool_call", "tool_result"),
    "observations": (
        "Annotation",
        "AnnotationHit",
        "AnnotationSummary",
        "LabelSummary",
        "Metric",
        "MetricPoint",
        "MetricSummary",
        "ModelAnnotations",
        "NewAnnotation",
        "NewMetric",
    ),
    "page": ("Page",),
    "registry": ("Model", "Price", "PriceListReport", "PriceProblem", "PriceTier", "Project", "RepriceReport"),
    "retention": ("ErasureReceipt", "PurgeReport"),
    "backup": (
        "BackupReport",
        "CopyReport",
        "Health",
        "MaintenanceReport",
        "Problem",
        "RestoreReport",
        "UpkeepStep",
    ),
    "search": ("SearchHit", "SessionHit"),
    "forked_session": ("ForkedSession",),
    "new_session": ("NewSession",),
    "session": ("Session",),
    "snapshot": ("Snapshot", "SnapshotDiff"),
    "state": ("StateEntry",),
    "statistics": (
        "Activity",
        "ContextUse",
        "Latency",
        "LatencyOf",
        "LatencyPeriod",
        "Usage",
        "UsageComparison",
        "UsageOf",
        "UsagePeriod",
    ),
    "timeout": ("Due", "SweepFailure", "SweepReport", "Timeout", "TimeoutDefault", "TimeoutReport"),
    "turns": ("Truncated",),
}

__all__ = [
    "Activity",
    "Agreement",
    "Annotation",
    "AnnotationHit",
    "AnnotationSummary",
    "AuditEntry",
    "BackupReport",
    "BatchItem",
    "BatchJob",
    "BatchProgress",
    "ComparisonGroup",
    "ComparisonResult",
    "ComparisonSession",
    "ComparisonSummary",
    "ContextUse",
    "CopyReport",
    "Difference",
    "Due",
    "ErasureReceipt",
    "Finding",
    "ForkedSession",
    "Health",
    "IntegrityReport",
    "Interval",
    "JudgeSummary",
    "LabelSummary",
    "Latency",
    "LatencyOf",
    "LatencyPeriod",
    "MaintenanceReport",
    "Message",
    "Metric",
    "MetricPoint",
    "MetricSummary",
    "Model",
    "ModelAnnotations",
    "NewAnnotation",
    "NewBatch",
    "NewBatchItem",
    "NewComparisonResult",
    "NewMessage",
    "NewMetric",
    "NewSession",
    "Page",
    "PairSummary",
    "PassRate",
    "PositionBias",
    "Price",
    "PriceListReport",
    "PriceProblem",
    "PriceTier",
    "Problem",
    "Project",
    "PurgeReport",
    "Reasoning",
    "RepairAction",
    "RepairReport",
    "RepriceReport",
    "RestoreReport",
    "ResultProblem",
    "ResultsReport",
    "SearchHit",
    "Session",
    "SessionHit",
    "Snapshot",
    "SnapshotDiff",
    "StateEntry",
    "SweepFailure",
    "SweepReport",
    "Timeout",
    "TimeoutDefault",
    "TimeoutReport",
    "ToolCall",
    "ToolResult",
    "Truncated",
    "UpkeepStep",
    "Usage",
    "UsageComparison",
    "UsageOf",
    "UsagePeriod",
    "VariantSummary",
    "WorkflowExecution",
    "WorkflowStep",
    "WorkflowVersion",
    "reasoning",
    "tool_call",
    "tool_result",
]

__getattr__ = lazy_names(__name__, _HOMES)
