"""The engine: connections, pool, plans, locks, threads, processes."""
