"""The benchmarks still run, and raw does the work that it is said to do."""
