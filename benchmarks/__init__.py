"""How fast the package is, always as a ratio to the bare driver doing the same work."""
