"""Timeouts: the limits of sessions, the policy that decides what is due, and the sweep."""
