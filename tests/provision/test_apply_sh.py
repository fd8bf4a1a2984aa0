"""How long a host waits for its engine to come up, by the script that restarts it there."""

from __future__ import annotations

import re
import subprocess

import pytest

from machinectl.provision import resource

# In place of a host: an engine that listens after so many looks, a tenth of a second each, and runs or has ended.
STAND_INS = """
port=0947 socket='' looks=0
sleep() { :; }
active() { [ "$running" = yes ]; }
listening() { looks=$((looks + 1)); [ $looks -gt "$after" ]; }
"""


def came_up(*, after: int, running: bool = True) -> bool:
    functions = re.findall(r"^(?:came_up|answering)\(\) \{\n.*?^\}$", resource("apply.sh"), re.DOTALL | re.MULTILINE)
    assert len(functions) == 2
    script = "\n".join([STAND_INS, *functions, "came_up"])
    variables = {"PATH": "/usr/bin:/bin", "after": str(after), "running": "yes" if running else "no"}
    return subprocess.run(["sh", "-c", script], env=variables, check=False).returncode == 0


@pytest.mark.parametrize("ports", [0, 1, 2, 3])
def test_an_engine_that_warns_for_17_seconds_of_each_port_without_tls_is_waited_for(ports: int) -> None:
    assert came_up(after=170 * ports)


def test_one_that_never_listens_is_given_up() -> None:
    assert not came_up(after=100_000)


def test_one_that_has_ended_is_given_up_soon() -> None:
    assert came_up(after=10, running=False)
    assert not came_up(after=30, running=False)


# As dockerd 26.1 has it, which lists live-restore only if it is on.
RELOADED = r'level=info msg="Reloaded configuration: {\"pidfile\":\"/run/docker.pid\",%s\"mtu\":1500}"'
ON, OFF = RELOADED % r"\"live-restore\":true,", RELOADED % ""


@pytest.mark.parametrize(
    ("lines", "wanted", "kept"),
    [
        ((OFF, ON), "true", True),
        ((ON, OFF), "false", True),
        ((ON, OFF), "true", False),
        (("level=info msg=Loading",), "false", False),
    ],
)
def test_the_journal_says_what_an_engine_without_a_unix_socket_made_of_live_restore(
    lines: tuple[str, ...], wanted: str, kept: bool
) -> None:
    pattern = r"^(?:keeps_containers|told_by_journal)\(\) \{\n.*?^\}$"
    functions = re.findall(pattern, resource("apply.sh"), re.DOTALL | re.MULTILINE)
    stand_ins = (
        "begun=$(date +%s); sleep() { :; }; engine_info() { return 1; }; journal() { printf '%s\\n' \"$lines\"; }"
    )
    script = "\n".join([stand_ins, *functions, "keeps_containers"])
    variables = {"PATH": "/usr/bin:/bin", "lines": "\n".join(lines), "live_restore": wanted}
    done = subprocess.run(["sh", "-c", script], env=variables, stdout=subprocess.DEVNULL, check=False)
    assert (done.returncode == 0) is kept
