"""The lab's own reports, without a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab import cgroup
from tests.lab.lan import Lab

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

UNUSED = 250
"""A lab's number that no test run claims."""


def test_only_directories_of_a_cgroup_count_as_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in: not every kernel has the hugetlb controller, whose control files begin with an h.
    group = tmp_path / "cgroup"
    (group / "h1").mkdir(parents=True)
    (group / "hugetlb.2MB.current").touch()
    monkeypatch.setattr(cgroup, "paths", lambda _name: [group])
    assert Lab(UNUSED).of_hosts() == {"cgroup h1"}
