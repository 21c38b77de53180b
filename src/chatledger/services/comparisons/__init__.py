"""Comparisons of models, prompts or parameters, with their statistics."""
