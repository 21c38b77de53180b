"""Responders: a function or a command that answers a conversation."""
