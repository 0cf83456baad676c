"""Work shared among processes or machines."""
