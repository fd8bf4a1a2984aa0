"""Two computers that work on the same host: each with a store of its own, and what they do to each other's settings."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
import yaml

from machinectl import certs
from machinectl.exports import age
from machinectl.exports.export_document import ExportDocument, ExportedMachine
from tests.lab.place import KEY
from tests.support.lab_cli import Cli, generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.sshd import SSHConfig

pytestmark = pytest.mark.timeout(600)
REVISION = "/etc/docker/machinectl/revision"
PACKAGES = "dpkg-query -W -f '${db:Status-Abbrev}${Package} '"


def began(host: Host) -> str:
    return host.output("systemctl show docker -p ExecMainStartTimestampMonotonic")


def revision(host: Host) -> int:
    return int(host.output(f"head -n 1 {REVISION}").split()[0])


def settings(host: Host) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(host.output("cat /etc/docker/daemon.json"))
    return {key: read[key] for key in ("log-level", "labels") if key in read}


def written(path: Path, host: Host, **keys: Any) -> Path:
    """A fleet's file that asks that of the host."""
    login = {"generic-ip-address": host.ip, "generic-ssh-user": "ops", "generic-ssh-key": str(KEY)}
    path.write_text(yaml.safe_dump({"hosts": {"orion": {"driver": "generic", "no-context": True, **login, **keys}}}))
    return path


def copied_certificates(tmp_path: Path) -> Path:
    """Alice's certificates, as Bob has them."""
    copied = tmp_path / "copied"
    copied.mkdir(exist_ok=True)
    for path in (tmp_path / "alice" / "machines" / "orion").glob("*.pem"):
        shutil.copy(path, copied)
    return copied


def test_a_second_computer_adopts_a_host_and_neither_puts_old_settings_back(
    fresh_host: FreshHost, tmp_path: Path, ssh_config: SSHConfig
) -> None:
    host = fresh_host("docker")
    etc = {path: what for path, what in host.snapshot().items() if path.startswith("/etc")}
    alice, bob = (Cli(tmp_path / name, ssh_config) for name in ("alice", "bob"))
    alice.ok(*generic(host, "--no-context", "--engine-install", "none"))
    assert (revision(host), host.output(f"stat -c '%a %U' {REVISION}")) == (1, "600 root")
    started = began(host)

    refused = bob.refused(*generic(host, "--no-context"))
    assert "with another computer's CA" in refused
    assert "set it up" in refused
    copied = copied_certificates(tmp_path)
    file = written(tmp_path / "fleet.yaml", host, **{"tls-dir": str(copied)})
    assert "1 created" in bob.ok("apply", "-f", file).stdout
    assert (began(host), revision(host)) == (started, 1)
    assert bob.is_running()

    alice.ok("set", "--engine-opt", "log-level=debug", "orion")
    alice.ok("provision", "orion")
    assert (revision(host), settings(host)) == (2, {"log-level": "debug"})
    # The file that is older than that asks for something else: neither merges, nor puts old settings back.
    written(file, host, **{"tls-dir": str(copied), "labels": {"role": "web"}})
    done = bob.run("apply", "-f", file)
    assert done.returncode == 1
    assert "was changed by" in done.stderr
    assert "(revision 2, this record knew 1)" in " ".join(done.stderr.split())
    assert "machinectl provision --take-over orion" in " ".join(done.stderr.split()).replace(f"-s {bob.store} ", "")
    assert (revision(host), settings(host)) == (2, {"log-level": "debug"})
    assert "was changed by" in bob.ok("provision", "--take-over", "orion").stderr
    assert settings(host) == {"log-level": "debug"}
    written(file, host, **{"tls-dir": str(copied), "labels": {"role": "web"}, "engine-opt": ["log-level=debug"]})
    bob.ok("apply", "-f", file)
    both = {"log-level": "debug", "labels": ["role=web"]}
    assert settings(host) == both

    # Who comes back takes that over, too, when asked to; a dry run does not even note it.
    assert "was changed by" in alice.refused("provision", "orion")
    started, record = began(host), (tmp_path / "alice" / "machines" / "orion" / "machine.json").read_bytes()
    assert "was changed by" in alice.ok("provision", "--take-over", "--dry-run", "orion").stdout
    assert (tmp_path / "alice" / "machines" / "orion" / "machine.json").read_bytes() == record
    alice.ok("provision", "--take-over", "orion")
    assert (began(host), settings(host)) == (started, both)

    # What the first one does last, unknown to the second, is undone by the second.
    alice.ok("set", "--label", "row=9", "orion")
    alice.ok("provision", "orion")
    assert "row=9" in settings(host)["labels"]
    assert "row=9" not in (tmp_path / "bob" / "machines" / "orion" / "machine.json").read_text()
    bob.ok("rm", "-y", "--purge", "orion")
    assert {path: what for path, what in host.snapshot().items() if path.startswith("/etc")} == etc


def forged_export(path: Path, record: dict[str, Any], files: dict[str, bytes]) -> Path:
    text = ExportDocument("", "me@desk", {"orion": ExportedMachine(json.dumps(record).encode(), files)}).dump()
    # A key, as a passphrase takes its time on a busy computer.
    identity = pyrage.x25519.Identity.generate()
    path.with_suffix(".key").write_text(f"{identity}\n")
    path.write_bytes(age.encrypt_for(text, [str(identity.to_public())], armored=False))
    return path


def imported(cli: Cli, export: Path, key: Path = KEY) -> None:
    cli.ok("import", export, "--no-context", "--identity", export.with_suffix(".key"))
    cli.ok("set", "--generic-ssh-key", key, "orion")


def test_a_strangers_export_undoes_nothing_on_a_host_that_we_did_not_set_up(
    fresh_host: FreshHost, tmp_path: Path, ssh_config: SSHConfig
) -> None:
    host = fresh_host("docker")
    host.run("groupadd -f docker; usermod -aG sudo,docker ops; apt-mark auto less git")
    login_key = host.output("cat /home/ops/.ssh/authorized_keys")
    ca = certs.new_ca("stranger")
    own, server = certs.issue_client(ca, "me"), certs.issue_server(ca, [host.ip])
    kinds = {
        "ca": [hashlib.sha256(ca.certificate).hexdigest()],
        "group": ["ops sudo", "ops docker"],
        "started": ["ssh.service", "docker.service", "docker.socket"],
        "enabled": ["docker.service"],
        "file": ["/etc/docker/daemon.json"],
    }
    changes: list[dict[str, Any]] = [{"kind": kind, "path": path} for kind, paths in kinds.items() for path in paths]
    changes += [
        {"kind": "package", "path": name, "along": ["less", "git"]} for name in ("openssh-server", "less", "docker.io")
    ]
    made = {"kind": "key", "path": f"/home/ops/.ssh/authorized_keys {' '.join(login_key.split()[:2])}", "made": "file"}
    state = {"IPAddress": host.ip, "SSHUser": "ops", "SSHPort": 22, "SSHKeyPath": "id_ssh", "EnginePort": 2376}
    record = {"schema": 1, "driver": "generic", "driver_state": json.dumps(state), "url": f"tcp://{host.ip}:2376"}
    record |= {"tls": True, "options": {"generic-ip-address": host.ip}, "changes": [*changes, made]}
    files = {"ca.pem": ca.certificate, "ca-key.pem": ca.key, "cert.pem": own.certificate, "key.pem": own.key}
    files |= {"server.pem": server.certificate, "server-key.pem": server.key}
    files["known_hosts"] = f"machinectl {host.host_key}\n".encode()
    before, packages, started = host.snapshot(), host.output(PACKAGES), began(host)
    cli = Cli(tmp_path / "store", ssh_config)

    imported(cli, forged_export(tmp_path / "x.age", record, files))
    foretold = cli.ok("rm", "--dry-run", "--purge", "--purge-engine", "orion").stdout
    cli.ok("rm", "-y", "--purge", "--purge-engine", "orion")

    assert not any(word in foretold for word in ("sudo", "less", "openssh", "authorized_keys", "docker.io"))
    assert host.output("cat /home/ops/.ssh/authorized_keys") == login_key
    assert {"sudo", "docker"} <= {*host.output("id -nG ops").split()}
    assert (host.output(PACKAGES), began(host)) == (packages, started)
    etc = {path: what for path, what in host.snapshot().items() if path.startswith("/etc")}
    assert etc == {path: what for path, what in before.items() if path.startswith("/etc")}
