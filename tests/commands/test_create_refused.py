"""`create` where the host does not let us in: the error is about what was typed, not about copies that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.program import machinectl
from tests.support.sshd import keygen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("ssh_config")


@pytest.mark.parametrize("passphrase", ["", "geheim"])
@pytest.mark.parametrize("option", ["", "--dry-run"])
def test_a_key_that_does_not_let_in_is_named_as_it_was_typed(
    sshd: Sshd, tmp_path: Path, passphrase: str, option: str
) -> None:
    store = tmp_path / "store"
    way = ("--generic-ip-address", "127.0.0.1", "--generic-ssh-port", str(sshd.port), "--generic-ssh-user", sshd.user)
    keygen(tmp_path / "mine", passphrase=passphrase)
    key = ("--generic-ssh-key", "./mine")
    done = machinectl("create", "-d", "generic", *way, *key, *filter(None, [option]), "box", store=store, cwd=tmp_path)
    assert done.returncode == 1
    assert "./mine" in done.stderr
    assert "id_ssh" not in done.stderr
    assert str(store) not in done.stderr
    assert machinectl("ls", "-q", store=store).stdout == ""
