"""Deleting for good: the purge of old sessions, expiry, and the erasure of a user."""
