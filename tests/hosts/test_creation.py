from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.hosts.creation import Creation
from machinectl.hosts.login import Login
from machinectl.machines.spec import MachineSpec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_path_of_a_key_is_on_record_as_one_from_wherever_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = MachineSpec("generic", {"generic-ssh-key": "id", "generic-ssh-user": "ops"})
    creation = Creation("orion", spec, load("generic"), Login())
    assert creation.recorded_spec.options == {"generic-ssh-key": str(tmp_path / "id"), "generic-ssh-user": "ops"}
    assert creation.spec.options["generic-ssh-key"] == "id"
