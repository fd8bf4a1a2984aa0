"""A machine's name now: after renames, and once it is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.present_name import present_name
from machinectl.machines.record import Machine
from machinectl.machines.store.store_paths import NoSuchMachine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.machines.store import Store


def test_a_renamed_machine_is_found_and_read_under_its_new_name(store: Store) -> None:
    for name in ("orion", "other"):
        added(store, Machine(name, "none", url=f"unix:///{name}.sock"))
    with present_name(store, "orion") as present:
        for name in ("vega", "orion2"):
            assert machinectl("rename", present.find(), name, store=store.root).returncode == 0
        assert (present.find(), present.read().url) == ("orion2", "unix:///orion.sock")
        assert present.endpoint().url == "unix:///orion.sock"


def test_a_removed_machine_is_not_mistaken_for_a_new_one(store: Store) -> None:
    added(store, Machine("orion", "none", url="unix:///x.sock"))
    with present_name(store, "orion") as present:
        with store.writing("orion") as held:
            held.remove()
        # Its directory often gets the number of the one that was removed.
        added(store, Machine("new", "none", url="unix:///x.sock"))
        with pytest.raises(NoSuchMachine, match="does not exist any more"):
            present.find()
