"""Renew an engine's certificates again and again while clients ask it all the while, on a host of the lab, as root.

    python -m tests.soak_renewal [RENEWALS], or `make soak-renewal`

Each answer is good, or the connection was refused while the engine restarted, and at no other time. No client ever
sees an error of TLS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.container import run_container
from tests.lab.lan import Lab
from tests.lab.place import KEY
from tests.support.program import machinectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.host import Host

RENEWALS = 100
# What docker says when nothing listens, or the engine ends while it answers; and when its first question, for the
# API's version, found nothing listening, and the next one a started engine.
RESTARTING = (
    "connection refused",
    "Cannot connect to the Docker daemon",
    "EOF",
    "connection reset by peer",
    "is too new. Maximum supported API version",
)
# Of Go. Docker also says "Cannot connect", or EOF, of a handshake that failed.
OF_TLS = ("tls: ", "x509: ")
DUE = ("renew", "--due", "--lifetime-left", "100%")


class Client:
    """Asks with the docker CLI, by the variables of `env` or a context, until it is told to stop."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.command = ["docker", *arguments, "version", "--format", "{{.Server.Version}}"]
        self.environment = os.environ | environment
        self.good = 0
        self.refused = 0
        self.errors: list[str] = []
        self.over = threading.Event()
        self.asked = threading.Condition()

    def ask(self) -> None:
        while not self.over.is_set():
            done = subprocess.run(self.command, env=self.environment, capture_output=True, text=True, check=False)
            with self.asked:
                self.good += done.returncode == 0
                if is_refusal(done):
                    self.refused += 1
                elif done.returncode:
                    self.errors.append(done.stderr)
                self.asked.notify_all()

    def wait_for_answer(self) -> None:
        with self.asked:
            good = self.good
            assert self.asked.wait_for(lambda: self.good > good or self.errors, timeout=60), "no answer for a minute"


def is_refusal(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether docker found the engine restarting, and nothing worse."""
    said = done.stderr
    return (
        done.returncode != 0 and any(each in said for each in RESTARTING) and not any(each in said for each in OF_TLS)
    )


def check_undisturbed(clients: list[Client]) -> None:
    """While no engine restarts, nothing is refused. A question that was asked during a restart is over first."""
    for client in clients:
        client.wait_for_answer()
        refused = client.refused
        client.wait_for_answer()
        assert client.refused == refused, f"{client.refused - refused} connections were refused without a restart"


@contextmanager
def asking(*clients: Client) -> Iterator[None]:
    threads = [threading.Thread(target=client.ask) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            client.over.set()
        for thread in threads:
            thread.join()


def soak(host: Host, store: Path, renewals: int) -> list[Client]:
    """Renew both certificates so often; return the clients that asked meanwhile."""
    run_container(host, "web")
    began = host.output("docker inspect -f '{{.State.Pid}}' web")
    create = ("create", "-d", "generic", "--generic-ip-address", host.ip, "--generic-ssh-user", "ops")
    docker = {"DOCKER_CONFIG": os.environ["DOCKER_CONFIG"]}
    done = machinectl(*create, "--generic-ssh-key", KEY, "orion", store=str(store))
    assert done.returncode == 0, done.stderr
    by_env = {
        "DOCKER_HOST": f"tcp://{host.ip}:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(store / "machines/orion"),
    }
    clients = [Client([], docker | by_env), Client(["--context", "orion"], docker)]
    with asking(*clients):
        for number in range(renewals):
            # Both have an answer before each renewal, so that it is renewed under their eyes.
            check_undisturbed(clients)
            done = machinectl(*DUE, store=str(store))
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("orion: new server and client certificates"), done.stdout
            assert not any(client.errors for client in clients), [client.errors for client in clients]
            if number % 10 == 9:
                print(f"{number + 1} renewals", flush=True)
        check_undisturbed(clients)
    assert host.output("docker inspect -f '{{.State.Pid}}' web") == began
    return clients


def main(renewals: int) -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {"HOME": str(directory), "DOCKER_CONFIG": str(directory / "docker")}
        lab = Lab.claim()
        stack.callback(lab.down)
        [host] = lab.up(["docker"])
        host.wait_booted()
        for client in soak(host, directory / "store", renewals):
            assert client.errors == [], client.errors
            print(f"{' '.join(client.command[1:3])}: {client.good} answers, {client.refused} refused, no other error")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RENEWALS)
