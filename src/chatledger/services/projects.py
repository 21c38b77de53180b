"""The registry of projects: names under which sessions are gathered."""

from __future__ import annotations

from chatledger.services.work import Service


class Projects(Service):
    """The registry of projects: names under which sessions are gathered."""

    __slots__ = ()
