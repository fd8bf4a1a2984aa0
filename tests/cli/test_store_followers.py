"""Whatever goes wrong with docker's contexts, the verb that changed a machine ends as it does without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.cli.verb_session import StoreFollowers
from machinectl.docker_cli import machine_contexts as docker_contexts
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    import pytest


def test_even_a_bug_in_it_is_one_warning_and_the_machine_is_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update_contexts(*_: object) -> list[str]:
        raise ValueError("no such thing")

    monkeypatch.setattr(docker_contexts, "update_contexts", update_contexts)
    following = StoreFollowers()
    console = Quiet()
    followed = Store(store.root, [following])
    for name in ("orionbox", "rigel"):
        added(followed, Machine(name, "none", url="ssh://orion"))
    following.report(console.warn)
    assert console.warnings[0].startswith("orionbox, rigel: docker's context is not in step: ValueError: no such thing")
    assert store.names() == ["orionbox", "rigel"]
