"""SSH and sudo on real hosts: PAM, passwords, sudo, links that fail, hosts that reboot."""

from __future__ import annotations

import base64
import hmac
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.hosts.authorized_keys import AUTHORIZE
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.keys.private_keys import public_line
from machinectl.ssh.ssh_errors import CommandFailed, ConnectionLost, LoginRefused, NoShell, RootRefused, SSHError
from machinectl.ssh.sudo import become_root, sudoers
from tests.lab.image import PASSWORD
from tests.lab.place import KEY
from tests.support.quiet import Quiet
from tests.support.sshd import by_system, keygen, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.ssh.runner import Runner
    from machinectl.ssh.session import SSHSession
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.sshd import SSHConfig

pytestmark = pytest.mark.usefixtures("ssh_config", "way")


def at(host: Host, user: str = "root", *, key: str = str(KEY)) -> SSHEndpoint:
    return SSHEndpoint(host.ip, user, 0 if host.port == 22 else host.port, key)


def as_root(session: SSHSession, password: str | None = None, console: Quiet | None = None) -> Runner:
    return become_root(session, Credentials(sudo_password=password), console or Quiet())


def penalties(host: Host, what: str) -> None:
    host.run(f"echo PerSourcePenalties {what} > /etc/ssh/sshd_config.d/01-penalties.conf; systemctl restart ssh")


def in_background(work: Callable[[], object]) -> Future[object]:
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised again by the test
            future.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return future


def test_every_kind_of_user_is_root_or_is_told_why_not(fresh_host: FreshHost) -> None:
    host = fresh_host()
    for user, password in (("root", None), ("ops", None), ("dev", PASSWORD)):
        with log_in(at(host, user)) as session:
            root = as_root(session, password)
            result = root.run("id -u; cat; echo oops >&2", input=b"data")
            assert (result.stdout, result.stderr) == (b"0\ndata", b"oops\n"), user
            root.run("umask 077; cat >/etc/secret", input=b"geheim")
            assert root.run("stat -c '%a %U:%G' /etc/secret; cat /etc/secret").text == "600 root:root\ngeheim"
    with log_in(at(host, "dev")) as session:
        console = Quiet("falsch", PASSWORD)
        assert as_root(session, console=console).run("id -u").text == "0"
        assert len(console.asked) == 2
        with pytest.raises(RootRefused, match="does not take the password given for dev"):
            as_root(session, "falsch")
        with pytest.raises(RootRefused) as caught:
            as_root(session)
        assert sudoers("dev") in caught.value.hint
    with log_in(at(host, "joe")) as session, pytest.raises(RootRefused, match="joe may not run sudo") as caught:
        as_root(session, PASSWORD)
    assert caught.value.hint == f"On the host, as root: {sudoers('joe')}"


def test_whatever_sudo_is_set_to_do_changes_neither_data_nor_output(fresh_host: FreshHost) -> None:
    host = fresh_host()
    # Of more than a pipe holds, 64 KiB, sudo itself loses the rest when it logs output and its reader is slow.
    data = bytes(range(256)) * 200
    for option in ("use_pty", "log_output", "lecture=always", "timestamp_timeout=0", "timestamp_type=global"):
        host.run(f"echo 'Defaults {option}' > /etc/sudoers.d/option")
        for user in ("ops", "dev"):
            with log_in(at(host, user)) as session:
                root = as_root(session, PASSWORD)
                for _ in range(2):
                    result = root.run("tee /dev/stderr", input=data)
                    assert (result.stdout, result.stderr) == (data, data), option
    # The sudoers line of the error works.
    host.run(sudoers("joe"))
    with log_in(at(host, "joe")) as session:
        assert as_root(session).run("id -u").text == "0"
    # A password goes to no other sudo than the system's.
    host.run(
        "cd /home/dev && mkdir bin && printf '#!/bin/sh\\ncat >/tmp/caught\\n' >bin/sudo && chmod 755 bin/sudo && "
        "cp bin/sudo bin/script && echo 'PATH=/home/dev/bin:$PATH' | tee .bashrc >.profile"
    )
    with log_in(at(host, "dev")) as session:
        assert session.run("command -v sudo").text == "/home/dev/bin/sudo"
        assert as_root(session, PASSWORD).run("id -u").text == "0"
    assert host.run("test -e /tmp/caught", check=False).returncode != 0


def test_without_sudo_root_works_and_a_user_is_told_so(fresh_host: FreshHost) -> None:
    host = fresh_host("nosudo")
    with log_in(at(host)) as session:
        assert as_root(session).run("id -u").text == "0"
    with log_in(at(host, "ops")) as session, pytest.raises(RootRefused, match="sudo is not installed there"):
        as_root(session)


def test_sudo_rs_makes_root_of_who_has_to_give_a_password(fresh_host: FreshHost) -> None:
    host = fresh_host("sudors")
    data = bytes(range(256)) * 400
    for user, password in (("ops", None), ("dev", PASSWORD)):
        with log_in(at(host, user)) as session:
            root = as_root(session, password)
            result = root.run("id -u >&2; cat", input=data)
            assert (result.stdout, result.stderr) == (data, b"0\n"), user
            assert root.run("readlink -f /proc/$PPID/exe").text.endswith("/sudo")
    with log_in(at(host, "dev")) as session:
        assert as_root(session, console=Quiet("falsch", PASSWORD)).run("id -u").text == "0"
        with pytest.raises(RootRefused, match="does not take the password given for dev"):
            as_root(session, "falsch")
    with log_in(at(host, "joe")) as session, pytest.raises(RootRefused, match="joe may not run sudo"):
        as_root(session, PASSWORD)
    host.run("echo 'Defaults timestamp_timeout=0' > /etc/sudoers.d/forget")
    with log_in(at(host, "dev")) as session, pytest.raises(RootRefused):
        as_root(session, PASSWORD)


def test_doas_makes_root_where_it_needs_no_password(fresh_host: FreshHost) -> None:
    host = fresh_host("doas")
    with log_in(at(host, "ops")) as session:
        result = as_root(session).run("id -u; echo $HOME; cat; echo oops >&2", input=b"data")
        assert (result.stdout, result.stderr) == (b"0\n/root\ndata", b"oops\n")
    for user in ("dev", "joe"):
        with (
            log_in(at(host, user)) as session,
            pytest.raises(RootRefused, match=rf"{user} cannot .* by doas") as caught,
        ):
            as_root(session, PASSWORD)
        host.run(caught.value.hint.removeprefix("On the host, as root: "))
        with log_in(at(host, user)) as session:
            assert as_root(session).run("id -u").text == "0"


def test_no_password_is_in_an_argument_or_an_environment_on_either_side(fresh_host: FreshHost) -> None:
    host = fresh_host()
    with log_in(at(host, "dev"), credentials=Credentials(password=PASSWORD)) as session:
        root = as_root(session, PASSWORD)
        host.run("mkfifo /run/gate")
        running = in_background(lambda: root.run("cat /run/gate; wc -c", input=PASSWORD.encode()))
        there = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
        while "cat\n/run/gate" not in (seen := host.run(there, check=False).stdout):
            assert not running.done()
        here = b"".join(read(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
        host.run("echo open > /run/gate")
        assert running.result(20) == root.run(f"echo open; echo {len(PASSWORD)}")
    assert PASSWORD not in seen
    assert PASSWORD.encode() not in here


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_password_logs_in_and_a_copied_key_makes_it_the_last_time(fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host("password")
    # The wrong logins are the test's: on a busy machine they add up to what OpenSSH bars an address for.
    penalties(host, "no")
    key = str(keygen(tmp_path / "key"))
    for user in ("root", "joe"):
        with pytest.raises(LoginRefused, match="it accepts publickey, password"):
            log_in(at(host, user, key=key))
        with pytest.raises(LoginRefused, match="the password given"):
            log_in(at(host, user, key=key), credentials=Credentials(password="falsch"))
        with log_in(at(host, user, key=key), credentials=Credentials(password=PASSWORD)) as session:
            session.run(AUTHORIZE, input=f"{public_line(key)}\n".encode())
            session.run(AUTHORIZE, input=f"{public_line(key)}\n".encode())
        with log_in(at(host, user, key=key)) as session:
            assert session.run("wc -l < ~/.ssh/authorized_keys; stat -c %a ~/.ssh ~/.ssh/authorized_keys").text == (
                "1\n700\n600"
            )
    console, credentials = Quiet(True, "falsch", PASSWORD), Credentials()
    with log_in(at(host, "joe", key=""), console, credentials=credentials) as session:
        assert session.run("id -un").text == "joe"
    assert credentials.password == PASSWORD
    # A host that only asks questions gets the password for an answer.
    option = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n"
    host.run("cat > /etc/ssh/sshd_config.d/01-questions.conf; systemctl restart ssh", option.encode())
    with log_in(at(host, "joe", key=""), credentials=Credentials(password=PASSWORD)) as session:
        assert session.run("id -un").text == "joe"
    with log_in(at(host, "joe", key=""), Quiet(True, "falsch", PASSWORD)) as session:
        assert session.run("id -un").text == "joe"


def test_a_server_that_turns_away_after_failed_logins_is_told_as_one(fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host()
    penalties(host, "authfail:600s min:1s")
    endpoint = at(host, key=str(keygen(tmp_path / "key")))

    def fail_often() -> None:
        # The penalty counts from when the server has heard the end of a failed login.
        for _ in range(20):
            with pytest.raises(LoginRefused):
                log_in(endpoint)

    # Its word is lost where it hangs up on what we had to say.
    with pytest.raises(SSHError, match=r"rejects this address for now: 'Not allowed at this time'|blocks this address"):
        fail_often()


def test_a_host_that_wants_a_key_and_a_password_gets_both(fresh_host: FreshHost) -> None:
    host = fresh_host()
    option = "AuthenticationMethods publickey,password\nPasswordAuthentication yes\n"
    host.run("cat > /etc/ssh/sshd_config.d/01-both.conf; systemctl restart ssh", option.encode())
    with log_in(at(host, "joe"), credentials=Credentials(password=PASSWORD)) as session:
        assert session.run("id -un").text == "joe"
    with pytest.raises(LoginRefused, match="it accepts password"):
        log_in(at(host, "joe"))


def test_noise_and_a_foreign_language_change_nothing(fresh_host: FreshHost) -> None:
    host = fresh_host("noisy", "locale")
    for user in ("root", "ops"):
        with log_in(at(host, user)) as session:
            root = as_root(session)
            assert root.run("cat; echo oops >&2", input=b"data").stdout == b"data"
            with pytest.raises(CommandFailed, match="No such file or directory"):
                root.run("cat /nowhere")


# Users without a shell, each in another way. Their password is parted: another test looks for it in arguments.
KEPT_FROM_A_SHELL = r"""
for user in rbash gitshell jailed reads execs noexec narrow truth closed; do
  useradd -m -s /bin/bash $user; cp -r /home/ops/.ssh /home/$user/; chown -R $user: /home/$user/.ssh
  echo "$user:lab""pass" | chpasswd
done
ln -sf bash /bin/rbash; chsh -s /bin/rbash rbash
printf '#!/bin/sh\necho "fatal: unrecognized command" >&2; exit 128\n' > /usr/bin/git-shell
chmod 755 /usr/bin/git-shell; chsh -s /usr/bin/git-shell gitshell
mkdir -p /srv/jail; printf 'Match User jailed\n ChrootDirectory /srv/jail\n' > /etc/ssh/sshd_config.d/99-jail.conf
echo 'read -r answer' > /home/reads/.bashrc
echo 'exec cat' > /home/execs/.bashrc
echo 'noexec ALL=(ALL:ALL) NOPASSWD: NOEXEC: ALL' > /etc/sudoers.d/noexec
printf 'narrow ALL=(ALL:ALL) NOPASSWD: ALL\nDefaults:narrow secure_path="/opt"\n' > /etc/sudoers.d/narrow
printf 'truth ALL=(ALL:ALL) ALL\ntruth ALL=(ALL:ALL) NOPASSWD: /usr/bin/true\n' > /etc/sudoers.d/truth
systemctl restart ssh
"""
CODES = r"""
apt-get -q -y install libpam-google-authenticator
sed -i 's/^@include common-auth/auth required pam_google_authenticator.so/' /etc/pam.d/sshd
printf 'JBSWY3DPEHPK3PXP\n" TOTP_AUTH\n' > /home/closed/.google_authenticator
chown closed: /home/closed/.google_authenticator; chmod 400 /home/closed/.google_authenticator
printf 'KbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive\n' \
  > /etc/ssh/sshd_config.d/01-codes.conf
systemctl restart ssh
"""


def code() -> str:
    """Return the current code (RFC 6238)."""
    digest = hmac.digest(base64.b32decode("JBSWY3DPEHPK3PXP"), (int(time.time()) // 30).to_bytes(8), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**6:06}"


@pytest.mark.timeout(300)
def test_restricted_logins_and_prompts_for_a_code_are_explained(fresh_host: FreshHost, way: str) -> None:
    host = fresh_host()
    host.run(KEPT_FROM_A_SHELL)
    for user, cause, hint in (
        ("rbash", "restricted", "chsh -s /bin/sh rbash"),
        ("gitshell", "fatal: ", "chsh -s /bin/sh gitshell"),
        ("jailed", "/bin/bash: No such file or directory", "ChrootDirectory"),
        ("reads", "it prints nothing", "~/.bashrc"),
        ("execs", "it says ", "~/.bashrc"),
    ):
        with log_in(at(host, user)) as session, pytest.raises(NoShell) as caught:
            session.run("true")
        assert cause in caught.value.cause
        assert hint in caught.value.hint
    # sudo's PATH and a command that needs no password do not matter.
    for user, password in (("narrow", None), ("truth", PASSWORD)):
        with log_in(at(host, user)) as session:
            assert as_root(session, password).run("id -un; cat", input=b"data").text == "root\ndata"
    with log_in(at(host, "noexec")) as session, pytest.raises(RootRefused, match="Permission denied"):
        as_root(session)
    host.run("echo 'System is going down. Unprivileged users are not permitted to log in anymore.' > /run/nologin")
    with pytest.raises(LoginRefused, match=r"it said .System is going down"):
        log_in(at(host, "closed"))
    host.run("rm /run/nologin; chage -d 0 joe; chage -E 0 dev")
    with log_in(at(host, "joe")) as session, pytest.raises(NoShell, match=r"it says .*password has expired"):
        session.run("true")
    with pytest.raises(LoginRefused, match="it said 'Your account has expired"):
        log_in(at(host, "dev"))
    if way == "native":
        # It answers a password only.
        return
    host.run(CODES)
    with pytest.raises(LoginRefused, match=r"it accepts keyboard-interactive"):
        log_in(at(host, "closed"), credentials=Credentials(password=PASSWORD))
    console = Quiet(True, "000000", code())
    with log_in(at(host, "closed"), console) as session:
        assert session.run("id -un").text == "closed"
    assert console.asked[1:] == [f"(closed@{host.ip}) Verification code"] * 2


@by_system
def test_a_host_behind_a_jump_host(fresh_host: FreshHost, ssh_config: SSHConfig) -> None:
    jump, behind = fresh_host(), fresh_host()
    behind.only_from(jump)
    with pytest.raises(SSHError):
        log_in(at(behind), timeout=1)
    ssh_config.write(
        f"Host {behind.ip}\n  ProxyJump joe@{jump.ip}\nHost {jump.ip}\n  IdentityFile {KEY}\n  IdentitiesOnly yes\n"
    )
    ssh_config.known_hosts.write_text(f"{jump.ip} {jump.host_key}\n{behind.ip} {behind.host_key}\n")
    with log_in(at(behind, "ops"), policy=HostKeyPolicy(strict=True)) as session:
        assert as_root(session).run("hostname").text == behind.name


def test_a_host_that_is_unplugged_or_reboots_in_the_middle_is_noticed_and_found_again(
    fresh_host: FreshHost, ssh_config: SSHConfig
) -> None:
    ssh_config.write("ServerAliveInterval 1\nServerAliveCountMax 2\n")
    host = fresh_host()
    with log_in(at(host)) as session:
        session.run("true")
        host.link(up=False)
        with pytest.raises(ConnectionLost, match=r"no sign of life|it was closed"):
            session.run("sleep 600", timeout=600)
    with pytest.raises(SSHError):
        log_in(at(host), timeout=1)
    host.link(up=True)
    host.wait_ssh()
    pinned = HostKeyPolicy(pinned=session.known_hosts, strict=True)
    with log_in(at(host), policy=pinned) as session:
        assert session.run("hostname").text == host.name
        rebooting = in_background(host.reboot)
        with pytest.raises(ConnectionLost):
            session.run("sleep 60")
    rebooting.result(60)
    with log_in(at(host), policy=pinned) as session:
        assert session.run("hostname").text == host.name
