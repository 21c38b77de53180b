"""The options that commands share, and how what is typed becomes a value."""
