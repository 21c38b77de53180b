"""What a ledger does, on every database and sync and async."""
