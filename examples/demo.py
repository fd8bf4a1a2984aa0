"""The main job from end to end, on this machine: an engine over TLS, registered, listed, and spoken to.

Run it with `make demo`. Where a Docker Engine (dockerd) is installed and may be started (as root), one is started on a
free port of 127.0.0.1, with everything it writes in a throw-away directory, and stopped at the end. Elsewhere the host
of the documentation, tcp://192.168.0.29:2376, is registered; nothing needs to answer there.
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
LINE_OF_A_RUNNING_ENGINE = "API listen on 127.0.0.1"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="machinectl-demo-") as directory:
        work = Path(directory)
        os.environ["MACHINE_STORAGE_PATH"] = str(work / "store")
        os.environ["PATH"] = os.path.dirname(MACHINECTL) + os.pathsep + os.environ["PATH"]
        run("machinectl", "certs", "create", "--out", str(work / "certs"), "--san", "127.0.0.1")
        reason = why_no_engine()
        if reason:
            print(
                f"\nNo engine is started here ({reason}); registering tcp://192.168.0.29:2376, where none may answer."
            )
            use("tcp://192.168.0.29:2376", work)
            return
        with engine(work) as url:
            use(url, work)


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


def use(url: str, work: Path) -> None:
    """What a user does with an engine: register it, see it, and point a client at it."""
    run("machinectl", "create", "--driver", "none", "--url", url, "--tls-dir", str(work / "certs"), "orionbox")
    run("machinectl", "ls", "--timeout", "3")
    run("machinectl", "env", "--shell", "bash", "orionbox")
    client = "docker version --format 'Engine {{.Server.Version}}'" if shutil.which("docker") else ask_with_curl()
    if "192.168.0.29" in url:
        client = 'echo "docker would ask $DOCKER_HOST with the certificates in $DOCKER_CERT_PATH"'
    run("bash", "-c", f'eval "$(machinectl env --shell bash orionbox)" && {client}')


def ask_with_curl() -> str:
    """The same question without the docker CLI, with nothing but what `env` exported."""
    files = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    flags = " ".join(f'--{flag} "$DOCKER_CERT_PATH/{file}"' for flag, file in files.items())
    return f'curl --silent --show-error --fail {flags} "https://${{DOCKER_HOST#tcp://}}/version"'


def run(*command: str) -> None:
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
