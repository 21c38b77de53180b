"""Permanent deletion: the purge of old sessions, expiry, and the erasure of a user."""
