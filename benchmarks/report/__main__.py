"""``python -m benchmarks.report run|write``."""

import sys

from benchmarks.report.page import main

sys.exit(main(sys.argv[1:]))
