"""The same work shared by several processes or machines."""
