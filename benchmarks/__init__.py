"""Measurements: ``python -m benchmarks --help``; docs/performance.md says what came of them."""

import warnings

warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # PostgreSQL's wheel can do without
