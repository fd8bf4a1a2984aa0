"""The example of a driver is a package of its own: installed as anybody's is, found, and held by its own tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import machinectl

CUPBOARD = Path(__file__).parents[2] / "examples" / "cupboard"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its sources where nothing else is."""
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", "build", "dist", "*.egg-info")
    return Path(shutil.copytree(CUPBOARD, tmp_path_factory.mktemp("package") / "cupboard", ignore=ignored))


@pytest.fixture(scope="module")
def environment(package: Path) -> dict[str, str]:
    """One in which it is installed, beside machinectl. What builds it is there: nothing is downloaded."""
    site = package.with_name("site")
    alone = ("--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--disable-pip-version-check")
    python("-m", "pip", "install", "--quiet", *alone, f"--target={site}", str(package))
    return {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_it_is_found_where_it_is_installed(environment: dict[str, str]) -> None:
    listed = machinectl("drivers", "--json", environment=environment)
    [found] = [each for each in json.loads(listed.stdout) if each["Name"] == "cupboard"]
    assert (found["Package"], found["Version"], found["Error"]) == ("machinectl-cupboard", "1.0", "")
    assert "--cupboard-list" in machinectl("create", "-d", "cupboard", "--help", environment=environment).stdout


def test_what_its_check_refuses_is_told_and_exit_code_3(environment: dict[str, str], tmp_path: Path) -> None:
    refused = machinectl(
        *("create", "-d", "cupboard", "--cupboard-list", "nowhere.txt", "orion"),
        environment=environment,
        store=tmp_path / "store",
    )
    assert refused.returncode == 3
    assert "Cannot read nowhere.txt" in refused.stderr


def test_its_own_tests_pass(package: Path, environment: dict[str, str]) -> None:
    told = python("-m", "pytest", "-v", "-p", "no:cacheprovider", "-W", "error", cwd=package, environment=environment)
    assert "::TestTheContract::test_a_create_that_was_cut_is_given_back_by_the_state_on_record PASSED" in told
    assert "SKIPPED" not in told


def python(*arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
