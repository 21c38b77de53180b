"""The errors of chatledger: a short tree, each carrying what a caller acts on.

    ChatledgerError
    ├── NotFound
    │   ├── SessionNotFound      no such session, or it belongs to another user
    │   ├── MessageNotFound
    │   ├── MetadataNotFound
    │   ├── SnapshotNotFound
    │   ├── AnnotationNotFound
    │   ├── ProjectNotFound
    │   ├── ModelNotFound
    │   ├── PriceNotFound        no price of the model is in force then
    │   ├── ComparisonNotFound   no such group, or it belongs to another user
    │   ├── BatchNotFound        no such job, or it belongs to another user
    │   ├── BatchItemNotFound
    │   ├── WorkflowNotFound
    │   └── ExecutionNotFound
    ├── Conflict
    │   ├── SessionExists
    │   ├── SequenceConflict     somebody else appended first
    │   ├── KeyReused            the same key was used for other content
    │   ├── SessionHeld          a held session is not deleted: release it first
    │   ├── TransitionRefused    a session in this status cannot go to that one
    │   ├── ProjectExists
    │   ├── ProjectInUse         sessions belong to it: archive it instead
    │   ├── ComparisonExists
    │   ├── ResultExists         this judge has judged this prompt already: say replace=True
    │   ├── BatchExists
    │   ├── LeaseLost            somebody else has the item by now
    │   └── ExecutionBusy        another runner holds the lease of this execution, or has taken it over
    ├── SessionClosed            archived, expired or failed: it takes no more messages
    ├── InvalidInput             (also a ValueError) names the field
    ├── Busy                     waited as long as was allowed; try again
    │   ├── PoolExhausted        for a connection of the pool, and not for a lock
    │   └── NestedWrite          a writing block inside another one of the same thread or task
    ├── Unavailable              the database cannot be reached or cannot be written
    │   ├── LedgerClosed
    │   │   └── UnitOfWorkEnded  used after its block
    │   └── OutOfSpace
    ├── SchemaError
    │   ├── SchemaBehind         run `chatledger db upgrade`
    │   ├── SchemaAhead          install a newer chatledger
    │   └── NotALedger           the database is something else
    ├── CorruptDatabase
    ├── ReadOnly
    ├── AdoptionFailed           a copy of an older database does not equal it
    └── MissingExtra             an optional dependency is not installed

Messages never contain what a user stored (message text, metadata, passwords): only ids, sequence numbers and names of
fields. Driver errors become one of these in one place, `dialects.base.Dialect.translate`, by error code and never by
the text of a message.
"""

from chatledger.errors.batches import BatchExists, BatchItemNotFound, BatchNotFound, LeaseLost
from chatledger.errors.comparisons import ComparisonExists, ComparisonNotFound, ResultExists
from chatledger.errors.registry import ModelNotFound, PriceNotFound, ProjectExists, ProjectInUse, ProjectNotFound
from chatledger.errors.store import (
    AdoptionFailed,
    AnnotationNotFound,
    Busy,
    ChatledgerError,
    Conflict,
    CorruptDatabase,
    InvalidInput,
    KeyReused,
    LedgerClosed,
    MessageNotFound,
    MetadataNotFound,
    MissingExtra,
    NestedWrite,
    NotALedger,
    NotFound,
    OutOfSpace,
    PoolExhausted,
    ReadOnly,
    SchemaAhead,
    SchemaBehind,
    SchemaError,
    SequenceConflict,
    SessionClosed,
    SessionExists,
    SessionHeld,
    SessionNotFound,
    SnapshotNotFound,
    TransitionRefused,
    Unavailable,
    UnitOfWorkEnded,
)
from chatledger.errors.workflows import ExecutionBusy, ExecutionNotFound, WorkflowNotFound

__all__ = [
    "AdoptionFailed",
    "AnnotationNotFound",
    "BatchExists",
    "BatchItemNotFound",
    "BatchNotFound",
    "Busy",
    "ChatledgerError",
    "ComparisonExists",
    "ComparisonNotFound",
    "Conflict",
    "CorruptDatabase",
    "ExecutionBusy",
    "ExecutionNotFound",
    "InvalidInput",
    "KeyReused",
    "LeaseLost",
    "LedgerClosed",
    "MessageNotFound",
    "MetadataNotFound",
    "MissingExtra",
    "ModelNotFound",
    "NestedWrite",
    "NotALedger",
    "NotFound",
    "OutOfSpace",
    "PoolExhausted",
    "PriceNotFound",
    "ProjectExists",
    "ProjectInUse",
    "ProjectNotFound",
    "ReadOnly",
    "ResultExists",
    "SchemaAhead",
    "SchemaBehind",
    "SchemaError",
    "SequenceConflict",
    "SessionClosed",
    "SessionExists",
    "SessionHeld",
    "SessionNotFound",
    "SnapshotNotFound",
    "TransitionRefused",
    "Unavailable",
    "UnitOfWorkEnded",
    "WorkflowNotFound",
]
