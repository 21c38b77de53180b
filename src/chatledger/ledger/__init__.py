"""The ledger that users open, and what one user sees of it."""
