"""Backup, restoration, copies, upkeep and health of a whole ledger."""
