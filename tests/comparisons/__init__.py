"""Comparisons: what users see of them, and their statistics."""
