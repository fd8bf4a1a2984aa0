"""A push or a pull that is killed, interrupted or cut leaves no half image, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from machinectl.machines.record import Machine, Phase
from tests.support.archives import Made, saved
from tests.support.image_engines import unique_layer
from tests.support.in_process import machinectl
from tests.support.program import killed_at_engine, started
from tests.support.registered import added
from tests.support.relay import closes, relay
from tests.support.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from machinectl.machines.store import Store
    from tests.support.image_engines import Engine
    from tests.support.servers import Connection

STORES = ["classic", "containerd"]
# Bytes of a connection before it breaks: in the middle of an image of test's, and after all questions.
MIDDLE = 500_000


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "app.tar"
    path.write_bytes(saved({"app:1": Made([unique_layer(1000), unique_layer(1000)])}))
    return path


def spooled() -> list[str]:
    """Return what a push has left on this computer."""
    return os.listdir(os.environ["TMPDIR"])


@pytest.mark.parametrize("name", STORES)
def test_a_killed_push_leaves_no_name_on_a_half_image_and_the_next_one_completes(
    image_machines: Store, engines: dict[str, Engine], name: str, tmp_path: Path
) -> None:
    target = engines[name]
    low, high = unique_layer(2000), unique_layer(2000)
    target.load(saved({"base:1": Made([low], compressed=[0])}))
    archive = tmp_path / "app.tar"
    command = ["push", "--from-file", str(archive), "app:1", name]
    for moment in range(1, 200, 17):
        archive.write_bytes(saved({"app:1": Made([low, high, unique_layer(1)])}))
        done = killed_at_engine(moment, image_machines.root, *command)
        if "app:1" in target.images():
            assert len(target.saved_blobs("app:1")) >= 5
        assert machinectl(*command).returncode == 0
        assert len(target.saved_blobs("app:1")) >= 5
        assert spooled() == []
        target.docker("rmi", "app:1")
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
    else:
        pytest.fail("the command never came to its end")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_push_at_once_with_the_command_that_goes_on(
    image_machines: Store, engines: dict[str, Engine], archive: Path, number: int, status: int
) -> None:
    stuck = threading.Event()

    def stay(connection: Connection) -> bool:
        stuck.set()
        connection.stopping.wait()
        return False

    with serving(relay(socket_of(engines["containerd"]), MIDDLE, stay)) as port:
        added(image_machines, Machine("stuck", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        command = ["push", "--from-file", str(archive), "app:1", "classic", "stuck"]
        with started(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as push:
            assert push.stdout
            assert push.stdout.readline().startswith("classic: sent")
            assert stuck.wait(60)
            push.send_signal(number)
            _, said = push.communicate(timeout=60)
    assert push.returncode == status
    assert said.splitlines()[-2:] == [
        "Interrupted: 1 of 2 machines has app:1 (docker image prune removes an unnamed image that is left there)",
        f"  Go on: machinectl {' '.join(command)}",
    ]
    assert spooled() == []
    assert "app:1" not in engines["containerd"].images()
    assert machinectl("push", "--from-file", archive, "app:1", "containerd").returncode == 0
    assert len(engines["containerd"].saved_blobs("app:1")) >= 4


@pytest.mark.parametrize("name", STORES)
def test_a_connection_that_breaks_is_one_line_and_the_same_command_goes_on(
    image_machines: Store, engines: dict[str, Engine], archive: Path, name: str
) -> None:
    with serving(relay(socket_of(engines[name]), MIDDLE, closes)) as port:
        added(image_machines, Machine("far", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        done = machinectl("push", "--from-file", archive, "app:1", "far")
    assert done.returncode == 1
    assert without_steps(done.stderr) == [
        f"Error: The connection to 127.0.0.1:{port} broke before the engine had all",
        "  Run the same command again",
    ]
    assert "app:1" not in engines[name].images()
    assert spooled() == []
    assert machinectl("push", "--from-file", archive, "app:1", name).returncode == 0


@pytest.mark.parametrize("name", STORES)
def test_a_source_that_breaks_is_said_once_for_all_machines(
    image_machines: Store, engines: dict[str, Engine], archive: Path, name: str
) -> None:
    engines[name].load(archive.read_bytes())
    [other] = set(STORES) - {name}
    added(image_machines, Machine("twin", "none", url=engines[other].endpoint.url, phase=Phase.READY))
    with serving(relay(socket_of(engines[name]), MIDDLE, closes)) as port:
        added(image_machines, Machine("far", "none", url=f"tcp://127.0.0.1:{port}", phase=Phase.READY))
        done = machinectl("push", "--from", "far", "app:1", other, "twin")
    assert done.returncode == 1
    assert without_steps(done.stderr) == [
        f"Error: Cannot read the image from 127.0.0.1:{port}: The answer of 127.0.0.1:{port} is cut short",
        "  Run the same command again",
    ]
    assert "app:1" not in engines[other].images()
    assert spooled() == []
    assert machinectl("push", "--from", name, "app:1", other, "twin").returncode == 0


def without_steps(said: str) -> list[str]:
    return [line for line in said.splitlines() if not line.startswith(("Reading ", "Sending "))]


def socket_of(engine: Engine) -> str:
    return engine.endpoint.url.removeprefix("unix://")
