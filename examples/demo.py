"""The main job from end to end, on this machine: an engine over TLS, registered, listed, and spoken to.

Run it with `make demo`. Where a Docker Engine (dockerd) is installed and may be started (as root), one is started on a
free port of 127.0.0.1, with everything it writes in a throw-away directory, and stopped at the end. Elsewhere a port of
127.0.0.1 is registered where nothing listens. Where this machine can have a lab (root on Debian, see `make lab`), a
real server is booted in it and set up over SSH, and given back.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINECTL = os.path.join(os.path.dirname(sys.executable), "machinectl")
CHECKOUT = Path(__file__).parents[1]
LINE_OF_A_RUNNING_ENGINE = "API listen on 127.0.0.1"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="machinectl-demo-") as directory:
        work = Path(directory)
        os.environ["MACHINE_STORAGE_PATH"] = str(work / "store")
        # Nothing of it stays among your docker contexts.
        os.environ["MACHINECTL_CONTEXTS"] = "off"
        os.environ["PATH"] = os.path.dirname(MACHINECTL) + os.pathsep + os.environ["PATH"]
        run("machinectl", "certs", "create", "--out", str(work / "certs"), "--san", "127.0.0.1")
        reason = why_no_engine()
        if reason:
            print(f"\nNo engine is started here ({reason}): the one that is registered does not answer.")
            register(f"tcp://127.0.0.1:{free_port()}", work)
        else:
            with engine(work) as url:
                register(url, work)
                ask()
        set_up_a_server()


def why_no_engine() -> str:
    if shutil.which("dockerd") is None:
        return "dockerd is not installed"
    if os.geteuid() != 0:
        return "starting dockerd takes root"
    return ""


@contextmanager
def engine(work: Path) -> Iterator[str]:
    """A dockerd with mutual TLS on a free port, which touches nothing outside of `work`; yields its URL."""
    url = f"tcp://127.0.0.1:{free_port()}"
    options = {
        "host": url,
        "tlscacert": work / "certs/ca.pem",
        "tlscert": work / "certs/server.pem",
        "tlskey": work / "certs/server-key.pem",
        "data-root": work / "data",
        "exec-root": work / "exec",
        "pidfile": work / "docker.pid",
        "bridge": "none",
        "iptables": "false",
        "ip6tables": "false",
    }
    command = ["dockerd", "--tlsverify", *(f"--{name}={value}" for name, value in options.items())]
    print(f"\n$ {' '.join(command)} &")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            log = []
            for line in process.stderr:
                log.append(line)
                if LINE_OF_A_RUNNING_ENGINE in line:
                    break
            else:
                sys.exit("The engine did not start:\n" + "".join(log[-5:]))
            yield url
        finally:
            process.terminate()
            process.stderr.read()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def register(url: str, work: Path) -> None:
    """What a user does with an engine that is there: register it, and see it."""
    run("machinectl", "create", "--driver", "none", "--url", url, "--tls-dir", str(work / "certs"), "orionbox")
    run("machinectl", "ls", "--timeout", "3")
    run("machinectl", "env", "--shell", "bash", "orionbox")


def ask() -> None:
    """Point a client at the engine."""
    client = "docker version --format 'Engine {{.Server.Version}}'" if shutil.which("docker") else ask_with_curl()
    run("bash", "-c", f'eval "$(machinectl env --shell bash orionbox)" && {client}')


def ask_with_curl() -> str:
    """The same question without the docker CLI, with nothing but what `env` exported."""
    files = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    flags = " ".join(f'--{flag} "$DOCKER_CERT_PATH/{file}"' for flag, file in files.items())
    return f'curl --silent --show-error --fail {flags} "https://${{DOCKER_HOST#tcp://}}/version"'


def set_up_a_server() -> None:
    """What a user does with a server that has SSH and no engine; it is one of the lab's, made for this."""
    sys.path.insert(0, str(CHECKOUT))
    from tests.lab.lan import Lab
    from tests.lab.place import KEY
    from tests.lab.possible import why_not

    reason = why_not()
    if reason:
        print(f"\nNo server is set up over SSH here: hosts for that cannot be made ({reason}).")
        return
    print("\nA real server is booted, which takes some minutes when its image is not there yet.", flush=True)
    lab = Lab.claim()
    try:
        (host,) = lab.up()
        where = ("--generic-ip-address", host.ip, "--generic-ssh-user", "ops", "--generic-ssh-key", str(KEY))
        run("machinectl", "create", "--driver", "generic", *where, "--engine-install", "distro", "rigel")
        run("machinectl", "ls")
        run("machinectl", "rm", "-y", "--purge", "rigel")
    finally:
        lab.down()


def run(*command: str) -> None:
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
