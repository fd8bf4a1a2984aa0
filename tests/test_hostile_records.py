"""A record or a whole store that somebody else has made: it is read, shown or refused, and no more comes of it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl.cli.tables.machine_rows import machine_rows
from machinectl.docker_cli.context_sync import sync_contexts
from machinectl.docker_cli.contexts import Contexts
from machinectl.driver import DriverError
from machinectl.errors import MachineError
from machinectl.files.atomic import StoreError
from machinectl.files.ownership import other_writer
from machinectl.hosts.ssh_config import machine_host_block
from machinectl.machines.config_json import config_json
from machinectl.machines.machine_driver import endpoint_of, endpoints_of, ssh_endpoint
from machinectl.machines.record import BrokenRecord, Machine
from machinectl.machines.store import Store
from machinectl.machines.store.store_directory import make_directory, sweep
from machinectl.ssh.openssh.ssh_options import openssh_command
from machinectl.verbs.certs import list_certificates
from machinectl.verbs.env import config_flags, env_statements, env_variables
from machinectl.verbs.inspect import inspect_fields
from machinectl.verbs.url import active_machine, engine_host
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.real import need
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable

CLEAR = "\x1b[2J\x1b]0;pwned\x07\r\x9b2J\u202e"
FAKE_ROW = "\nother   -   none   Running   tcp://192.0.2.66:2376"
EVIL = st.sampled_from(
    [
        CLEAR,
        FAKE_ROW,
        "../../../../etc/shadow",
        "/etc/shadow",
        "-oProxyCommand=touch pwned",
        "$(touch pwned)",
        "'; touch pwned; '",
        "`touch pwned`",
        "%(touch pwned)s",
        "\x00",
        "\ud800",
        "tcp://[::1",
        "tcp://127.0.0.1:99999",
        "ssh://-oProxyCommand=touch%20pwned",
        "ssh://a'$(touch pwned)@h",
        "unix:///tmp/x\n",
    ]
)
TEXT = EVIL | st.text(max_size=20)
VALUES = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SERVER = {"IPAddress": "127.0.0.1", "SSHUser": "", "SSHPort": 22, "SSHKeyPath": "id_ssh", "EnginePort": 2376}
STATES = st.dictionaries(st.sampled_from([*SERVER, "SSHHost", "MAC", "URL"]) | TEXT, VALUES, max_size=4).map(
    lambda changed: json.dumps({**SERVER, **changed})
)
RECORDS = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([1, 2]),
        "driver": st.sampled_from(["generic", "none"]) | TEXT,
        "url": st.sampled_from(["tcp://127.0.0.1:1", ""]) | TEXT,
        "tls": st.booleans(),
    },
    optional={
        "driver_state": STATES | TEXT,
        "phase": st.sampled_from(["ready", "creating", "provisioning"]) | TEXT,
        "labels": st.dictionaries(TEXT, VALUES, max_size=2),
        "options": st.dictionaries(TEXT, VALUES, max_size=2),
        "engine": st.dictionaries(st.sampled_from(["env", "options", "tls_sans", "bind"]) | TEXT, VALUES, max_size=3),
        "changes": st.lists(VALUES, max_size=3),
        "mac": TEXT,
        "origin": st.dictionaries(st.sampled_from(["store", "name", "driver"]) | TEXT, VALUES, max_size=3),
        "made": st.booleans(),
        "jump": st.sampled_from(
            ["orion", "machine:orion", "machine:../x", "host:joe@gate:22", "joe@gate:22", "gate,-oX=y", "gate:99999"]
        )
        | TEXT,
    },
)


def laid(root: Path, data: dict[str, Any]) -> Store:
    store = Store(str(root))
    os.makedirs(store.directory("orion"), 0o700)
    Path(store.directory("orion"), "machine.json").write_text(json.dumps(data))
    return store


def shell_text(store: Store) -> str:
    return env_statements(env_variables(store, ["orion"], os.environ), "bash", ["machinectl"], os.environ)


# What each verb does that only reads, up to what is printed.
READING: list[Callable[[Store], object]] = [
    shell_text,
    lambda store: store.read_ready("orion").urls[0],
    lambda store: engine_host(store, "orion"),
    lambda store: active_machine(store, {"DOCKER_HOST": "tcp://127.0.0.1:1"}),
    lambda store: config_flags(store, Quiet(), "orion", {}),
    lambda store: [json.dumps(row.fields()) for row in machine_rows(store, {})],
    lambda store: json.dumps(inspect_fields(store.read("orion"), store.directory("orion"))),
    lambda store: json.dumps(config_json(store.read("orion"), store.directory("orion"))),
    lambda store: [row.cells() for row in list_certificates(store)],
    lambda store: endpoint_of(store.read("orion")),
    lambda store: endpoints_of(store.read("orion")),
    lambda store: ssh_command(store.read("orion")),
    lambda store: machine_host_block(store.read("orion")),
]


def ssh_command(machine: Machine) -> list[str]:
    return openssh_command(ssh_endpoint(machine), known_hosts="")


@given(RECORDS)
def test_whatever_a_record_says_each_verb_that_reads_answers_or_says_in_one_line_why_not(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = laid(Path(directory, "store"), data)
        for read in READING:
            refusal = None
            try:
                read(store)
            except MachineError as exc:
                refusal = exc
            assert refusal is None or (refusal.hint and "\n" not in refusal.cause), refusal


@given(RECORDS)
def test_whatever_a_record_says_ssh_is_given_no_option_of_its_and_no_file_outside_the_machine(
    data: dict[str, Any],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = laid(Path(directory, "store"), data)
        with suppress(MachineError):
            ssh = ssh_endpoint(store.read("orion"))
            assert not ssh.key or os.path.dirname(ssh.key) == store.directory("orion")
            command = openssh_command(ssh)
            assert not any(word.startswith("-") and "ProxyCommand" in word for word in command)


@pytest.mark.parametrize(
    "said", ["ssh://-oProxyCommand=x", "ssh://-oProxyCommand=x@h", "ssh://ops@-oX=x", "tcp://-h:1"]
)
def test_what_reads_dockers_variables_and_contexts_is_handed_no_option_of_sshs(store: Store, said: str) -> None:
    laid(Path(store.root), {"schema": 1, "driver": "none", "url": said, "tls": False})
    for handing_out in (shell_text, lambda store: store.read_ready("orion").urls[0]):
        with pytest.raises(BrokenRecord, match="option"):
            handing_out(store)
    assert [*sync_contexts(store, Quiet())] == []
    assert Contexts().names() == []


@pytest.mark.parametrize("key", ["driver", "url"])
@pytest.mark.parametrize("text", [CLEAR, FAKE_ROW, "\u2028"], ids=ascii)
def test_what_no_machinectl_has_written_is_a_broken_record_and_draws_nothing(store: Store, key: str, text: str) -> None:
    laid(Path(store.root), {"schema": 1, "driver": "none", "url": "tcp://127.0.0.1:1", "tls": True, key: f"x{text}"})
    with pytest.raises(BrokenRecord, match=key):
        store.read("orion")
    listed = machinectl("ls", store=store.root)
    assert listed.returncode == 0
    [_, row] = listed.stdout.splitlines()
    assert row.isprintable()
    assert row.startswith("orion ")


@pytest.mark.parametrize(
    "name", ["../other/id_ssh", "/etc/shadow", "keys/id_ssh", "..", ".", "id\x00ssh", "id\nssh"], ids=ascii
)
def test_a_record_names_no_key_outside_of_its_machine(store: Store, name: str) -> None:
    machine = Machine("orion", "generic", directory=store.directory("orion"))
    machine.driver_state = json.dumps({**SERVER, "SSHKeyPath": name})
    with pytest.raises(DriverError, match="a key outside of the machine's directory") as raised:
        ssh_endpoint(machine)
    assert raised.value.cause.isprintable()
    machine.driver_state = json.dumps(SERVER)
    assert ssh_endpoint(machine).key == os.path.join(store.directory("orion"), "id_ssh")


def test_a_record_that_the_driver_refuses_does_not_lose_the_pin_of_its_host(store: Store) -> None:
    machine = Machine("orion", "generic", url="ssh://ops@127.0.0.1")
    machine.driver_state = json.dumps({**SERVER, "SSHKeyPath": "/etc/shadow"})
    added(store, machine, {"known_hosts": b"machinectl ssh-ed25519 AAAA\n"})
    options = " ".join(endpoint_of(machine).ssh_options)
    assert f'UserKnownHostsFile="{store.directory("orion")}/known_hosts"' in options
    assert "StrictHostKeyChecking=yes" in options
    assert "/etc/shadow" not in options


@pytest.mark.parametrize("state", ["", "[]", "null", "{}", json.dumps({**SERVER, "SSHPort": "22"}), "[" * 100_000])
def test_a_state_that_is_no_servers_is_the_records_fault_and_not_the_drivers(state: str) -> None:
    machine = Machine("orion", "generic")
    machine.driver_state = state
    with pytest.raises(DriverError, match=r'[Tt]he record of "orion"'):
        endpoints_of(machine)


def test_a_link_in_a_machines_place_or_a_files_is_replaced_and_never_written_through(
    store: Store, tmp_path: Path
) -> None:
    added(store, Machine("orion", "none", url="unix:///x.sock"))
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    for name in ("known_hosts", "machine.json.tmp", ".known_hosts.tmp", ".machine.json.tmp", "ca.pem"):
        Path(store.directory("orion"), name).symlink_to(outside)
    with store.writing("orion") as held:
        held.write_file("known_hosts", b"ours")
        held.write()
        held.write_files({"ca.pem": b"ours"})
    assert outside.read_text() == "theirs"
    assert Path(store.directory("orion"), "known_hosts").read_text() == "ours"
    assert not Path(store.directory("orion"), "ca.pem").is_symlink()


def test_no_key_is_kept_where_a_group_of_several_may_write(store: Store) -> None:
    need("true", root=True)
    os.mkdir(store.root)
    os.chmod(store.root, 0o770)
    os.chown(store.root, -1, 65534)
    with pytest.raises(StoreError, match="its group may write to it"):
        added(store, Machine("orion", "none"), {"key.pem": b"secret"})
    # Nobody lists the members of a directory service's group.
    os.chown(store.root, -1, 54321)
    os.setegid(54321)
    try:
        with pytest.raises(StoreError, match="its group may write to it"):
            added(store, Machine("orion", "none"), {"key.pem": b"secret"})
    finally:
        os.setegid(0)
    # As with a umask of 002, where every user has a private group.
    daemon = pwd.getpwnam("daemon")
    os.chown(store.root, daemon.pw_uid, daemon.pw_gid)
    assert other_writer(store.root) == ""
    os.chown(store.root, 0, 0)
    added(store, Machine("orion", "none"), {"key.pem": b"secret"})


def test_no_key_is_kept_below_what_another_user_can_rename(tmp_path: Path) -> None:
    def refused(root: Path) -> str:
        with pytest.raises(StoreError) as raised:
            added(Store(str(root)), Machine("orion", "none"), {"key.pem": b"secret"})
        assert not root.exists()
        return raised.value.cause

    opened, theirs = tmp_path / "opened", tmp_path / "theirs"
    for directory in (opened, theirs):
        directory.mkdir()
    opened.chmod(0o777)
    assert refused(opened / "mine" / "store") == f"{opened} is not safe for keys: everybody may write to it"
    (tmp_path / "link").symlink_to(opened)
    assert refused(tmp_path / "link" / "store") == f"{opened} is not safe for keys: everybody may write to it"
    # In a sticky directory such as /tmp, nobody can rename another user's files.
    opened.chmod(0o1777)
    added(Store(str(opened / "mine")), Machine("orion", "none"))
    need("true", root=True)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    os.chown(theirs, 1234, 1234)
    (theirs / "sub").mkdir(mode=0o777)
    (opened / "link").symlink_to(tmp_path)
    os.chown(opened / "link", 1234, 1234, follow_symlinks=False)
    os.seteuid(65534)
    try:
        assert refused(theirs / "sub" / "store") == f"{theirs} is not safe for keys: it is another user's"
        assert refused(opened / "link" / "store") == f"{opened}/link is not safe for keys: it is another user's"
    finally:
        os.seteuid(0)


def test_readable_directories_of_the_store_are_closed_with_a_warning(tmp_path: Path) -> None:
    root, other = tmp_path / "store", tmp_path / "other"
    for directory in (root, root / "machines", root / "locks", other):
        directory.mkdir()
        directory.chmod(0o755)
    (other / "page.html").touch()
    for store in (root, other):
        done = machinectl("create", "-d", "none", "--url", "unix:///run/x.sock", "orion", store=store)
        assert done.returncode == 0, done.stderr
        closed = [line for line in done.stderr.splitlines() if "Closed" in line]
        assert closed == [
            f"Warning: Closed {path} to other users: its mode was 755 and is 700 now"
            for path in (root, root / "locks", root / "machines")
            if store is root
        ]
    assert [path.stat().st_mode & 0o777 for path in (root, root / "machines", other, other / "machines")] == [
        0o700,
        0o700,
        0o755,
        0o700,
    ]


def test_no_key_is_kept_where_another_user_may_replace_it() -> None:
    need("true", root=True)
    # Not pytest's directory, which others cannot even pass through.
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        store = Store(directory)
        os.makedirs(store.locks)
        os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match="it is another user's"):
                make_directory(store, store.locks)
        finally:
            os.seteuid(0)
        make_directory(store, store.locks)


@pytest.mark.parametrize("linked", ["locks", "machines", "machines/orion", "staging", ""])
def test_root_follows_no_link_of_another_user_and_writes_nothing_to_that_store(tmp_path: Path, linked: str) -> None:
    need("chown", root=True)
    store, victim = Store(str(tmp_path / "store")), tmp_path / "victim"
    added(store, Machine("orion", "none", url="unix:///run/x.sock"))
    (victim / "of root").mkdir(parents=True)
    victim.chmod(0o755)
    if linked:
        shutil.rmtree(tmp_path / "store" / linked)
        (tmp_path / "store" / linked).symlink_to(victim)
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    before = paths_and_owners(tmp_path)
    # As an import does after its failures.
    sweep(store)
    for words in (
        ("set", "--label", "x=y", "orion"),
        ("create", "-d", "none", "--url", "unix:///run/x.sock", "vega"),
        ("rm", "-y", "orion"),
    ):
        done = machinectl(*words, store=store.root)
        assert done.returncode == 1
        if linked not in {"machines", "machines/orion"} or words[0] == "create":
            assert f"{store.root} is not safe for keys: it is another user's" in done.stderr
            assert "Run this as its owner: sudo -u '#65534'" in done.stderr
    assert paths_and_owners(tmp_path) == before


def test_a_command_says_first_that_the_store_is_another_users_also_in_a_dry_run(tmp_path: Path) -> None:
    need("chown", root=True)
    store = Store(str(tmp_path / "store"))
    added(store, Machine("orion", "none", url="unix:///run/x.sock"))
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        os.chown(path, 65534, 65534)
    for words in (
        ("rm", "-f", "orion"),
        ("rm", "--purge", "--dry-run", "orion"),
        ("provision", "--dry-run", "orion"),
        ("access", "issue", "env", "orion", "--dry-run", "-y"),
        ("create", "--dry-run", "-d", "none", "--url", "unix:///run/x.sock", "vega"),
    ):
        done = machinectl(*words, store=store.root)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"Error: {store.root} is not safe for keys: it is another user's\n"), words
    done = machinectl("doctor", store=store.root)
    assert f"{store.root} belongs to another user: to change it, run machinectl as that user" in done.stdout
    assert "Run as that user:\n      sudo -u '#65534' machinectl " in done.stdout


def paths_and_owners(directory: Path) -> list[tuple[Path, int, int]]:
    return [(path, path.lstat().st_uid, path.lstat().st_mode) for path in sorted(directory.rglob("*"))]
