"""HTML pages: a report of a ledger with plots, and the page of a comparison.

    from chatledger.report import write_comparison, write_report

    with open("report.html", "w", encoding="utf-8") as out:
        write_report(ledger, out)

They are made for browsers, phones, dark mode and paper. The plots of a report need `pip install 'chatledger[report]'`
(matplotlib), the statistics of a comparison `'chatledger[stats]'` (SciPy).
"""

from chatledger.report.comparison import write_comparison
from chatledger.report.page import write_report

__all__ = ["write_comparison", "write_report"]
