"""Each variant of the lab's hosts is what it claims to be."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.client import connects, password_login, ssh
from tests.lab.variants import TWO_YEARS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host


@pytest.mark.parametrize(("suite", "version"), [("trixie", "13"), ("bookworm", "12")])
def test_suites_are_debian_13_and_12_with_an_engine(fresh_host: FreshHost, suite: str, version: str) -> None:
    host = fresh_host("docker", suite=suite)
    assert host.output(". /etc/os-release; echo $ID $VERSION_ID") == f"debian {version}"
    assert host.output("docker info -f '{{.Driver}}'") == "overlay2"


def test_a_bare_host_has_neither_engine_nor_curl_nor_wget(fresh_host: FreshHost) -> None:
    assert fresh_host().run("command -v docker curl wget", check=False).stdout == ""


def test_noroot(fresh_host: FreshHost) -> None:
    host = fresh_host("noroot")
    assert "Permission denied" in ssh(host, "true").stderr
    assert ssh(host, "true", "ops").returncode == 0


def test_password(fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host("password")
    assert "Permission denied" in ssh_with_key_only(host, "root").stderr
    for user in ("root", "ops", "dev", "joe"):
        assert password_login(host, user, tmp_path).stdout == f"{user}\n"


def ssh_with_key_only(host: Host, user: str) -> subprocess.CompletedProcess[str]:
    words = [*host.ssh_command(user), "true"]
    words[1:1] = ["-o", "BatchMode=yes"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_port2222_and_variants_combine(fresh_host: FreshHost) -> None:
    host = fresh_host("port2222", "noroot")
    assert host.port == 2222
    assert not connects(host, 22)
    assert ssh(host, "true", "ops").returncode == 0
    assert "Permission denied" in ssh(host, "true").stderr


def test_nosudo(fresh_host: FreshHost) -> None:
    assert ssh(fresh_host("nosudo"), "sudo id", "ops").returncode == 127


def test_sudors(fresh_host: FreshHost) -> None:
    assert "sudo-rs" in ssh(fresh_host("sudors"), "sudo --version", "ops").stderr


def test_doas(fresh_host: FreshHost) -> None:
    host = fresh_host("doas")
    assert ssh(host, "command -v sudo", "ops").stdout == ""
    assert ssh(host, "doas -n id -u", "ops").stdout == "0\n"
    assert ssh(host, "doas -n id -u", "dev").returncode != 0


def test_noshell(fresh_host: FreshHost) -> None:
    host = fresh_host("noshell")
    assert "not available" in ssh(host, "true", "joe").stdout
    assert ssh(host, "true", "ops").returncode == 0


def test_noisy(fresh_host: FreshHost) -> None:
    host = fresh_host("noisy")
    for user in ("root", "ops"):
        said = ssh(host, "echo hello", user)
        assert said.stdout == "Welcome to the machine!\nhello\n"
        assert "Mind the step." in said.stderr


def test_locale(fresh_host: FreshHost) -> None:
    host = fresh_host("locale")
    assert "Datei oder Verzeichnis nicht gefunden" in ssh(host, "ls /none").stderr
    assert "Passwort" in ssh(host, "sudo -n true", "dev").stderr


def test_dockerhosts(fresh_host: FreshHost) -> None:
    host = fresh_host("dockerhosts")
    assert host.output("docker -H tcp://127.0.0.1:2375 info -f '{{.LoggingDriver}}'") == "json-file"
    assert "-H" not in host.output("cat /proc/$(pidof dockerd)/cmdline | tr '\\0' ' '").split()


def test_unithosts(fresh_host: FreshHost) -> None:
    host = fresh_host("unithosts")
    assert "-H tcp://127.0.0.1:2375" in host.output("cat /proc/$(pidof dockerd)/cmdline | tr '\\0' ' '")
    assert host.output("docker -H tcp://127.0.0.1:2375 info -f '{{.ServerVersion}}'")


def test_badjson(fresh_host: FreshHost) -> None:
    host = fresh_host("badjson")
    assert host.output("docker info -f '{{.ServerVersion}}'")
    assert host.run("dockerd --validate", check=False).returncode == 1


def test_othertls(fresh_host: FreshHost) -> None:
    host = fresh_host("othertls")
    with socket.create_connection((host.ip, 2376), 2):
        pass
    shown = host.output("openssl s_client -connect 127.0.0.1:2376 </dev/null 2>/dev/null | grep issuer; :")
    assert "somebody-else" in shown
    assert host.output("docker info -f '{{.ServerVersion}}'")


def test_podman(fresh_host: FreshHost) -> None:
    assert "podman" in fresh_host("podman").run("docker --version").stdout


def test_aptdown(fresh_host: FreshHost) -> None:
    updated = fresh_host("aptdown").run("apt-get -q -o Acquire::Retries=0 update", check=False)
    assert "Could not connect" in updated.stderr


def test_aptlock(fresh_host: FreshHost) -> None:
    host = fresh_host("aptlock")
    install = "apt-get -q -y install docker.io"
    assert "is held by process" in host.run(install, check=False).stderr
    host.run("systemctl stop aptlock")
    host.run("apt-get -q --simulate install docker.io")


def test_dpkgbroken(fresh_host: FreshHost) -> None:
    host = fresh_host("dpkgbroken")
    install = "apt-get -q -y install docker.io"
    assert "dpkg --configure -a" in host.run(install, check=False).stderr
    host.run(f"dpkg --configure -a && {install} --simulate")


@pytest.mark.parametrize(
    ("variant", "system", "install"),
    [
        ("dnf", "fedora", "dnf -y install docker"),
        ("zypper", "opensuse-leap", "zypper --non-interactive install docker"),
        ("pacman", "arch", "pacman -Sy --noconfirm docker"),
    ],
)
def test_other_families(fresh_host: FreshHost, variant: str, system: str, install: str) -> None:
    host = fresh_host(variant)
    assert host.output(". /etc/os-release; echo $ID") == system
    host.run(f"{install} && systemctl start docker")
    assert host.output("docker info -f '{{.ServerVersion}}'")
    assert host.run("command -v apt-get dpkg dpkg-query", check=False).stdout == ""


def test_fakeubuntu(fresh_host: FreshHost) -> None:
    assert fresh_host("fakeubuntu").output(". /etc/os-release; echo $ID $VERSION_ID") == "ubuntu 24.04"


@pytest.mark.parametrize(
    ("firewall", "allow"),
    [
        ("ufw", "ufw allow 2376/tcp"),
        ("firewalld", "firewall-cmd --add-port=2376/tcp"),
        ("nftables", "nft insert rule inet filter input tcp dport 2376 accept"),
    ],
)
def test_firewalls_let_in_ssh_alone_until_told(fresh_host: FreshHost, firewall: str, allow: str) -> None:
    host = fresh_host(firewall)
    assert ssh(host, "true", "ops").returncode == 0
    host.run("/usr/sbin/sshd -p 2376")
    assert not connects(host, 2376, 0.5)
    host.run(allow)
    assert connects(host, 2376)


@pytest.mark.parametrize(("variant", "off"), [("clockbehind", -TWO_YEARS), ("clockahead", TWO_YEARS)])
def test_clocks_are_two_years_off_for_the_engine_too(fresh_host: FreshHost, variant: str, off: int) -> None:
    host = fresh_host("docker", variant)
    expected = pytest.approx(time.time() + off, abs=24 * 60 * 60)
    assert float(ssh(host, "date +%s", "ops").stdout) == expected
    engine = host.output("docker info -f '{{.SystemTime}}'")
    assert float(host.output(f"date +%s -d '{engine}'")) == expected
