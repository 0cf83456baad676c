"""Results and vectors of single texts on disk, with their provenance."""
