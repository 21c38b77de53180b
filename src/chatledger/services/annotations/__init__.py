"""Annotations: labels, scores and texts on sessions and messages."""
