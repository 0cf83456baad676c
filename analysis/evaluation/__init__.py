"""How good embeddings are: similarity, labels, retrieval, with intervals and paired comparisons."""
