"""Projects, models and prices, and what messages cost by them."""
