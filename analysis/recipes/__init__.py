"""What was asked, as a file, a command, a script or a link; results as files."""
