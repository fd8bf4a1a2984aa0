from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.errors import MachineError
from machinectl.files import fileset
from machinectl.hosts.certificate_files import read_tls_files
from machinectl.machines.record import Machine
from machinectl.provision.host_changes import FileCreated
from machinectl.verbs.certs import create_certificates, import_certificates, issue_client, list_certificates
from tests.support.handshake import connect
from tests.support.in_process import machinectl
from tests.support.program import run_code
from tests.support.quiet import Quiet
from tests.support.real import need, small_disk
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.machines.store import Store

CREATED = ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "cert.pem", "key.pem"]
# Certificates have whole seconds (RFC 5280, 4.1.2.5): one made in this second would expire before its last day.
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What `certs create` wrote for the host orion."""
    directory = tmp_path / "made"
    create_certificates(str(directory), ["orion"])
    return directory


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away: what is private is so by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


def add_machine(
    store: Store, *, name: str = "orionbox", url: str = "tcp://192.168.0.29:2376", tls: bool = True
) -> Path:
    added(store, Machine(name, "none", url=url, tls=tls))
    return Path(store.directory(name))


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in directory.iterdir()}


def error_of(call: Callable[[], object]) -> MachineError:
    with pytest.raises(MachineError) as caught:
        call()
    assert caught.value.cause.isprintable()
    assert caught.value.hint
    assert caught.value.hint.replace("\n", "").isprintable()
    return caught.value


def keys_that_others_can_read(directory: Path) -> list[Path]:
    return [
        path
        for path in directory.rglob("*")
        if path.is_file() and "key" in path.name and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def check_what_is_complete(directory: Path) -> None:
    """Whatever looks complete works, and is of one making: a client's three files, a host's three, a CA's two."""
    files = contents(directory)
    if {"ca.pem", "cert.pem", "key.pem"} <= files.keys():
        certs.client_bundle(files["ca.pem"], files["cert.pem"], files["key.pem"])
    if {"ca.pem", "server.pem", "server-key.pem"} <= files.keys():
        certs.server_bundle(files["ca.pem"], files["server.pem"], files["server-key.pem"])
    if {"ca.pem", "ca-key.pem"} <= files.keys():
        certs.ca_pair(files["ca.pem"], files["ca-key.pem"])


# certs create


@pytest.mark.usefixtures("open_umask")
def test_create_makes_six_files_that_work_together_and_keys_that_only_the_owner_reads(tmp_path: Path) -> None:
    out = tmp_path / "new" / "certs"
    written = create_certificates(str(out), ["orion", "192.168.0.29"], client_name="alice")
    assert written == [str(out / name) for name in CREATED]
    assert sorted(os.listdir(out)) == sorted(CREATED)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    modes = {name: stat.S_IMODE((out / name).stat().st_mode) for name in CREATED}
    assert modes == {name: 0o600 if name.endswith("key.pem") else 0o644 for name in CREATED}
    for name in ("orion", "192.168.0.29", "localhost", "127.0.0.1"):
        connect(out, out, name)
    assert certs.describe((out / "cert.pem").read_bytes()).subject == "CN=alice"


def test_keys_go_to_no_directory_that_others_can_change(store: Store, made: Path, tmp_path: Path) -> None:
    add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for words in (
        ["certs", "create", "--san", "orion", "--out", str(shared)],
        ["certs", "issue", "--out", str(shared / "me"), "orionbox"],
        ["builder", "create", "orionbox"],
    ):
        refused = machinectl(*words, store=store.root, environment={"BUILDX_CONFIG": str(shared)})
        assert refused.returncode == 1
        assert f"{shared} is not safe for keys: everybody may write to it" in refused.stderr
    assert [*shared.iterdir()] == []


def test_create_replaces_nothing_unasked_and_says_what_is_there(made: Path) -> None:
    (made / "cert.pem").unlink()
    before = contents(made)
    error = error_of(lambda: create_certificates(str(made), ["orion"]))
    assert error.cause == f"{made} already holds ca.pem, ca-key.pem, server.pem, server-key.pem, key.pem"
    assert contents(made) == before
    ca = (made / "ca-key.pem").read_bytes()
    for line, is_kept in zip(error.hint.split("; "), (True, False), strict=True):
        assert machinectl(*shlex.split(line.partition("machinectl ")[2])).returncode == 0
        assert ((made / "ca-key.pem").read_bytes() == ca) == is_kept


def test_create_renews_under_the_ca_that_is_there_when_it_is_named(made: Path) -> None:
    before = contents(made)
    ca = str(made / "ca.pem"), str(made / "ca-key.pem")
    create_certificates(str(made), ["orion2"], ca_cert=ca[0], ca_key=ca[1], force=True)
    after = contents(made)
    assert {name for name in CREATED if before[name] == after[name]} == {"ca.pem", "ca-key.pem"}
    connect(made, made, "orion2")


def test_create_under_a_given_ca_copies_its_certificate_and_never_its_key(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    create_certificates(str(out), ["rigel"], ca_cert=str(made / "ca.pem"), ca_key=str(made / "ca-key.pem"))
    assert sorted(os.listdir(out)) == sorted(set(CREATED) - {"ca-key.pem"})
    connect(made, out, "rigel")


def test_create_does_not_put_a_ca_beside_the_key_of_another(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    create_certificates(str(other), ["rigel"])
    before = contents(made)
    ca = str(other / "ca.pem"), str(other / "ca-key.pem")
    error = error_of(lambda: create_certificates(str(made), ["orion"], ca_cert=ca[0], ca_key=ca[1], force=True))
    assert error.cause == f"{made}/ca-key.pem is not the key of the given CA"
    assert contents(made) == before


@pytest.mark.parametrize("size", ["4k", "12k", "20k"])
def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path, size: str) -> None:
    with small_disk(tmp_path / "disk", f"size={size}") as disk:
        out = disk / "certs"
        error = error_of(lambda: create_certificates(str(out), ["orion"]))
        assert error.cause == f"Cannot use {out}: No space left on device"
        assert error.hint.endswith(f": df -h {disk}")
        assert os.listdir(disk) == []


def test_leftovers_of_another_user_are_not_put_into_place(tmp_path: Path) -> None:
    need(root=True)
    trap = tmp_path / fileset.COMMITTED
    trap.mkdir()
    (trap / "ca.pem").write_text("a CA of mallory's")
    os.chown(trap, 65534, 65534)
    assert "it is another user's" in error_of(lambda: create_certificates(str(tmp_path), ["orion"])).cause
    assert not (tmp_path / "ca.pem").exists()


# Killed at every moment. The driver has its child killed right before touch k of the file system, for every k.

KILLED_AT_EVERY_STEP = """
import os, shutil, sys
from machinectl.verbs.certs import create_certificates
from machinectl.verbs.certs import import_certificates
from machinectl.verbs.certs import issue_client
from machinectl.machines.store import Store
from tests.support.dying import die_at
from tests.support.quiet import Quiet

template, base, call = sys.argv[1:]
os.umask(0)

# What is loaded and set up at the first use, each child would do anew.
os.chdir(shutil.copytree(template, os.path.join(base, "whole")))
eval(call)
shutil.rmtree(os.getcwd())

step, killed = 0, True
while killed:
    here = os.path.join(base, str(step))
    shutil.copytree(template, here)
    child = os.fork()
    if not child:
        try:
            os.chdir(here)
            die_at(step + 1, "")
            eval(call)
        except BaseException as exc:
            print(f"step {step}: {exc!r}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status)
    if not killed and status:
        sys.exit(1)
    step += 1
"""


def killed_at_every_step(template: Path, base: Path, call: str) -> list[Path]:
    """Run `call` in copies of `template`, killed one touch later each time; the last one ran to its end."""
    base.mkdir()
    done = run_code(KILLED_AT_EVERY_STEP, template, base, call)
    assert done.returncode == 0, done.stderr
    copies = sorted(base.iterdir(), key=lambda path: int(path.name))
    assert len(copies) > 20, len(copies)
    return copies


def test_a_create_that_is_killed_at_any_moment_leaves_nothing_that_only_looks_complete(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    for copy in killed_at_every_step(tmp_path / "template", tmp_path / "runs", "create_certificates('out', ['orion'])"):
        out = copy / "out"
        assert keys_that_others_can_read(copy) == []
        if out.exists():
            check_what_is_complete(out)
        # Refused where the killed one's work counts, and is finished.
        with suppress(MachineError):
            create_certificates(str(out), ["orion"])
        assert sorted(os.listdir(out)) == sorted(CREATED)
        connect(out, out, "orion")


def test_replacing_that_is_killed_at_any_moment_leaves_the_old_or_the_new(made: Path, tmp_path: Path) -> None:
    old = contents(made)
    template = tmp_path / "template"
    template.mkdir()
    made.rename(template / "made")
    call = "create_certificates('made', ['orion2'], ca_cert='made/ca.pem', ca_key='made/ca-key.pem', force=True)"
    outcomes = set()
    for copy in killed_at_every_step(template, tmp_path / "runs", call):
        out = copy / "made"
        assert keys_that_others_can_read(copy) == []
        check_what_is_complete(out)
        files = contents(out)
        if "ca.pem" in files:
            kept = [name for name in CREATED if files[name] == old[name]]
            assert kept in (["ca.pem", "ca-key.pem"], CREATED)
            outcomes.add(len(kept))
        # The next run finishes it, even if it is itself refused.
        with suppress(MachineError):
            create_certificates(str(out), ["orion3"])
        assert sorted(os.listdir(out)) == sorted(CREATED)
        connect(out, out, "orion2" if contents(out)["server.pem"] != old["server.pem"] else "orion")
    assert outcomes == {6, 2}


def test_an_import_that_is_killed_at_any_moment_leaves_the_old_or_the_new(
    store: Store, made: Path, tmp_path: Path
) -> None:
    add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    template = tmp_path / "template"
    template.mkdir()
    Path(store.root).rename(template / "store")
    new = tmp_path / "new"
    create_certificates(str(new), ["orion2"])
    for name in ("server.pem", "server-key.pem", "ca-key.pem"):
        (new / name).unlink()
    new.rename(template / "new")
    call = "import_certificates(Store('store'), Quiet(), 'orionbox', 'new', force=True)"
    for copy in killed_at_every_step(template, tmp_path / "runs", call):
        directory = copy / "store" / "machines" / "orionbox"
        assert keys_that_others_can_read(copy / "store") == []
        check_what_is_complete(directory)
        import_certificates(type(store)(str(copy / "store")), Quiet(), "orionbox", str(copy / "new"), force=True)
        assert sorted(os.listdir(directory)) == ["ca.pem", "cert.pem", "key.pem", "machine.json"]
        check_what_is_complete(directory)


# Reading a directory of certificates.


def test_a_clients_files_may_be_anywhere_and_have_any_name(made: Path) -> None:
    for name in ("ca", "cert", "key"):
        (made / f"{name}.pem").rename(made / f"my-{name}")
    files = read_tls_files(str(made / "my-ca"), str(made / "my-cert"), str(made / "my-key"))
    assert list(files.present) == ["ca.pem", "cert.pem", "key.pem"]
    error = error_of(lambda: read_tls_files(str(made / "my-ca"), str(made / "my-cert"), str(made / "ca-key.pem")))
    assert error.cause.startswith(f"{made}/ca-key.pem is not the private key of {made}/my-cert")


def test_each_thing_that_is_wrong_has_its_own_line_and_nothing_is_written(store: Store, made: Path) -> None:
    machine = add_machine(store)
    before = contents(machine)
    server = certs.issue_server(certs.new_ca("other"), ["orion"])
    (made / "server.pem").write_bytes(server.certificate)
    (made / "server-key.pem").write_bytes(server.key)

    def make_file() -> None:
        shutil.rmtree(made)
        made.write_text("")

    key = made / "key.pem"
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: ..., f"{made}/server.pem is not signed by {made}/ca.pem: its issuer is CN=other"),
        (key.unlink, f"{made} lacks key.pem"),
        (lambda: key.symlink_to("nowhere"), f"{key} cannot be read: No such file or directory"),
        (make_file, f"{made} cannot be read: Not a directory"),
    ]
    for spoil, cause in wrong:
        spoil()
        error = error_of(lambda: import_certificates(store, Quiet(), "orionbox", str(made), force=True))
        assert error.cause.startswith(cause)
        assert contents(machine) == before


# certs import


@pytest.mark.usefixtures("open_umask")
def test_an_import_puts_what_the_directory_holds_and_keys_that_only_the_owner_reads(store: Store, made: Path) -> None:
    machine = add_machine(store)
    said = Quiet()
    written = import_certificates(store, said, "orionbox", str(made))
    assert sorted(written) == sorted(str(machine / name) for name in CREATED)
    assert {name: (machine / name).read_bytes() for name in CREATED} == contents(made)
    assert keys_that_others_can_read(machine) == []
    assert (said.notes, said.warnings) == ([], [])


def test_an_import_replaces_other_certificates_with_force_alone(store: Store, made: Path, tmp_path: Path) -> None:
    machine = add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    other = tmp_path / "o t h e r"
    create_certificates(str(other), ["orion"])
    before = contents(machine)
    error = error_of(lambda: import_certificates(store, Quiet(), "orionbox", str(other)))
    assert error.cause.startswith(f"{machine} already holds ca.pem, cert.pem, key.pem")
    assert error.hint == f"Replace them: machinectl certs import --force orionbox '{other}'"
    assert contents(machine) == before
    import_certificates(store, Quiet(), "orionbox", str(other), force=True)
    connect(machine, other, "orion")


def test_an_import_of_another_ca_takes_away_what_belonged_to_the_old_one(
    store: Store, made: Path, tmp_path: Path
) -> None:
    machine = add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    other = tmp_path / "other"
    create_certificates(str(other), ["orion"])
    for name in ("ca-key.pem", "server.pem", "server-key.pem"):
        (other / name).unlink()
    said = Quiet()
    import_certificates(store, said, "orionbox", str(other), force=True)
    assert sorted(os.listdir(machine)) == ["ca.pem", "cert.pem", "key.pem", "machine.json"]
    assert said.notes == ["Removed what belonged to the CA before: ca-key.pem, server.pem, server-key.pem"]


# certs issue


@pytest.mark.usefixtures("open_umask")
def test_an_issued_client_is_let_in_and_is_told_what_it_may_do(store: Store, made: Path, tmp_path: Path) -> None:
    add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    out = tmp_path / "for bob"
    text = issue_client(store, "orionbox", str(out), client_name="bob")
    assert sorted(os.listdir(out)) == ["ca.pem", "cert.pem", "key.pem"]
    assert keys_that_others_can_read(out) == []
    connect(out, made, "orion")
    expires = certs.describe((out / "cert.pem").read_bytes()).not_after
    assert f"expires on {expires:%Y-%m-%d}.\nAnyone with key.pem is root on every engine of this CA: orionbox" in text
    variables = f"DOCKER_TLS_VERIFY=1 DOCKER_HOST=tcp://192.168.0.29:2376 DOCKER_CERT_PATH='{out}'"
    assert text.endswith(f"Use it: {variables} docker ps")


def test_nobody_is_issued_a_certificate_without_the_key_of_the_ca(store: Store, made: Path, tmp_path: Path) -> None:
    machine = add_machine(store)
    (made / "ca-key.pem").unlink()
    import_certificates(store, Quiet(), "orionbox", str(made))
    error = error_of(lambda: issue_client(store, "orionbox", str(tmp_path / "out")))
    assert error.cause.startswith(f'The key of the CA of "orionbox" is missing ({machine}/ca-key.pem)')
    assert "machinectl certs import orionbox <DIR>" in error.hint
    assert not (tmp_path / "out").exists()


# certs ls


def test_every_certificate_of_every_machine_is_a_row(store: Store, made: Path) -> None:
    add_machine(store, name="m10")
    add_machine(store, name="m2")
    add_machine(store, name="plain", url="tcp://10.0.0.1:2375", tls=False)
    import_certificates(store, Quiet(), "m2", str(made))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(made / name, store.directory("m10"))
    rows = list_certificates(store)
    assert [(row.machine, row.file) for row in rows] == [
        ("m2", "ca.pem"),
        ("m2", "cert.pem"),
        ("m2", "server.pem"),
        ("m10", "ca.pem"),
        ("m10", "cert.pem"),
    ]
    server = rows[2]
    assert (server.subject, server.issuer) == ("CN=orion", "CN=machinectl CA for orion")
    assert server.sans == ("orion", "localhost", "127.0.0.1")
    assert server.expires
    assert server.days_left in {819, 820}
    assert [row.warning for row in rows] == [""] * 5
    assert list_certificates(store, ["m10"]) == rows[3:]
    assert server.fields()["Expires"] == f"{server.expires:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("days", "warnings"),
    [
        (789, ["", "", ""]),
        (791, ["", "expires in 29 days", "expires in 29 days"]),
        (821, ["", "expired", "expired"]),
        (3651, ["expired", "expired", "expired"]),
        (-2, ["not valid before"] * 3),
    ],
)
def test_what_expires_within_30_days_or_has_expired_is_warned_of(
    store: Store, made: Path, days: int, warnings: list[str]
) -> None:
    add_machine(store)
    import_certificates(store, Quiet(), "orionbox", str(made))
    rows = list_certificates(store, now=NOW + timedelta(days=days))
    for row, warning in zip(rows, warnings, strict=True):
        assert row.warning.startswith(warning)
        assert bool(row.warning) == bool(warning)


def test_what_does_not_fit_together_is_warned_of(store: Store, made: Path, tmp_path: Path) -> None:
    machine = add_machine(store)
    other = tmp_path / "other"
    create_certificates(str(other), ["orion"])
    for name in ("ca.pem", "ca-key.pem", "cert.pem", "server.pem"):
        shutil.copy(made / name, machine)
    shutil.copy(other / "ca-key.pem", machine)
    shutil.copy(other / "key.pem", machine)
    assert [row.warning for row in list_certificates(store)] == [
        "ca-key.pem is not the private key of ca.pem (CN=machinectl CA for orion)",
        "key.pem is not the private key of cert.pem (CN=client)",
        "server-key.pem missing",
    ]


def test_fail_under_says_which_machine_fell_under_and_what_renews_it(store: Store, made: Path) -> None:
    for name in ("ours", "theirs", "fine"):
        add_machine(store, name=name)
        import_certificates(store, Quiet(), name, str(made))
    with store.writing("ours") as held:
        held.keep_changes([FileCreated("/etc/docker/machinectl/server.pem")])
    Path(store.directory("theirs"), "cert.pem").write_text("")
    done = machinectl("certs", "ls", "ours", "theirs", "--fail-under", "1000", store=store.root)
    assert done.returncode == 1
    [first, renewal, second, new_ones] = done.stderr.splitlines()
    assert re.search(r'"ours": cert.pem has 8\d\d days left; server.pem has 8\d\d days left', first)
    assert "machinectl regenerate-certs --client-certs ours" in renewal
    assert re.search('"theirs": cert.pem: .*; server.pem has', second)
    assert "machinectl certs import theirs" in new_ones
    assert machinectl("certs", "ls", "fine", "--fail-under", "30", store=store.root).stderr == ""
