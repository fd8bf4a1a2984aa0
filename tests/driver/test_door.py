"""What a driver imports comes from one door, and that is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVERS = [*ROOT.glob("drivers/*/*.py"), *ROOT.glob("examples/*/machinectl_*/*.py")]
HEAVY = {"asyncio", "importlib.metadata", "logging", "paramiko", "ssl", "subprocess", "typer"}


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {f"{module}.{name.name}" for name in node.names} if module == "machinectl" else {module}
    return {name for name in found if name.partition(".")[0] == "machinectl"}


@pytest.mark.parametrize("path", DRIVERS, ids=lambda path: path.parent.name)
def test_a_driver_imports_nothing_of_ours_but_the_door(path: Path) -> None:
    assert imported(path) == {"machinectl.driver"}


@pytest.mark.parametrize("module", ["machinectl.driver", "machinectl_none", "machinectl_cupboard"])
def test_what_a_driver_needs_of_us_loads_nothing_heavy(module: str) -> None:
    assert loaded_for(module) & HEAVY == set()


def test_the_tests_of_the_contract_need_pytest_and_no_command_line() -> None:
    loaded = loaded_for("machinectl.testing")
    assert "pytest" in loaded
    assert {name for name in loaded if name.startswith(("typer", "paramiko", "machinectl.cli"))} == set()


def loaded_for(module: str) -> set[str]:
    """What a fresh Python loads to import a module."""
    code = f"import sys; sys.path.append({str(ROOT / 'examples/cupboard')!r}); old = {{*sys.modules}}; import {module}"
    process = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*{{*sys.modules}} - old)"], capture_output=True, text=True, check=True
    )
    return set(process.stdout.split())
