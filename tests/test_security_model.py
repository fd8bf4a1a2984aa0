"""Prove each sentence of docs/security.md by a run."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from machinectl import certs
from machinectl.errors import MachineError
from machinectl.exports.age import is_age_file
from machinectl.files.atomic import StoreError
from machinectl.hosts.certificate_files import renewed_identity
from machinectl.hosts.identity import Identity
from machinectl.machines.engine_options import EngineOptions
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.verbs.certs import create_certificates, issue_client
from tests import test_hostile_records, test_strange_files
from tests.access import test_access_lab, test_pasted_text, test_requesting, test_two_homes, test_wire_format
from tests.certs import test_certs_docker
from tests.cli import test_use
from tests.docker_cli import test_contexts, test_env
from tests.engine import test_probe
from tests.exports import test_exporting
from tests.files import test_spool_directory
from tests.hosts import (
    test_addresses,
    test_answering_host,
    test_setup,
    test_trust_change_lab,
)
from tests.hosts.test_create_lab import decoded, telling_of_programs
from tests.hosts.test_setup_lab import IMAGE, RUN
from tests.lab.image import PASSWORD
from tests.lab.place import KEY
from tests.provision import test_host_changes, test_install_script, test_ssh_only
from tests.ssh import test_authentication, test_connect
from tests.support import servers
from tests.support.at_shell import at_shell
from tests.support.docker_machine import OldStore
from tests.support.in_process import machinectl
from tests.support.lab_cli import generic
from tests.support.program import COMMAND
from tests.support.real import need
from tests.support.registered import added, register
from tests.support.servers import serving
from tests.support.sshd import keygen, public
from tests.tunnels import test_engine_socket, test_forward, test_port_forwarder, test_socket
from tests.verbs import test_run_persist

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.fixtures import FreshHost
    from tests.support.dockerd import Dockerd
    from tests.support.lab_cli import Cli
    from tests.support.sshd import SSHConfig, Sshd

ROOT = Path(__file__).parents[1]
SECRET = "53cret"
PROXY = f"HTTPS_PROXY=http://u:{SECRET}@10.0.0.1:3128"
# Those that have our snippet.
SHELLS = ["bash", "zsh", "fish"]
PROVED: list[str] = []


def proves(*sentences: str) -> Callable[..., Callable[..., None]]:
    """Register the sentences of the page that a test proves, or several that run where they are."""

    def mark(test: Callable[..., None], *_: Callable[..., None]) -> Callable[..., None]:
        PROVED.extend(sentences)
        return test

    return mark


def sentences() -> list[str]:
    """Return the sentences of what holds; one ends before a capital letter, code, a bold word or our name."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("## What holds\n")[2]
    found = []
    for paragraph in re.split(r"\n(?=- )|\n\n", text.strip()):
        found += re.split(
            r"(?:(?<=[.!?])|(?<=[.!?]\*\*)) (?=[A-Z`*]|machinectl )", " ".join(paragraph.removeprefix("- ").split())
        )
    return found


@proves("A test proves each sentence: `tests/test_security_model.py`.")
def test_each_sentence_is_proved() -> None:
    assert len(sentences()) == len(set(sentences()))
    assert set(sentences()) == set(PROVED)


def tls_machine(store: Store, url: str, directory: Path, name: str = "orion") -> None:
    """Register a machine with its own copy of a client's certificates."""
    machinectl("rm", "-y", name, store=store.root)
    done = machinectl("create", "-d", "none", "--url", url, "--tls-dir", directory, name, store=store.root)
    assert done.returncode == 0, done.stderr


def states(store: Store, name: str = "orion") -> tuple[str, int]:
    """Return a machine's state in `ls`, and the exit status of `docker version` after `env`."""
    need("docker")
    listed = machinectl("ls", "-f", "{{.State}} {{.Error}}", "--filter", f"name={name}", store=store.root).stdout
    script = f'eval "$({" ".join(COMMAND)} env {name})" && docker version >/dev/null 2>&1'
    variables = {**os.environ, "MACHINE_STORAGE_PATH": store.root}
    return listed.strip(), subprocess.run(["sh", "-c", script], env=variables, check=False).returncode


@proves(
    "**A client certificate is root.**",
    "The chain and the name of the engine's certificate are always checked.",
)
def test_a_client_of_the_engines_ca_is_root_and_nobody_else_is_let_in(
    store: Store, dockerd: Dockerd, tmp_path: Path
) -> None:
    anyone = dockerd.client(tmp_path / "anyone", certs.issue_client(dockerd.ca, "read-only"))
    tls_machine(store, dockerd.url, anyone)
    assert states(store) == ("Running", 0)
    marked = tmp_path / "made by root"
    script = (
        f'eval "$({" ".join(COMMAND)} env orion)"; cd /; '
        "image=$(tar -ch usr/bin/busybox $(ldd /usr/bin/busybox | grep -o '/[^ ]*') 2>/dev/null | docker import -); "
        "docker run --rm --network none --privileged -v /:/host $image /usr/bin/busybox "
        f"touch '/host{marked}'; status=$?; docker rmi $image >/dev/null; exit $status"
    )
    variables = {**os.environ, "MACHINE_STORAGE_PATH": store.root}
    done = subprocess.run(["sh", "-c", script], env=variables, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert marked.stat().st_uid == 0

    stranger = certs.new_ca("somebody else's")
    strangers = dockerd.client(tmp_path / "stranger", certs.issue_client(stranger, "test"))
    mistaken = dockerd.client(tmp_path / "ca", certs.issue_client(stranger, "test"), stranger.certificate)
    named = dockerd.url.replace("127.0.0.1", "127.0.0.2")
    for url, directory, why in (
        (dockerd.url, strangers, "refuses the client certificate"),
        (dockerd.url, mistaken, "from another CA"),
        (named, anyone, "not for 127.0.0.2"),
    ):
        if directory is strangers:
            machinectl("rm", "-y", "orion", store=store.root)
            files = {path.name: path.read_bytes() for path in strangers.iterdir()}
            added(store, Machine("orion", "none", url=url, tls=True), files)
        else:
            tls_machine(store, url, directory)
        state, by_docker = states(store)
        assert state.startswith("Error"), state
        assert why in state
        assert by_docker != 0


# These run where they are: each takes a real host.
proves(
    "The engine has no rights per client, and accepts every client that its CA, or the CA of one of its holders, has "
    "signed.",
    "Docker cannot revoke one certificate.",
    "`access` gives each [holder](access.md) a CA of its own, and `access end` locks out that holder.",
)(test_access_lab.test_a_colleague_gets_access_until_the_owner_ends_it)
proves("No other computer of yours gives that access back unasked, not even with `--no-ssh-only`.")(
    test_trust_change_lab.test_no_ended_holder_comes_back_by_another_computer_that_ends_ssh_only
)
proves("It names CAs that somebody added by hand on the host: their clients stay.")(
    test_trust_change_lab.test_holders_come_and_go_and_nobody_else_and_no_container_notices
)


proves(
    "Requests and answers of `access` hold no private key.",
    "The private key of a request stays on the computer that made it.",
)(test_two_homes.test_a_machine_is_shared_and_its_key_stays_where_it_was_made)


proves("No text in them can answer a question of machinectl, or pass for another fingerprint.")(
    test_wire_format.test_a_sender_cannot_vouch_for_another_text,
    test_requesting.test_labels_show_no_other_fingerprint,
    test_pasted_text.test_pieces_that_arrive_while_a_paste_is_dropped_are_dropped_too,
)


@proves("The files of `export` are always encrypted.")
@pytest.mark.usefixtures("little_work")
def test_every_export_is_encrypted(store: Store, tmp_path: Path) -> None:
    identity = renewed_identity(Machine("orion", "generic"), Identity(), ["orion"])
    machine = Machine("orion", "generic", url="tcp://192.0.2.1:2376", tls=True)
    machine.driver_state = json.dumps(test_hostile_records.SERVER)
    added(store, machine, identity.present)
    passphrase, recipient = tmp_path / "passphrase", public(keygen(tmp_path / "id"))
    passphrase.write_text(SECRET)
    ways: list[tuple[list[str | Path], int]] = [([], 1), (["--passphrase-file", passphrase], 0), (["-r", recipient], 0)]
    for number, (way, status) in enumerate(ways):
        file = tmp_path / f"{number}.age"
        for output in ("-", file):
            done = machinectl("export", "orion", "-o", output, "--with-ca-key", *way, store=store.root)
            assert done.returncode == status, done.stderr
            text = file.read_text(encoding="latin-1") if file.exists() else done.stdout
            assert is_age_file(text.encode("latin-1")) == (status == 0)
            assert not any(word in text for word in ("PRIVATE", "orion", "192.0.2.1"))
        assert file.exists() == (status == 0)


proves("Another server at an `--address` of a machine gets nothing: no request, no client certificate, no login.")(
    test_addresses.test_another_engine_gets_no_request_and_no_client_certificate_and_is_named,
    test_answering_host.test_a_host_with_another_key_gets_no_login_and_is_named,
)


proves("Its key is never the first that is pinned, and no hint offers to accept it.")(
    test_answering_host.test_a_first_key_is_pinned_at_the_machines_own_address_alone,
    test_answering_host.test_a_new_key_can_be_accepted_only_if_all_addresses_show_it,
)


proves(
    "The script that installs an engine runs only if it arrived whole, and if no redirect led from `https` to `http`.",
    "If you give a URL with `http`, you get a warning.",
)(test_install_script.test_no_redirect_leads_from_https_to_what_others_can_change)


proves("TLS 1.2 is the minimum.")(
    test_probe.TestWhatIsNotTLS.test_but_an_older_protocol_is_an_error,
)


proves(
    "If you give the engine's own self-signed certificate in place of a CA's, machinectl trusts only that certificate."
)(
    test_certs_docker.test_an_engines_self_signed_certificate_is_taken_as_what_is_trusted,
    test_certs_docker.test_beside_an_engines_own_certificate_no_other_one_is_trusted,
)


@proves(
    "Each machine that is set up has its own CA, and so has each `certs create`: a client of one cannot use another."
)
def test_what_opens_one_machine_opens_no_other(tmp_path: Path) -> None:
    one, other = (renewed_identity(Machine("orion", "generic"), Identity(), ["orion"]) for _ in range(2))
    with pytest.raises(MachineError, match="is not signed by"):
        certs.client_bundle(other.ca, one.client, one.client_key)
    for name in ("one", "other"):
        create_certificates(str(tmp_path / name), ["orion"])
    ca, cert, key = ((tmp_path / path).read_bytes() for path in ("other/ca.pem", "one/cert.pem", "one/key.pem"))
    with pytest.raises(MachineError, match="is not signed by"):
        certs.client_bundle(ca, cert, key)


@proves(
    "Private keys are 0600 from their first byte, and the store is 0700: machinectl closes a directory of the store "
    "that others can read, with a warning."
)
def test_keys_and_the_store_are_their_owners_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, tuple[int, int]] = {}

    def watched(path: Any, flags: int, *mode: int, **more: Any) -> int:
        descriptor = real(path, flags, *mode, **more)
        if flags & os.O_CREAT and str(path).endswith(".pem"):
            there = os.fstat(descriptor)
            made[os.path.basename(path)] = (there.st_mode & 0o777, there.st_size)
        return descriptor

    real = os.open
    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        create_certificates(str(tmp_path / "made"), ["127.0.0.1"])
        assert (made.pop("key.pem"), made.pop("ca-key.pem")) == ((0o600, 0), (0o600, 0))
        files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
        machine = added(store, Machine("orion", "generic", url="tcp://127.0.0.1:1", tls=True), files)
        issue_client(store, "orion", str(tmp_path / "issued"), client_name="bob")
    finally:
        os.umask(before)
    for keys in (tmp_path / "made", tmp_path / "issued", Path(machine.directory)):
        assert [path for path in keys.glob("*key.pem") if path.stat().st_mode & 0o077] == []
    assert made["key.pem"] == (0o600, 0)
    for path in (Path(store.root), *Path(store.root).rglob("*")):
        assert not path.stat().st_mode & 0o077, path
    (tmp_path / "read").mkdir()
    test_hostile_records.test_readable_directories_of_the_store_are_closed_with_a_warning(tmp_path / "read")


proves("It writes nothing to a store that another user can write to, or can replace by renaming a directory above it.")(
    test_hostile_records.test_no_key_is_kept_where_a_group_of_several_may_write,
    test_hostile_records.test_no_key_is_kept_below_what_another_user_can_rename,
)


proves("It does not write to another user's store, not even as root: that user's links could lead it elsewhere.")(
    test_hostile_records.test_no_key_is_kept_where_another_user_may_replace_it,
    test_hostile_records.test_root_follows_no_link_of_another_user_and_writes_nothing_to_that_store,
)


@proves(
    "Only root may have a store of its own below another user's directory, as in a container of a CI job: that user "
    "can replace it."
)
def test_only_root_has_a_store_below_another_users_directory() -> None:
    need("chown", root=True)
    # Not pytest's directory, which others cannot even pass through.
    with tempfile.TemporaryDirectory() as directory:
        theirs, store = Path(directory) / "theirs", Store(f"{directory}/theirs/store")
        theirs.mkdir()
        for path in (Path(directory), theirs):
            path.chmod(0o755)
        os.chown(theirs, 1234, 1234)
        added(store, Machine("orion", "none"))
        os.chown(store.root, 65534, 65534)
        os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match="theirs is not safe for keys: it is another user's"):
                added(store, Machine("vega", "none"))
        finally:
            os.seteuid(0)


proves("Temporary files, such as images that `push` keeps, are in no such directory either.")(
    test_spool_directory.test_images_are_not_kept_where_another_user_could_replace_them,
)


proves("As root, machinectl trusts no other user's directory for either.")(
    test_socket.test_root_puts_no_socket_where_another_user_could_replace_it,
    test_spool_directory.test_images_are_not_kept_where_another_user_could_replace_them,
)


proves(
    "A docker context holds a copy of its machine's client key, in files and directories that only you can read: "
    "if another user could write there, machinectl makes no context."
)(
    test_contexts.test_only_the_owner_can_read_what_is_written_whatever_the_umask_is,
    test_contexts.test_a_config_that_is_a_file_another_user_s_or_open_to_all_is_refused,
    test_contexts.test_no_key_is_kept_where_a_group_of_several_may_write,
)


@proves("They are in no log, no `--debug` and no error.")
def test_no_error_shows_a_secret(store: Store, tmp_path: Path) -> None:
    assert "PRIVATE" not in repr(certs.new_ca("x"))
    (tmp_path / "proxies").write_text(f"{SECRET} x\n={SECRET}\n")
    (tmp_path / "key").write_text(f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n")
    (tmp_path / "password").write_text(SECRET)
    here = ["--generic-ip-address", "127.0.0.1", "--generic-ssh-port", "1"]
    for options in (
        ["--engine-env-file", tmp_path / "proxies", *here],
        ["--engine-env", f"={SECRET}", *here],
        ["--engine-env", f"http_proxy=http://u:{SECRET}@[::1", *here],
        ["--generic-ssh-key", tmp_path / "key", *here],
        ["--sudo-password-file", tmp_path / "password", "--ssh-password-file", tmp_path / "password", *here],
    ):
        done = machinectl("--debug", "create", "-d", "generic", *options, "orion", store=store.root)
        assert done.returncode != 0, options
        assert SECRET not in done.stdout + done.stderr


@proves("A proxy's password is kept in the machine's record, and every verb that shows it masks it.")
def test_a_proxys_password_is_masked(store: Store, tmp_path: Path) -> None:
    machine = Machine("orion", "generic", url="tcp://127.0.0.1:1", tls=True)
    machine.phase = Phase.READY
    machine.driver_state = json.dumps(test_hostile_records.SERVER)
    machine.options = {"generic-ip-address": "127.0.0.1"}
    machine.engine = EngineOptions(env=(PROXY,))
    added(store, machine)
    assert SECRET in Path(store.directory("orion"), "machine.json").read_text()
    made, changed = tmp_path / "made.yaml", tmp_path / "changed.yaml"
    here = "driver: generic, generic-ip-address: 127.0.0.1"
    changed.write_text(f"hosts: {{orion: {{{here}, engine-env: ['{PROXY}9']}}}}")
    for words in (
        ["inspect", "orion"],
        ["inspect", "--json", "orion"],
        ["inspect", "-f", "{{json .}}", "orion"],
        ["ls", "-f", "{{.EngineOptions}} {{json .}}"],
        ["ls", "--json"],
        ["set", "--engine-env", PROXY, "orion"],
        ["plan", "-f", changed],
        ["plan", "-f", changed, "--json"],
    ):
        done = machinectl(*words, store=store.root)
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr, words
        assert ("HTTPS_PROXY=…" if "set" in words else "http://u:***@10.0.0.1:3128") in done.stdout + done.stderr, words
    for words in (["fleet", "init", "-o", made], ["plan", "-f", made], ["inventory", "--ansible"], ["doctor", "orion"]):
        done = machinectl(*words, store=store.root)
        assert done.returncode == (1 if "doctor" in words else 0), done.stderr
        assert SECRET not in done.stdout + done.stderr, words
        assert "orion" in done.stdout + made.read_text(), words
    assert SECRET not in made.read_text()


@proves("A host's SSH key is pinned at first contact.", "machinectl refuses a changed key before it sends anything.")
def test_a_host_key_is_pinned_and_a_changed_one_refused(
    store: Store, sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path
) -> None:
    register(store, "orion", sshd, pinned=False)
    assert machinectl("run", "orion", "--", "true", store=store.root).returncode == 0
    pinned = Path(store.directory("orion"), "known_hosts").read_text()
    assert public(sshd.host_keys[0]).split()[1] in pinned
    sshd.log_path.unlink()
    sshd.host_keys = [keygen(tmp_path / "another")]
    # The keys that the user's own ssh knows do not count.
    ssh_config.known_hosts.write_text(sshd.known())
    for words in (
        ["run", "orion", "--", "true"],
        ["ssh", "orion", "true"],
        ["provision", "orion"],
        ["scp", "orion:x", "."],
    ):
        assert machinectl(*words, store=store.root, cwd=tmp_path).returncode != 0, words
    assert "Connection from" in sshd.log
    assert "userauth-request" not in sshd.log
    assert Path(store.directory("orion"), "known_hosts").read_text() == pinned


@proves(
    "If your own `ssh` keeps a connection open (`ControlMaster`), `run` and `ssh` use it: that `ssh` has checked "
    "the key."
)
def test_a_connection_that_the_users_ssh_keeps_open_is_used(
    store: Store, sshd: Sshd, ssh_config: SSHConfig, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    register(store, "orion", sshd)
    sshd.host_keys = [keygen(tmp_path / "another")]
    ssh_config.known_hosts.write_text(sshd.known())
    # A socket's path is no longer than 107 bytes.
    short = tempfile.mkdtemp()
    request.addfinalizer(lambda: shutil.rmtree(short))
    ssh_config.write(f"Host *\n  ControlPath {short}/%C\n  ControlMaster auto\n  ControlPersist 60\n")
    own = ["ssh", "-i", str(sshd.key_path), "-p", str(sshd.port), f"{sshd.user}@127.0.0.1"]
    for is_open in (False, True):
        if is_open:
            subprocess.run([*own, "true"], check=True, stderr=subprocess.DEVNULL)
        for words in (["run", "orion", "--", "true"], ["ssh", "orion", "true"]):
            done = machinectl(*words, store=store.root)
            assert (done.returncode == 0) == is_open, done.stderr
    subprocess.run([*own, "-O", "exit"], check=True, stderr=subprocess.DEVNULL)


proves(
    "`run` keeps connections of its own for a minute, which only you can use, and uses none after the pinned key has "
    "changed."
)(
    test_run_persist.test_the_next_run_uses_the_connections_and_what_it_says_is_the_same,
    test_run_persist.test_a_host_key_that_is_not_pinned_any_more_is_refused_at_once,
)


proves("machinectl sends no password for a host to its jump host.")(
    test_authentication.test_the_password_of_the_host_is_never_sent_to_its_jump_host,
)


proves(
    "`ssh` gets it through a socket in a private directory (`SSH_ASKPASS`), once, as the answer to the first question "
    "of that login.",
    "Each jump host has a socket of its own.",
)(
    test_authentication.test_neither_a_proxy_command_nor_a_second_question_gets_the_password,
)


proves("A jump host's key is checked before anything passes through it.")(
    test_connect.test_the_key_of_a_jump_host_is_checked_before_anything_passes_through_it,
)


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return the modes, times and contents of the files in a directory."""
    found = {path: path.lstat() for path in (root, *root.rglob("*"))}
    return {
        str(path): (there.st_mode, there.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path, there in found.items()
    }


DRY_RUNS = [
    ["create", "-d", "none", "--url", "tcp://127.0.0.1:1", "new"],
    ["create", "-d", "generic", "--generic-ip-address", "127.0.0.1", "--generic-ssh-port", "1", "new"],
    *([verb, "orion"] for verb in ("provision", "upgrade", "regenerate-certs", "start", "stop", "restart", "rm")),
    ["import", "--from-docker-machine", "old"],
]


@proves("`--dry-run` changes nothing, here or there.")
@pytest.mark.parametrize("words", DRY_RUNS, ids=" ".join)
def test_a_dry_run_changes_nothing_here(store: Store, tmp_path: Path, words: list[str]) -> None:
    machine = Machine("orion", "generic", url="tcp://127.0.0.1:1", tls=True)
    machine.phase = Phase.READY
    machine.driver_state = json.dumps({**test_hostile_records.SERVER, "SSHPort": 1})
    added(store, machine)
    (tmp_path / "old" / "machines").mkdir(parents=True)
    Path(store.lock_path("orion")).unlink()
    before = tree(tmp_path)
    machinectl(*words, "--dry-run", store=store.root, cwd=tmp_path)
    assert tree(tmp_path) == before


def listeners(port: int) -> set[str]:
    """Return the addresses, as Linux writes them, on which anybody listens on a port."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    listening = [words[1].partition(":") for words in lines if words[3] == "0A"]
    return {address for address, _, number in listening if int(number, 16) == port}


@proves(
    "`forward` listens on 127.0.0.1 and ::1 only, unless you pass `--bind`.",
    "Every user of this computer can connect to these ports.",
    "They close when `forward` ends, even if it is killed.",
)
@pytest.mark.usefixtures("ssh_config")
def test_forwarded_ports_are_on_loopback_and_end_with_their_process(
    store: Store, sshd: Sshd, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(store, "orion", sshd)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", store.root)
    monkeypatch.setenv("TMPDIR", str(runtime))
    with test_forward.forwarding("orion", f"0:{sshd.port}") as process:
        port = int(test_forward.line_of(process).split()[0].rpartition(":")[2])
        assert {"0100007F"} <= listeners(port) <= {"0100007F", f"{'0' * 24}01000000"}
        another = 65534 if os.geteuid() == 0 else None
        greeting = subprocess.check_output(["bash", "-c", f"head -c 4 </dev/tcp/127.0.0.1/{port}"], user=another)
        assert greeting == b"SSH-"
        [ssh] = map(os.pidfd_open, test_forward.ssh_of(runtime))
        process.kill()
        assert select.select([ssh], [], [], test_forward.PATIENCE)[0]
        os.close(ssh)
        assert listeners(port) == set()


proves(
    "With `forward --auto` and `socket --forward`, whoever can start containers on the host chooses ports of this "
    "computer, and what answers there.",
    "Containers get no number below 1024 here, even if you are root, and none that another program listens on.",
)(
    test_port_forwarder.test_containers_get_no_number_below_1024,
    test_port_forwarder.test_another_number_is_used_once_said_if_the_same_one_is_taken,
)


proves(
    "Only your user can connect to the socket that `socket` opens.",
    "It is never in a directory that others can write to, and replaces no file that is not a dead socket of yours.",
)(
    test_engine_socket.test_only_the_user_can_use_it,
    test_engine_socket.test_another_file_at_its_path_is_neither_removed_nor_taken_for_it,
    test_socket.test_a_path_that_cannot_be_used_is_refused,
)


@proves(
    "`tcp` without TLS is for a network in which everybody may be root: if you register such an engine, you get a"
    " warning."
)
def test_registering_a_plain_port_warns(store: Store, tmp_path: Path) -> None:
    url = "tcp://127.0.0.1:2375"
    old = OldStore(tmp_path / "old")
    old.add("fourth", "none", {"URL": url})
    subprocess.run(["docker", "context", "create", "third", "--docker", f"host={url}"], check=True, capture_output=True)
    (tmp_path / "fleet.yaml").write_text(f"hosts: {{second: {{driver: none, url: '{url}'}}}}")
    added(store, Machine("fifth", "none", url="unix:///x.sock"))
    for words in (
        ["create", "-d", "none", "--url", url, "first"],
        ["apply", "-y", "-f", tmp_path / "fleet.yaml"],
        ["context", "import", "third"],
        ["import", "--from-docker-machine", old.root],
        ["set", "--url", url, "fifth"],
    ):
        done = machinectl(*words, store=store.root)
        assert done.returncode == 0, done.stderr
        assert "not protected by TLS: whoever reaches that port is root" in done.stderr + done.stdout, words
    assert {store.read(name).url for name in store.names()} == {url}


proves(
    "[`--ssh-only`](remote-engine.md#machines-with-ssh-only) opens no port.",
    "The SSH user, if it is not root, becomes a member of the group `docker` for it: whoever logs in as that user has "
    "root's power, without a password.",
)(
    test_ssh_only.test_an_engine_that_runs_is_left_as_it_is,
    test_ssh_only.test_options_are_set_without_a_listener,
    test_ssh_only.test_nobody_joins_a_group_for_root_or_with_tls,
    test_ssh_only.test_the_user_joins_the_group_of_the_socket_and_leaves_it,
)


@proves(
    "`ssh://` runs your own `ssh`, with its keys and checks, and keeps its connection for a minute.",
    "The connection's socket is in a directory that only you can enter.",
)
def test_ssh_endpoints_go_by_the_users_ssh(store: Store, sshd: Sshd, ssh_config: SSHConfig, runtime: Path) -> None:
    url = f"ssh://{sshd.user}@127.0.0.1:{sshd.port}"
    assert machinectl("create", "--no-provision", url, "orion", store=store.root).returncode == 0
    assert "Host key verification failed" in machinectl("status", "orion", "--json", store=store.root).stdout
    ssh_config.write(f"Host 127.0.0.1\n  IdentityFile {sshd.key_path}\n")
    ssh_config.known_hosts.write_text(sshd.known())
    machinectl("status", "orion", store=store.root)
    assert any("docker system dial-stdio" in call for call in ssh_config.calls)
    assert "Accepted key" in sshd.log or "Accepted publickey" in sshd.log
    [directory] = runtime.glob("machinectl-*")
    assert any("ControlPersist=60" in call and str(directory) in call for call in ssh_config.calls)
    assert directory.stat().st_mode & 0o777 == 0o700


proves(
    "What `env` prints cannot run anything, whatever is in the store or in your environment.",
)(
    test_env.test_a_hostile_store_reaches_the_shell_as_it_is_and_runs_nothing,
    test_use.test_use_sets_exactly_what_env_says_and_runs_nothing,
    test_use.test_a_name_in_the_environment_that_none_has_is_not_in_the_prompt,
)


@proves("Nor can `use`, the prompt or Tab run anything that they read there.")
@pytest.mark.parametrize("shell", SHELLS)
def test_tab_runs_nothing_that_it_reads(shell: str, tmp_path: Path) -> None:
    hostile = "a $(touch ran)`touch ran`;touch ran"
    store = Store(str(tmp_path / hostile))
    added(store, Machine("orion", "none", url="tcp://127.0.0.1:1/$(touch ran)", tls=True))
    (Path(store.machines) / hostile).mkdir()
    user = tmp_path / "user"
    user.mkdir()
    with at_shell(shell, user, environment={"MACHINE_STORAGE_PATH": store.root}) as person:
        person.run("machinectl use orion")
        person.type("machinectl url o\t")
        person.until_text("machinectl url orion")
    assert not list(tmp_path.rglob("ran"))


proves(
    "A record from somebody else runs nothing, passes `ssh` no option, and names no key outside of its machine's "
    "directory.",
    "`rm --purge` undoes only what machinectl itself does on hosts, and nothing that only an imported file names.",
    "If a machine's file is a link, machinectl replaces the link and never writes through it.",
)(
    test_hostile_records.test_whatever_a_record_says_each_verb_that_reads_answers_or_says_in_one_line_why_not,
    test_hostile_records.test_whatever_a_record_says_ssh_is_given_no_option_of_its_and_no_file_outside_the_machine,
    test_hostile_records.test_a_record_names_no_key_outside_of_its_machine,
    test_host_changes.test_what_we_would_not_have_written_is_kept_and_nothing_is_done_for_it,
    test_exporting.test_no_export_decides_what_is_undone_on_the_host,
    test_hostile_records.test_a_link_in_a_machines_place_or_a_files_is_replaced_and_never_written_through,
)


proves("machinectl does not read a record, a certificate or a key that is not a regular file, or has no end.")(
    test_strange_files.test_in_place_of_a_record_it_is_a_row_and_the_other_machines_still_list,
    test_strange_files.test_in_place_of_a_certificate_or_key_it_is_one_line,
)


@proves(
    "`plan` without `--refresh` contacts no host and writes nothing, and no error of a fleet file shows the value"
    " of a variable or the content of a file with secrets."
)
def test_plan_asks_nobody_and_shows_no_secret(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text(f"{SECRET} x\n={SECRET}\n")
    (tmp_path / "secrets").chmod(0o600)
    with serving(servers.silent) as port:
        here = f"driver: generic, generic-ip-address: 127.0.0.1, generic-ssh-port: {port}"
        for keys, status in (
            (f"{here}", 0),
            (f"{here}, engine-env-file: secrets", 1),
            *((f"{here}, {key}: '${{SECRET}}'", 1) for key in ("generic-mac", "ssh-jump")),
            (f"{here}, generic-ssh-key: '${{SECRET}}'", 0),
            ("driver: none, url: 'tcp://127.0.0.1:1', tls-dir: '${SECRET}'", 1),
        ):
            (tmp_path / "fleet.yaml").write_text(f"hosts: {{orion: {{{keys}}}}}")
            before = tree(tmp_path)
            done = machinectl("plan", store=store.root, cwd=tmp_path, environment={"SECRET": f"a/{SECRET}/@"})
            assert (done.returncode != 0) == bool(status), (keys, done.stderr)
            assert SECRET not in done.stdout + done.stderr, keys
            assert tree(tmp_path) == before


proves("Each change that provisioning makes on a host is on record before it is made, and `rm --purge` undoes it.")(
    test_setup.test_what_will_be_changed_is_on_record_before_it_is,
)


@pytest.mark.timeout(300)
@proves(
    "`regenerate-certs --new-ca` locks out all of them.",
    "On a host, only root can read the files that hold keys and passwords.",
    "machinectl passes no password and no key as an argument of a program, here or on a host: they go through stdin.",
    "They are in no log, no `--debug` and no error.",
    "A password for login or sudo is kept nowhere.",
    "`--dry-run` changes nothing, here or there.",
    "Each change that provisioning makes on a host is on record before it is made, and `rm --purge` undoes it.",
    "**`apply` trusts the author of a fleet file**: it sends the files and variables that the file names to the "
    "hosts that the file names, so read somebody else's file first.",
)
def test_on_a_real_host_in_use(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("docker")
    host.install_key("dev", public(KEY))
    host.run(f"{IMAGE}; {RUN.format('c1')}")
    running = host.output("docker inspect -f '{{.State.Pid}}' c1")
    fleet, password = tmp_path / "fleet.yaml", tmp_path / "sudo"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    fleet.write_text(
        f"hosts: {{orion: {{driver: generic, generic-ip-address: {host.ip}, generic-ssh-user: dev, "
        f"generic-ssh-key: {KEY}, sudo-password-file: sudo, engine-env: ['HTTPS_PROXY=${{PROXY}}']}}}}"
    )
    variables = {"PROXY": PROXY.partition("=")[2]}
    etc = {path: what for path, what in host.snapshot().items() if path.startswith("/etc")}
    before = host.snapshot()
    cli.ok(*generic(host, "--dry-run", "--sudo-password-file", password, user="dev"))
    assert host.snapshot() == before
    assert not cli.store.exists()

    # No pattern matches itself.
    pattern = f"{SECRET[0]}[{SECRET[1]}]{SECRET[2:]}\\|{PASSWORD[0]}[{PASSWORD[1]}]{PASSWORD[2:]}\\|PRIVATE[ ]KEY"
    watch = f"touch /tmp/w; while [ -e /tmp/w ]; do grep -lzs '{pattern}' /proc/[0-9]*/cmdline; done >/tmp/seen"
    watching = threading.Thread(target=lambda: host.run(watch, check=False), daemon=True)
    watching.start()
    host.run("until [ -e /tmp/w ]; do sleep 0.01; done")
    done = cli.start("--debug", "apply", "-y", "-f", fleet, **variables, **telling_of_programs(tmp_path)).end()
    host.run("rm /tmp/w")
    watching.join()
    assert done.returncode == 0, done.stderr
    assert cli.is_running()
    assert "@10.0.0.1:3128" in host.output("docker info -f '{{.HTTPSProxy}}'")
    assert host.output("cat /tmp/seen") == ""
    for text in (done.stdout, done.stderr, decoded(done.stderr), (tmp_path / "programs").read_text()):
        assert [each for each in (SECRET, PASSWORD, "PRIVATE KEY") if each in text] == []
    assert [path for path in cli.store.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []
    readable = f"grep -rls '{pattern}' /etc/docker /etc/systemd /run /tmp | xargs -r ls -l"
    listed = host.output(readable).splitlines()
    assert len(listed) > 1
    assert [line for line in listed if not line.startswith("-rw------- 1 root root")] == []

    old = tmp_path / "old"
    shutil.copytree(cli.store / "machines" / "orion", old)
    cli.ok("regenerate-certs", "-f", "--new-ca", "--sudo-password-file", password, "orion")
    assert cli.is_running()
    trusted = f"--tlscacert={cli.store}/machines/orion/ca.pem"
    shown = [f"--tlscert={old}/cert.pem", f"--tlskey={old}/key.pem"]
    docker = ["docker", f"-H=tcp://{host.ip}:2376", "--tlsverify", trusted, *shown]
    refused = subprocess.run([*docker, "version"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    # With TLS 1.3 a client may still be writing when the engine has refused its certificate and closed (RFC 8446, 4.4).
    assert re.search("certificate|connection reset by peer", refused.stderr)
    cli.ok("rm", "-y", "--purge", "--sudo-password-file", password, "orion")
    assert {path: what for path, what in host.snapshot().items() if path.startswith("/etc")} == etc
    assert host.output("docker inspect -f '{{.State.Pid}}' c1") == running
