"""The older database, read: its tables and rows, and what a reader of any layout makes of them."""
