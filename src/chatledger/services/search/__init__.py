"""Full-text search over messages, and the snippets that it shows."""
