"""A fleet's plan beside real hosts: what was changed there by hand is seen, and nothing is changed by looking."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.store import Store
from tests.lab.container import run_container
from tests.lab.place import KEY
from tests.support.lab_cli import generic

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli

pytestmark = pytest.mark.timeout(300)

BY_HAND = 'python3 -c \'import json; p="/etc/docker/daemon.json"; d=json.load(open(p)); d.pop("tlsverify"); \
json.dump(d, open(p, "w"))\''


def content(directory: Path) -> dict[Path, tuple[int, bytes]]:
    found = directory.rglob("*")
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in found}


def test_what_was_changed_on_a_host_by_hand_is_seen_and_nothing_is_changed_by_looking(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = fresh_host("docker")
    # An engine in use waits for its turn only where it restarts.
    run_container(host, "web")
    monkeypatch.chdir(tmp_path)
    shared = f"driver: generic, generic-ip-address: {host.ip}, generic-ssh-user: ops, generic-ssh-key: {KEY}"
    Path("fleet.yaml").write_text(f"hosts:\n  orion: {{{shared}}}\n  rigel: {{{shared}, generic-ssh-port: 1}}\n")
    store = Store(str(cli.store))
    # A host that is yet to be made one of ours is looked at, too.
    bare = host.snapshot()
    foretold = cli.ok("apply", "--dry-run", "orion")
    assert foretold.stdout.startswith(f"+ orion  create (generic, {host.ip}")
    assert "      would configure the engine and restart it" in foretold.stdout
    assert '+    "tlsverify": true' in foretold.stdout
    assert (host.snapshot(), store.names()) == (bare, [])
    cli.ok(*generic(host))
    off_record = json.loads(Path(store.directory("orion"), "machine.json").read_text())
    off_record["driver_state"] = json.dumps({**json.loads(off_record["driver_state"]), "SSHPort": 1})
    off_record["options"]["generic-ssh-port"] = 1
    shutil.copytree(store.directory("orion"), store.directory("rigel"))
    Path(store.directory("rigel"), "machine.json").write_text(json.dumps(off_record))
    well = cli.ok("plan", "--refresh", "--detailed-exitcode", "orion")
    assert well.stdout.splitlines() == ["Plan: 0 to create, 0 to change, 0 to remove, 1 unchanged"]
    right = Path("fleet.yaml").read_text()
    Path("fleet.yaml").write_text(right.replace("driver: generic", "engine-opt: [log-level=warn], driver: generic"))
    before, kept = host.snapshot(), content(cli.store)
    foretold = cli.ok("apply", "--dry-run", "orion")
    assert "engine-opt + log-level=warn (the engine restarts)" in foretold.stdout
    assert '+    "log-level": "warn"' in foretold.stdout
    assert foretold.stderr.endswith("apply orion\n")
    assert (host.snapshot(), content(cli.store)) == (before, kept)
    Path("fleet.yaml").write_text(right)
    host.run(BY_HAND)
    before, kept = host.snapshot(), content(cli.store)
    unseen = cli.ok("plan", "--detailed-exitcode")
    assert "2 unchanged" in unseen.stdout
    found = cli.run("plan", "--refresh", "--detailed-exitcode", "orion")
    assert found.returncode == 4
    assert "! orion  its host differs:" in found.stdout
    assert '+    "tlsverify": true' in found.stdout
    assert found.stdout.splitlines()[-1].endswith("0 unchanged, 1 changed on the host")
    assert found.stderr.splitlines()[-1].endswith("apply --refresh orion")
    both = cli.run("plan", "--refresh")
    assert both.returncode == 1
    assert "! orion  its host differs" in both.stdout
    assert '"rigel": ' in both.stderr
    assert "1 failed" in both.stdout
    assert "Do it" not in both.stderr
    orion, rigel = map(json.loads, cli.run("plan", "--refresh", "--json").stdout.splitlines())
    assert [bool(orion["Host"]), bool(orion["Error"])] == [True, False]
    assert [bool(rigel["Host"]), bool(rigel["Error"])] == [False, True]
    assert content(cli.store) == kept
    assert host.snapshot() == before
