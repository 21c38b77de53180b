"""Timeouts: the timeouts of sessions, the policy that decides what is due, and the sweep."""
