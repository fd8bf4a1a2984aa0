"""Hosts on which access cannot be given: their clock is wrong, or nobody can write their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.errors import SET_CLOCK
from tests.doctor.test_doctor_lab import SSH_AGAIN
from tests.lab.container import run_container
from tests.support.lab_cli import Cli, generic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.fixtures import FreshHost

pytestmark = pytest.mark.timeout(300)

BEGAN = "systemctl show docker -p MainPID"
RUNNING = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
FILES = "/etc/docker/machinectl"
# What chattr does, which bare Debian has not (ioctl_iflags(2)): FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL.


@pytest.mark.parametrize(("variant", "off"), [("clockahead", "730 days ahead of"), ("clockbehind", "730 days behind")])
def test_with_a_wrong_clock_nothing_is_made_that_is_not_valid_there_and_a_holder_is_ended(
    fresh_host: FreshHost, cli: Cli, tmp_path: Path, variant: str, off: str
) -> None:
    host = fresh_host("docker", variant)
    host.output(f"mv /etc/ld.so.preload /root/; systemctl restart docker; {SSH_AGAIN}")
    run_container(host, "web")
    cli.ok(*generic(host))
    cli.ok("access", "issue", "-y", "env", "orion", "--out", tmp_path / "env")
    host.output(f"cp /root/ld.so.preload /etc/; systemctl restart docker; {SSH_AGAIN}")
    running, began = host.output(RUNNING), host.output(BEGAN)
    clients, record = host.output(f"cat {FILES}/clients.pem"), cli.ok("access", "ls").stdout
    alice, request, answer = Cli(tmp_path / "alice", cli.config), tmp_path / "request", tmp_path / "answer"
    alice.ok("access", "request", "orion", "--for", "alice", "-o", request)

    for words in (
        ("access", "grant", "-y", "-o", answer, request),
        ("access", "grant", "--dry-run", request),
        ("access", "issue", "-y", "github", "orion", "--out", tmp_path / "github"),
        # The holder is accepted already.
        ("access", "issue", "-y", "env", "orion", "--out", tmp_path / "env"),
    ):
        done = cli.run(*words)
        assert done.returncode == 1
        cause, hint = done.stderr.splitlines()[-2:]
        assert f"{off} the clock here" in cause
        assert hint.endswith(f": {SET_CLOCK}")
    assert not answer.exists()
    assert not (tmp_path / "github").exists()
    assert cli.ok("access", "ls").stdout == record
    assert (host.output(f"cat {FILES}/clients.pem"), host.output(BEGAN)) == (clients, began)

    if variant == "clockbehind":
        certificate = cli.store / "machines/orion/cert.pem"
        old = certificate.read_bytes()
        assert "by the clock there, it is not valid" in cli.refused("renew", "--due", "--lifetime-left", "100%")
        assert certificate.read_bytes() == old
        assert "by the clock there, it is not valid" in cli.ok("ls").stdout

    cli.ok("access", "end", "-y", "env", "orion")
    assert host.output(f"grep -c BEGIN {FILES}/clients.pem") == "1"
    assert " env " not in cli.ok("access", "ls").stdout
    assert host.output(RUNNING) == running
    host.output(f"rm /etc/ld.so.preload; systemctl restart docker; {SSH_AGAIN}")
    assert cli.is_running()
