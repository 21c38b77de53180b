"""Messages: appended, read, copied, redacted and removed."""
