"""Ledgers that are damaged, found out and mended."""
