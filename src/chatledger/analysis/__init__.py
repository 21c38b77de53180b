"""Statistics over what was read, by SciPy (extra `stats`). Nothing here asks the database."""
