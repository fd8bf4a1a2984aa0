"""Jobs on a real host: what is seen of them while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from machinectl.driver import SSHEndpoint
from machinectl.provision.job import Job
from machinectl.ssh.connect import connect
from machinectl.ssh.keys.credentials import Credentials
from machinectl.ssh.keys.host_keys import HostKeyPolicy
from machinectl.ssh.sudo import become_root
from tests.lab.place import KEY
from tests.support.quiet import Quiet

if TYPE_CHECKING:
    from tests.lab.fixtures import FreshHost

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("user", ["root", "ops"])
def test_the_last_line_of_a_job_is_shown_while_it_runs_and_is_no_part_of_its_output(
    fresh_host: FreshHost, user: str
) -> None:
    host = fresh_host()
    host.run("mkfifo /tmp/go")
    seen: list[str] = []

    def go_on(line: str) -> None:
        seen.append(line)
        if line == "two":
            host.run("echo >/tmp/go")

    job = Job("command.sh", {"command": "echo one; echo two; read -r line </tmp/go; echo three; exit 7"})
    console = Quiet()
    endpoint = SSHEndpoint(host.ip, user, host.port, str(KEY))
    with connect(endpoint, Credentials(), HostKeyPolicy(), console) as session:
        result = job.run(become_root(session, Credentials(), console), go_on)
    assert seen[0] == "two"
    assert (result.status, result.stdout, result.stderr) == (7, b"one\ntwo\nthree\n", b"")
    assert host.output("ls -d /run/machinectl* 2>/dev/null; true") == ""
