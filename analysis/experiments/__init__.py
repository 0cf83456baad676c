"""The questions that the project asks, one module each."""
