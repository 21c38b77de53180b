"""Running workflows: definitions, plans, and runners that execute the steps."""
