"""Commands for timeouts, and the sweep that applies them."""
