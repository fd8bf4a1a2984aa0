"""`provision` after an interrupted `create` ends as `create` does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.options.verb_session import Session
from machinectl.hosts.login import Login
from machinectl.machines.record import Machine, Phase
from machinectl.verbs.provision import provision
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store


@pytest.mark.parametrize(("phase", "told"), [(Phase.PROVISIONING, True), (Phase.READY, False)])
def test_a_machine_that_becomes_ready_is_told_with_the_next_commands(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], phase: str, told: bool
) -> None:
    machine = Machine("orion", "none", url="tcp://192.0.2.7:2376")
    machine.phase = phase
    added(store, machine)

    def finish(*_: object, **__: object) -> Iterator[tuple[str, None]]:
        with store.writing("orion") as held:
            held.machine.phase = Phase.READY
            held.write()
        yield "orion", None

    monkeypatch.setattr("machinectl.verbs.provision.provision_each", finish)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    switches = dict.fromkeys(("yes", "dry_run", "force", "restart_swarm", "open_firewall", "take_over"), False)
    assert provision(Session(store.root), names=["orion"], login=Login(), **switches) == 0
    said = capsys.readouterr().out
    assert ("Docker is up and running on orion: tcp://192.0.2.7:2376" in said) is told
    assert ("machinectl" in said) is told
