"""Embedding spaces: projection to the plane, neighbours, comparison of two."""
