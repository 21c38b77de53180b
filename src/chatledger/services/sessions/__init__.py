"""Sessions: created, found, listed, changed, closed, deleted and forked."""
