"""Batches: jobs of many items, and the claims of those who work on them."""
