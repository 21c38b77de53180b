"""Snapshots: what a conversation was at a moment, kept and restored."""
