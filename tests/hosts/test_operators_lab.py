"""Two computers that work on the same host: each with a store of its own, and what they do to each other's settings."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.lab.place import KEY
from tests.support.lab_cli import Cli, generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.support.sshd import SSHConfig

pytestmark = pytest.mark.timeout(600)
REVISION = "/etc/docker/machinectl/revision"


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
    # The file that is older than that asks for something else beside it.
    written(file, host, **{"tls-dir": str(copied), "labels": {"role": "web"}})
    done = bob.run("apply", "-f", file)
    assert done.returncode == 1
    assert 'The host of "orion" was changed by' in done.stderr
    assert "(revision 2, this record knew 1); taken over: engine-opt" in done.stderr
    assert "its host keeps them: engine-opt" in done.stderr
    both = {"log-level": "debug", "labels": ["role=web"]}
    assert (revision(host), settings(host)) == (3, both)

    # Who comes back finds that, and changes nothing; a dry run does not even note it.
    started, record = began(host), (tmp_path / "alice" / "machines" / "orion" / "machine.json").read_bytes()
    assert "revision 3, this record knew 2" in alice.ok("provision", "--dry-run", "orion").stdout
    assert (tmp_path / "alice" / "machines" / "orion" / "machine.json").read_bytes() == record
    assert "taken over: label role" in alice.ok("provision", "orion").stderr
    assert (began(host), settings(host)) == (started, both)

    # Both at once: one waits for the other, and builds on it.
    alice.ok("set", "--label", "floor=2", "orion")
    written(file, host, **{"tls-dir": str(copied), "labels": {"role": "db"}, "engine-opt": ["log-level=debug"]})
    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(alice.run, "provision", "orion"), pool.submit(bob.run, "apply", "-f", file)]
    assert ended[0].result().returncode == 0
    assert sorted(settings(host)["labels"]) == ["floor=2", "role=db"]

    # What the first one does last, unknown to the second, is undone by the second.
    alice.ok("set", "--label", "row=9", "orion")
    alice.ok("provision", "orion")
    assert "row=9" in settings(host)["labels"]
    assert "row=9" not in (tmp_path / "bob" / "machines" / "orion" / "machine.json").read_text()
    bob.ok("rm", "-y", "--purge", "orion")
    assert {path: what for path, what in host.snapshot().items() if path.startswith("/etc")} == etc


def test_a_computer_with_a_retired_ca_changes_nothing(
    fresh_host: FreshHost, tmp_path: Path, ssh_config: SSHConfig
) -> None:
    host = fresh_host("docker")
    alice, bob = (Cli(tmp_path / name, ssh_config) for name in ("alice", "bob"))
    alice.ok(*generic(host, "--no-context", "--engine-install", "none"))
    bob.ok(*generic(host, "--no-context", "--tls-dir", str(copied_certificates(tmp_path))))
    alice.ok("regenerate-certs", "-y", "--new-ca", "orion")
    started = began(host)
    for words in (("renew", "-y", "orion"), ("renew", "--due", "--lifetime-left", "900d", "orion")):
        assert "with another computer's CA" in bob.refused(*words)
    bob.ok("set", "--ssh-only", "orion")
    assert "with another computer's CA" in bob.refused("provision", "orion")
    bob.ok("set", "--no-ssh-only", "orion")
    assert (began(host), alice.is_running()) == (started, True)
    bob.ok("certs", "import", "--force", "orion", copied_certificates(tmp_path))
    bob.ok("renew", "-y", "orion")
    assert alice.is_running()
