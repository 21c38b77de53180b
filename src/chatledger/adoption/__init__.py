"""Older databases taken over into a ledger, read-only and proved.

    report = adopt(ledger, "old.db", dry_run=True)  # what is wrong with it, and what would be done
    report = adopt(ledger, "old.db", timezone="Europe/Vienna")

The source stays as it is, byte for byte. Memory is bounded, however long it is.
"""

from chatledger.adoption.adopt import adopt
from chatledger.adoption.layouts import Layout
from chatledger.adoption.report import AdoptionProgress, AdoptionReport, SourceFinding, TableAccount

__all__ = [
    "AdoptionProgress",
    "AdoptionReport",
    "Layout",
    "SourceFinding",
    "TableAccount",
    "adopt",
]
