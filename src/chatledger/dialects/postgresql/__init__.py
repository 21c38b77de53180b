"""PostgreSQL: many writers at once, row locks, several hosts."""
