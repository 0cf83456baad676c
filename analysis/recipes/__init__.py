"""Questions as files, commands, scripts and links; answers as rows, findings, charts and files."""
