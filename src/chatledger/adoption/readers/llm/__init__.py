"""The log of the command `llm`, in its older and its newer layout."""
