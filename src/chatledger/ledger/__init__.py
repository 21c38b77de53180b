"""The ledger that users open, and the view of it that is limited to one user."""
