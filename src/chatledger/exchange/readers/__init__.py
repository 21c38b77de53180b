"""Readers of conversation files and price lists: one module for each format."""
