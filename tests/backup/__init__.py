"""Backups, restoration, copies, maintenance and health, on real databases."""
