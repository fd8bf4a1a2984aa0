"""Taking over docker-machine's store: what each machine in it becomes, and that the store stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from machinectl.errors import MachineError, UsageError
from machinectl.exports.docker_machine_import import ImportedMachine, import_docker_machine
from machinectl.machines.machine_driver import ssh_endpoint
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.docker_machine import OldStore
from tests.support.in_process import machinectl
from tests.support.program import COMMAND, killed_at
from tests.support.quiet import Quiet
from tests.support.registered import added
from tests.support.strange_files import STRANGE, a_link_to_itself

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n"
HOST = {"IPAddress": "192.0.2.7"}
CERTIFICATES = ["ca.pem", "cert.pem", "key.pem"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> OldStore:
    """A store that nobody changes: RSA keys take their time."""
    return OldStore(tmp_path_factory.mktemp("kept") / "machine")


@pytest.fixture
def old(kept: OldStore, tmp_path: Path) -> OldStore:
    """A store to put machines into."""
    return kept.copied(tmp_path / "old")


class Run:
    """A run of the verb: what became of each machine, and what failed."""

    def __init__(self, store: Store, old: OldStore, **options: Any) -> None:
        results = dict(import_docker_machine(store, Quiet(), str(old.root), **options))
        self.became = {name: moved for name, moved in results.items() if isinstance(moved, ImportedMachine)}
        self.errors = {name: str(error) for name, error in results.items() if isinstance(error, MachineError)}

    def remarks(self, name: str) -> str:
        """Its remarks with their hints, a line for each."""
        return "\n".join(f"{text}. {hint}" for text, hint in self.became[name].remarks)


def whole(store: Store) -> dict[str, bytes]:
    root = Path(store.root)
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()} if root.exists() else {}


def test_a_generic_machine_becomes_ours_with_all_that_opens_it(store: Store, old: OldStore) -> None:
    engine: dict[str, Any] = {
        "Labels": ["rack=7"],
        "ArbitraryFlags": ["log-level=warn"],
        "Env": ["HTTP_PROXY=http://p:3128"],
    }
    engine |= {"InsecureRegistry": ["r:5000"], "RegistryMirror": ["https://m"], "StorageDriver": "overlay2"}
    directory = old.add_host("web", KEY, state={"SSHPort": 2222}, **engine)
    before = old.snapshot()
    run = Run(store, old)
    assert not run.errors
    assert run.became["web"].new
    assert run.became["web"].remarks == ()
    machine = store.read_ready("web")
    assert (machine.driver, machine.url, machine.tls) == ("generic", "tcp://192.0.2.7:2376", True)
    assert machine.labels == {"rack": "7"}
    assert machine.engine.options == ("log-level=warn",)
    assert machine.engine.env == ("HTTP_PROXY=http://p:3128",)
    assert machine.engine.insecure_registries == ("r:5000",)
    assert machine.engine.registry_mirrors == ("https://m",)
    assert (machine.engine.storage_driver, machine.engine.install_url) == ("overlay2", "")
    ssh = ssh_endpoint(machine)
    assert (ssh.host, ssh.user, ssh.port) == ("192.0.2.7", "ops", 2222)
    assert Path(ssh.key).read_bytes() == KEY
    ours = Path(machine.directory)
    for file in [*CERTIFICATES, "server.pem", "server-key.pem"]:
        assert describe(ours / file) == describe(directory / file)
    ours_alone = {"server.pem", "server-key.pem", "id_ssh", "machine.json"}
    assert {path.name for path in ours.iterdir()} == {*CERTIFICATES, *ours_alone}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in ours.iterdir())
    assert old.snapshot() == before


def describe(file: Path) -> str:
    """A certificate or a key, however it is written down."""
    words = ["x509"] if file.name[:-4] in {"ca", "cert", "server"} else ["pkey"]
    done = subprocess.run(["openssl", *words, "-in", str(file), "-outform", "DER"], capture_output=True, check=True)
    return done.stdout.hex()


def test_what_only_docker_machine_can_manage_or_reach_is_left_out_in_one_sentence(store: Store, old: OldStore) -> None:
    old.add_host("web", KEY, driver="amazonec2")
    skipped = machinectl("import", "--from-docker-machine", old.root, store=store.root)
    assert (skipped.returncode, skipped.stdout, store.names()) == (0, "web: skipped\n", [])
    assert 'Warning: "web" is skipped: docker-machine\'s driver amazonec2 made its host\n' in skipped.stderr
    assert "machinectl create <USER>@<ADDRESS> web\n" in skipped.stderr
    old.add("nowhere", "none", {"URL": ""})
    done = machinectl("import", "--from-docker-machine", old.root, store=store.root)
    assert (done.returncode, store.names()) == (1, [])
    assert "machinectl create -d none --url <URL> nowhere\n" in done.stderr


def test_a_dry_run_says_the_same_and_writes_nothing(store: Store, old: OldStore) -> None:
    old.add_host("web", KEY)
    old.add("gce", "google", {})
    (old.add("bad", "generic", {}) / "config.json").write_text("{")
    before = old.snapshot()
    dry, real = Run(store, old, dry_run=True), None
    assert not os.path.exists(store.root)
    real = Run(store, old)
    assert dry.errors == real.errors
    assert dry.became.keys() == real.became.keys()
    assert old.snapshot() == before


def test_a_second_run_changes_nothing_whatever_was_done_since(store: Store, old: OldStore, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        old.add_host(name, KEY)
    Run(store, old)
    assert machinectl("rename", "b", "bee", store=store.root).returncode == 0
    assert machinectl("set", "--url", "tcp://192.0.2.9:2376", "c", store=store.root).returncode == 0
    before = whole(store)
    again = Run(store, old)
    assert not again.errors
    assert {name: moved.here.name for name, moved in again.became.items()} == {"a": "a", "b": "bee", "c": "c"}
    assert not any(moved.new for moved in again.became.values())
    assert whole(store) == before
    # A copy of the store tells of the same host, where that is where it was.
    elsewhere = old.copied(tmp_path / "copy")
    shutil.rmtree(elsewhere.root / "machines" / "b")
    shutil.rmtree(elsewhere.root / "machines" / "c")
    assert not Run(store, elsewhere).became["a"].new


BROKEN: list[tuple[str | dict[str, Any], str]] = [
    ("", "Expecting value"),
    ("[" * 100_000, "recursion"),
    ('{"Driver": "x"}', "its Driver is not a JSON object"),
    ({"Driver": {"IPAddress": "a\x1b[2J"}}, 'its "IPAddress" is no text of one line'),
    ({"Driver": {"IPAddress": "$(touch x)"}}, "touch x"),
    ({"Driver": {"IPAddress": "-oProxyCommand=x"}}, "-oProxyCommand=x"),
    ({"Driver": {"IPAddress": "192.0.2.7", "SSHUser": "-oProxyCommand=x"}}, "-oProxyCommand=x"),
    ({"Driver": {"IPAddress": "192.0.2.7", "SSHPort": 65536}}, 'its "SSHPort" is no port'),
    ({"Driver": HOST, "HostOptions": {"EngineOptions": {"Labels": "x"}}}, 'its "Labels" is no list of texts'),
    ({"Driver": HOST, "HostOptions": {"EngineOptions": {"Env": ["a\nb"]}}}, 'its "Env" is no list of texts'),
    ({"DriverName": "x" * 5000}, 'its "DriverName" is no text of one line'),
    ({"HostOptions": ["x"]}, "its HostOptions is not a JSON object"),
]


def test_broken_records_are_told_in_a_line_each_and_stop_nobody(store: Store, old: OldStore) -> None:
    for number, (record, _) in enumerate(BROKEN):
        text = (
            record
            if isinstance(record, str)
            else json.dumps({"ConfigVersion": 3, "Driver": {}, "DriverName": "generic"} | record)
        )
        (old.add(f"bad{number}", "generic", {}) / "config.json").write_text(text)
    for name in ("a", "z"):
        old.add_host(name, KEY)
    run = Run(store, old)
    whys = {f"bad{number}": why for number, (_, why) in enumerate(BROKEN)}
    assert run.errors.keys() == whys.keys()
    assert [error for name, error in run.errors.items() if whys[name] not in error or not error.isprintable()] == []
    assert store.names() == ["a", "z"]


def nothing(_: Path) -> None:
    pass


NO_FILES = [*STRANGE, a_link_to_itself, nothing]


def test_what_lies_in_a_keys_or_a_records_place_is_not_read(store: Store, old: OldStore) -> None:
    for number, strange in enumerate(NO_FILES):
        for name, file in ((f"key{number}", "id_rsa"), (f"record{number}", "config.json")):
            path = old.add_host(name, KEY) / file
            path.unlink()
            strange(path)
    run = Run(store, old)
    assert run.errors.keys() == {f"record{number}" for number, _ in enumerate(NO_FILES)}
    for number, _ in enumerate(NO_FILES):
        name = f"key{number}"
        assert f"machinectl set --ssh-key <FILE> {name}" in run.remarks(name)
        assert ssh_endpoint(store.read_ready(name)).key == ""
        assert not os.path.lexists(os.path.join(store.directory(name), "id_ssh"))


@pytest.mark.parametrize(
    ("path", "is_there", "is_taken", "remark"),
    [
        # What leads into the system is not waited for.
        ("/dev/stdin", False, False, "its SSH key /dev/stdin "),
        ("/proc/kmsg", False, False, "its SSH key /proc/kmsg "),
        # A key is looked for by its name alone.
        ("../../../etc/shadow", True, False, "SSH key"),
        ("..", True, False, "SSH key"),
        ("x" * 4000, True, False, "SSH key"),
        ("C:\\Users\\me\\machines\\web\\id_rsa", True, True, ""),
        # The user's own keys open it.
        ("", False, False, ""),
    ],
)
def test_a_key_is_taken_from_its_machines_directory_alone(
    store: Store, old: OldStore, path: str, is_there: bool, is_taken: bool, remark: str
) -> None:
    key = old.add_host("web", KEY, state={"SSHKeyPath": path}) / "id_rsa"
    if not is_there:
        key.unlink()
    run = Run(store, old)
    assert (ssh_endpoint(store.read_ready("web")).key != "") is is_taken
    assert remark in run.remarks("web")
    assert bool(run.remarks("web")) is bool(remark)


def test_certificates_that_do_not_belong_together_are_left_and_the_machine_is_taken(
    store: Store, old: OldStore
) -> None:
    directory = old.add_host("web", KEY)
    shutil.copy(directory / "server-key.pem", directory / "key.pem")
    os.mkfifo(old.add_host("pipe", KEY) / "ca2.pem")
    (old.root / "machines/pipe/ca2.pem").replace(old.root / "machines/pipe/ca.pem")
    run = Run(store, old)
    for name in ("web", "pipe"):
        assert f"machinectl provision {name}" in run.remarks(name)
        assert not (Path(store.directory(name)) / "cert.pem").exists()
    assert "key.pem" in run.remarks("web")


def test_a_servers_certificate_of_another_ca_stays_behind(store: Store, old: OldStore) -> None:
    directory = old.add_host("web", KEY)
    shutil.copy(directory / "key.pem", directory / "server-key.pem")
    Run(store, old)
    assert sorted(os.listdir(store.directory("web"))) == sorted([*CERTIFICATES, "id_ssh", "machine.json"])


def test_a_none_machine_has_the_certificates_beside_it_and_may_import_those_of_its_store(
    store: Store, old: OldStore
) -> None:
    url = {"URL": "tcp://192.0.2.8:2376", "IPAddress": "192.0.2.8:2376"}
    own = old.add("own", "none", {**url, "SSHKeyPath": ""})
    for file in CERTIFICATES:
        shutil.copy(old.root / "certs" / file, own)
    old.add("open", "none", {"URL": "tcp://open.lan"})
    old.add("plain", "none", {"URL": "tcp://192.0.2.8:2375"})
    old.add("socket", "none", {"URL": "unix:///var/run/docker.sock"})
    run = Run(store, old)
    [certificates] = [name for name in store.names() if (Path(store.directory(name)) / "cert.pem").exists()]
    assert certificates == "own"
    assert {name for name in store.names() if store.read_ready(name).tls} == {"own", "open"}
    assert all(store.read(name).driver == "none" for name in store.names())
    command = run.remarks("open").partition("machinectl ")[2]
    assert machinectl(*command.split(), store=store.root).returncode == 0
    assert (Path(store.directory("open")) / "cert.pem").exists()


def test_the_cas_key_stays_where_it_is(store: Store, old: OldStore) -> None:
    shutil.copy(old.root / "certs/ca-key.pem", old.add_host("web", KEY))
    Run(store, old)
    assert old.ca.key not in whole(store).values()
    assert not (Path(store.directory("web")) / "ca-key.pem").exists()


def test_names_that_are_taken_are_told_also_by_case_and_nothing_is_lost(store: Store, old: OldStore) -> None:
    added(store, Machine("web", "none", url="tcp://192.0.2.99:2376"))
    added(store, Machine("DB", "none", url="tcp://192.0.2.98:2376"))
    for name in ("web", "db", "free"):
        old.add_host(name, KEY)
    before = whole(store)
    run = Run(store, old)
    assert set(run.errors) == {"web", "db"}
    assert 'there is another machine "DB" here' in run.errors["db"]
    assert store.names() == ["DB", "free", "web"]
    assert {path: data for path, data in whole(store).items() if path in before} == before
    again = machinectl("import", "--from-docker-machine", old.root, store=store.root)
    assert again.returncode == 1
    assert again.stderr.endswith("\nNothing was imported\n")
    assert machinectl("rename", "DB", "other", store=store.root).returncode == 0
    assert list(Run(store, old).errors) == ["web"]


def test_what_the_engine_could_not_be_asked_is_told_without_its_secrets(store: Store, old: OldStore) -> None:
    engine: dict[str, Any] = {
        "ArbitraryFlags": ["host=tcp://0.0.0.0:1", "debug"],
        "Env": ["A=b", "not a name=hunter2"],
    }
    old.add_host("web", KEY, **engine)
    run = Run(store, old)
    machine = store.read("web")
    assert machine.engine.options == ("debug",)
    assert machine.engine.env == ("A=b",)
    machine.engine.check()
    said = run.remarks("web")
    assert "--engine-opt host=tcp://0.0.0.0:1, --engine-env not a name" in said
    assert "hunter2" not in said


def test_a_store_cannot_be_taken_over_into_itself(old: OldStore, tmp_path: Path) -> None:
    old.add_host("web", KEY)
    before = old.snapshot()
    link = tmp_path / "link"
    link.symlink_to(old.root)
    for ours in (old.root, link):
        with pytest.raises(UsageError, match="is docker-machine's store"):
            list(import_docker_machine(Store(str(ours)), Quiet(), str(old.root)))
    assert old.snapshot() == before


def test_who_has_docker_machines_variable_set_is_told_what_to_type(old: OldStore, tmp_path: Path) -> None:
    old.add_host("web", KEY)
    before = old.snapshot()
    environment = {"MACHINE_STORAGE_PATH": str(old.root), "HOME": str(tmp_path / "home")}
    listed = machinectl("ls", environment=environment)
    assert f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {old.root}" in listed.stdout
    for words in (("import", "--from-docker-machine"), ("env", "web")):
        refused = machinectl(*words, environment=environment)
        assert refused.returncode in {1, 2}
        command = f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {old.root}"
        assert command in refused.stderr
    typed = command.replace("machinectl", " ".join(COMMAND), 1)
    done = subprocess.run(
        ["sh", "-c", typed], env={**os.environ, **environment}, capture_output=True, check=False, text=True
    )
    assert done.stdout == "web: imported (driver generic, tcp://192.0.2.7:2376)\n"
    assert (tmp_path / "home/.local/share/machinectl/machines/web/machine.json").exists()
    # The same where the store was named on the command line.
    refused = machinectl("-s", old.root, "env", "web")
    hint = f"machinectl -s {tmp_path}/home/.local/share/machinectl import --from-docker-machine {old.root}\n"
    assert refused.stderr.endswith(hint)
    again = machinectl(*hint.split()[1:])
    assert (again.returncode, again.stdout) == (0, "web: here already\n")
    assert old.snapshot() == before


def test_a_machine_that_only_docker_machine_has_yet_is_told_with_what_takes_it_over(
    old: OldStore, tmp_path: Path
) -> None:
    old.add_host("web", KEY)
    usual = tmp_path / "home/.docker/machine"
    usual.parent.mkdir()
    usual.symlink_to(old.root)
    done = machinectl("env", "web")
    assert (done.returncode, done.stdout) == (1, "")
    missing, hint = done.stderr.splitlines()
    assert missing.startswith('Docker machine "web" does not exist. Use "machinectl ls"')
    assert machinectl(*hint.partition("machinectl ")[2].split()).stdout.startswith("web: imported")
    assert machinectl("url", "web").stdout == "tcp://192.0.2.7:2376\n"
    assert "docker-machine has it" not in machinectl("env", "other").stderr


def test_a_run_that_is_killed_anywhere_leaves_whole_machines_and_the_next_one_finishes(
    old: OldStore, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        old.add_host(name, KEY)
    before = old.snapshot()
    number, died = 1, True
    while died:
        root = tmp_path / f"store{number}"
        done = killed_at(number, root, "import", "--from-docker-machine", old.root)
        died = done.returncode == -signal.SIGKILL
        store = Store(str(root))
        for name in store.names():
            assert_whole(store, name)
        assert not Run(store, old).errors
        assert store.names() == ["a", "b"]
        assert not os.path.exists(store.staging) or os.listdir(store.staging) == []
        number += 15
    assert number > 20
    assert old.snapshot() == before


def assert_whole(store: Store, name: str) -> None:
    machine = store.read_ready(name)
    assert Path(ssh_endpoint(machine).key).read_bytes() == KEY
    assert all(os.path.getsize(os.path.join(machine.directory, file)) for file in CERTIFICATES)


def test_no_machine_is_made_in_docker_machines_store(old: OldStore, tmp_path: Path) -> None:
    before = old.snapshot()
    environment = {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": ""}
    words = ("create", "-d", "none", "--url", "unix:///run/docker.sock", "new")
    refused = machinectl(*words, store=old.root, environment=environment)
    assert refused.returncode == 2
    assert "is docker-machine's store: its rm would delete a machine that machinectl keeps there" in refused.stderr
    take_over = f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {old.root}"
    assert take_over in refused.stderr
    for more in ((), ("--dry-run",)):
        refused = machinectl("-s", old.root, *words, *more, environment=environment)
        assert "Choose another store: machinectl --storage-path <DIR> ls" in refused.stderr
    assert old.snapshot() == before
