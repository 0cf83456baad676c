"""What is kept on disk: results, vectors of single texts, and what made them."""
