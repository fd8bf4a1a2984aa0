"""What programs read: `--json` of the verbs, and machine.json as it is written. To renew golden/, delete its files."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import machinectl as package
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.holders import AccessHolder, HolderKey, put_holder
from machinectl.machines.record import Machine
from machinectl.provision.host_changes import PackageInstalled, ServiceEnabled
from tests.support import servers
from tests.support.in_process import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    import pytest

    from machinectl.machines.store import Store

GOLDEN = Path(__file__).parent / "golden"
PLACE = str(Path(package.__file__).parent)
VOLATILE = re.compile(r'("(?:Seconds|ResponseTime|CreatedAt|RunningFor)": )[^,\n}]+')
DAY = "2026-01-02T03:04:05Z"
FLEET = """
fleet: lan
hosts:
  vega: {driver: generic, ip-address: 127.0.0.2, labels: {rack: b}}
  rigel: {driver: none, url: tcp://192.0.2.30:2376}
"""
LINES = """
access ls --json
builder ls --json
certs ls --json
changes vega --json
config orion --json
context ls --json
drivers --json
env orion --json
images orion --json
info orion --json
inspect vega
inspect vega --json
ip orion --json
ls --json
plan --json -f fleet.yaml
ps orion --json
socket ls --json
status orion --json
url orion --json
version --json
version orion --json
""".strip().splitlines()


def fill(store: Store, port: int) -> None:
    """Add a machine with an engine, and one whose record has everything that a record can have."""
    orion = Machine("orion", "none", url=f"tcp://127.0.0.1:{port}", tls=False)
    orion.driver_state = json.dumps({"URL": orion.url})
    added(store, orion)
    vega = Machine("vega", "generic", url="tcp://127.0.0.2:2376", tls=True)
    state = {"IPAddress": "127.0.0.2", "SSHUser": "ops", "SSHPort": 22, "SSHKeyPath": "id_ssh", "EnginePort": 2376}
    vega.driver_state = json.dumps({**state, "SSHHost": "127.0.0.2", "MAC": "02:00:00:00:00:01"})
    vega.labels, vega.mac, vega.addresses = {"rack": "a"}, "02:00:00:00:00:01", ["127.0.0.3"]
    vega.engine = EngineOptions(options=("log-level=info",), env=("HTTP_PROXY=http://192.0.2.1:3128",))
    vega.changes = [
        PackageInstalled("docker.io", more={"when": DAY}),
        ServiceEnabled("docker.service", more={"when": DAY}),
    ]
    put_holder(vega, AccessHolder("alice", ca="ab" * 32, by="ops@here", since=DAY, keys=(HolderKey("cd" * 32, DAY),)))
    added(store, vega, {"id_ssh": b"a key\n"})


def steady(text: str, store: Store, port: int) -> Any:
    """Return JSON with names in place of what differs from run to run."""
    own = {store.root: "STORE", f":{port}": ":PORT", package.__version__: "VERSION", PLACE: "PACKAGE"}
    for volatile, name in own.items():
        text = text.replace(volatile, name)
    text = VOLATILE.sub(r'\1"SOME"', text)
    # Some verbs print a document on each line.
    lines = [text] if text.startswith(("[\n", "{\n")) else text.splitlines()
    documents = [json.loads(line) for line in lines]
    return documents[0] if len(documents) == 1 else documents


def check(name: str, found: dict[str, Any]) -> None:
    path = GOLDEN / f"{name}.json"
    text = "{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()) + "\n}\n"
    if not path.exists():
        path.write_text(text)
    assert json.loads(path.read_text()) == found


def test_what_verbs_print_as_json_and_what_records_hold_loses_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(FLEET)
    with servers.serving(servers.engine) as port:
        fill(store, port)
        printed = {line: machinectl(*shlex.split(line), store=store.root).stdout for line in LINES}
    check("json", {line: steady(text, store, port) for line, text in printed.items()})
    records = {name: Path(store.directory(name), "machine.json").read_text() for name in ("orion", "vega")}
    check("records", {name: steady(text, store, port) for name, text in records.items()})
