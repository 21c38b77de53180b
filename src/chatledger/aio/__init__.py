"""The same, awaited: the ledger, its unit of work and its services, in worker threads."""
