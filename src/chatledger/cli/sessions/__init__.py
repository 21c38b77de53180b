"""Commands for sessions and their messages."""
