"""Real servers restarted, woken, upgraded and given new certificates: what answers then, and what kept running."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.errors import MachineError
from machinectl.hosts.certificate_renewal import Renewal, renew_now
from machinectl.hosts.login import Login
from machinectl.hosts.power import magic_packet
from machinectl.provision.host_changes import ConfigMerged, of_kind
from tests.lab.container import run_container
from tests.lab.image import PASSWORD
from tests.lab.place import KEY
from tests.support.program import COMMAND, machinectl
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.machines.store import Store
    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.lan import Lab

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("ssh_config")]

# As if the package had it: machinectl refuses what the host's owner has added.
PICKY = "/usr/lib/systemd/system/docker.service.d/picky.conf"
CLOSES = "iptables -I INPUT -p tcp --dport 2376 -j DROP"
OPENS = "while iptables -D INPUT -p tcp --dport 2376 -j DROP; do :; done"
ALL_PROTOCOLS = 3  # linux/if_ether.h: ETH_P_ALL

# The engine's package once more, with another version, in a repository on the host: made of what is in apt's cache.
NEWER = """
set -e
mkdir -p /srv/new && cd /srv/new
[ -d tree ] || dpkg-deb -R /var/cache/apt/archives/docker.io_*.deb tree
sed -i 's/^Version: .*/Version: {0}/' tree/DEBIAN/control
dpkg-deb -Znone -b tree docker.io.deb
{{
    cat tree/DEBIAN/control
    echo Filename: ./docker.io.deb
    echo Size: $(stat -c %s docker.io.deb)
    echo SHA256: $(sha256sum docker.io.deb | cut -d' ' -f1)
}} > Packages
echo 'deb [trusted=yes] file:/srv/new ./' > /etc/apt/sources.list.d/new.list
"""


def create(store: Store, host: Host) -> None:
    """Provision a host as a machine of its own name."""
    done = machinectl(
        "create",
        *("-d", "generic", "--generic-ip-address", host.ip),
        *("--generic-ssh-user", "ops", "--generic-ssh-key", KEY, host.name),
        store=store.root,
    )
    assert done.returncode == 0, done.stderr


def succeeds(store: Store, *words: str, stdin: str = "") -> str:
    """Run a command that must succeed; what it said."""
    done = machinectl(*words, store=store.root, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stderr


def fails(store: Store, *words: str, stdin: str = "") -> str:
    done = machinectl(*words, store=store.root, stdin=stdin)
    assert done.returncode == 1, done.stderr
    return done.stderr


def status(store: Store, name: str) -> str:
    return machinectl("status", name, store=store.root).stdout.strip()


def first_process(host: Host, container: str) -> tuple[str, str, str]:
    """A container's first process: its state, PID and start time."""
    return host.snapshot()[f"unit docker-{container}.scope"]


@contextmanager
def magic_card(bridge: str, host: Host) -> Iterator[None]:
    """The host's network card while the host is off: it switches the host on when the packet for it comes by."""
    stop = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as card:
        card.bind((bridge, 0))
        card.settimeout(0.1)

        def listen() -> None:
            while not stop.is_set():
                try:
                    frame = card.recv(4096)
                except TimeoutError:
                    continue
                if magic_packet(host.mac) in frame:
                    host.boot()
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield
        finally:
            stop.set()
            listener.join()


def test_hosts_are_rebooted_shut_down_and_woken_and_answer_when_that_is_said(
    lab: Lab, store: Store, tmp_path: Path
) -> None:
    hosts = lab.up(["docker"], count=2)
    names = [host.name for host in hosts]
    for host in hosts:
        create(store, host)
    boots = [host.output("cat /proc/sys/kernel/random/boot_id") for host in hosts]

    succeeds(store, "restart", *names)

    assert [status(store, name) for name in names] == ["Running", "Running"]
    assert not set(boots) & {host.output("cat /proc/sys/kernel/random/boot_id") for host in hosts}
    first, second = hosts

    succeeds(store, "stop", first.name)

    assert [host.is_on for host in hosts] == [False, True]
    assert "is running already" in succeeds(store, "start", second.name)
    stopped = machinectl("ls", "-q", "--filter", "state=Stopped", store=store.root).stdout.split()
    assert stopped == [first.name]
    assert machinectl("url", *stopped, store=store.root).stdout == f"tcp://{first.ip}:2376\n"
    with magic_card(lab.network.bridge, first):
        succeeds(store, "start", *stopped)
    assert status(store, first.name) == "Running"

    # It takes root: who may not become it is told so, and a password for sudo is enough.
    for user in ("joe", "dev"):
        succeeds(
            store,
            *("create", "-d", "generic", "--no-provision", "--generic-ip-address", second.ip),
            *("--generic-ssh-user", user, "--generic-ssh-key", str(KEY), user),
        )
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    assert "joe may not run sudo" in fails(store, "stop", "--sudo-password-file", str(password), "joe")
    assert [host.is_on for host in hosts] == [True, True]
    succeeds(store, "stop", "--sudo-password-file", str(password), "dev")
    assert [host.is_on for host in hosts] == [True, False]
    for host in hosts:
        host.remove()


class Provisioned:
    """A host with an engine of ours and a container on it."""

    def __init__(self, host: Host, store: Store) -> None:
        self.host = host
        self.store = store
        self.directory = Path(store.directory(host.name))
        create(store, host)
        self.container = run_container(host, "web")
        self.before = first_process(host, self.container)

    def file(self, name: str) -> str:
        return (self.directory / name).read_text()

    @property
    def served(self) -> str:
        """What the engine starts with."""
        return self.host.output("cd /etc/docker/machinectl; cat ca.pem server.pem")

    @property
    def stored(self) -> str:
        return "".join(self.file(name) for name in ("ca.pem", "server.pem", "server-key.pem")).rstrip()

    @property
    def live_restore(self) -> str:
        """Whether the engine has it, and how often daemon.json names it."""
        return self.host.output(
            "docker info -f '{{.LiveRestoreEnabled}}'; grep -c live-restore /etc/docker/daemon.json || :"
        )

    def check(self) -> None:
        """Both sides have the same certificates, they work, and the container has not noticed."""
        assert self.served == self.stored
        assert status(self.store, self.host.name) == "Running"
        assert first_process(self.host, self.container) == self.before


def test_new_certificates_are_served_if_they_work_and_containers_do_not_notice(
    fresh_host: FreshHost, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orion = Provisioned(fresh_host("docker"), store)
    name = orion.host.name

    ca, server, client = orion.file("ca.pem"), orion.file("server.pem"), orion.file("cert.pem")
    succeeds(store, "regenerate-certs", "--tls-san", "orion.lan", name, stdin="y\n")
    assert (orion.file("ca.pem"), orion.file("cert.pem")) == (ca, client)
    assert orion.file("server.pem") != server
    orion.check()
    assert "orion.lan" in machinectl("certs", "ls", store=store.root).stdout
    assert store.read(name).engine.tls_sans == ("orion.lan",)
    assert "nothing to do" in succeeds(store, "provision", name)
    assert orion.live_restore == "false\n0"

    # A new CA locks out who has a certificate of the old one.
    friends = str(tmp_path / "friends")
    succeeds(store, "certs", "issue", name, "--out", friends)
    url = f"tcp://{orion.host.ip}:2376"
    succeeds(store, "create", "-d", "none", "--url", url, "--tls-dir", friends, "friend")
    assert status(store, "friend") == "Running"
    succeeds(store, "regenerate-certs", "-f", "--new-ca", name)
    orion.check()
    assert orion.file("ca.pem") != ca
    assert status(store, "friend") == "Error"
    assert (orion.directory / "key.pem").stat().st_mode & 0o777 == 0o600
    check_that_no_bad_ones_are_kept(orion, monkeypatch)


def check_that_no_bad_ones_are_kept(orion: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that do not work are kept on neither side."""
    store, name = orion.store, orion.host.name
    host, before = orion.host, orion.stored

    # An engine that does not start with them.
    host.run(
        f"sha256sum /etc/docker/machinectl/server.pem > /root/sums\n"
        f"mkdir -p $(dirname {PICKY}); "
        f"printf '[Service]\\nExecStartPre=sha256sum -c /root/sums\\n' >{PICKY}; systemctl daemon-reload"
    )
    said = fails(store, "regenerate-certs", "-f", "--new-ca", "--client-certs", name)
    assert "server.pem: FAILED" in said
    assert "with the old one, it runs again" in said
    assert orion.stored == before
    orion.check()
    host.run(f"rm {PICKY}; systemctl daemon-reload")

    # One that cannot be reached from here is not restarted.
    monkeypatch.setattr("machinectl.hosts.engine_restart.VERIFY_TIMEOUT", 0.5)
    engine = host.output("pidof dockerd")

    def error() -> MachineError:
        [(_, found)] = renew_now(store, Quiet(), [name], Login(), Renewal(new_ca=True), unasked=True)
        assert isinstance(found, MachineError)
        return found

    for how in ("drop", "reject"):
        host.block(2376, how)
        assert "Open it there: iptables -I INPUT -p tcp --dport 2376 -j ACCEPT" in error().hint
    host.block(2376, "off")
    assert host.output("pidof dockerd") == engine
    assert orion.stored == before

    # One that starts, and cannot be reached from here afterwards.
    host.run(
        f"mkdir -p $(dirname {PICKY}); printf '[Service]\\nExecStartPost={CLOSES}\\n' >{PICKY}; systemctl daemon-reload"
    )
    assert "It has its old ones back" in str(error())
    host.run(f"rm {PICKY}; systemctl daemon-reload; {OPENS}")
    assert host.output("pidof dockerd") != engine
    assert orion.stored == before
    orion.check()

    # Killed when the host is being given them: whoever asks finds out which it has, and the same command works again.
    command = [*COMMAND, "-s", store.root, "regenerate-certs", "-f", "--new-ca", name]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while orion.served == before:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    while status(store, name) != "Running" or orion.served != orion.stored:
        time.sleep(0.02)
    orion.check()
    assert orion.stored != before
    before = orion.stored
    succeeds(store, "regenerate-certs", "-f", "--new-ca", name)
    assert orion.stored != before
    orion.check()
    assert not (orion.directory / "pending").exists()


@pytest.mark.long
def test_a_patch_release_is_installed_under_running_containers_and_more_is_asked_for(
    fresh_host: FreshHost, store: Store
) -> None:
    orion = Provisioned(fresh_host("docker"), store)
    host = orion.host
    engine = host.output("pidof dockerd")
    there = host.output("dpkg-query -W -f '${Version}' docker.io")
    # As 0.1 left it.
    on = "until docker info -f '{{.LiveRestoreEnabled}}' | grep -q true; do sleep 0.1; done"
    host.run(f"sed -i '1a \"live-restore\": true,' /etc/docker/daemon.json; systemctl reload docker; {on}")
    with store.writing(host.name) as held:
        [merged] = of_kind(held.machine.changes, ConfigMerged)
        ours = replace(merged, ours={**merged.ours, "live-restore": True})
        held.machine.changes = [ours if change == merged else change for change in held.machine.changes]
        held.write()
    assert f"there is no newer docker.io than {there}" in succeeds(store, "upgrade", host.name)
    assert host.output("pidof dockerd") == engine
    assert orion.live_restore == "false\n0"

    minor = re.match(r"\d+\.\d+", there)
    assert minor
    host.run(NEWER.format(f"{minor[0]}.99-1"))
    said = succeeds(store, "upgrade", host.name)
    assert f"docker.io {there} → {minor[0]}.99-1" in said
    assert host.output("pidof dockerd") != engine
    orion.check()
    assert orion.live_restore == "false\n0"

    host.run("sed -i 's/^Version: .*/Version: 99.0.0-1/' /srv/new/Packages")
    assert f"stays at docker.io {minor[0]}.99-1" in fails(store, "upgrade", host.name, stdin="n\n")
    assert host.output("dpkg-query -W -f '${Version}' docker.io") == f"{minor[0]}.99-1"

    # An archive that does not answer is not taken for one that has nothing new.
    host.run("echo 'deb http://127.0.0.1:9/debian stable main' > /etc/apt/sources.list; rm /etc/apt/sources.list.d/*")
    assert "cannot find out whether there is a newer docker.io" in fails(store, "upgrade", host.name)
