"""Commands for projects and models."""
