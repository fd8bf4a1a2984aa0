"""`create` and `set --access-lifetime`, and in a fleet file: how long certificates of a machine's holders are valid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.machines.record import Machine
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store


URL = "tcp://192.0.2.2:2376"


def orion(store: Store) -> None:
    added(store, Machine("orion", "none", url=URL, tls=True, driver_state=f'{{"URL": "{URL}"}}'))


def set_lifetime(store: Store, lifetime: str, code: int = 0) -> str:
    done = machinectl("set", "--access-lifetime", lifetime, "orion", store=store.root)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_it_is_kept_in_the_record_and_cleared_by_an_empty_one(store: Store) -> None:
    orion(store)
    said = set_lifetime(store, "12h")
    assert '"orion" now: --access-lifetime=12h' in said
    assert "provision" not in said
    assert store.read("orion").lifetime == "12h"
    assert machinectl("set", "--label", "a=b", "orion", store=store.root).returncode == 0
    assert store.read("orion").lifetime == "12h"
    set_lifetime(store, "")
    assert store.read("orion").lifetime == ""


def test_apply_sets_it_from_the_fleet_file_and_clears_it(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    host = f'driver: none, url: "{URL}", no-context: true'
    for lifetime, key in (("12h", ", access-lifetime: 12h"), ("2d", ", access-lifetime: 2d"), ("", "")):
        file.write_text(f"hosts: {{orion: {{{host}{key}}}}}\n")
        plan = machinectl("plan", "-f", file, store=store.root)
        assert ("access-lifetime" in plan.stdout) == store.exists("orion"), plan
        done = machinectl("apply", "-y", "-f", file, store=store.root)
        assert done.returncode == 0, done.stderr
        assert store.read("orion").lifetime == lifetime
        assert machinectl("plan", "--detailed-exitcode", "-f", file, store=store.root).returncode == 0
