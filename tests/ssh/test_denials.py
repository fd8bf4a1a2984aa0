"""What hosts say to those whom they let in half: told for what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.ssh_errors import LoginRefused, NoShell
from tests.support.hostile_ssh import AUTH_BANNER, answering, disconnect, text
from tests.support.servers import serving
from tests.support.sshd import log_in, public

if TYPE_CHECKING:
    from machinectl.errors import MachineError
    from tests.support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("ssh_config", "way")

BOOTING = (
    b'"System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. '
    b'For technical details, see pam_nologin(8)."\n'
)
# The command= that cloud-init writes before root's key.
NOT_ROOT_BUT_A_SHELLS = (
    r"""command="echo 'Please login as the user \"x;touch\${IFS}y\" rather than the user \"root\".';echo;exit 142" """
)
NOT_ROOT = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
    r"""command="echo 'Please login as the user \"ubuntu\" rather than the user \"root\".';echo;exit 142" """
)


def test_a_login_that_is_granted_and_ended_is_told_with_the_hosts_words(sshd: Sshd) -> None:
    ends = answering(bytes([AUTH_BANNER]) + text(BOOTING) + text(b""), disconnect(b"bye"))
    with serving(ends) as port, pytest.raises(LoginRefused, match="it said '\"System is booting up") as caught:
        log_in(SSHEndpoint("127.0.0.1", "ops", port, str(sshd.key_path)))
    assert caught.value.hint.startswith("If it is starting up or shutting down, wait, and run this again")


def refusal(sshd: Sshd) -> MachineError:
    with log_in(sshd.endpoint) as session, pytest.raises(NoShell) as caught:
        session.run("echo in", timeout=3)
    return caught.value


def force(sshd: Sshd, options: str) -> None:
    sshd.authorized_keys.write_text(f"{options} {public(sshd.key_path)}")


def test_a_cloud_image_whose_root_may_not_log_in_says_who_may(sshd: Sshd) -> None:
    force(sshd, NOT_ROOT)
    error = refusal(sshd)
    assert "run no commands: it says 'Please login as the user" in error.cause
    assert error.hint == "Log in as that user: --ssh-user ubuntu"


def test_a_name_that_a_shell_would_take_for_more_is_in_no_command_that_is_typed(sshd: Sshd) -> None:
    force(sshd, NOT_ROOT_BUT_A_SHELLS)
    error = refusal(sshd)
    assert "touch" in error.cause
    assert "touch" not in error.hint


def test_a_forced_command_is_told_as_one(sshd: Sshd) -> None:
    force(sshd, 'command="echo Backup 1.0; echo which archive? >&2; exit 3"')
    error = refusal(sshd)
    assert error.cause.endswith("run no commands: it says 'Backup 1.0 which archive?'")
    assert f"command= in ~{sshd.user}/.ssh/authorized_keys" in error.hint
    force(sshd, 'command="echo Your choice:; exec sleep 60"')
    assert "it says 'Your choice:'" in refusal(sshd).cause
