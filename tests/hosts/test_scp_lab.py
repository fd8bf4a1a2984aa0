"""`scp`, `mount` and `ssh-config` on real hosts: two of them, one behind another, and docker's own command line."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.lab.image import PASSWORD
from tests.lab.place import KEY
from tests.support.lab_cli import generic
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.support.lab_cli import Cli


def registered(cli: Cli, *words: str) -> None:
    cli.ok(*words, "--no-provision", "--no-tls")


def test_a_host_behind_a_jump_host_is_copied_to_mounted_and_known_to_ssh(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    need("sshfs")
    jump, behind = fresh_host(), fresh_host()
    way = f"Host {jump.ip}\n  User joe\n  IdentityFile {KEY}\n  IdentitiesOnly yes\n"
    cli.config.write(f"Host {behind.ip}\n  ProxyJump {jump.ip}\n{way}")
    cli.config.known_hosts.write_text(f"{jump.ip} {jump.host_key}\n")
    # What -F replaces, and is included again.
    home = tmp_path / "home" / ".ssh"
    home.mkdir()
    (home / "config").write_text(f"{way}Host {jump.ip}\n  UserKnownHostsFile {cli.config.known_hosts}\n")
    behind.only_from(jump)
    registered(cli, *generic(behind))
    (tmp_path / "file").write_text("a text\n")
    cli.ok("scp", tmp_path / "file", "orion:file0")
    assert behind.output("cd; cat file0", user="ops") == "a text"
    (tmp_path / "mnt").mkdir()
    cli.ok("mount", "orion:", tmp_path / "mnt")
    assert (tmp_path / "mnt" / "file0").read_text() == "a text\n"
    cli.ok("mount", "-u", tmp_path / "mnt")
    config = tmp_path / "own"
    config.write_text(f"{cli.ok('ssh-config', '--write').stdout}{(home / 'config').read_text()}")
    done = subprocess.run(["ssh", "-F", str(config), "orion", "hostname"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{behind.name}\n"), done.stderr


def test_a_password_in_a_file_lets_scp_in(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    host = fresh_host("password")
    registered(cli, *generic(host, user="joe", key=""))
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    cli.ok("scp", "--ssh-password-file", password, __file__, "orion:there")
    cli.ok("scp", "orion:there", tmp_path / "back", MACHINECTL_SSH_PASSWORD=PASSWORD)
    with open(__file__, encoding="utf-8") as file:
        assert (tmp_path / "back").read_text() == file.read()
