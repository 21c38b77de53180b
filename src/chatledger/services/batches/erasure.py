"""What becomes of batches when sessions are deleted and users are erased."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, bindparam, cast, delete, literal, select, update

from chatledger.dialects.types import Identifier
from chatledger.services.base import ServiceContext
from chatledger.services.batches.statements import items, jobs


def release_sessions(context: ServiceContext, names: Sequence[str]) -> None:
    """Results stay; that they were recorded as these sessions does not."""
    context.execute(update(items).where(items.c.session_id.in_(list(names))).values(session_id=None))


def forget_words(context: ServiceContext, names: Sequence[str]) -> None:
    """Take what was asked and answered in these sessions out of whosever jobs; that an item was done stays."""
    nameless = literal("erased-") + cast(items.c.item_number, Text)
    words = {"payload": None, "result": None, "error": None, "session_id": None}
    context.execute(update(items).where(items.c.session_id.in_(list(names))).values(key=nameless, **words))


def forget_jobs(context: ServiceContext, user_id: str) -> None:
    """Delete a user's jobs with their items, and the user's name where it worked for others."""
    theirs = select(jobs.c.job_id).where(jobs.c.user_id == _USER)
    bound = {"user": user_id}
    context.execute(delete(items).where(items.c.job_id.in_(theirs)), bound)
    context.execute(delete(jobs).where(jobs.c.user_id == _USER), bound)
    context.execute(update(items).where(items.c.worker == _USER).values(worker=None), bound)


_USER = bindparam("user", type_=Identifier())
