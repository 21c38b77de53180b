"""The LLM-session-management schema."""
