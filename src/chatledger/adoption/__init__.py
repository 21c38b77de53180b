"""Older databases taken over into a ledger, read-only and proved.

report = adopt(ledger, "old.db", dry_run=True)
for finding in report.findings:
    print(finding.kind, finding.table, finding.count, finding.examples[:3], finding.action)
adopt(ledger, "old.db", timezone="Europe/Vienna")
"""

from chatledger.adoption.adopting import adopt
from chatledger.adoption.layouts import Layout, Orphans
from chatledger.adoption.report import AdoptionProgress, AdoptionReport, SourceFinding, TableAccount

__all__ = [
    "AdoptionProgress",
    "AdoptionReport",
    "Layout",
    "Orphans",
    "SourceFinding",
    "TableAccount",
    "adopt",
]
