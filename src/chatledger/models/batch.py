"""Batches: jobs of many items, each done once."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatledger.enums import BatchStatus, ItemStatus
from chatledger.models.base import Base, Counter, Json, Key, Number, PrimaryKey, Stamped, Timestamp, Whole, one_of


class BatchJob(Base):
    """A job. Workers read its row and never write it: it is no place where they would wait for each other."""

    __tablename__ = "chatledger_batch_jobs"
    __table_args__ = (
        one_of("status", BatchStatus),
        Index("ix_chatledger_batch_jobs_created_at", "created_at", "job_id"),
        Index("ix_chatledger_batch_jobs_user_created_at", "user_id", "created_at", "job_id"),
        {"info": {"distribution": "root"}},
    )

    job_id: Mapped[PrimaryKey]
    user_id: Mapped[Key | None]
    name: Mapped[str | None]
    status: Mapped[BatchStatus] = mapped_column(server_default=BatchStatus.OPEN.value)
    last_item: Mapped[Counter]
    """The number of the newest item there ever was; the next one gets the number after it."""
    max_attempts: Mapped[Whole]
    """How often an item is begun before its failure is final."""
    backoff_ms: Mapped[Whole]
    """The longest wait before the second attempt, in milliseconds. It doubles with each further attempt."""
    backoff_limit_ms: Mapped[Whole]
    """The longest wait before any attempt, in milliseconds."""
    max_running: Mapped[Whole | None]
    """How many items may be worked on at once, by all workers together."""
    time_limit_ms: Mapped[Whole | None]
    """Milliseconds that one attempt may take."""
    # `metadata` is SQLAlchemy's own name on a declarative class; the column keeps it all the same.
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]

    items: Mapped[list[BatchItem]] = relationship(
        back_populates="job",
        primaryjoin="BatchJob.job_id == foreign(BatchItem.job_id)",
        order_by="BatchItem.item_number",
        lazy="raise",
        cascade="all, delete-orphan",
    )
    """Deleted with the job: no foreign key does it, so they are loaded first."""


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

    job_id: Mapped[PrimaryKey]
    item_number: Mapped[Number]
    key: Mapped[Key]
    payload: Mapped[Json | None]
    rank: Mapped[Counter]
    """Minus the priority, so that an index in ascending order serves."""
    status: Mapped[ItemStatus] = mapped_column(server_default=ItemStatus.WAITING.value)
    attempts: Mapped[Counter]
    """How often it was begun, without those beginnings that were given back."""
    lease: Mapped[Counter]
    """How often it was ever claimed: the token that a worker must show to write. Only rises."""
    worker: Mapped[str | None]
    due_at: Mapped[Timestamp | None]
    """When it comes back: the end of the lease while it runs, the next attempt while it is delayed."""
    claimed_at: Mapped[Timestamp | None]
    finished_at: Mapped[Timestamp | None]
    created_at: Mapped[Stamped]
    result: Mapped[Json | None]
    session_id: Mapped[Key | None]
    """The session that the result was recorded as; soft."""
    error_kind: Mapped[Key | None]
    error: Mapped[str | None]

    job: Mapped[BatchJob] = relationship(
        back_populates="items", primaryjoin="BatchJob.job_id == foreign(BatchItem.job_id)", lazy="raise"
    )
