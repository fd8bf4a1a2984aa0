"""What hosts say to those whom they let in half: told for what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.ssh_errors import LoginRefused, NoShell
from tests.support.hostile_ssh import AUTH_BANNER, agreeing, answering, disconnect, failure, question, send, text
from tests.support.servers import serving
from tests.support.sshd import log_in, public

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.errors import MachineError
    from tests.support.servers import Connection
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


@pytest.mark.parametrize(
    ("banner", "cause", "hint"),
    [
        (BOOTING, "currently lets only root log in: '\"System is booting up.", "wait, and run this again"),
        (
            b"Your account has expired; please contact your system administrator.\n",
            "has expired",
            "chage -E -1",
        ),
        (
            b"Authorized use only.\n",
            "after 1 attempt to log in as ops: .*; it said 'Authorized use only.'",
            "rm /run/nologin",
        ),
    ],
)
def test_a_login_that_is_granted_and_ended_is_told_with_the_hosts_words(
    sshd: Sshd, banner: bytes, cause: str, hint: str
) -> None:
    ends = answering(bytes([AUTH_BANNER]) + text(banner) + text(b""), disconnect(b"bye"))
    with serving(ends) as port, pytest.raises(LoginRefused, match=cause) as caught:
        log_in(SSHEndpoint("127.0.0.1", "ops", port, str(sshd.key_path)))
    assert hint in caught.value.hint


def test_a_password_that_has_expired_is_told_as_one() -> None:
    wants = b"keyboard-interactive"
    words = b"You are required to change your password immediately."
    dialog = [failure(wants), question(b"Password: "), question(b"New password: ", title=words), failure(wants)]

    def expects(connection: Connection) -> None:
        said = iter(dialog)
        agreeing(lambda transport: send(transport, next(said)))(connection)

    with serving(expects) as port, pytest.raises(LoginRefused, match=r"The password of ops .* has expired") as caught:
        log_in(SSHEndpoint("127.0.0.1", "ops", port), credentials=Credentials(password="geheim"))
    assert caught.value.hint == f"Log in once, and give it one: ssh -p {port} ops@127.0.0.1"


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


def test_a_forced_command_that_does_not_end_is_told_as_one(sshd: Sshd) -> None:
    force(sshd, 'command="echo Your choice:; exec sleep 60"')
    assert "it says 'Your choice:'" in refusal(sshd).cause


def test_a_password_that_has_to_be_changed_before_any_command_is_told_as_expired(sshd: Sshd) -> None:
    force(
        sshd,
        "command=\"printf 'WARNING: Your password has expired.\\nPassword change required but no TTY available.'\"",
    )
    error = refusal(sshd)
    assert "has expired: it wants a new one" in error.cause
    assert error.hint.startswith("Log in once, and give it one: ssh -p ")


def test_a_host_that_boots_without_pam_says_so(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "nologin").write_bytes(BOOTING)
    force(sshd, f'command="cat {tmp_path}/nologin; exit 254"')
    error = refusal(sshd)
    assert "System is booting up" in error.cause
    assert error.hint == "If it is starting up or shutting down, wait, and run this again"
