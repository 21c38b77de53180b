"""Pages to look at: one HTML file that needs nothing else and runs nothing."""
