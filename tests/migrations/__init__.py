"""Migrations: up, down, offline, beside others, many at once, killed."""
