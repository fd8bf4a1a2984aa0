"""The lab is what the other tests take it for: its hosts boot, break as told, and leave nothing behind."""

from __future__ import annotations

import fcntl
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab.client import connects, ssh
from tests.lab.command import LabError
from tests.lab.lan import Lab
from tests.lab.place import CHECKOUT, RUN

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host


@pytest.fixture(scope="module")
def standing_host(lab: Lab) -> Host:
    """A host for tests that leave it as it was, or do not mind."""
    [host] = lab.up(["docker"])
    host.wait_booted()
    return host


def test_three_hosts_reach_each_other_and_are_servers_of_their_own(lab: Lab) -> None:
    hosts = lab.up(count=3)
    for host in hosts:
        host.wait_booted()
        assert ssh(host, "hostname; cat /proc/1/comm; systemctl is-system-running").stdout.split() == [
            host.name,
            "systemd",
            "running",
        ]
    one, two, three = hosts
    assert one.output(f"exec 3<>/dev/tcp/{two.ip}/22; head -c 4 <&3") == "SSH-"
    assert len({host.output("cat /etc/machine-id") for host in hosts}) == 3
    assert len({host.host_key for host in hosts}) == 3
    for host in (one, two, three):
        host.remove()
    assert one not in lab.hosts()


def test_a_host_loses_power_reboots_and_shuts_down(fresh_host: FreshHost) -> None:
    host = fresh_host()
    host.run("touch /etc/kept; sync")
    boot = host.output("cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1")
    host.poweroff()
    assert not host.is_on
    with pytest.raises(LabError, match="is off"):
        host.run("true")
    host.start()
    assert host.output("ls /etc/kept") == "/etc/kept"
    host.reboot()
    assert host.output("cat /proc/sys/kernel/random/boot_id; stat -c %Z /proc/1") != boot
    ssh(host, "systemctl poweroff")
    host.wait_off()
    assert not host.is_on


def test_a_port_is_dropped_rejected_and_opened_again(standing_host: Host) -> None:
    host = standing_host
    host.block(22, "reject")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.ip, 22), 2)
    host.block(22, "drop")
    with pytest.raises(TimeoutError):
        socket.create_connection((host.ip, 22), 0.3)
    host.block(22, "off")
    assert connects(host, 22)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("touch /etc/new", "/etc/new"),
        ("chmod 600 /etc/hosts", "/etc/hosts"),
        ("chown joe /etc/hostname", "/etc/hostname"),
        ("echo >> /etc/os-release", "/usr/lib/os-release"),
        ("rm /etc/fstab", "/etc/fstab"),
        ("ln -s /x /usr/local/bin/x", "/usr/local/bin/x"),
        ("echo key >> /home/ops/.ssh/authorized_keys", "/home/ops/.ssh/authorized_keys"),
        ("echo secret > /tmp/left", "/tmp/left"),
        ("systemctl restart ssh", "unit ssh.service"),
        ("hostname other", "hostname"),
        ("iptables -A INPUT -s 192.0.2.1 -j DROP", "firewall"),
    ],
)
def test_a_snapshot_shows(standing_host: Host, change: str, shown: str) -> None:
    before = standing_host.snapshot()
    standing_host.run(change)
    after = standing_host.snapshot()
    assert before.get(shown) != after.get(shown)


def test_labs_do_not_see_each_other_and_leave_nothing(lab: Lab, fresh_host: FreshHost) -> None:
    host = fresh_host()
    other = Lab.claim()
    assert other.number != lab.number
    [neighbour] = other.up()
    assert host.run(f"timeout 1 bash -c '</dev/tcp/{neighbour.ip}/22'", check=False).returncode != 0
    other.down()
    assert other.left() == []
    assert connects(host, 22)


@pytest.mark.usefixtures("lab")
def test_nothing_is_left_when_the_owner_of_a_lab_is_killed() -> None:
    script = "from tests.lab.lan import Lab; lab = Lab.claim(); lab.up(); print(lab.number, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        number = int(owner.stdout.readline())
        assert Lab(number).left()
        owner.send_signal(signal.SIGKILL)
    with (RUN / f"{number}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the guard is done
        assert Lab(number).left() == []


def test_a_person_plays_with_it_by_hand(lab: Lab) -> None:
    def play(*words: str) -> str:
        command = [sys.executable, "-m", "tests.lab", "--lab", str(lab.number), *words]
        return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout

    before = lab.hosts()
    invitation = play("up", "port2222")
    [name] = {host.name for host in lab.hosts()} - {host.name for host in before}
    assert " -p 2222 --engine-install distro ops@" in invitation
    assert f"{name} " in play("ls")
    assert play("ssh", f"joe@{name}", "whoami") == "joe\n"
    play("poweroff", name)
    play("start", name)
    lab.host(name).remove()
