"""Makes tests/reference and tests/retrieval/made.py importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
