"""Running a batch: what comes next, and threads that do it."""
