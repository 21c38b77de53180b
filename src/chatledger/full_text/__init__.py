"""What full text is on every database: the words of a text, and what a query asks of them."""
