"""What every floor stands on: paths, events, a fair lock, limits of a hosted server, logging."""
