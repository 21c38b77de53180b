"""Batches: jobs of many items, each done once."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Counter, Json, Key, Stamped, Timestamp, Whole, one_of
from chatledger.vocabulary import BatchStatus, ItemStatus


class BatchJob(Base):
    """A job. Workers read its row and never write it: it is no place where they would wait for each other."""

    __tablename__ = "chatledger_batch_jobs"
    __table_args__ = (
        one_of("status", BatchStatus),
        Index("ix_chatledger_batch_jobs_created_at", "created_at", "job_id"),
        Index("ix_chatledger_batch_jobs_user_created_at", "user_id", "created_at", "job_id"),
        {"info": {"distribution": "root"}},
    )

    job_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(types.Identifier)
    name: Mapped[str | None]
    status: Mapped[BatchStatus] = mapped_column(types.Word(BatchStatus), server_default=BatchStatus.OPEN.value)
    #: The number of the newest item there ever was; the next one gets the number after it.
    last_item: Mapped[Counter]
    #: How often an item is begun before its failure is final.
    max_attempts: Mapped[Whole]
    #: Milliseconds: the wait before the second attempt is up to so long, and doubles with each ...
    backoff_ms: Mapped[Whole]
    #: ... up to this.
    backoff_limit_ms: Mapped[Whole]
    #: How many items may be worked on at once, by all workers together.
    max_running: Mapped[int | None] = mapped_column(types.Whole)
    #: Milliseconds that one attempt may take.
    time_limit_ms: Mapped[int | None] = mapped_column(types.Whole)
    # `metadata` is SQLAlchemy's own name on a declarative class; the column keeps it all the same.
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]


class BatchItem(Base):
    """One item of a job.

    No foreign key to the job: keys between roots would bind both to one shard. The services delete them together.
    """

    __tablename__ = "chatledger_batch_items"
    __table_args__ = (
        one_of("status", ItemStatus),
        UniqueConstraint("job_id", "key"),
        # What a claim reads, in its order.
        Index("ix_chatledger_batch_items_waiting", "job_id", "rank", "item_number", info={"where": "status = 'waiting'"}),
        # What comes back by itself, by the moment at which it does.
        Index(
            "ix_chatledger_batch_items_due", "job_id", "status", "due_at", "item_number",
            info={"where": "status IN ('delayed', 'running')"},
        ),
        Index("ix_chatledger_batch_items_done", "job_id", "finished_at", info={"where": "status = 'done'"}),
        Index("ix_chatledger_batch_items_failed", "job_id", "error_kind", info={"where": "status = 'failed'"}),
        Index("ix_chatledger_batch_items_session_id", "session_id", info={"where": "session_id IS NOT NULL"}),
        {"info": {"distribution": "root"}},
    )  # fmt: skip

    job_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    item_number: Mapped[int] = mapped_column(types.Whole, primary_key=True, autoincrement=False)
    key: Mapped[Key]
    payload: Mapped[Json | None]
    #: Minus the priority, so that an index in ascending order serves.
    rank: Mapped[Counter]
    status: Mapped[ItemStatus] = mapped_column(types.Word(ItemStatus), server_default=ItemStatus.WAITING.value)
    #: How often it was begun, without those beginnings that were given back.
    attempts: Mapped[Counter]
    #: How often it was ever claimed: the token that a worker must show to write. Only rises.
    lease: Mapped[Counter]
    worker: Mapped[str | None]
    #: When it comes back: the end of the lease while it runs, the next attempt while it is delayed.
    due_at: Mapped[Timestamp | None]
    claimed_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    result: Mapped[Json | None]
    #: The session that the result was recorded as; soft.
    session_id: Mapped[str | None] = mapped_column(types.Identifier)
    error_kind: Mapped[str | None] = mapped_column(types.Identifier)
    error: Mapped[str | None]
