"""Commands for annotations, metrics and statistics."""
