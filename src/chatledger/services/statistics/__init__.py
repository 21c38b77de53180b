"""Statistics: usage, costs, latency, errors and activity over time."""
