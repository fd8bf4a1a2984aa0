"""`access issue`: a tool's key, certificate and files, all of them or none."""

from __future__ import annotations

import json
import os
import shlex
import stat
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.access import granting, tool_access
from machinectl.access.access_rows import list_access
from machinectl.access.tool_access import ToolIssue, access_issue, plan_access_issue
from machinectl.access.tool_files import LAYOUTS
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files import fileset
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.host_plan import HostPlan
from machinectl.hosts.login import Login
from machinectl.machines.holders import TOOL, UNWRITTEN, end_holder, ended_with_key, find_holder
from machinectl.machines.record import Machine
from machinectl.quantities import rfc3339
from machinectl.verbs.access_issue import TOOLS, confirm_issue
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from machinectl.access.tool_access import IssuedAccess
    from machinectl.machines.store import Store


def state_of(address: str) -> str:
    return json.dumps({"IPAddress": address, "SSHUser": "root", "SSHPort": 22, "EnginePort": 2376})


@pytest.fixture(autouse=True)
def machines(store: Store) -> dict[str, Machine]:
    found = {}
    for name, address in (("rigel", "192.0.2.1"), ("vega", "192.0.2.2")):
        ca = certs.new_ca(f"machinectl {name}")
        files = signed(ca, certs.issue_server(ca, [address]), certs.issue_client(ca, name)).present
        machine = Machine(name, "generic", url=f"tcp://{address}:2376", tls=True, driver_state=state_of(address))
        found[name] = added(store, machine, files)
    return found


@pytest.fixture(autouse=True)
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[bytes]]:
    """The CAs that hosts accept; one that is None is off."""
    found: dict[str, Any] = {"rigel": set(), "vega": set()}

    def trust_ca(held: Any, _console: object, _access: object, ca: bytes, *_: object, **__: object) -> bool:
        if found[held.name] is None:
            raise MachineError("no answer", Hint("Start it"))
        found[held.name].add(ca)
        return True

    monkeypatch.setattr(granting, "trust_ca", trust_ca)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "bob's files"


@pytest.fixture
def tool(out: Path) -> ToolIssue:
    return ToolIssue("env", "env", str(out))


def issued(
    store: Store, issue: ToolIssue, *names: str, console: Quiet | None = None, unasked: bool = True
) -> IssuedAccess:
    console = console or Quiet()

    def confirm(machines: Sequence[Machine]) -> bool:
        return unasked or confirm_issue(console, machines, issue)

    return access_issue(store, console, names or ["rigel", "vega"], Login(), issue, confirm)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_declared_tools_are_those_that_have_a_layout() -> None:
    assert tuple(LAYOUTS) == TOOLS


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_gets_keys_of_its_own_that_the_hosts_accept(
    store: Store, hosts: dict[str, set[bytes]], out: Path, tool: str
) -> None:
    result = issued(store, ToolIssue(tool, tool, str(out)))
    assert not result.failures
    assert result.lines
    for name in ("rigel", "vega"):
        [ca] = hosts[name]
        holder = find_holder(store.read(name), tool)
        assert holder
        assert (holder.kind, holder.ca) == (TOOL, certs.fingerprint(ca))
        [key] = holder.keys
        if tool == "gitlab":
            continue
        certificate, private = ((out / name / file).read_bytes() for file in ("cert.pem", "key.pem"))
        certs.client_bundle(ca, certificate, private)
        assert certs.own_public_key(private).digest == key.key
        assert (out / name / "ca.pem").read_bytes() == (store_directory(store, name) / "ca.pem").read_bytes()
    paths = [path for path in out.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*")) if path.is_dir()} == {0o700}
    keys = [path.read_text() for path in paths if path.name == "key.pem"]
    assert not any(key in text for key in keys for text in result.lines)


def store_directory(store: Store, name: str) -> Path:
    from pathlib import Path

    return Path(store.directory(name))


def test_files_go_to_no_directory_that_others_can_change(
    store: Store, tmp_path: Path, hosts: dict[str, Any], tool: ToolIssue
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for directory in (shared, shared / "env"):
        with pytest.raises(MachineError, match="is not safe for keys: everybody may write to it"):
            issued(store, replace(tool, directory=str(directory)))
    assert hosts == {"rigel": set(), "vega": set()}
    assert contents(shared) == {}


def test_the_same_command_renews_without_a_restart(
    store: Store, hosts: dict[str, set[bytes]], tool: ToolIssue, out: Path
) -> None:
    issued(store, tool)
    before = contents(out)
    console = Quiet("y")
    issued(store, tool, console=console, unasked=False)
    assert not any("restart" in note for note in console.notes)
    assert {name: len(cas) for name, cas in hosts.items()} == {"rigel": 1, "vega": 1}
    after = contents(out)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {
        ".machinectl.json",
        *(f"{name}/{file}" for name in ("rigel", "vega") for file in ("cert.pem", "key.pem")),
    }


def test_the_chosen_address_is_in_the_files(store: Store, tool: ToolIssue, hosts: dict[str, Any]) -> None:
    with store.writing("rigel") as held:
        held.machine.addresses = ["10.8.0.29"]
        held.write()
    with pytest.raises(UsageError, match=r"--address 10\.9\.9\.9 is not an address of rigel, vega"):
        issued(store, replace(tool, addresses=("10.9.9.9",)))
    assert hosts["rigel"] == set()
    lines = issued(store, replace(tool, addresses=("10.8.0.29",))).lines
    assert ["DOCKER_HOST=tcp://10.8.0.29:2376" in line for line in lines] == [True, False]
    command = replace(tool, addresses=("10.8.0.29",)).command(["rigel"])
    assert command.endswith("--address 10.8.0.29")


@pytest.mark.parametrize("moved", [1, 3, 5])
def test_the_same_command_finishes_a_run_that_was_killed_while_it_placed_the_files(
    store: Store, tool: ToolIssue, out: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    with store.writing("rigel") as held:
        held.machine.addresses = ["10.8.0.29"]
        held.write()
    issued(store, tool)
    moves, move = iter(range(moved)), os.replace

    def killed(source: str, target: str) -> None:
        if fileset.COMMITTED in source and next(moves, None) is None:
            raise KeyboardInterrupt
        move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            issued(store, replace(tool, addresses=("10.8.0.29",)))
    monkeypatch.setattr(tool_access, "plan_client", lambda *_: HostPlan())
    left = contents(out)
    assert plan_access_issue(store, Quiet(), ["rigel", "vega"], Login(), tool)[1]
    # A dry run leaves the rest to the run itself.
    assert contents(out) == left
    assert issued(store, tool).lines
    assert not (out / fileset.COMMITTED).exists()
    with (out / "rigel" / "cert.pem").open("a") as file:
        file.write("mine")
    with pytest.raises(MachineError, match="somebody changed"):
        issued(store, tool)


@pytest.mark.parametrize("path", ["rigel/key.pem", "rigel/ca.pem"])
def test_a_file_of_somebody_else_is_overwritten_only_by_force(
    store: Store, hosts: dict[str, set[bytes]], tool: ToolIssue, out: Path, path: str
) -> None:
    (out / path).parent.mkdir(parents=True)
    (out / path).write_text("mine")
    with pytest.raises(MachineError, match=f"already holds {path}"):
        issued(store, tool)
    assert contents(out) == {path: b"mine"}
    assert hosts == {"rigel": set(), "vega": set()}
    issued(store, replace(tool, force=True))
    assert contents(out)[path] != b"mine"


@pytest.mark.parametrize(("tool", "who"), [("github", "github"), ("env", "ci-runner")])
def test_files_of_another_holder_are_replaced_only_by_force(
    store: Store, hosts: dict[str, set[bytes]], out: Path, tool: str, who: str
) -> None:
    env = ToolIssue("env", "env", str(out))
    issued(store, env, "rigel")
    before, accepted = contents(out), {name: set(cas) for name, cas in hosts.items()}
    with pytest.raises(MachineError, match=f"holds the files of env, not of {who}") as caught:
        issued(store, replace(env, tool=tool, who=who), "rigel")
    assert "--force" in caught.value.hint
    assert (contents(out), hosts) == (before, accepted)
    issued(store, replace(env, who="Env"), "rigel")
    issued(store, replace(env, tool=tool, who=who, force=True), "rigel")
    with pytest.raises(MachineError, match=f"holds the files of {who}, not of env"):
        issued(store, env, "rigel")


def states(store: Store) -> list[tuple[str, str]]:
    """Return the keys that `access ls` shows for env: machine and state."""
    return [(row.machine, row.state) for row in list_access(store, []) if row.holder == "env"]


def test_a_key_whose_files_were_not_written_is_listed_as_that_until_the_same_command_finishes(
    store: Store, hosts: dict[str, Any], tool: ToolIssue
) -> None:
    hosts["vega"] = None
    issued(store, tool)
    assert states(store) == [("rigel", UNWRITTEN)]
    assert "not written yet" in machinectl("access", "ls", store=store.root).stdout
    hosts["vega"] = set()
    issued(store, tool)
    assert states(store) == [("rigel", ""), ("vega", "")]


def test_the_command_of_a_hint_writes_to_the_same_directory_wherever_it_is_typed() -> None:
    default = ToolIssue("env", "env", os.path.abspath("env"))
    assert f"--out {shlex.quote(os.path.abspath('env'))}" in default.command(["orion"])


def test_the_command_line_prints_lines_for_a_shell_and_the_rest_beside_them(store: Store, tmp_path: Path) -> None:
    url = "tcp://127.0.0.1:1"
    ca = certs.new_ca("machinectl lent")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.3"]), certs.issue_client(ca, "lent")).present
    added(store, Machine("lent", "none", url=url, tls=True, driver_state=json.dumps({"URL": url})), files)
    done = machinectl("access", "issue", "-y", "env", "lent", store=store.root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    variables = f"DOCKER_HOST={url} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={tmp_path}/env/lent"
    assert done.stdout == f"env {variables} docker version\n"
    assert "On lent, it can only expire." in done.stderr
    assert f"Anyone who reads {tmp_path}/env is root on the engine of lent until" in " ".join(done.stderr.split())
    dry = machinectl("access", "issue", "github", "lent", "--dry-run", store=store.root, cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert f"    {tmp_path}/github/lent/key.pem\n" in dry.stdout
    assert not (tmp_path / "github").exists()


def test_a_key_whose_files_a_killed_run_has_written_stays_on_record_until_its_access_ends(
    store: Store, tool: ToolIssue, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_issued = tool_access.write_issued

    def killed(directory: str, who: str, files: dict[str, bytes]) -> None:
        write_issued(directory, who, files)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tool_access, "write_issued", killed)
        with pytest.raises(KeyboardInterrupt):
            issued(store, tool, "rigel")
    # Somebody may have copied it.
    written = certs.public_key_digest((out / "rigel" / "cert.pem").read_bytes())
    issued(store, tool, "rigel")
    with store.writing("rigel") as held:
        holder = find_holder(held.machine, "env")
        assert holder
        end_holder(held.machine, holder, rfc3339(datetime.now(UTC)))
        held.write()
    assert ended_with_key(store.read("rigel"), written)
