"""What a release needs: one version in the tag, the package and the changelog."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
CHANGELOG = """\
# Changelog

## [1.3.0] - Unreleased

## [1.2.3] - 2026-11-28

### Fixed

- A.

## [1.2.2] - 2026-01-01

- B.
"""


@pytest.fixture
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_notes", ROOT / ".ci/release_notes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "machinectl").mkdir()
    (tmp_path / "machinectl/__init__.py").write_text('"""M."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_release_notes_are_the_versions_section(release: ModuleType, checkout: Path) -> None:
    assert release.release_notes("v1.2.3", checkout) == "### Fixed\n\n- A."


@pytest.mark.parametrize(
    ("version", "tag", "reason"),
    [
        ("1.2.3", "v1.2.4", "tag v1.2.4, but __version__ is 1.2.3"),
        ("1.3.0", "v1.3.0", r'no section "## \[1.3.0\] - YYYY-MM-DD"'),
    ],
)
def test_a_version_that_is_not_ready_is_not_released(
    release: ModuleType, checkout: Path, version: str, tag: str, reason: str
) -> None:
    (checkout / "machinectl/__init__.py").write_text(f'__version__ = "{version}"\n')
    with pytest.raises(SystemExit, match=reason):
        release.release_notes(tag, checkout)


def test_workflows_and_issue_forms_are_valid_yaml_and_ask_for_doctor() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
    loaded = {file.name: yaml.safe_load(file.read_text()) for file in files}
    assert all(loaded.values())
    assert "machinectl doctor --json" in str(loaded["bug.yml"])
