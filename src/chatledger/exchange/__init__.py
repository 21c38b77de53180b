"""Conversation files in and out.

    report = import_file(ledger, "chats.jsonl", on_conflict="skip")
    with open("backup.jsonl", "w", encoding="utf-8") as out:
        export_sessions(ledger, out, format="jsonl")

Both hold a bounded number of messages, however many there are.
"""

from chatledger.exchange.exporter import export_sessions
from chatledger.exchange.formats import ExportFormat, Format, TableFormat, TableOf
from chatledger.exchange.importer import OnConflict, import_file, import_files
from chatledger.exchange.readers.comparison_results import read_results
from chatledger.exchange.readers.openai import from_openai, read_usage, to_openai
from chatledger.exchange.readers.price_lists import read_prices
from chatledger.exchange.readers.sharegpt import from_sharegpt, to_sharegpt
from chatledger.exchange.readers.shipped_prices import price_list_date, shipped_prices
from chatledger.exchange.report import ExportReport, Failure, ImportReport, ImportWarning, Progress
from chatledger.exchange.writers.tables import export_table

__all__ = [
    "ExportFormat",
    "ExportReport",
    "Failure",
    "Format",
    "ImportReport",
    "ImportWarning",
    "OnConflict",
    "Progress",
    "TableFormat",
    "TableOf",
    "export_sessions",
    "export_table",
    "from_openai",
    "from_sharegpt",
    "import_file",
    "import_files",
    "price_list_date",
    "read_prices",
    "read_results",
    "read_usage",
    "shipped_prices",
    "to_openai",
    "to_sharegpt",
]
