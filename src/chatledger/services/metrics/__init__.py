"""Metrics: any named number with its unit, over time."""
