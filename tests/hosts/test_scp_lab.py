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

BIG = 8 << 20


def registered(cli: Cli, *words: str) -> None:
    cli.ok(*words, "--no-provision", "--no-tls")


def test_from_host_to_host_all_goes_through_here_though_neither_knows_the_other(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    orion, rigel = fresh_host(), fresh_host("port2222")
    registered(cli, *generic(orion, name="orion"))
    registered(cli, *generic(rigel, name="rigel", user="root"))
    orion.run(
        "cd; mkdir -p 'src/ünï dir'; cd src; printf one > 'ünï dir/a file'; chmod 640 'ünï dir/a file'; "
        f"ln -s 'ünï dir' link; head -c {BIG} /dev/urandom > big; touch -d @1100000000 big",
        user="ops",
    )
    done = cli.ok("scp", "-rp", "orion:src", "rigel:/srv/a")
    assert (done.stdout, done.stderr) == ("", "")
    there = "cd /srv/a; cat 'ünï dir/a file' 'link/a file'; stat -c ' %a' 'ünï dir/a file'; stat -c %Y big"
    assert rigel.output(there) == "oneone 640\n1100000000"
    assert orion.output("sha256sum < /home/ops/src/big") == rigel.output("sha256sum < /srv/a/big")
    # As another user than the machine's, who is let in by the same key.
    cli.ok("scp", "root@orion:/etc/hostname", tmp_path / "hostname")
    assert (tmp_path / "hostname").read_text() == f"{orion.name}\n"


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


def test_a_side_without_rsync_is_named(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    need("rsync")
    host = fresh_host()
    registered(cli, *generic(host))
    (tmp_path / "file").write_text("a text\n")
    done = cli.run("scp", "-d", tmp_path / "file", "orion:file")
    assert done.returncode
    assert "If the host has no rsync, install it there" in done.stderr


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


def test_docker_reaches_an_engine_over_ssh_by_the_machines_name(fresh_host: FreshHost, cli: Cli) -> None:
    need("docker")
    host = fresh_host("docker")
    registered(cli, *generic(host, user="root"))
    cli.config.write(cli.ok("ssh-config", "--write").stdout)
    docker = ["docker", "-H", "ssh://orion", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(docker, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
