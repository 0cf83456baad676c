"""What every part stands on: paths, environment, events, locks, hosted mode, request log."""
