"""`access issue`: a tool's key, certificate and files, all of them or none."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.cli.declarations.share_machines import TOOLS
from machinectl.cli.main import run_command_line
from machinectl.commands.access import issue as issuing
from machinectl.commands.access.issue import ToolIssue, access_issue, plan_access_issue
from machinectl.commands.access.ls import access_ls
from machinectl.doctor.store_files import tool_certificates_check
from machinectl.errors import MachineError, UsageError
from machinectl.files import fileset
from machinectl.hosts.access import granting
from machinectl.hosts.access.issued_files import write_issued
from machinectl.hosts.access.tool_files.known_tools import LAYOUTS
from machinectl.hosts.certificates.client_warnings import unfinished_access
from machinectl.hosts.certificates.signing import signed
from machinectl.hosts.connection.login import Login
from machinectl.hosts.lifecycle.host_plan import HostPlan
from machinectl.machines.holders import (
    ADDING,
    MAYBE_WRITTEN,
    TOOL,
    UNWRITTEN,
    end_holder,
    ended_with_key,
    find_holder,
    put_holder,
)
from machinectl.machines.record import Machine
from machinectl.quantities import rfc3339
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.registered import added
from tests.support.unread import FULL, streams

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.commands.access.issue import IssuedAccess
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
            raise MachineError("no answer", "Start it")
        found[held.name].add(ca)
        return True

    monkeypatch.setattr(granting, "trust_ca", trust_ca)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "bob's files"


@pytest.fixture
def dozzle(out: Path) -> ToolIssue:
    return ToolIssue("dozzle", "dozzle", str(out))


def issued(
    store: Store, issue: ToolIssue, *names: str, console: Quiet | None = None, unasked: bool = True
) -> IssuedAccess:
    return access_issue(store, console or Quiet(), names or ["rigel", "vega"], Login(), issue, unasked=unasked)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_declared_tools_are_those_that_have_a_layout() -> None:
    assert tuple(LAYOUTS) == TOOLS


@pytest.mark.usefixtures("hosts")
def test_lines_that_cannot_be_printed_are_an_error(store: Store, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["access", "issue", "-y", "env", "rigel", "--out", str(out)]
    with streams(out=FULL):
        assert run_command_line(["-s", store.root, *words]) == 1
    said = capsys.readouterr().err
    assert "Error: Cannot write the output: No space left on device\n" in said
    assert f"print it again: machinectl -s {store.root} access issue -y env rigel --out '{out.parent}/" in said


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
        folder = {"dozzle": store.read(name).url[6:-5], "uptime-kuma": store.read(name).url[6:-5]}.get(tool, name)
        certificate, private = ((out / folder / file).read_bytes() for file in ("cert.pem", "key.pem"))
        certs.client_bundle(ca, certificate, private)
        assert certs.own_public_key(private).digest == key.key
        assert (out / folder / "ca.pem").read_bytes() == (store_directory(store, name) / "ca.pem").read_bytes()
    paths = [path for path in out.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*")) if path.is_dir()} == {0o700}
    keys = [path.read_text() for path in paths if path.name == "key.pem"]
    assert not any(key in text for key in keys for text in result.lines)


def store_directory(store: Store, name: str) -> Path:
    from pathlib import Path

    return Path(store.directory(name))


def test_files_go_to_no_directory_that_others_can_change(
    store: Store, tmp_path: Path, hosts: dict[str, Any], dozzle: ToolIssue
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for directory in (shared, shared / "dozzle"):
        with pytest.raises(MachineError, match="is not safe for keys: everybody may write to it"):
            issued(store, replace(dozzle, directory=str(directory)))
    assert hosts == {"rigel": set(), "vega": set()}
    assert contents(shared) == {}


@pytest.mark.usefixtures("hosts")
def test_root_is_warned_of_a_directory_whose_owner_can_replace_the_files(
    store: Store, tmp_path: Path, dozzle: ToolIssue
) -> None:
    need("chown", root=True)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, -1)
    console = Quiet()
    assert issued(store, replace(dozzle, directory=str(theirs / "dozzle")), console=console).lines
    assert f"{theirs} belongs to another user, who can replace the files in it" in console.warnings[0]
    os.chown(theirs, 0, -1)
    console = Quiet()
    issued(store, replace(dozzle, directory=str(theirs / "dozzle")), console=console)
    assert console.warnings == []


@pytest.mark.parametrize("force", [False, True])
def test_a_link_in_the_directory_is_refused_before_a_host_is_changed(
    store: Store, tmp_path: Path, hosts: dict[str, Any], out: Path, force: bool
) -> None:
    out.mkdir()
    (out / "rigel").symlink_to(tmp_path)
    with pytest.raises(MachineError, match="rigel is a link to "):
        issued(store, ToolIssue("env", "env", str(out), force=force))
    assert hosts == {"rigel": set(), "vega": set()}


@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "text", ""])
def test_notes_that_machinectl_has_not_written_are_ignored(
    store: Store, dozzle: ToolIssue, out: Path, text: str
) -> None:
    out.mkdir()
    (out / ".machinectl.json").write_text(text)
    assert issued(store, dozzle).lines


def test_a_path_that_would_end_a_comment_in_the_printed_lines_is_refused(store: Store, out: Path) -> None:
    issue = ToolIssue("prometheus", "prometheus", f"{out}\ntouch pwned")
    with pytest.raises(UsageError, match="holds a character that cannot be printed"):
        issued(store, issue)


@pytest.mark.parametrize("tool", ["dozzle", "traefik", "uptime-kuma", "watchtower"])
def test_docker_cannot_mount_a_path_with_a_colon(
    store: Store, hosts: dict[str, set[bytes]], tmp_path: Path, tool: str
) -> None:
    with pytest.raises(MachineError, match=r"a:b.* cannot be mounted") as caught:
        issued(store, ToolIssue(tool, tool, str(tmp_path / "a:b")))
    assert "--out <DIRECTORY>" in caught.value.hint
    assert (hosts, list(tmp_path.glob("a*"))) == ({"rigel": set(), "vega": set()}, [])


def test_git_ignores_the_folders_with_keys(store: Store, dozzle: ToolIssue, out: Path) -> None:
    out.mkdir()
    subprocess.run(["git", "init", "-q", out], check=True)
    issued(store, dozzle)
    seen = subprocess.run(
        ["git", "-C", out, "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    assert seen.stdout == "?? .machinectl.json\n"


def test_for_names_the_holder_and_lifetime_its_end(store: Store, dozzle: ToolIssue, out: Path) -> None:
    issued(store, replace(dozzle, who="logs", lifetime="60m"), "rigel")
    assert find_holder(store.read("rigel"), "dozzle") is None
    certificate = certs.describe((out / "192.0.2.1" / "cert.pem").read_bytes())
    assert certificate.subject == "CN=logs"
    holder = find_holder(store.read("rigel"), "logs")
    assert holder
    assert holder.keys[0].until == f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("flag", ["--for", "--out", "--lifetime"])
def test_an_empty_value_as_of_an_unset_variable_changes_nothing(
    store: Store, hosts: dict[str, Any], out: Path, flag: str
) -> None:
    out.mkdir()
    done = machinectl("access", "issue", "-y", "env", "rigel", flag, "", store=store.root, cwd=out)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Error: {flag} is empty" in done.stderr
    assert (hosts["rigel"], os.listdir(out), store.read("rigel").holders) == (set(), [], {})


def test_without_a_machines_ca_here_no_host_is_changed(
    store: Store, hosts: dict[str, Any], machines: dict[str, Machine], dozzle: ToolIssue, out: Path
) -> None:
    os.unlink(os.path.join(machines["vega"].directory, "ca.pem"))
    with pytest.raises(MachineError, match=r'^The CA of "vega", ca\.pem, is missing here$') as caught:
        issued(store, dozzle)
    assert "machinectl" in caught.value.hint
    assert (hosts, out.exists(), store.read("rigel").holders) == ({"rigel": set(), "vega": set()}, False, {})


def test_it_asks_and_says_once_what_it_gives(store: Store, dozzle: ToolIssue, out: Path) -> None:
    console = Quiet("n", interactive=False)
    result = issued(store, dozzle, console=console, unasked=False)
    assert (result.lines, result.failures) == ((), ())
    assert not out.exists()
    assert console.notes[:2] == [
        f"About to make dozzle root on the engines of rigel, vega, for 30 days; its files go to {out}.",
        "The engines restart once (rigel, vega); containers keep running.",
    ]
    assert find_holder(store.read("rigel"), "dozzle") is None


def test_what_an_interrupted_run_left_half_added_restarts_again(store: Store, dozzle: ToolIssue) -> None:
    issued(store, dozzle)
    with store.writing("rigel") as held:
        holder = find_holder(held.machine, "dozzle")
        assert holder
        put_holder(held.machine, replace(holder, state=ADDING))
        held.write()
    console = Quiet("n", interactive=False)
    issued(store, dozzle, console=console, unasked=False)
    assert console.notes[1] == "The engine restarts once (rigel); containers keep running."


def test_the_command_to_repeat_has_no_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    plain = ToolIssue("dozzle", "dozzle", str(tmp_path / "dozzle"))
    other = ToolIssue("dozzle", "logs", str(tmp_path / "a b"), "12h", force=True)
    assert plain.command(["rigel"]) == "machinectl access issue -y dozzle rigel"
    assert other.command(["rigel"]) == (
        f"machinectl access issue -y dozzle rigel --for logs --lifetime 12h --out '{tmp_path}/a b' --force"
    )


def test_the_same_command_renews_without_a_restart(
    store: Store, hosts: dict[str, set[bytes]], dozzle: ToolIssue, out: Path
) -> None:
    issued(store, dozzle)
    before = contents(out)
    console = Quiet("y")
    issued(store, dozzle, console=console, unasked=False)
    assert not any("restart" in note for note in console.notes)
    assert {name: len(cas) for name, cas in hosts.items()} == {"rigel": 1, "vega": 1}
    after = contents(out)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {
        ".machinectl.json",
        *(f"192.0.2.{host}/{file}" for host in (1, 2) for file in ("cert.pem", "key.pem")),
    }


def test_the_chosen_address_is_in_the_files_and_stays_there(store: Store, dozzle: ToolIssue, out: Path) -> None:
    with store.writing("rigel") as held:
        held.machine.addresses = ["10.8.0.29"]
        held.write()
    first = issued(store, replace(dozzle, addresses=("10.8.0.29",)), "rigel")
    assert "'tcp://10.8.0.29:2376|rigel'" in first.lines[0]
    assert (out / "10.8.0.29" / "key.pem").exists()
    console = Quiet()
    assert issued(store, dozzle, "rigel", "vega", console=console).lines[0].startswith(first.lines[0])
    assert not (out / "192.0.2.1").exists()
    assert console.notes[0].startswith('The files for "rigel" keep 10.8.0.29. Its other addresses: 192.0.2.1\n')
    command = replace(dozzle, directory=str(out), addresses=("10.8.0.29",)).command(["rigel"])
    assert command.endswith("--address 10.8.0.29")


@pytest.mark.parametrize("moved", range(1, 6))
def test_the_same_command_finishes_a_run_that_was_killed_while_it_placed_the_files(
    store: Store, out: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    with store.writing("rigel") as held:
        held.machine.addresses = ["10.8.0.29"]
        held.write()
    dozzle = ToolIssue("dozzle", "dozzle", str(out))
    issued(store, dozzle)
    moves, move = iter(range(moved)), os.replace

    def killed(source: str, target: str) -> None:
        if fileset.COMMITTED in source and next(moves, None) is None:
            raise KeyboardInterrupt
        move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            issued(store, replace(dozzle, addresses=("10.8.0.29",)))
    monkeypatch.setattr(issuing, "plan_client", lambda *_: HostPlan())
    left = contents(out)
    assert plan_access_issue(store, Quiet(), ["rigel", "vega"], Login(), dozzle)[1]
    # A dry run leaves the rest to the run itself.
    assert contents(out) == left
    assert "10.8.0.29" in issued(store, dozzle).lines[0]
    assert not (out / fileset.COMMITTED).exists()
    with (out / "10.8.0.29" / "cert.pem").open("a") as file:
        file.write("mine")
    with pytest.raises(MachineError, match="somebody changed"):
        issued(store, dozzle)


def test_another_machine_joins_those_that_are_there(store: Store, dozzle: ToolIssue, out: Path) -> None:
    issued(store, dozzle, "rigel")
    before = contents(out)
    issued(store, dozzle, "vega")
    after = contents(out)
    assert {path: after[path] for path in before if path != ".machinectl.json"} == {
        path: data for path, data in before.items() if path != ".machinectl.json"
    }
    issued(store, dozzle, "rigel")


@pytest.mark.parametrize("path", ["192.0.2.1/key.pem", "192.0.2.1/ca.pem"])
def test_a_file_of_somebody_else_is_overwritten_only_by_force(
    store: Store, hosts: dict[str, set[bytes]], dozzle: ToolIssue, out: Path, path: str
) -> None:
    (out / path).parent.mkdir(parents=True)
    (out / path).write_text("mine")
    with pytest.raises(MachineError, match=f"already holds {path}"):
        issued(store, dozzle)
    assert contents(out) == {path: b"mine"}
    assert hosts == {"rigel": set(), "vega": set()}
    issued(store, replace(dozzle, force=True))
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


def test_an_edited_configuration_is_overwritten_only_by_force(store: Store, out: Path) -> None:
    prometheus = ToolIssue("prometheus", "prometheus", str(out))
    issued(store, prometheus)
    with (out / "prometheus.yml").open("a") as file:
        file.write("# mine\n")
    with pytest.raises(MachineError, match=r"somebody changed prometheus\.yml after the last run"):
        issued(store, prometheus)
    issued(store, replace(prometheus, force=True))
    assert b"# mine" not in contents(out)["prometheus.yml"]


def test_nothing_is_written_if_one_host_is_off_and_the_same_command_goes_on(
    store: Store, hosts: dict[str, Any], dozzle: ToolIssue, out: Path
) -> None:
    hosts["vega"] = None
    result = issued(store, dozzle)
    assert [(name, error.cause) for name, error in result.failures] == [("vega", "no answer")]
    assert result.lines == ()
    assert not out.exists()
    hosts["vega"] = set()
    assert issued(store, dozzle).lines


def states(store: Store) -> list[tuple[str, str]]:
    """Return the keys that `access ls` shows for dozzle: machine and state."""
    return [(row.machine, row.state) for row in access_ls(store, []) if row.holder == "dozzle"]


def test_a_key_whose_files_were_not_written_is_listed_as_that_until_the_same_command_finishes(
    store: Store, hosts: dict[str, Any], dozzle: ToolIssue
) -> None:
    hosts["vega"] = None
    issued(store, dozzle)
    assert states(store) == [("rigel", UNWRITTEN)]
    assert "not written yet" in machinectl("access", "ls", store=store.root).stdout
    [warning] = unfinished_access(store.read("rigel"))
    assert warning.startswith('The files of dozzle for "rigel" were not written')
    assert warning.endswith("or give it up: machinectl access end dozzle rigel")
    hosts["vega"] = set()
    issued(store, dozzle)
    assert states(store) == [("rigel", ""), ("vega", "")]
    assert list(unfinished_access(store.read("rigel"))) == []


def test_a_full_disk_says_how_to_finish(store: Store, dozzle: ToolIssue, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(fileset, "write_tree", full_disk)
        with pytest.raises(MachineError, match="No space left") as full:
            issued(store, dozzle)
    assert "\nThen finish it: machinectl access issue -y dozzle rigel vega --out" in full.value.hint
    assert states(store) == [("rigel", MAYBE_WRITTEN), ("vega", MAYBE_WRITTEN)]


def test_who_may_have_a_key_stays_on_record_after_a_kill_until_its_access_ends(
    store: Store, dozzle: ToolIssue, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the files were written: they may have been copied."""

    def killed(*given: Any) -> None:
        write_issued(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(issuing, "write_issued", killed)
        with pytest.raises(KeyboardInterrupt):
            issued(store, dozzle, "rigel")
    written = certs.public_key_digest((out / "192.0.2.1" / "cert.pem").read_bytes())
    assert states(store) == [("rigel", MAYBE_WRITTEN)]
    assert "may not be written" in machinectl("access", "ls", store=store.root).stdout
    [warning] = unfinished_access(store.read("rigel"))
    assert 'The files of dozzle for "rigel" may not be written' in warning
    assert "\nIf they are there, they work." in warning
    issued(store, dozzle, "rigel")
    assert states(store) == [("rigel", MAYBE_WRITTEN), ("rigel", "")]
    assert list(unfinished_access(store.read("rigel"))) == []
    with store.writing("rigel") as held:
        holder = find_holder(held.machine, "dozzle")
        assert holder
        end_holder(held.machine, holder, rfc3339(datetime.now(UTC)))
        held.write()
    assert ended_with_key(store.read("rigel"), written)


def test_after_a_renewal_that_failed_nothing_advises_to_end_the_access_of_the_files_in_use(
    store: Store, hosts: dict[str, Any], dozzle: ToolIssue, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued(store, replace(dozzle, lifetime="1d"))
    before = hosts["vega"]
    hosts["vega"] = None
    issued(store, dozzle)
    assert states(store) == [("rigel", ""), ("rigel", UNWRITTEN), ("vega", "")]
    hosts["vega"] = before
    [failed] = unfinished_access(store.read("rigel"))
    monkeypatch.setattr(fileset, "write_tree", full_disk)
    with pytest.raises(MachineError, match="No space left"):
        issued(store, dozzle)
    assert states(store) == [("rigel", ""), ("rigel", MAYBE_WRITTEN), ("vega", ""), ("vega", MAYBE_WRITTEN)]
    [unknown] = unfinished_access(store.read("rigel"))
    for warning in (failed, unknown):
        assert warning.endswith("\nFiles with the earlier key still work. For new ones, repeat access issue")
    # The certificate that is in use ends soon, even if a later one was signed.
    check = tool_certificates_check(store.read("rigel"), datetime.now(UTC) + timedelta(hours=20))
    assert check
    assert "the certificate of dozzle expires" in check.seen


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_directory_that_takes_no_files_is_refused_before_a_host_is_changed(
    store: Store, hosts: dict[str, Any], dozzle: ToolIssue, out: Path
) -> None:
    need("mount", "umount", root=True)
    out.mkdir(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=700", "none", out], check=True)
    try:
        with pytest.raises(MachineError, match="Read-only file system"):
            issued(store, dozzle)
    finally:
        subprocess.run(["umount", out], check=True)
    assert hosts == {"rigel": set(), "vega": set()}


def test_a_machine_that_cannot_be_shared_stops_all(store: Store, hosts: dict[str, Any], dozzle: ToolIssue) -> None:
    added(store, Machine("plain", "none", url="tcp://192.0.2.9:2375", driver_state='{"URL": "tcp://192.0.2.9:2375"}'))
    with pytest.raises(MachineError, match='"plain" has no certificates'):
        issued(store, dozzle, "rigel", "plain")
    assert hosts["rigel"] == set()


def test_what_can_only_expire_is_not_said_to_have_an_end(store: Store, dozzle: ToolIssue, machines: object) -> None:
    assert machines
    ca = certs.new_ca("machinectl lent")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.3"]), certs.issue_client(ca, "lent")).present
    url = "tcp://192.0.2.3:2376"
    added(store, Machine("lent", "none", url=url, tls=True, driver_state=json.dumps({"URL": url})), files)
    console = Quiet("y")
    issued(store, dozzle, "rigel", "lent", console=console, unasked=False)
    assert console.notes[1:3] == [
        "The engine restarts once (rigel); containers keep running.",
        "This access can only expire: machinectl cannot change the host of lent.",
    ]
    assert console.notes[-1].endswith(
        "\nRenew it with the same command. On lent, it can only expire; "
        "elsewhere, end it: machinectl access end dozzle rigel"
    )


def test_a_failure_says_that_no_file_was_written_and_how_to_finish(
    store: Store, hosts: dict[str, Any], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts["vega"] = None
    words = ["access", "issue", "-y", "env", "rigel", "vega", "--for", "ci", "--out", str(out)]
    assert run_command_line(["-s", store.root, *words]) == 1
    *_, finish = capsys.readouterr().err.splitlines()
    again = f"machinectl -s {store.root} access issue -y env rigel vega --for ci --out '{out.parent}/"
    assert finish.startswith(
        f"No file was written, though rigel would accept ci. The same command finishes it: {again}"
    )
    assert not list(out.rglob("*.pem"))
    hosts["rigel"] = None
    assert run_command_line(["-s", store.root, *words]) == 1
    # Nothing was changed.
    assert "No file was written" not in capsys.readouterr().err


def test_each_machine_is_named_with_its_date_if_they_differ(store: Store, dozzle: ToolIssue) -> None:
    with store.writing("rigel") as held:
        held.machine.lifetime = "3d"
        held.write()
    console = Quiet()
    issued(store, dozzle, console=console)
    dates = [datetime.now(UTC) + timedelta(days=days) for days in (3, 30)]
    text = (
        "is root on the engines of rigel \\(until {:%Y-%m-%d} ..:.. UTC\\), vega \\(until {:%Y-%m-%d} ..:.. UTC\\)\\."
    )
    assert re.search(text.format(*dates), console.notes[-1])


def test_a_dry_run_names_the_files_unless_a_machine_fails(
    store: Store, dozzle: ToolIssue, monkeypatch: pytest.MonkeyPatch
) -> None:
    off: set[str] = set()

    def plan(_store: object, machine: Machine, *_: object, **__: object) -> HostPlan:
        if machine.name in off:
            raise MachineError("no answer", "Start it")
        return HostPlan()

    monkeypatch.setattr(issuing, "plan_client", plan)
    names = ["rigel", "vega"]
    assert len(plan_access_issue(store, Quiet(), names, Login(), dozzle)[1]) == 6
    off.add("vega")
    plans, files = plan_access_issue(store, Quiet(), names, Login(), dozzle)
    assert (dict(plans)["rigel"], files) == (HostPlan(), [])


def test_an_unknown_tool_is_refused_with_those_that_are_known(store: Store, dozzle: ToolIssue) -> None:
    with pytest.raises(UsageError, match="unknown tool 'dozle'") as caught:
        issued(store, replace(dozzle, tool="dozle"))
    assert caught.value.mistyped == ("dozle", "dozzle")
    done = machinectl("access", "issue", "grafana", "rigel", store=store.root)
    assert (done.returncode, done.stderr.splitlines()[-1].partition(": ")[2]) == (
        2,
        "machinectl access issue env rigel --for grafana",
    )
    done = machinectl("access", "issue", "rigel", "vega", "github", store=store.root)
    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            'Error: "rigel" is a machine, and github a tool',
            "  The tool comes first: machinectl access issue github rigel vega",
        ],
    )


def test_the_command_line_prints_lines_for_a_shell_and_the_rest_beside_them(store: Store, tmp_path: Path) -> None:
    url = "tcp://192.0.2.3:2376"
    ca = certs.new_ca("machinectl lent")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.3"]), certs.issue_client(ca, "lent")).present
    added(store, Machine("lent", "none", url=url, tls=True, driver_state=json.dumps({"URL": url})), files)
    done = machinectl("access", "issue", "-y", "env", "lent", store=store.root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    variables = f"DOCKER_HOST={url} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={tmp_path}/env/lent"
    assert done.stdout == f"env {variables} docker version\n"
    assert "It cannot be ended, only expire." in done.stderr
    assert f"Anyone who reads {tmp_path}/env is root on the engine of lent until" in " ".join(done.stderr.split())
    dry = machinectl("access", "issue", "dozzle", "lent", "--dry-run", store=store.root, cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert f"    {tmp_path}/dozzle/192.0.2.3/key.pem\n" in dry.stdout
    assert not (tmp_path / "dozzle").exists()
