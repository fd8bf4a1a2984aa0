"""A server becomes a Docker host, as its owner sees it: the command line, the docker CLI and real hosts of the lab."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from machinectl import certs
from machinectl.ssh.sudo import sudoers
from tests.lab.container import run_container
from tests.lab.image import PASSWORD
from tests.lab.place import KEY
from tests.support.lab_cli import generic, in_background
from tests.support.program import COMMAND
from tests.support.sshd import keygen
from tests.support.unread import BROKEN, opened

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.fixtures import FreshHost
    from tests.lab.host import Host
    from tests.lab.snapshot import Snapshot
    from tests.support.lab_cli import Cli, Command

pytestmark = pytest.mark.timeout(300)

DISTRO = ("--engine-install", "distro")


def on_disk(host: Host) -> Snapshot:
    """What is on a host's disk where it is configured; its engine may be another process."""
    return {path: what for path, what in host.snapshot().items() if path.startswith(("/etc", "/root", "/home", "/usr"))}


def test_a_bare_server_is_a_docker_host_with_one_command(fresh_host: FreshHost, cli: Cli) -> None:
    # Of Debian 12; one of 13 is in tests/hosts/test_setup_lab.py.
    host = fresh_host(suite="bookworm")
    # A user without sudo is told the line to add, and the host stays as it is.
    bare = host.snapshot()
    assert sudoers("joe") in cli.refused(*generic(host, user="joe"), MACHINECTL_SUDO_PASSWORD=PASSWORD)
    assert (host.snapshot(), cli.machines, list(cli.store.glob("machines/*"))) == (bare, [], [])
    created = cli.ok(*generic(host, *DISTRO))
    up, connect = created.stdout.splitlines()
    assert up == "Docker is up and running!"
    assert connect.endswith(" virtual machine, run: machinectl env orion")
    assert "docker.io" in created.stderr
    assert cli.is_running()
    assert cli.shell("orion", "docker ps -q; docker info --format '{{.Name}}'") == host.name
    before = host.snapshot()
    assert 'Docker machine "orion" already exists' in cli.refused(*generic(host, *DISTRO))
    assert "nothing to do" in cli.ok("provision", "orion").stderr
    assert host.snapshot() == before
    assert cli.ok("ssh", "orion", "hostname").stdout == f"{host.name}\n"
    cli.ok("rm", "-y", "--purge", "--purge-engine", "orion")
    assert host.run("command -v dockerd", check=False).returncode != 0
    assert cli.machines == []


@pytest.mark.long
def test_each_kind_of_user_takes_a_host_on_and_gives_it_back_with_its_containers_running(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    host = fresh_host("docker")
    container = f"unit docker-{run_container(host, 'web')}.scope"
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    began, disk = host.snapshot()[container], on_disk(host)
    environment = {"MACHINECTL_SUDO_PASSWORD": PASSWORD}
    for user, options, variables in (("root", (), {}), ("dev", ("--sudo-password-file", secret), environment)):
        cli.ok(*generic(host, *options, user=user))
        assert cli.is_running()
        assert cli.shell("orion", "docker ps --format '{{.Names}}'") == "web"
        assert on_disk(host) != disk
        cli.ok("rm", "-y", "--purge", "orion", **variables)
        assert on_disk(host) == disk
        assert host.snapshot()[container] == began
        assert host.output("systemctl is-active docker") == "active"


def test_a_host_behind_a_jump_host(fresh_host: FreshHost, cli: Cli) -> None:
    jump, behind = fresh_host(), fresh_host("docker")
    behind.only_from(jump)
    cli.config.write(
        f"ConnectTimeout 5\nHost orion.lan\n  HostName {behind.ip}\n  User ops\n  ProxyJump joe@{jump.ip}\n"
        f"Host {jump.ip}\n  IdentityFile {KEY}\n  IdentitiesOnly yes\n"
    )
    cli.ok("create", "-d", "generic", "--generic-ip-address", "orion.lan", "--generic-ssh-key", KEY, "orion")
    assert cli.is_running()
    assert cli.ok("url", "orion").stdout == f"tcp://{behind.ip}:2376\n"
    assert "nothing to do" in cli.ok("provision", "orion").stderr

    # The same through a machine, of which the user's configuration knows nothing.
    cli.config.write("ConnectTimeout 5\n")
    cli.ok(*generic(jump, "--no-provision", "--no-tls", user="joe", name="gate"))
    cli.ok("set", "--ssh-jump", "gate", "--generic-ip-address", behind.ip, "orion")
    assert "nothing to do" in cli.ok("provision", "orion").stderr
    assert cli.ok("ssh", "orion", "hostname").stdout == f"{behind.name}\n"
    assert "load" in cli.ok("info", "--ssh", "orion").stdout.lower()
    said = cli.ok(*generic(behind, "--no-provision", "--ssh-jump", "gate", user="root", name="shell")).stderr
    assert "machinectl ssh-config --write" in said
    assert cli.ok("status", "shell").stdout == "Running\n"
    # docker's own ssh finds the way in the user's configuration.
    cli.config.write(cli.ok("ssh-config", "--write").stdout)
    assert cli.is_running("shell")


def test_dockers_own_spelling_is_tried_before_it_is_registered(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host()
    cli.config.write(f"Host {host.ip}\n  IdentityFile {KEY}\n")
    cli.config.known_hosts.write_text(f"{host.ip} {host.host_key}\n")
    for again in ([], ["--dry-run"]):
        refused = cli.refused("create", *again, f"ssh://ops@{host.ip}", "web1")
        assert "there is no docker command" in refused
        assert f"Set the host up: machinectl create ops@{host.ip} web1" in refused
    assert cli.machines == []
    cli.ok("create", "--no-provision", f"ssh://ops@{host.ip}", "later")
    cli.ok("create", *DISTRO, f"ops@{host.ip}", "web1")
    cli.ok("create", f"ssh://root@{host.ip}", "shell")
    assert cli.is_running("shell")


def test_registering_a_host_and_forgetting_it_leave_it_untouched(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    bare = host.snapshot()
    decisions = cli.ok(*generic(host, "--dry-run"))
    assert "/etc/docker/daemon.json" in decisions.stdout
    assert "no effect" not in cli.ok(*generic(host, "--dry-run", *DISTRO)).stderr
    assert (host.snapshot(), cli.machines) == (bare, [])
    assert not (cli.store / "machines").exists() or list((cli.store / "machines").iterdir()) == []

    # docker's own ssh is told by the user's configuration how to log in.
    cli.config.write(f"Host {host.ip}\n  IdentityFile {KEY}\n")
    cli.config.known_hosts.write_text(f"{host.ip} {host.host_key}\n")
    cli.ok(*generic(host, "--no-provision", user="root", name="shell"))
    assert cli.ok("url", "shell").stdout.startswith(f"ssh://root@{host.ip}")
    assert cli.is_running("shell")
    cli.ok("rm", "-y", "--purge", "shell")
    assert host.snapshot() == bare

    # Whether anybody reads what it says makes no difference.
    with opened(BROKEN) as pipe:
        command = [*COMMAND, "-s", str(cli.store), *generic(host)]
        assert subprocess.run(command, stdout=pipe, stderr=pipe, check=False).returncode == 0
    before = host.snapshot()
    cli.ok(*generic(host, "--no-provision", "--tls-dir", cli.store / "machines/orion", name="twin"))
    assert cli.is_running("twin")
    for name in ("twin", "orion"):
        cli.ok("rm", "-y", name)
        assert host.snapshot() == before
    assert cli.machines == []


def test_an_engine_that_nothing_could_start_is_found_before_anything_is_tried(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    host.run("systemctl stop docker.service docker.socket; systemctl mask -q --now docker.service")
    told = cli.refused(*generic(host, *DISTRO))
    assert "docker.service on the host is masked" in told
    host.run("systemctl unmask -q docker.service")
    cli.ok(*generic(host, *DISTRO))


def test_after_a_wrong_engine_option_set_and_provision_go_on(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    failed = cli.start(*generic(host, "--engine-opt", "data-root=/proc/nowhere")).end()
    assert failed.returncode == 1
    assert "in its settings: machinectl set orion --help; then apply it: machinectl provision orion" in failed.stderr
    assert "The engine does not start with the new configuration" in cli.ok("ls").stdout
    assert "/proc/nowhere" in json.loads(cli.ok("inspect", "--json", "orion").stdout)["Failure"]["Cause"]
    cli.ok("set", "orion", "--engine-opt", "")
    cli.ok("provision", "orion")
    assert cli.is_running()
    cli.ok("set", "orion", "--engine-opt", "log-level=warn")
    cli.ok("set", "orion", "--engine-insecure-registry", "registry.lan:5000", "--engine-label", "rack=a")
    assert "machinectl provision orion" in cli.ok("ls").stdout
    cli.ok("provision", "orion")
    config = json.loads(host.output("cat /etc/docker/daemon.json"))
    assert "data-root" not in config
    assert (config["log-level"], config["labels"]) == ("warn", ["rack=a"])
    assert config["insecure-registries"] == ["registry.lan:5000"]


def test_a_plan_is_on_stdout_says_what_was_found_and_changes_nothing(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host("docker")
    bare = host.snapshot()
    told = cli.ok(*generic(host, "--dry-run"))
    found = told.stdout.splitlines()
    assert found[0] == "Logged in as ops, who becomes root by sudo"
    assert found[1].startswith("System: Debian GNU/Linux")
    assert found[2].startswith("Docker Engine ")
    assert found[3] == "Firewall: nothing is seen in the way of port 2376"
    assert '    +    "tlsverify": true,' in found
    assert found[-1] == "Nothing was changed"
    assert "from now on" not in told.stderr
    assert (host.snapshot(), cli.machines) == (bare, [])

    cli.ok(*generic(host))
    before = host.snapshot()
    record = (cli.store / "machines/orion/machine.json").read_bytes()
    for verb in (("provision",), ("regenerate-certs", "--new-ca"), ("upgrade",), ("stop",), ("restart",)):
        plan = cli.ok(*verb, "--dry-run", "orion").stdout
        assert plan.endswith("Nothing was changed\n"), verb
        assert ("nothing would be done" in plan) == (verb in {("provision",), ("upgrade",)}), plan
    assert host.snapshot() == before
    assert (cli.store / "machines/orion/machine.json").read_bytes() == record
    assert not (cli.store / "machines/orion/pending").exists()


# Seen on the host: dpkg is at work; the engine's files are being put in place.
UNPACKING = "[ -e /var/lib/dpkg/info/containerd.list ]"
APPLYING = "[ -e /etc/docker/machinectl/transaction/phase ]"
# Soon, and yet not as soon as a host that is only busy.
NOTICE = "ServerAliveInterval 2\nServerAliveCountMax 2\nConnectTimeout 10\n"


def when(host: Host, point: str, happening: Callable[[], object]) -> threading.Thread:
    """Let something happen as soon as a host has come to a point."""

    def strike() -> None:
        # As long as an installation takes on a machine that is busy with other hosts.
        host.run(f"until {point}; do sleep 0.01; done", timeout=240)
        happening()

    return in_background(strike)


def test_a_host_that_is_unplugged_in_each_step_is_finished_when_it_is_back(fresh_host: FreshHost, cli: Cli) -> None:
    cli.config.write(NOTICE)
    host = fresh_host()
    command = generic(host, *DISTRO)

    def unplug() -> None:
        host.link(up=False)

    def plug_in() -> None:
        host.link(up=True)
        # Who has just asked in vain where it is may be told so once more.
        host.wait_ssh()

    reading = cli.start("--debug", *command)
    reading.until("patience=")
    unplug()
    assert reading.end().returncode == 1
    plug_in()
    assert cli.machines == []
    for point in (UNPACKING, APPLYING):
        striking = when(host, point, unplug)
        failed = cli.start(*command).end()
        assert failed.returncode == 1, failed.stderr
        striking.join()
        plug_in()
        assert "machinectl provision orion" in failed.stderr
        assert cli.machines == ["orion"]
    cli.ok("provision", "orion")
    assert cli.is_running()
    assert host.output("dpkg --audit") == ""
    assert host.run("ls /etc/docker/machinectl").stdout.split() == ["ca.pem", "revision", "server.pem"]


def test_interrupting_an_installation_does_not_break_it(fresh_host: FreshHost, cli: Cli) -> None:
    host = fresh_host()
    running = cli.start(*generic(host, *DISTRO))
    when(host, UNPACKING, lambda: None).join()
    assert "machinectl provision orion" in ended(running, signal.SIGINT)
    assert "interrupted" in cli.ok("ls", "-t", "1").stdout
    cli.ok(*generic(host, *DISTRO))
    assert cli.is_running()
    assert host.output("dpkg --audit") == ""


def ended(running: Command, signum: signal.Signals) -> str:
    done = running.kill(signum)
    assert done.returncode == (130 if signum is signal.SIGINT else -signum), done.stderr
    return done.stderr


# What was there before us holds a password as well.
OWNERS_PROXY = """
echo '{"proxies": {"http-proxy": "http://u:0wner1@10.0.0.1:3128"}}' > /etc/docker/daemon.json
mkdir -p /etc/systemd/system/docker.service.d
cd /etc/systemd/system/docker.service.d
printf '[Service]\\nEnvironment="FTP_PROXY=http://u:0wner2@10.0.0.1:3128"\\n' > ftp.conf
systemctl daemon-reload
systemctl restart docker
"""


def test_what_is_asked_of_the_engine_arrives_and_no_secret_is_shown(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path
) -> None:
    host = fresh_host("docker")
    host.run(OWNERS_PROXY)
    key = keygen(tmp_path / "key", passphrase="pa55phrase")
    host.install_key("dev", key.with_name("key.pub").read_text())
    (tmp_path / "passphrase").write_text("pa55phrase\n")
    (tmp_path / "sudo").write_text(PASSWORD)
    label = "a 'b' \"c\" $d \\ e=f"
    proxy = "http://u:53cret@10.0.0.1:3128"
    options = ["--engine-label", f"rack={label}", "--label", "empty=", "--engine-opt", "log-driver=local"]
    options += ["--engine-registry-mirror", "https://mirror.example", "--engine-insecure-registry", "10.1.0.0/16"]
    (tmp_path / "proxies").write_text(f"# ours\nHTTPS_PROXY={proxy}\n")
    options += ["--engine-env-file", str(tmp_path / "proxies")]
    options += ["--tls-san", "orion.example", "--generic-engine-port", "2377"]
    secrets = ["--ssh-passphrase-file", str(tmp_path / "passphrase"), "--sudo-password-file", str(tmp_path / "sudo")]
    written = generic(host, *options, *secrets, user="dev", key=key)
    # The pattern does not match itself.
    watch = "touch /tmp/watch; while [ -e /tmp/watch ]; do grep -lzs '5[3]cret' /proc/[0-9]*/cmdline; done >/tmp/seen"
    watching = in_background(lambda: host.run(watch, check=False))
    host.run("until [ -e /tmp/watch ]; do sleep 0.01; done")
    done = cli.start("--debug", *written, **telling_of_programs(tmp_path)).end()
    assert done.returncode == 0, done.stderr
    host.run("rm /tmp/watch")
    watching.join()
    assert host.output("cat /tmp/seen") == ""
    readable = "grep -rls '5[3]cret' /etc /run /var/lib/docker /tmp | xargs -r ls -l"
    assert all(line.startswith("-rw-------") for line in host.output(readable).split("\n"))
    assert cli.is_running()
    assert cli.ok("url", "orion").stdout == f"tcp://{host.ip}:2377\n"
    info = json.loads(cli.shell("orion", "docker info --format '{{json .}}'"))
    assert sorted(info["Labels"]) == ["empty=", f"rack={label}"]
    assert info["LoggingDriver"] == "local"
    assert info["RegistryConfig"]["Mirrors"] == ["https://mirror.example/"]
    assert "10.1.0.0/16" in info["RegistryConfig"]["InsecureRegistryCIDRs"]
    assert info["HttpsProxy"].endswith("@10.0.0.1:3128")
    assert "orion.example" in certs.describe((cli.store / "machines/orion/server.pem").read_bytes()).sans
    secret = {"pa55phrase", PASSWORD, "53cret", "0wner", "PRIVATE KEY"}
    assert "engine_info" in done.stderr
    assert f"{tmp_path}/proxies can be read by others" in done.stderr
    shown = [cli.ok("inspect", *words, "orion").stdout for words in ([], ["--json"])]
    assert ["HTTPS_PROXY=http://u:***@10.0.0.1:3128" in each for each in shown] == [True, True]
    assert [each for each in secret for text in shown if each in text] == []
    assert [each for each in secret if each in decoded(done.stderr)] == []
    assert [each for each in secret if each in done.stderr + done.stdout] == []
    arguments = (tmp_path / "programs").read_text().splitlines()
    assert any(line.startswith("ssh -G ") for line in arguments)
    assert [line for line in arguments if any(each in line for each in secret)] == []
    for path in cli.store.rglob("*"):
        assert not path.stat().st_mode & 0o077 or path.name in {"ca.pem", "cert.pem", "server.pem"}, path


def decoded(text: str) -> str:
    """The lines of base64 in it, as whoever reads a log can read them."""
    lines = re.findall(r"^\|((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$", text, re.MULTILINE)
    return "".join(base64.b64decode(line).decode(errors="replace") for line in lines)


def telling_of_programs(directory: Path) -> dict[str, str]:
    """The environment in which a Python writes the arguments of each program that it starts (PEP 578) into a file."""
    (directory / "sitecustomize.py").write_text(
        "import sys\n"
        "def tell(event, given):\n"
        "    if event in {'subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.system'}:\n"
        f"        print(*given[1], sep=' ', file=open({str(directory / 'programs')!r}, 'a'))\n"
        "sys.addaudithook(tell)\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(directory), *filter(None, [os.environ.get("PYTHONPATH")])])}
