"""The tools are not installed: put the repository root on the path, so that `tools.corpus` can be imported."""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)
