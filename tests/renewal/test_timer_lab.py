"""Renewal on real hosts: clients that ask all the while see no error of TLS, and a real systemd keeps the time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import machinectl
from tests.lab import client
from tests.soak_renewal import soak

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("ssh_config")]

# What `renew --install-timer` and doctor do, without the libraries that the host does not have.
ON_HOST = """
import os, sys
from machinectl.console import SilentConsole
from machinectl.renewal.timer import checks, install_timer, uninstall_timer
from machinectl.machines.store import Store

store = Store()
if sys.argv[1] == "install":
    install_timer(store, SilentConsole(), "/home/ops/my bin/machinectl", ["--lifetime-left", "30d"], os.environ)
elif sys.argv[1] == "uninstall":
    uninstall_timer(store, SilentConsole())
print(*(f"{check.verdict}: {check.seen}" for check in checks(store)))
"""
PROGRAM = '#!/bin/sh\necho "$@" >> ~/ran\nexit $(cat ~/status)\n'
START = "systemctl --user start machinectl-renew.service"


def test_clients_that_ask_meanwhile_are_refused_only_while_the_engine_restarts(
    fresh_host: FreshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    clients = soak(fresh_host("docker"), tmp_path / "store", 2)
    assert [each.errors for each in clients] == [[], []]
    assert all(each.good > 3 for each in clients)


def test_a_users_systemd_runs_it_and_doctor_sees_how_it_ended(fresh_host: FreshHost) -> None:
    host = fresh_host()
    # The lab's image does without users' systemds.
    host.run("systemctl unmask user@.service")
    package = Path(machinectl.__file__).parent
    archive = subprocess.run(["tar", "-C", package.parent, "-cz", package.name], capture_output=True, check=True).stdout
    words = [*host.ssh_command("ops"), "mkdir 'my bin'; tar -xz"]
    subprocess.run(words, input=archive, check=True, capture_output=True)
    by_user(host, "cat > on_host.py", ON_HOST)
    by_user(host, "cat > 'my bin/machinectl'; chmod +x 'my bin/machinectl'; echo 0 > status", PROGRAM)

    assert by_user(host, "python3 on_host.py install").startswith("ok: ")
    assert "machinectl-renew.timer" in by_user(host, "systemctl --user list-timers")
    units = "~/.config/systemd/user/machinectl-renew.*"
    assert by_user(host, f"systemd-analyze --user verify {units} 2>&1") == ""
    by_user(host, START)
    assert by_user(host, "cat ran") == (
        "--storage-path /home/ops/.local/share/machinectl renew --due --lifetime-left 30d\n"
    )
    assert by_user(host, "python3 on_host.py look").startswith("ok: ")
    by_user(host, f"echo 3 > status; ! {START}")
    assert "the last run failed (exit-code, exit status 3)" in by_user(host, "python3 on_host.py look")
    by_user(host, "systemctl --user disable --now machinectl-renew.timer")
    assert "not enabled" in by_user(host, "python3 on_host.py look")
    assert by_user(host, "python3 on_host.py uninstall") == "\n"
    assert "machinectl-renew" not in by_user(host, "systemctl --user list-unit-files; ls ~/.config/systemd/user")


def by_user(host: Host, command: str, stdin: str = "") -> str:
    done = client.ssh(host, command, "ops", stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout
