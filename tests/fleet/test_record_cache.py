"""The records that a plan reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from machinectl.fleet.record_cache import Readable, Records
from machinectl.machines.record import BrokenRecord, Machine
from machinectl.machines.store import Store
from tests.support.opened import opened
from tests.support.registered import added


def test_records_are_read_when_they_are_asked_for_and_those_that_cannot_be_say_why(store: Store) -> None:
    added(store, Machine("orionbox", "none", url="tcp://192.168.0.29:2376", tls=True))
    for name in ("broken", "gone"):
        os.makedirs(store.directory(name))
        Path(store.directory(name), "machine.json").write_bytes(b"{}")
    found = Records(store)
    shutil.rmtree(store.directory("gone"))
    with opened(store.machines) as files:
        assert list(found) == ["broken", "gone", "orionbox"]
        assert files == []
        assert isinstance(found["broken"], BrokenRecord)
        assert isinstance(found["orionbox"], Machine)
        assert found["broken"] is found["broken"]
    assert files == ["broken/machine.json", "orionbox/machine.json"]
    assert found.get("gone") is None
    assert found.get("other") is None
    assert list(Readable(found)) == ["orionbox"]
    assert Readable(found).get("broken") is None
    assert not Records(Store("/nonexistent"))
