"""The lock of a host: one run at a time, and none that outlives its holder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from machinectl.provision.facts import host_facts
from machinectl.provision.job import Job
from machinectl.provision.scripts import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import Host
    from tests.lab.lan import Lab

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    [host] = lab.up([])
    host.wait_booted()
    yield host
    host.remove()


def launch(host: Host, command: str) -> int:
    job = Job("command.sh", {"command": command})
    # In a subshell, as sessions run it.
    return host.run(f"({resource('launch.sh')})", stdin=job.archive, check=False).returncode


def test_of_many_at_once_one_works_at_a_time_and_the_others_are_told(host: Host) -> None:
    alone = "mkdir /tmp/inside && ls -R /usr/share >/dev/null && rmdir /tmp/inside || echo >/tmp/two"
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda _: launch(host, alone), range(32)))
    assert set(ended) <= {0, 75}
    assert 0 in ended
    assert host.output("ls -d /tmp/inside /tmp/two /run/machinectl* 2>/dev/null; true") == ""


def test_a_job_whose_launcher_is_gone_keeps_its_lock_and_one_that_was_killed_does_not(host: Host) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(launch, host, "mkfifo /tmp/go; exec 3<>/tmp/go; read -r line <&3")
        host.run("until [ -p /tmp/go ]; do sleep 0.01; done")
        assert launch(host, "true") == 75
        host.run("kill -9 $(cat /proc/$(head -n 1 /run/machinectl/pid)/stat | cut -d' ' -f4)")
        assert first.result() != 0
    assert launch(host, "true") == 75
    assert "@job " in host.run(host_facts.facts_command(2376, patience=0)).stdout
    host.run("pkill -9 -s $(head -n 1 /run/machinectl/pid)")
    # The same PID, for another process.
    host.run("printf '1\\n0\\n' >/run/machinectl/pid")
    assert "@job " not in host.run(host_facts.facts_command(2376, patience=0)).stdout
    assert launch(host, "true") == 0


def test_what_a_job_starts_for_good_does_not_keep_the_lock(host: Host) -> None:
    assert launch(host, "setsid sleep 1000 >/dev/null 2>&1 &") == 0
    assert launch(host, "true") == 0
