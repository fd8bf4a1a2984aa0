"""Hosts that are broken one way at a time: doctor sees each, changes nothing, and what it says to type mends it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from machinectl.hosts.identity import Identity
from tests.lab.image import PASSWORD
from tests.lab.snapshot import changed_files
from tests.support.lab_cli import Cli, generic, plain
from tests.support.program import COMMAND, machinectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.lan import Lab
    from tests.lab.snapshot import Snapshot
    from tests.support.sshd import SSHConfig

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("ssh_config")]

NAME = "orion"
# It says that it is ready, and then writes its PID.
SSH_AGAIN = "systemctl restart ssh; until [ -s /run/sshd.pid ]; do sleep 0.1; done"
CONFIG = "/etc/docker/daemon.json"
CERTIFICATE = "/etc/docker/machinectl/server.pem"
# A command of ours in a hint, to the end of its clause.
OURS = re.compile(r"machinectl ([^;(]+)")


@dataclass
class Patient:
    """A machine with its host, and a user who types what doctor says."""

    cli: Cli
    host: Host

    def report(self, *options: str) -> dict[str, Any]:
        """What doctor finds of the machine, in JSON; it has changed nothing, neither here nor there."""
        here, there = self.kept(), self.host.snapshot()
        done = self.cli.run("doctor", NAME, "--json", *options)
        now = self.host.snapshot()
        # A service of the host's own may have done its work meanwhile.
        assert now == {path: was for path, was in there.items() if path in now or not path.startswith("unit ")}
        assert self.kept() == here
        machine, _ = json.loads(done.stdout)
        assert done.returncode == int(not all(each["Well"] for each in json.loads(done.stdout)))
        return {each["Title"]: each for each in machine["Checks"]}

    def broken(self) -> dict[str, Any]:
        return {title: each for title, each in self.report().items() if each["Verdict"] == "broken"}

    def is_well(self, *options: str) -> bool:
        found = {title: each for title, each in self.report(*options).items() if each["Verdict"] != "ok"}
        assert not found, found
        return True

    def follow(self, hint: str) -> None:
        """Type the first command of ours in each clause of a hint that is no "or"; none that wants another address."""
        lines = [line for line in re.split(r"; (?!or )|\n", hint) if "<ADDRESS>" not in line]
        assert lines, hint
        for line in lines:
            found = OURS.search(line)
            assert found, hint
            done = plain(machinectl(*shlex.split(found[1].strip()), store=self.cli.store, stdin="y\n"))
            assert done.returncode == 0, (line, done.stderr)

    def kept(self) -> Snapshot:
        """The store: the content, mode and owner of all there is."""
        return changed_files(self.cli.store, [])

    def breaks(self, script: str) -> None:
        # systemd starts nothing that was started five times in ten seconds (systemd.unit(5), StartLimitBurst).
        self.host.output(f"systemctl reset-failed docker || :; set -e; {script}")


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """Broken and mended by one test after the other."""
    [host] = lab.up(["docker"])
    host.wait_booted()
    yield host
    host.remove()


@pytest.fixture
def patient(host: Host, tmp_path_factory: pytest.TempPathFactory, ssh_config: SSHConfig, monkeypatch: Any) -> Patient:
    """A machine that is well; each test leaves it so."""
    programs = tmp_path_factory.mktemp("bin")
    (programs / "machinectl").write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    (programs / "machinectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin:/usr/local/bin:/sbin:/usr/sbin")
    store = Path(host.directory, "store")
    cli = Cli(store, ssh_config)
    if not store.exists():
        cli.ok(*generic(host))
    return Patient(cli, host)


def test_a_machine_that_is_well_is_one_line(patient: Patient) -> None:
    assert patient.is_well()
    done = patient.cli.run("doctor", NAME)
    assert done.returncode == 0
    assert re.fullmatch(rf"✓ {NAME}: \d+ checks passed\n✓ This computer: \d+ checks passed\n", done.stdout)
    assert "checks passed\n  ✓ Record " in patient.cli.run("doctor", NAME, "-v").stdout


@pytest.mark.parametrize(
    ("script", "title", "seen"),
    [
        (
            f'sed -i \'s/"tlsverify": true/"tls": true/\' {CONFIG}; systemctl restart docker',
            "Configuration",
            '"tlsverify" is not set',
        ),
        ("systemctl -q disable docker docker.socket", "Service", "not enabled at boot"),
        ("systemctl stop docker docker.socket", "Service", "is not running"),
        ("systemctl -q mask --now docker docker.socket", "Service", "docker.service and docker.socket: masked"),
        ("iptables -I INPUT -p tcp --dport 2376 -j DROP", "TCP", "iptables on its host blocks"),
        (
            (
                "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=other -keyout /root/k "
                f"-out /root/c 2>&1; cat /root/c /root/k > {CERTIFICATE}; systemctl restart docker"
            ),
            "Served certificate",
            "the engine serves another certificate than the one on record: CN=other",
        ),
        (
            (
                "ssh-keygen -q -t ed25519 -N '' -f /root/new; mv /root/new /etc/ssh/ssh_host_ed25519_key; "
                f"mv /root/new.pub /etc/ssh/ssh_host_ed25519_key.pub; {SSH_AGAIN}"
            ),
            "SSH and host key",
            "has changed",
        ),
    ],
)
def test_what_it_says_to_type_mends_what_is_broken(patient: Patient, script: str, title: str, seen: str) -> None:
    patient.breaks(script)
    found = patient.broken()
    assert seen in found[title]["Seen"]
    patient.follow(found[title]["Hint"])
    assert patient.is_well()


@pytest.mark.parametrize(("when", "verdict"), [("-0.001", "ok"), ("+0.001", "unknown")])
def test_a_configuration_that_was_written_right_before_the_engine_s_start_is_in_effect(
    patient: Patient, when: str, verdict: str
) -> None:
    # What machinectl wrote itself is known: somebody else's change is a change of the text.
    touch = "touch -r /run/docker.pid -d"
    patient.breaks(f"cp {CONFIG} /root/config; echo >> {CONFIG}; {touch} '{when} seconds' {CONFIG}")
    assert patient.report()["Configuration"]["Verdict"] == verdict
    patient.breaks(f"cat /root/config > {CONFIG}; {touch} '-9 seconds' {CONFIG}")


def test_live_restore_that_is_asked_for_and_not_in_effect_is_by_a_reload(patient: Patient) -> None:
    patient.breaks(f"cp -a {CONFIG} /root/config; sed -i '1a \"live-restore\": true,' {CONFIG}")
    found = patient.broken()
    assert list(found) == ["Live-restore"]
    patient.follow(found["Live-restore"]["Hint"])
    report = patient.report()
    assert report["Live-restore"]["Verdict"] == "ok"
    assert report["Configuration"]["Verdict"] == "unknown"
    patient.follow(report["Configuration"]["Hint"])
    assert patient.is_well()
    patient.breaks(f"cp -a /root/config {CONFIG}; systemctl restart docker")


def test_a_certificate_that_has_expired_is_renewed_by_what_it_says(patient: Patient) -> None:
    directory = patient.cli.store / "machines" / NAME
    identity = Identity.read(str(directory))
    old = expired(identity)
    (directory / "server.pem").write_bytes(old)
    patient.host.run(f"cat > {CERTIFICATE}", stdin=old + identity.server_key)
    patient.breaks("systemctl restart docker")
    found = patient.broken()
    assert "has expired" in found["TLS"]["Seen"]
    assert "it has expired" in found["Served certificate"]["Seen"]
    assert found["Certificates"]["Seen"] == "server.pem: expired"
    patient.follow(found["Certificates"]["Hint"])
    assert patient.is_well()


def expired(identity: Identity) -> bytes:
    """A machine's server certificate as it would be if it had expired yesterday."""
    now = x509.load_pem_x509_certificate(identity.server)
    day = timedelta(days=1)
    old = x509.CertificateBuilder(now.issuer, now.subject, now.public_key(), x509.random_serial_number())
    old = old.not_valid_before(datetime.now(UTC) - 2 * day).not_valid_after(datetime.now(UTC) - day)
    for extension in now.extensions:
        old = old.add_extension(extension.value, extension.critical)
    key = load_pem_private_key(identity.ca_key, None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return old.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_a_program_that_was_upgraded_while_it_runs_is_told(patient: Patient) -> None:
    patient.breaks("cp -p /usr/sbin/dockerd /usr/sbin/new; mv /usr/sbin/new /usr/sbin/dockerd")
    found = patient.report()["Pending restart"]
    assert (found["Verdict"], found["Seen"]) == ("unknown", "dockerd: upgraded on disk, but the old version is running")
    patient.follow(found["Hint"])
    assert patient.is_well()
    patient.breaks("touch /run/reboot-required; echo linux-image-amd64 > /run/reboot-required.pkgs")
    assert "a reboot: linux-image-amd64" in patient.report()["Pending restart"]["Seen"]
    patient.breaks("rm /run/reboot-required*")


def test_where_the_host_lets_nobody_in_what_is_on_it_is_not_told(patient: Patient) -> None:
    patient.breaks("mv /etc/sudoers.d /etc/sudoers.off; mkdir /etc/sudoers.d; gpasswd -d ops sudo || :")
    found = patient.report()
    assert found["Root"]["Verdict"] == "broken"
    assert found["Host"]["Seen"] == "not checked: Root failed"
    assert found["Engine"]["Verdict"] == "ok"
    patient.breaks("rmdir /etc/sudoers.d; mv /etc/sudoers.off /etc/sudoers.d")
    patient.breaks("systemctl stop ssh.socket ssh 2>&1")
    found = patient.report()
    assert found["SSH and host key"]["Verdict"] == "broken"
    assert {"Root", "Host"} <= {title for title, each in found.items() if each["Verdict"] == "unknown"}
    assert "Service" not in found
    patient.breaks(SSH_AGAIN)
    assert patient.is_well()


def test_a_password_that_sudo_wants_can_be_given(fresh_host: FreshHost, cli: Cli, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    host = fresh_host("docker")
    cli.ok(*generic(host, "--sudo-password-file", password, user="dev"))
    patient = Patient(cli, host)
    found = patient.report()
    # Who may do nothing as root is asked for a password, too: sudo does not tell the two apart before it has one.
    assert (found["Root"]["Verdict"], found["Host"]["Verdict"]) == ("broken", "unknown")
    assert "--sudo-password-file" in found["Root"]["Hint"]
    assert "Host" not in patient.report("--sudo-password-file", str(password))
    assert patient.is_well("--sudo-password-file", str(password))
