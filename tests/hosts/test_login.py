"""Login options: where they come from, and which hosts get them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.run_verb import read_login_secret
from machinectl.errors import MachineError
from machinectl.hosts.login import Login, logged_in, pin_known_hosts, pinned_known_hosts
from machinectl.hosts.remote_script import raise_if_unreachable
from machinectl.machines.machine_driver import ssh_endpoint
from machinectl.machines.record import Phase
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.openssh.direct_session import NotStarted
from machinectl.ssh.ssh_errors import LoginRefused, Unreachable
from tests.support.in_process import machinectl
from tests.support.quiet import Quiet
from tests.support.registered import register

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.sshd import Sshd

VERBS = ["ssh", "provision", "upgrade", "regenerate-certs", "restart", "stop", "start", "kill"]


def test_a_password_typed_for_one_host_is_not_known_to_the_next() -> None:
    login = Login(Credentials(password="given"))
    first = login.for_one_host()
    first.credentials.password = "typed"
    first.credentials.sudo_password = "typed"
    first.credentials.passphrases["/key"] = "opens the same key everywhere"
    second = login.for_one_host()
    assert (second.credentials.password, second.credentials.sudo_password) == ("given", None)
    assert second.credentials.passphrases == first.credentials.passphrases


def test_settings_of_one_host_override_the_common_ones(tmp_path: Path) -> None:
    login = Login(Credentials(password="for all"), strict=True)
    (tmp_path / "sudo").write_text("geheim\n")
    own = login.with_files(sudo_password_file=str(tmp_path / "sudo"), host_key="SHA256:x")
    assert (own.credentials.password, own.credentials.sudo_password) == ("for all", "geheim")
    assert (own.host_key, own.strict) == ("SHA256:x", True)
    assert (login.credentials.sudo_password, login.host_key) == (None, "")
    (tmp_path / "ssh").write_text("of one")
    assert login.with_files(password_file=str(tmp_path / "ssh")).credentials.password == "of one"
    with pytest.raises(MachineError, match="ssh-passphrase-file"):
        login.with_files(passphrase_file=str(tmp_path / "none"))


@pytest.mark.usefixtures("way")
def test_a_key_that_was_accepted_is_pinned_although_the_login_fails(store: Store, sshd: Sshd) -> None:
    register(store, "orion", sshd, pinned=False)
    with store.writing("orion") as held:
        held.machine.driver_state = held.machine.driver_state.replace(f'"{sshd.user}"', '"nobody-here"')
        held.write()
        console = Quiet("yes", "wrong", "wrong", "wrong")
        pin = partial(pin_known_hosts, held)
        with pytest.raises(LoginRefused), logged_in(held.machine, console, Login(), pin=pin):
            pass
        assert console.asked[0].endswith("Trust it from now on?")
        assert sshd.known().split()[2].encode() in pinned_known_hosts(held.machine)


@pytest.mark.parametrize(
    ("phase", "pins", "asked"),
    [
        # A machine that is not created yet may be forgotten, with the key.
        (Phase.PROVISIONING, True, "Trust it?"),
        (Phase.READY, False, "Trust it this once?"),
    ],
)
def test_a_key_is_trusted_for_as_long_as_the_prompt_says(
    store: Store, sshd: Sshd, *, phase: str, pins: bool, asked: str
) -> None:
    register(store, "orion", sshd, pinned=False)
    with store.writing("orion") as held:
        held.machine.phase = phase
        console = Quiet("yes")
        pin = partial(pin_known_hosts, held) if pins else None
        with logged_in(held.machine, console, Login(), pin=pin):
            pass
        assert console.asked[0].endswith(asked)
        assert bool(pinned_known_hosts(held.machine)) is pins


def test_a_host_that_is_silent_to_openssh_is_told_with_what_switches_it_on(store: Store, sshd: Sshd) -> None:
    machine = register(store, "orion", sshd)
    failure = NotStarted("ssh: connect to host: Connection timed out", is_silent=True)
    with pytest.raises(Unreachable) as raised:
        raise_if_unreachable(machine, ssh_endpoint(machine), failure)
    commands = [command for _, command, _ in raised.value.hint.parts]
    assert commands[1:] == ["machinectl set --ssh-port <PORT> orion", "machinectl start orion"]


def test_secrets_are_not_in_the_repr() -> None:
    assert "given" not in repr(Login(Credentials(password="given", passphrase="given", sudo_password="given")))


def test_a_secret_comes_from_the_file_or_else_from_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\nand no more\n")
    assert read_login_secret("", "--secret-file", None, Quiet()) is None
    assert read_login_secret("", "--secret-file", "from the variable", Quiet()) == "from the variable"
    assert read_login_secret(str(file), "--secret-file", "from the variable", Quiet()) == "from the file"
    with pytest.raises(MachineError, match=r"--secret-file: .* cannot be read"):
        read_login_secret(str(tmp_path), "--secret-file", None, Quiet())


@pytest.mark.parametrize("verb", VERBS[1:])
def test_a_secret_that_cannot_be_read_ends_a_verb_before_anything_is_done(store: Store, verb: str) -> None:
    done = machinectl(verb, "--sudo-password-file", "/no/such/file", "orion", store=store.root)
    assert done.returncode == 1
    assert "/no/such/file cannot be read" in done.stderr
