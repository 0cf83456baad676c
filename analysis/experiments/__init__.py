"""The questions of the project: their specs and results, one module for each question."""
