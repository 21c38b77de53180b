"""A reader for each layout."""
