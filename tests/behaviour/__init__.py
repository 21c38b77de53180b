"""What a ledger does, on every database and in both colours."""
