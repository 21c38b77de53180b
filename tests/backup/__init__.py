"""Backups, restoration, copies, upkeep and health, on real databases."""
