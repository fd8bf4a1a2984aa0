"""What doctor says of this computer: its store, this shell, its docker CLI, and whose machinectl is typed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.check import Verdict
from machinectl.doctor import docker_client, store_files, this_computer
from machinectl.errors import BY_SERVICE, SET_CLOCK
from machinectl.hosts import host_lock
from machinectl.machines.holders import PERSON, TOOL, AccessHolder, HolderKey, put_holder
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store.machine_store import write_record
from machinectl.provision.host_changes import CaTrusted, PackageInstalled
from machinectl.quantities import rfc3339
from machinectl.verbs.certs import create_certificates
from tests.support.in_process import machinectl
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from machinectl.check import Check
    from machinectl.machines.store import Store

OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN
CLIENT = ("ca.pem", "cert.pem", "key.pem")


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is first on the PATH, with a machinectl and a docker that are well."""
    directory = tmp_path / "bin"
    directory.mkdir()
    program(directory / "machinectl", f'exec {" ".join(COMMAND)} "$@"')
    program(directory / "docker", "echo 'Docker version 28.2.2, build e6534b4'")
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def certified(store: Store, name: str, *, days_ago: int = 0) -> Machine:
    """A machine with certificates that were made some days ago."""
    made = datetime.now(UTC) - timedelta(days=days_ago)
    ca = certs.new_ca("test", now=made)
    client = certs.issue_client(ca, "me", now=made)
    files = dict(zip(CLIENT, (ca.certificate, client.certificate, client.key), strict=True))
    return added(store, Machine(name, "none", url="tcp://192.0.2.7:2376", tls=True), files)


def report(store: Store, *, status: int = 0, **environment: str) -> dict[str, Any]:
    """What is found of this computer, by the first check of each title that is not well, else the first."""
    done = machinectl("doctor", "--here", "--json", store=store.root, environment=environment)
    assert (done.returncode, done.stderr) == (status, "")
    [found] = json.loads(done.stdout)
    assert (found["Name"], found["Well"]) == ("", not status)
    checks: dict[str, Any] = {}
    for check in found["Checks"]:
        if check["Title"] not in checks or checks[check["Title"]]["Verdict"] == "ok":
            checks[check["Title"]] = check
    return checks


def test_a_computer_that_is_well_is_told_so_and_nothing_is_made(store: Store, programs: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = report(store)
    assert {each["Verdict"] for each in found.values()} <= {"ok", "unknown"}
    assert found["docker CLI"]["Seen"] == f"{programs}/docker, version 28.2.2"
    assert found["machinectl"]["Seen"].startswith(f"{programs}/machinectl comes first on the PATH")
    assert sorted(tmp_path.rglob("*")) == before


def test_records_that_cannot_be_used_are_told_each_with_what_to_type(store: Store) -> None:
    certified(store, "well")
    Path(certified(store, "broken").directory, "machine.json").write_text("{")
    half = Machine("half", "none", url="tcp://192.0.2.7:2376")
    half.phase = Phase.PROVISIONING
    added(store, half)
    done = machinectl("doctor", "--here", store=store.root)
    assert done.returncode == 1
    said = done.stdout.splitlines()
    assert [line.split()[0] for line in said if " Records " in line] == ["✗", "✗"]
    assert {"      machinectl rm -f broken", "      machinectl provision half"} <= {*said}
    assert said[0].startswith("✗ This computer: 2 broken, ")
    all_of_it = machinectl("doctor", "-t", "1", store=store.root)
    assert (all_of_it.stdout.count("machinectl provision half"), " Records " in all_of_it.stdout) == (1, False)
    assert "machinectl rm -f broken" in all_of_it.stdout


def test_a_store_that_others_can_read_is_closed_by_what_it_says(store: Store) -> None:
    directory = Path(certified(store, "open").directory)
    directory.chmod(0o755)
    (directory / "key.pem").chmod(0o644)
    found = report(store, status=1)["Records"]
    assert found["Seen"] == f'"open": other users can read {directory}, {directory}/key.pem'
    subprocess.run(["sh", "-c", found["Hint"].partition(": ")[2]], check=True)
    assert report(store)["Records"]["Verdict"] == "ok"
    for path in (Path(store.root), Path(store.root).parent):
        path.chmod(0o777)
        found = report(store, status=1)["Store"]
        subprocess.run(["sh", "-c", found["Hint"].partition(": ")[2].partition("; or")[0]], check=True)
        assert report(store)["Store"]["Verdict"] == "ok"


def test_certificates_of_all_machines_are_looked_at_on_disk(store: Store) -> None:
    certified(store, "fresh")
    certified(store, "soon", days_ago=certs.CLIENT_DAYS - 9)
    found = report(store)["Certificates"]
    assert (found["Verdict"], found["Seen"]) == ("unknown", '"soon": cert.pem has 8 days left')
    assert "machinectl certs import soon <DIR>" in found["Hint"]
    certified(store, "late", days_ago=certs.CLIENT_DAYS + 9)
    found = report(store, status=1)["Certificates"]
    assert (found["Verdict"], found["Seen"]) == ("broken", '"late": cert.pem: expired')


def test_tools_whose_certificate_ends_are_named_and_people_are_not(store: Store) -> None:
    certified(store, "orion")
    now = datetime.now(UTC)
    # When each was added, and when its certificates end, in hours from now.
    holders = {
        "over": (TOOL, -900, [-200]),
        "soon": (TOOL, -900, [48]),
        "short": (TOOL, -1, [11]),
        "renewed": (TOOL, -900, [-24, 700]),
        "alice": (PERSON, -900, [-24]),
    }

    def at(hours: int) -> str:
        return rfc3339(now + timedelta(hours=hours))

    with store.writing("orion") as held:
        for who, (kind, since, ends) in holders.items():
            keys = tuple(HolderKey(f"{end}", at(end)) for end in ends)
            put_holder(held.machine, AccessHolder(who, kind, since=at(since), keys=keys))
        held.write()
    found = report(store)["Tools"]
    over, soon = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M} UTC" for hours in (-200, 48))
    assert found["Verdict"] == "unknown"
    assert found["Seen"] == (
        f'"orion": the certificate of over expired on {over}; the certificate of soon expires on {soon}'
    )
    assert found["Hint"].endswith("machinectl access end over orion")


def test_a_machine_that_waits_for_access_has_no_broken_certificates(store: Store) -> None:
    assert machinectl("access", "request", "orion", store=store.root).returncode == 0
    found = report(store)
    assert found["Certificates"]["Seen"] == "no machine uses any"
    assert found["Records"]["Seen"].startswith('"orion": waiting for access')


def test_what_was_removed_and_what_is_docker_machines_is_worth_a_look(store: Store) -> None:
    theirs = Path(os.environ["HOME"], ".docker/machine/machines/old")
    theirs.mkdir(parents=True)
    (theirs / "config.json").write_text('{"DriverName": "none", "Driver": {"IPAddress": "192.0.2.9"}}')
    with store.writing(certified(store, "gone").name) as held:
        held.set_aside()
    found = report(store)
    assert found["Removed"]["Seen"] == "gone: removed here, but the changes on the host remain"
    assert "machinectl rm --purge gone" in found["Removed"]["Hint"]
    assert "machinectl import --from-docker-machine" in found["docker-machine"]["Hint"]
    certified(store, "old")
    assert "docker-machine" not in report(store)
    (gone,) = store.removed.readable()
    gone.changes = (PackageInstalled("docker.io"),)
    with store.writing("gone"):
        write_record(gone)
    assert "machinectl rm --purge-engine gone; or" in report(store)["Removed"]["Hint"]
    # No hint acts on a machine that has the name now.
    Path(store.directory("gone")).mkdir()
    assert "machinectl rename gone <NEW-NAME>" in report(store, status=1)["Removed"]["Hint"]


def test_a_store_that_is_a_file_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    done = machinectl("doctor", "--json", store=tmp_path / "file")
    assert done.returncode == 1
    assert "is not a directory" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_docker_that_is_not_dockers(tmp_path: Path) -> None:
    assert docker_client.cli_check(str(tmp_path)).verdict is BROKEN
    docker = program(tmp_path / "docker", "echo podman version 5.4.2")
    assert docker_client.cli_check(str(tmp_path)).verdict is UNKNOWN
    program(docker, "exit 3")
    assert docker_client.cli_check(str(tmp_path)).seen == f"{docker} does not report its version"


def test_systemds_machinectl_is_told_from_ours_by_asking_it(tmp_path: Path) -> None:
    theirs = shutil.which("machinectl", path="/usr/bin:/bin")
    if not theirs:
        need("machinectl")
    mine = program(tmp_path / "machinectl", "echo ours")
    system = os.path.dirname(theirs or "")
    found = this_computer.program_check(f"{tmp_path}:{system}", "")
    assert found.verdict is OK
    found = this_computer.program_check(f"{system}:{tmp_path}", str(mine))
    assert found.verdict is BROKEN
    assert found.hint == f"Put this one first: export PATH={tmp_path}:$PATH"
    first = ["sh", "-c", f"{found.hint.partition(': ')[2]}; command -v machinectl"]
    typed = subprocess.run(first, env={"PATH": f"{system}:/bin"}, capture_output=True, text=True, check=True)
    assert typed.stdout.strip() == str(mine)
    assert this_computer.program_check(str(tmp_path / "empty"), "").verdict is UNKNOWN


def shell_of(*machines: Machine, **environment: str) -> list[Check]:
    return list(docker_client.shell_checks(environment, machines))


@pytest.mark.parametrize(
    ("environment", "verdict", "hint"),
    [
        ({}, OK, ""),
        ({"DOCKER_HOST": "tcp://192.0.2.1:2376"}, UNKNOWN, "eval $(machinectl env -u)"),
        ({"DOCKER_CONTEXT": "lab"}, UNKNOWN, "unset DOCKER_CONTEXT"),
        ({"DOCKER_CONTEXT": "lab", "DOCKER_HOST": "tcp://192.0.2.1:2376"}, UNKNOWN, "eval $(machinectl env -u)"),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere"}, BROKEN, "eval $(machinectl env -u)"),
        ({"DOCKER_HOST": "tcp://192.0.2.7:2376"}, BROKEN, "eval $(machinectl env orion)"),
        (
            {"DOCKER_HOST": "tcp://192.0.2.7:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/other"},
            BROKEN,
            "eval $(machinectl env orion)",
        ),
        ({"DOCKER_HOST": "tcp://192.0.2.7:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/m"}, OK, ""),
        ({"DOCKER_HOST": "tcp://192.0.2.8:2375", "DOCKER_TLS_VERIFY": "1"}, BROKEN, "eval $(machinectl env plain)"),
    ],
)
def test_what_beats_us_in_this_shell(environment: dict[str, str], verdict: Verdict, hint: str) -> None:
    orion = Machine("orion", "none", url="tcp://192.0.2.7:2376", tls=True, directory="/m")
    plain = Machine("plain", "none", url="tcp://192.0.2.8:2375")
    [found] = shell_of(orion, plain, **environment)
    assert found.verdict is verdict
    assert found.hint.endswith(hint)


def test_what_env_sets_is_well_and_what_it_unsets_too(store: Store) -> None:
    machine = certified(store, "orion")
    script = f'eval "$({" ".join(COMMAND)} env orion)"; exec {" ".join(COMMAND)} doctor --here --json'
    environment = {**os.environ, "MACHINE_STORAGE_PATH": store.root, "SHELL": "/bin/sh"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert '"Seen": "docker uses \\"orion\\""' in done.stdout
    found = report(store, status=1, DOCKER_HOST=machine.url)["This shell"]
    assert found["Seen"] == 'docker uses "orion" without TLS, which its engine requires'


def test_a_shell_may_have_the_certificates_of_a_holder(store: Store, tmp_path: Path) -> None:
    machine = certified(store, "orion")
    directory = tmp_path / "env" / "orion"
    directory.mkdir(parents=True)
    shell = {"DOCKER_HOST": machine.url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(directory)}

    def found(*, engine: str, days_ago: int) -> tuple[Verdict, str]:
        made = datetime.now(UTC) - timedelta(days=days_ago)
        holder = certs.issue_client(certs.new_ca("holder", now=made), "env", now=made)
        shutil.copy(Path(store.directory(engine)) / "ca.pem", directory)
        (directory / "cert.pem").write_bytes(holder.certificate)
        [check] = shell_of(machine, **shell)
        return check.verdict, check.seen.partition(str(directory))[2]

    assert shell_of(machine, **shell)[0].verdict is BROKEN
    assert found(engine="orion", days_ago=0) == (OK, "")
    verdict, why = found(engine="orion", days_ago=certs.CLIENT_DAYS + 9)
    assert (verdict, why.startswith(", which expired on ")) == (BROKEN, True)
    certified(store, "rigel")
    assert found(engine="rigel", days_ago=0) == (BROKEN, ", which are not for its engine")


def entry(path: str, mode: int, uid: int = 1000) -> store_files.Entry:
    return store_files.Entry(path, mode, uid)


def test_modes_are_judged_by_who_reads_and_what_is_secret() -> None:
    me, root = 1000, 0
    directory, secret = entry("/s", stat.S_IFDIR | 0o700), entry("/s/key.pem", stat.S_IFREG | 0o600)
    public = entry("/s/ca.pem", stat.S_IFREG | 0o644)
    assert store_files.privacy_check("/s", [directory, secret, public], me).verdict is OK
    foreign = [directory, secret._replace(uid=7)]
    assert store_files.privacy_check("/s", foreign, me).hint.endswith("sudo chown -R $(id -u) /s")
    assert store_files.privacy_check("/s", foreign, root).verdict is OK
    found = store_files.privacy_check("/s", [directory, *[secret._replace(mode=stat.S_IFREG | 0o640)] * 5], me)
    assert found.verdict is BROKEN
    assert found.seen.endswith("/s/key.pem and 2 more")


def test_a_machine_without_the_certificates_that_it_needs_is_told(store: Store) -> None:
    bare = added(store, Machine("bare", "none", url="tcp://192.0.2.7:2376", tls=True))
    assert store_files.certificates_check(store, bare).hint.endswith("machinectl certs import bare <DIR>")
    create_certificates(bare.directory, ["192.0.2.7"])
    assert store_files.certificates_check(store, bare).verdict is OK
    shutil.copy(Path(certified(store, "other").directory, "key.pem"), bare.directory)
    assert store_files.certificates_check(store, bare).verdict is BROKEN


def test_a_lost_key_of_the_ca_is_told_by_the_computer_that_set_up_the_host(store: Store) -> None:
    machine = certified(store, "orion")
    machine.changes = [CaTrusted("0" * 64)]
    Path(machine.directory, "ca-key.pem").unlink(missing_ok=True)
    machine.revision = {"number": 1, "by": "root@elsewhere"}
    assert store_files.certificates_check(store, machine).verdict is OK
    machine.revision = {"number": 1, "by": host_lock.user_at_computer()}
    found = store_files.certificates_check(store, machine)
    assert (found.verdict, "ca-key.pem" in found.seen) == (UNKNOWN, True)
    other = certified(store, "rigel")
    other.changes, other.revision = machine.changes, machine.revision
    Path(other.directory, "ca-key.pem").unlink(missing_ok=True)
    [both] = this_computer.certificate_checks(store, [machine, other])
    assert both.seen.startswith('"orion", "rigel": valid, but cannot be renewed here')
    # A new CA would lock out the computer that has the key.
    assert found.hint.endswith("export --all --with-ca-key -o <FILE>; then: machinectl import <FILE>")
    assert "--new-ca" not in found.hint


def test_certificates_that_are_not_valid_yet_are_a_matter_of_the_clock_here(store: Store) -> None:
    early = datetime.now(UTC) - timedelta(days=5)
    found = store_files.certificates_check(store, certified(store, "orion"), early)
    assert (found.verdict, "not valid before" in found.seen) == (BROKEN, True)
    assert found.hint == f"If the clock here is wrong, set it {BY_SERVICE}: {SET_CLOCK}"


def test_a_machine_whose_changes_did_not_reach_its_host_says_why(store: Store) -> None:
    machine = added(store, Machine("orion", "none", url="unix:///x.sock"))
    machine.pending, machine.failure = "provision", {"cause": "No route to host"}
    assert store_files.record_check(store, machine).seen.endswith("(last failure: No route to host)")
    # Nobody types what a record says.
    machine.pending = "provision x; rm -rf ~;"
    assert store_files.record_check(store, machine).hint == "Apply it: machinectl provision orion"
