"""``python -m analysis``: the command line."""

import sys

from .cli.process import run

sys.exit(run())
