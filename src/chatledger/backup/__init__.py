"""Backup, restore, copy, maintenance and health of a whole ledger."""
