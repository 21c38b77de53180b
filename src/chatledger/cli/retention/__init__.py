"""Commands that delete what is old, and the audit log."""
