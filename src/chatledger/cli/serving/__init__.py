"""Commands that serve a ledger to other programs."""
