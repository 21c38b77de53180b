"""Workflows: definitions in versions, and their executions."""
