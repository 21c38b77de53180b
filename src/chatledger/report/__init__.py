"""A report of a ledger to look at: one page with plots, good in a browser, on a phone, in the dark and on paper.

    from chatledger.report import write_report
    with open("report.html", "w", encoding="utf-8") as out:
        write_report(ledger, out)

Plots are made by matplotlib: `pip install 'chatledger[report]'`.
"""

from chatledger.report.page import write_report

__all__ = ["write_report"]
