"""What every part stands on: paths, events and progress, fair turns, limits of a hosted server, the request log."""
