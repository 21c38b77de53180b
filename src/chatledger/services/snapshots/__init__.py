"""Snapshots: a conversation as it was at one moment, stored and restored."""
