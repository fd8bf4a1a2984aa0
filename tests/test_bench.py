from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_benchmark_runs_where_machinectl_alone_is_installed() -> None:
    """`make bench` measures an environment like a user's, which has no pytest."""
    code = "import sys; sys.modules['pytest'] = None; import tests.bench"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
