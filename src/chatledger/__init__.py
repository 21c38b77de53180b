"""chatledger keeps the conversations of LLM chats and agents in a relational database."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chatledger._lazy import lazy_names

if TYPE_CHECKING:
    from chatledger.aio.ledger import AsyncLedger
    from chatledger.aio.unit_of_work import AsyncUnitOfWork
    from chatledger.backup.copy import copy_ledger
    from chatledger.codecs.anthropic import to_anthropic
    from chatledger.enums import (  # fmt: skip
        BatchStatus,
        ComparisonKind,
        ExecutionState,
        ItemStatus,
        JudgeKind,
        LimitKind,
        Orphans,
        Outcome,
        Role,
        Scope,
        SessionOrder,
        Severity,
        SnapshotKind,
        StateScope,
        Status,
        StepState,
        SweepAction,
    )
    from chatledger.errors import (
        AccessDenied,
        AdoptionFailed,
        AnnotationNotFound,
        BatchExists,
        BatchItemNotFound,
        BatchNotFound,
        Busy,
        ChatledgerError,
        CommitUnknown,
        ComparisonExists,
        ComparisonNotFound,
        Conflict,
        ConnectionFailed,
        CorruptDatabase,
        ExecutionBusy,
        ExecutionNotFound,
        InvalidInput,
        KeyReused,
        LeaseLost,
        LedgerClosed,
        MessageChanged,
        MessageNotFound,
        MetadataNotFound,
        MissingExtra,
        ModelNotFound,
        NestedWrite,
        NotALedger,
        NotFound,
        OutOfSpace,
        PoolExhausted,
        PriceNotFound,
        ProjectExists,
        ProjectInUse,
        ProjectNotFound,
        ReadOnly,
        ResultExists,
        SchemaAhead,
        SchemaBehind,
        SchemaError,
        SequenceConflict,
        SessionClosed,
        SessionExists,
        SessionHeld,
        SessionNameTaken,
        SessionNotFound,
        SnapshotNotFound,
        StandbyServer,
        StateChanged,
        TransitionRefused,
        Unavailable,
        UnitOfWorkEnded,
        WorkflowNotFound,
    )
    from chatledger.execution.batches.outcomes import BatchResult, GiveUp, Retry
    from chatledger.ledger.ledger import Ledger
    from chatledger.ledger.sweeper import Sweeper
    from chatledger.schemas import (
        Activity,
        Agreement,
        Annotation,
        AnnotationHit,
        AnnotationSummary,
        AuditEntry,
        BackupReport,
        BatchItem,
        BatchJob,
        BatchProgress,
        ComparisonGroup,
        ComparisonResult,
        ComparisonSession,
        ComparisonSummary,
        ContextUse,
        CopyReport,
        Difference,
        Due,
        ErasureReceipt,
        Finding,
        ForkedSession,
        Health,
        IntegrityReport,
        Interval,
        JudgeSummary,
        LabelSummary,
        Latency,
        LatencyOf,
        LatencyPeriod,
        MaintenanceReport,
        Message,
        Metric,
        MetricPoint,
        MetricSummary,
        Model,
        ModelAnnotations,
        NewAnnotation,
        NewBatchItem,
        NewComparisonResult,
        NewMessage,
        NewMetric,
        Page,
        PairSummary,
        PassRate,
        PositionBias,
        Price,
        PriceListReport,
        PriceProblem,
        PriceTier,
        Problem,
        Project,
        PurgeReport,
        Reasoning,
        RepairAction,
        RepairReport,
        RepriceReport,
        RestoreReport,
        ResultProblem,
        ResultsReport,
        SearchHit,
        Session,
        SessionHit,
        Snapshot,
        SnapshotDiff,
        StateEntry,
        SweepFailure,
        SweepReport,
        Timeout,
        TimeoutDefault,
        TimeoutReport,
        ToolCall,
        ToolResult,
        Truncated,
        UpkeepStep,
        Usage,
        UsageComparison,
        UsageOf,
        UsagePeriod,
        VariantSummary,
        WorkflowExecution,
        WorkflowStep,
        WorkflowVersion,
        reasoning,
        tool_call,
        tool_result,
    )
    from chatledger.settings import Preset, Settings
    from chatledger.unit_of_work import UnitOfWork

__version__ = "0.1.0"

__all__ = [
    "AccessDenied", "Activity", "AdoptionFailed", "Agreement", "Annotation", "AnnotationHit", "AnnotationNotFound",
    "AnnotationSummary", "AsyncLedger", "AsyncUnitOfWork", "AuditEntry", "BackupReport", "BatchExists", "BatchItem",
    "BatchItemNotFound", "BatchJob", "BatchNotFound", "BatchProgress", "BatchResult", "BatchStatus", "Busy",
    "ChatledgerError", "CommitUnknown", "ComparisonExists", "ComparisonGroup", "ComparisonKind", "ComparisonNotFound",
    "ComparisonResult", "ComparisonSession", "ComparisonSummary", "Conflict", "ConnectionFailed", "ContextUse",
    "CopyReport", "CorruptDatabase", "Difference", "Due", "ErasureReceipt", "ExecutionBusy", "ExecutionNotFound",
    "ExecutionState", "Finding", "ForkedSession", "GiveUp", "Health", "IntegrityReport", "Interval", "InvalidInput",
    "ItemStatus",
    "JudgeKind", "JudgeSummary", "KeyReused", "LabelSummary", "Latency", "LatencyOf", "LatencyPeriod", "LeaseLost",
    "Ledger", "LedgerClosed", "LimitKind", "MaintenanceReport", "Message", "MessageChanged", "MessageNotFound",
    "MetadataNotFound", "Metric", "MetricPoint", "MetricSummary", "MissingExtra", "Model", "ModelAnnotations",
    "ModelNotFound", "NestedWrite", "NewAnnotation", "NewBatchItem", "NewComparisonResult", "NewMessage", "NewMetric",
    "NotALedger", "NotFound", "Orphans", "OutOfSpace", "Outcome", "Page", "PairSummary", "PassRate", "PoolExhausted",
    "PositionBias", "Preset", "Price", "PriceListReport", "PriceNotFound", "PriceProblem", "PriceTier", "Problem",
    "Project", "ProjectExists", "ProjectInUse", "ProjectNotFound", "PurgeReport", "ReadOnly", "Reasoning",
    "RepairAction", "RepairReport", "RepriceReport", "RestoreReport", "ResultExists", "ResultProblem",
    "ResultsReport", "Retry", "Role", "SchemaAhead", "SchemaBehind", "SchemaError", "Scope", "SearchHit",
    "SequenceConflict", "Session", "SessionClosed", "SessionExists", "SessionHeld", "SessionHit", "SessionNameTaken",
    "SessionNotFound", "SessionOrder", "Settings", "Severity", "Snapshot", "SnapshotDiff", "SnapshotKind",
    "SnapshotNotFound", "StandbyServer",
    "StateChanged", "StateEntry", "StateScope", "Status", "StepState", "SweepAction", "SweepFailure", "SweepReport",
    "Sweeper", "Timeout", "TimeoutDefault", "TimeoutReport", "ToolCall", "ToolResult", "TransitionRefused", "Truncated",
    "Unavailable", "UnitOfWork", "UnitOfWorkEnded", "UpkeepStep", "Usage", "UsageComparison", "UsageOf",
    "UsagePeriod", "VariantSummary", "WorkflowExecution", "WorkflowNotFound", "WorkflowStep", "WorkflowVersion",
    "__version__", "copy_ledger", "reasoning", "to_anthropic", "tool_call", "tool_result",
]  # fmt: skip

# Where a name is that none of the last three modules has.
_HOMES = {
    "aio.ledger": ["AsyncLedger"],
    "aio.unit_of_work": ["AsyncUnitOfWork"],
    "backup.copy": ["copy_ledger"],
    "codecs.anthropic": ["to_anthropic"],
    "execution.batches.outcomes": ["BatchResult", "GiveUp", "Retry"],
    "ledger.ledger": ["Ledger"],
    "ledger.sweeper": ["Sweeper"],
    "settings": ["Preset", "Settings"],
    "unit_of_work": ["UnitOfWork"],
}
# Asked in this order, for the names that are left.
_OTHERS = ("enums", "errors", "schemas")
_find = lazy_names(__name__, _HOMES)
_named = {name for names in _HOMES.values() for name in names}


def __getattr__(name: str) -> Any:
    if name in _named or name not in __all__:
        return _find(name)
    # The records are built when they are imported, and errors import SQLAlchemy: each module is asked in its turn.
    for home in _OTHERS:
        module = import_module(f"{__name__}.{home}")
        if hasattr(module, name):
            found = globals()[name] = getattr(module, name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
