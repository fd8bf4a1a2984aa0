from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.measure import peak_memory


def test_the_benchmark_runs_where_machinectl_alone_is_installed() -> None:
    """`make bench` measures an environment like a user's, which has no pytest."""
    code = "import sys; sys.modules['pytest'] = None; import tests.bench"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_the_memory_of_a_command_that_prints_on_both_streams_is_measured() -> None:
    words = "import sys; data = 'x' * 2**25; print('out'); print('Warning: 7', file=sys.stderr)"
    assert 32 < peak_memory([sys.executable, "-c", words]) < 200
    with pytest.raises(subprocess.CalledProcessError):
        peak_memory(["false"])
