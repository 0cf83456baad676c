"""The app, served from the command line."""

import subprocess
import sys
from pathlib import Path


def serve(port: int) -> int:
    """Serve the app until it is stopped; return its exit code."""
    checkout = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    return subprocess.run(command, cwd=checkout, check=False).returncode
