"""What tests stand on: real databases, and one spelling for the sync and the async ledger."""
