"""What all other folders use: paths, environment, events, locks, limits, request log."""
