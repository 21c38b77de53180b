"""What makes the models writable through the ORM: events that validate, number, count and refuse.

Installed when the ORM is first used, for mapped classes only. Services write with statements of their own and are not
affected.
"""

from __future__ import annotations

from functools import cache


@cache
def install() -> None:
    """Import every model and register the events. Doing so again does nothing."""
    from chatledger import models  # noqa: PLC0415 - like the next line: this runs while mappers are configured
    from chatledger.models.writing import annotation, copy_promotion, messages, ownership, sessions, statements  # noqa: PLC0415

    _ = models.Base  # which imports them all
    annotation.install()
    copy_promotion.install()
    messages.install()
    sessions.install()
    ownership.install()
    statements.install()
