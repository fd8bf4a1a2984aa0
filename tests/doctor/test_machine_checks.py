"""What doctor says of one machine: the way to its engine a step at a time, and what of its host was not seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import certs
from machinectl.check import Verdict
from machinectl.doctor.engine_connectivity import reach_engine
from machinectl.doctor.host_condition import Shell
from machinectl.doctor.host_login import Inside
from machinectl.doctor.machine_checks import all_checks, check_machine, record_comparison
from machinectl.doctor.machine_checks import file_checks as kept_of
from machinectl.doctor.this_computer import store_checks
from machinectl.errors import MachineError
from machinectl.hosts.certificate_files import signed
from machinectl.hosts.identity import Identity, store_pending
from machinectl.hosts.login import Login
from machinectl.machines.record import OPTIONAL, REQUIRED, Machine, Phase
from machinectl.machines.store import Store
from machinectl.provision.facts.health import Health, Memory
from machinectl.provision.facts.host_facts import parse_facts
from machinectl.provision.host_changes import FileCreated
from machinectl.state import State
from tests.support import hostile_engine, hostile_ssh, program, servers
from tests.support.driver import StandIn
from tests.support.in_process import machinectl
from tests.support.program import started, typed_at_terminal
from tests.support.quiet import Quiet
from tests.support.registered import added, register
from tests.support.servers import serving
from tests.support.several_addresses import Certificates

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.check import Check
    from tests.support.dockerd import Dockerd
    from tests.support.servers import Behaviour
    from tests.support.sshd import Sshd

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("ssh_config")]
FACTS = Path(__file__).parents[1] / "provision" / "facts"
OK, BROKEN, UNKNOWN = Verdict.OK, Verdict.BROKEN, Verdict.UNKNOWN


def machine_at(store: Store, url: str, *, directory: Path | None = None) -> Machine:
    """A machine of driver none; on TLS where a directory has its certificates."""
    files = {path.name: path.read_bytes() for path in directory.iterdir()} if directory else {}
    machine = Machine("orion", "none", url=url, tls=bool(files))
    machine.driver_state = json.dumps({"URL": url})
    return added(store, machine, files)


def looked_at(store: Store, timeout: float = 5, name: str = "orion") -> dict[str, Check]:
    return {check.title: check for check in check_machine(store, Quiet(), name, Login(), timeout)}


def verdicts(checks: dict[str, Check]) -> dict[str, Verdict]:
    return {title: check.verdict for title, check in checks.items()}


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_engine_that_is_well_is_seen_step_by_step(store: Store, dockerd: Dockerd) -> None:
    machine_at(store, dockerd.url, directory=dockerd.directory)
    before = kept(store)
    checks = looked_at(store)
    assert kept(store) == before
    of_engine = ["Name", "TCP", "TLS", "Served certificate", "Engine", "API version", "Clock"]
    assert list(checks) == ["Record", "Modes", "Certificates", *of_engine, "SSH and host key"]
    assert checks["SSH and host key"].seen.startswith("not used: ")
    assert set(verdicts(checks).values()) == {OK}
    assert "not made by machinectl" in checks["Served certificate"].seen


def kept(store: Store) -> dict[str, tuple[int, int, int]]:
    """All there is in a store, with when it was written."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns)
        for path in sorted(Path(store.root).rglob("*"))
    }


def test_certificates_of_ours_that_are_missing_are_renewed_and_not_asked_for(store: Store, dockerd: Dockerd) -> None:
    machine_at(store, dockerd.url, directory=dockerd.directory)
    Path(store.directory("orion"), "cert.pem").unlink()
    asked = {check.hint for check in looked_at(store).values() if "certs" in check.hint}
    assert all("certs import" in hint for hint in asked)
    with store.writing("orion") as held:
        held.keep_changes([FileCreated("/etc/x")])
        held.write_file("ca-key.pem", b"")
    checks = looked_at(store)
    assert checks["Certificates"].hint == checks["TLS"].hint == "Replace them: machinectl provision orion"
    assert not any("certs" in check.hint for check in checks.values())


def test_what_depends_on_what_failed_is_not_claimed(store: Store, dockerd: Dockerd) -> None:
    with servers.unlistened() as port:
        machine_at(store, f"tcp://127.0.0.1:{port}", directory=dockerd.directory)
        checks = looked_at(store)
    assert checks["TCP"].verdict is BROKEN
    for title in ("TLS", "Served certificate", "Engine", "Clock"):
        assert checks[title].verdict is UNKNOWN
        assert checks[title].seen.startswith("not checked: ")
    added(store, Machine("nowhere", "none", url="tcp://nowhere.invalid:2375"))
    checks = looked_at(store, name="nowhere")
    assert checks["Name"].verdict is BROKEN
    assert verdicts(checks)["TCP"] is verdicts(checks)["Engine"] is UNKNOWN


@pytest.mark.parametrize(
    ("ca", "age", "tls", "served"),
    [
        (certs.new_ca("somebody's CA"), 0, "another CA", "CN=127.0.0.1"),
        (None, certs.SERVER_DAYS + 5, "has expired", "it has expired"),
    ],
)
def test_a_certificate_that_is_refused_is_shown_as_what_it_is(
    store: Store, dockerd: Dockerd, ca: certs.Pair | None, age: int, tls: str, served: str
) -> None:
    made = Certificates(Path(), ca or dockerd.ca, certs.issue_client(dockerd.ca, "me"))
    context = made.server("127.0.0.1", now=datetime.now(UTC) - timedelta(days=age))
    with serving(servers.engine, context) as port:
        machine_at(store, f"tcp://127.0.0.1:{port}", directory=dockerd.directory)
        checks = looked_at(store)
    assert tls in checks["TLS"].seen
    assert served in checks["Served certificate"].seen


def test_a_client_that_the_engine_refuses_is_told_where_it_is_refused(store: Store, dockerd: Dockerd) -> None:
    stranger = certs.issue_client(certs.new_ca("other"), "me")
    machine_at(store, dockerd.url, directory=dockerd.client(Path("stranger"), stranger))
    checks = looked_at(store)
    assert checks["TLS"].verdict is OK
    assert "refuses the client certificate" in checks["Engine"].seen


def test_certificates_that_are_pending_are_those_that_the_engine_may_be_serving(store: Store, dockerd: Dockerd) -> None:
    stranger = certs.issue_client(certs.new_ca("other"), "me")
    machine_at(store, dockerd.url, directory=dockerd.client(Path("stranger"), stranger))
    with store.writing("orion") as held:
        store_pending(held, Identity.read(str(dockerd.directory)))
    before = kept(store)
    checks = looked_at(store)
    assert kept(store) == before
    assert verdicts(checks)["TLS"] is verdicts(checks)["Engine"] is verdicts(checks)["Served certificate"] is OK
    assert (checks["Record"].verdict, checks["Record"].hint) == (UNKNOWN, "Settle it: machinectl provision orion")


def test_what_is_told_of_a_socket(store: Store, dockerd: Dockerd) -> None:
    machine_at(store, f"unix://{dockerd.socket}")
    checks = looked_at(store)
    assert verdicts(checks)["Socket"] is verdicts(checks)["Engine"] is OK
    assert "Certificates" not in checks
    added(store, Machine("gone", "none", url="unix:///nowhere.sock"))
    assert looked_at(store, name="gone")["Socket"].hint == "Start the engine: sudo systemctl start docker"


def test_an_engine_without_tls_works_and_is_worth_a_look(store: Store) -> None:
    with serving(servers.engine) as port:
        machine_at(store, f"tcp://127.0.0.1:{port}")
        checks = looked_at(store)
    assert checks["Engine"].verdict is OK
    assert checks["TLS"].verdict is UNKNOWN


@pytest.mark.parametrize(("client", "verdict"), [("1.50", OK), ("1.44", OK), ("1.41", BROKEN), ("", UNKNOWN)])
def test_an_engine_that_no_longer_understands_the_docker_cli_here_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, client: str, verdict: Verdict
) -> None:
    docker = Path("docker")
    docker.write_text(f"#!/bin/sh\necho {client}; exit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path.cwd()}:{os.environ['PATH']}")
    with serving(servers.ENGINES["29.1.3"]) as port:
        machine_at(store, f"tcp://127.0.0.1:{port}")
        found = looked_at(store)["API version"]
    assert found.verdict is verdict
    assert "the engine speaks 1.44 to 1.52" in found.seen


def test_a_clock_is_read_off_the_engines_answers(store: Store) -> None:
    ahead = "Date: Fri, 01 Jan 2100 00:00:00 GMT\r\n"

    def behaviour(connection: servers.Connection) -> None:
        while request := connection.request():
            connection.send(servers.answer(b"OK" if b" /_ping " in request else servers.VERSION, headers=ahead))

    with serving(behaviour) as port:
        machine_at(store, f"tcp://127.0.0.1:{port}")
        clock = looked_at(store)["Clock"]
    assert clock.verdict is BROKEN
    assert "ahead of the clock here" in clock.seen


@pytest.mark.parametrize("name", [*hostile_engine.ENDING, *hostile_engine.ENDLESS][::3])
def test_an_engine_that_means_harm_keeps_nobody_and_moves_no_cursor(name: str) -> None:
    behaviour: Behaviour = {**hostile_engine.ENDING, **hostile_engine.ENDLESS}[name]
    with serving(behaviour) as port:
        way = reach_engine(Machine("orion", "none", url=f"tcp://127.0.0.1:{port}"), 0.5)
    for check in way.checks:
        assert (check.seen + check.hint).isprintable()
    # One that resets may do so while it is being reached: then nothing is said of TLS.
    assert [check.title for check in way.checks if check.title != "TLS"] == ["Name", "TCP", "Engine"]


@pytest.mark.parametrize("name", [*hostile_ssh.ENDING][::4])
def test_a_host_that_means_harm_is_told_as_what_it_is(
    store: Store, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("machinectl.ssh.openssh.openssh_session.LOGIN_SECONDS", 1.0)
    behaviour, _ = hostile_ssh.ENDING[name]
    with serving(behaviour) as port:
        monkeypatch.setattr(sshd, "port", port)
        register(store, "orion", sshd, pinned=False)
        checks = looked_at(store, timeout=2)
    assert checks["SSH and host key"].verdict is not OK
    assert checks["SSH and host key"].seen.isprintable()
    assert verdicts(checks)["Root"] is verdicts(checks)["Host"] is UNKNOWN


def test_a_host_key_that_nothing_is_known_of_is_neither_trusted_nor_kept(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd, pinned=False)
    before = kept(store)
    checks = looked_at(store)
    assert checks["SSH and host key"].verdict is UNKNOWN
    assert "not logged in" in checks["SSH and host key"].seen
    assert checks["SSH and host key"].hint.endswith("machinectl ssh orion true")
    assert kept(store) == before
    assert not Path(os.environ["HOME"], ".ssh", "known_hosts").exists()
    register(store, "rigel", sshd)
    assert looked_at(store, name="rigel")["SSH and host key"].seen.endswith("whose key is pinned")


def test_a_record_that_is_none_or_docker_machines_is_all_there_is_to_say(store: Store) -> None:
    machine = machine_at(store, "tcp://192.0.2.7:2375")
    Path(machine.directory, "machine.json").write_text("[]")
    [check] = looked_at(store).values()
    assert (check.title, check.verdict) == ("Record", BROKEN)
    assert check.hint.endswith("machinectl rm -f orion")
    theirs = Path(store.directory("old"))
    theirs.mkdir(parents=True)
    (theirs / "config.json").write_text("{}")
    [check] = looked_at(store, name="old").values()
    assert check.verdict is UNKNOWN
    assert "import --from-docker-machine" in check.hint


def test_a_host_that_was_not_changed_yet_is_not_examined(store: Store) -> None:
    half = Machine("orion", "generic", url="tcp://127.0.0.1:1", tls=True)
    half.phase = Phase.CREATING
    added(store, half)
    assert looked_at(store)["Record"].hint == "Create it again; or remove it: machinectl rm orion"
    with store.writing("orion") as held:
        held.machine.phase = Phase.PROVISIONING
        held.write()
    checks = looked_at(store)
    assert [title for title, check in checks.items() if not check.is_unseen] == ["Record"]
    assert checks["Record"].hint == "Continue: machinectl provision orion; or remove it: machinectl rm orion"
    with store.writing("orion") as held:
        held.machine.changes = (FileCreated("/etc/docker/machinectl/ca.pem"),)
        held.write()
    back = "or remove it: machinectl rm --purge orion"
    assert looked_at(store)["Record"].hint == f"Continue: machinectl provision orion; {back}"
    assert f"; {back}\n" in machinectl("env", "orion", store=store.root).stderr
    # Its engine does not listen yet.
    assert looked_at(store)["TCP"].hint == "Finish its set-up: machinectl provision orion"


def test_a_host_that_its_driver_knows_to_be_off_is_switched_on(store: Store, use: Callable[[StandIn], None]) -> None:
    use(StandIn(knows=lambda: State.STOPPED))
    added(store, Machine("orion", "fake", url="tcp://192.0.2.7:2376"))
    checks = looked_at(store)
    assert (checks["State"].verdict, checks["State"].hint) == (BROKEN, "Start it: machinectl start orion")
    assert verdicts(checks)["Engine"] is verdicts(checks)["Host"] is UNKNOWN


def test_a_driver_that_never_answers_is_not_waited_for(store: Store, use: Callable[[StandIn], None]) -> None:
    over = threading.Event()

    def never() -> State | None:
        over.wait()
        return None

    use(StandIn(knows=never))
    added(store, Machine("orion", "fake", url="tcp://127.0.0.1:1"))
    try:
        assert looked_at(store, timeout=0.1)["TCP"].verdict is BROKEN
    finally:
        over.set()


def test_a_machine_that_somebody_is_working_on_is_not_called_broken(store: Store) -> None:
    machine_at(store, "tcp://127.0.0.1:1")
    with store.writing("orion"):
        record = looked_at(store)["Record"]
    assert record.verdict is UNKNOWN
    assert "another run of machinectl" in record.seen


def test_many_are_told_under_their_names_in_the_order_given(store: Store) -> None:
    for name in ("m10", "m2"):
        added(store, Machine(name, "none", url="tcp://127.0.0.1:1"))
    done = machinectl("doctor", "m10", "ghost", "m2", store=store.root)
    assert done.returncode == 1
    headings = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.partition(": ")[0] for line in headings] == ["✗ m10", "✗ m2", "✗ This computer"]

    assert 'Docker machine "ghost" does not exist' in done.stderr
    done = machinectl("doctor", "ghost", "--json", store=store.root)
    assert (done.returncode, done.stdout) == (1, "")


def test_an_interrupt_ends_it_at_once(store: Store, dockerd: Dockerd) -> None:
    asked = threading.Event()

    def behaviour(connection: servers.Connection) -> None:
        asked.set()
        connection.hold()

    with serving(behaviour) as port:
        machine_at(store, f"tcp://127.0.0.1:{port}", directory=dockerd.directory)
        with started(
            *("doctor", "-t", "3600", "orion"),
            store=store.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert asked.wait(30)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert process.stderr
            assert b"Traceback" not in process.stderr.read()


def test_a_terminal_shows_ticks_in_colour_and_an_encoding_without_them_letters(store: Store) -> None:
    machine_at(store, "tcp://127.0.0.1:1")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    plain = program.machinectl("doctor", "-v", "orion", store=store.root, environment=ascii_only)
    assert plain.stdout.startswith("x orion: 1 broken, ")
    assert "\n  v Record " in plain.stdout
    assert "\n  x TCP " in plain.stdout
    shown = typed_at_terminal("doctor", "-v", "orion", store=store.root, environment={"NO_COLOR": ""})
    assert "\x1b[32m✓\x1b[0m Record" in shown
    assert "\x1b[31m✗\x1b[0m TCP" in shown


EVIL = "\x1b[2J\x1b]0;pwned\x07\r\x9b2J\u202e\n  \u2713 Record  whole"


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "orion"), ("doctor", "orion", "--json")])
def test_a_record_of_somebody_elses_making_moves_no_cursor_and_passes_for_no_check(
    store: Store, arguments: tuple[str, ...]
) -> None:
    machine = machine_at(store, "tcp://127.0.0.1:1")
    with store.writing("orion") as held:
        held.machine.phase = Phase.PROVISIONING
        held.machine.failure = {"cause": EVIL.replace("\n", "\t")}
        held.machine.labels = {EVIL: EVIL}
        held.write()
    Path(machine.directory, EVIL.replace("/", "")).touch()
    done = machinectl(*arguments, store=store.root)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    assert "\n  ✓ Record  whole" not in done.stdout


@given(st.dictionaries(st.sampled_from([*REQUIRED, *OPTIONAL]), st.sampled_from([0, "", EVIL, [], {}, [EVIL], None])))
def test_whatever_a_record_holds_the_store_is_judged(record: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as root:
        store = Store(root)
        added(store, Machine("well", "none", url="tcp://192.0.2.7:2375"))
        whole = {"schema": 1, "driver": "none", "url": "tcp://127.0.0.1:1", "tls": False, **record}
        Path(root, "machines", "odd").mkdir()
        Path(root, "machines", "odd", "machine.json").write_text(json.dumps(whole))
        assert [check for check in store_checks(store) if check.title == "Records"]
        with suppress(MachineError):
            assert of_host_and_store(store.read("odd"), store)


def of_host_and_store(machine: Machine, store: Store) -> list[Check]:
    """What is judged of a machine where the host is one that answers."""
    facts = parse_facts((FACTS / "provisioned").read_bytes())
    health = Health((), Memory(0, 0, 0, 0))
    inside = Inside((), Shell(machine.name), facts, health, timedelta())
    return [*kept_of(store, machine), *all_checks(machine, reach_engine(machine, 0.2), inside, "1.50")]


def test_the_computer_that_changed_the_host_since_is_named(store: Store) -> None:
    ca = certs.new_ca("machinectl orion")
    files = signed(ca, certs.issue_server(ca, ["192.0.2.1"]), certs.issue_client(ca, "orion")).present
    machine = added(store, Machine("orion", "none", url="tcp://192.0.2.1:2376", tls=True), files)
    host = parse_facts((FACTS / "provisioned").read_bytes())
    shell = Shell("orion", "sudo")
    host = replace(host, revision="7 run 2026-11-28T20:00:00Z bob@desk")
    found = record_comparison(machine, machine.directory, host, shell)
    assert found.seen.startswith("changed by bob@desk at 2026-11-28 20:00:00 UTC: ")
