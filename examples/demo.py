"""Show the whole workflow on this computer: register an engine over TLS, list it, and use it.

Run it with `make demo`. If dockerd is installed and you are root, the demo starts an engine on a free port of
127.0.0.1, with all its files in a temporary directory, and stops it at the end. Otherwise it registers a port that
nobody listens on. On Debian as root (see `make lab`), it also boots a real server, sets it up, and undoes that.
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
        # Leave your docker contexts alone.
        os.environ["MACHINECTL_CONTEXTS"] = "off"
        os.environ["PATH"] = os.path.dirname(MACHINECTL) + os.pathsep + os.environ["PATH"]
        run("machinectl", "certs", "create", "--out", str(work / "certs"), "--san", "127.0.0.1")
        reason = why_no_engine()
        if reason:
            print(f"\nThis demo cannot start an engine ({reason}), so the registered one does not answer.")
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
    """Run dockerd with mutual TLS on a free port, with all its files in `work`; yield its URL."""
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
    """Register an engine and list it."""
    run("machinectl", "create", url, "--tls-dir", str(work / "certs"), "orionbox")
    run("machinectl", "ls", "--timeout", "3")
    run("machinectl", "env", "--shell", "bash", "orionbox")


def ask() -> None:
    """Point a client at the engine."""
    client = "docker version --format 'Engine {{.Server.Version}}'" if shutil.which("docker") else ask_with_curl()
    run("bash", "-c", f'eval "$(machinectl env --shell bash orionbox)" && {client}')


def ask_with_curl() -> str:
    """Ask the same without the docker CLI, with the variables that `env` exported."""
    files = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    flags = " ".join(f'--{flag} "$DOCKER_CERT_PATH/{file}"' for flag, file in files.items())
    return f'curl --silent --show-error --fail {flags} "https://${{DOCKER_HOST#tcp://}}/version"'


def set_up_a_server() -> None:
    """Set up a server that has SSH and no engine: one of the lab's, made for this."""
    sys.path.insert(0, str(CHECKOUT))
    from tests.lab.lan import Lab
    from tests.lab.place import KEY
    from tests.lab.possible import why_not

    reason = why_not()
    if reason:
        print(f"\nThis demo cannot boot servers ({reason}).")
        return
    print("\nBooting a real server. Building its image takes some minutes the first time.", flush=True)
    lab = Lab.claim()
    try:
        (host,) = lab.up()
        options = ("--ssh-key", str(KEY), "--engine-install", "distro")
        run("machinectl", "create", *options, f"ops@{host.ip}", "rigel")
        run("machinectl", "ls")
        run("machinectl", "rm", "-y", "--purge", "rigel")
    finally:
        lab.down()


def run(*command: str) -> None:
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
