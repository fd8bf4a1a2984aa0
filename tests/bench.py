"""`make bench`: how long the commands take, as ratios against a stated baseline measured in the same run.

Run as a module: python -m tests.bench [PART…]. Nothing here asserts a time; the promises stand beside the figures.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.cli.tables.text_table import aligned_table
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from machinectl.verbs.certs import create_certificates
from machinectl.verbs.shared_flags import TIMEOUT
from tests import (
    bench_apply,
    bench_engines,
    bench_fleet,
    bench_hosts,
    bench_push,
    bench_run,
    bench_socket,
)
from tests.lab.possible import why_not
from tests.support.measure import MACHINECTL, Cost, measured, median, peak_memory, row
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PYTHON = [sys.executable, "-c", "pass"]
RUNS = 20
# What prompts and scripts call, and other verbs with the promise of how long they take to start.
QUICK = (["env", "orionbox"], ["ls", "-q"], ["url", "orionbox"], ["ip", "orionbox"], ["--help"])
HOST_KEY = b"machinectl ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + b"A" * 43 + b"\n"
STARTING = (
    (["create", "--help"], "4 x"),
    (["create", "-d", "generic", "--help"], "6 x"),
    (["inspect", "orionbox"], "4 x"),
    (["config", "orionbox"], "4 x"),
    (["status", "asleep"], "4 x"),
    (["ls", "asleep"], "4 x"),
    (["certs", "ls"], "9 x"),
)
# What answers for a hundred engines: TLS is real, the answers are from memory. Real engines would be measured too.
ENGINES = "from tests.bench import serve_engines; serve_engines()"


def main(names: Sequence[str]) -> None:
    """Measure parts, all if none is named, and show the rows of each when they are there. A failure ends its part."""
    no_lab, failed = why_not(), []
    with tempfile.TemporaryDirectory() as directory:
        os.environ["DOCKER_CONFIG"] = f"{directory}/docker"
        for name in names or [*PARTS, *ON_HOSTS]:
            if name in ON_HOSTS and no_lab:
                print(f"{name}: nothing was measured on real hosts: {no_lab}")
                continue
            work = Path(directory, name)
            work.mkdir()
            try:
                rows = list({**PARTS, **ON_HOSTS}[name](work))
            except SystemExit as exc:
                failed.append(f"{name}: {exc}")
            else:
                print(aligned_table(["WHAT", "MEASURED", "BASELINE", "RATIO", "PROMISE"], rows), flush=True)
    sys.exit("\n".join(failed) or None)


def light(work: Path) -> Iterator[Sequence[str]]:
    """What asks no host, against a Python that does nothing, run in turn so that the machine's moods hit both."""
    one, thousand = Store(str(work / "one")), Store(str(work / "thousand"))
    create_certificates(str(work / "shown"), ["192.168.0.29"])
    files = {name: (work / "shown" / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    add(one, "orionbox", "tcp://192.168.0.29:2376", files)
    for number in range(1000):
        add(thousand, f"m{number}", "tcp://192.168.0.29:2376")
    memory, base_memory = peak_memory([*MACHINECTL, "-s", one.root, "env", "orionbox"]), peak_memory(PYTHON)
    yield row("env NAME, peak memory", memory, "python -c pass", base_memory, "1.5 x", unit="MiB")
    for words in QUICK:
        cost, base = paired([*MACHINECTL, "-s", one.root, *words], PYTHON)
        yield row(f"{' '.join(words)}, CPU", cost.cpu, "python -c pass", base.cpu, "2 x")
    cost, base = paired([*MACHINECTL, "-s", thousand.root, "ls", "-q"], PYTHON)
    yield row("ls -q of 1,000 machines, wall", cost.wall, "python -c pass", base.wall, "3 x")
    known = Store(str(work / "known"))
    add(known, "orionbox", "tcp://192.168.0.29:2376", files)
    add(known, "asleep", f"unix://{work}/asleep.sock", tls=False)
    for words, promise in STARTING:
        cost, base = paired([*MACHINECTL, "-s", known.root, *words], PYTHON)
        yield row(f"{' '.join(words)}, CPU", cost.cpu, "python -c pass", base.cpu, promise)


def logging_in(work: Path) -> Iterator[Sequence[str]]:
    """What `ssh` does before OpenSSH starts: here, a program that does nothing."""
    programs = work / "programs"
    programs.mkdir()
    (programs / "ssh").symlink_to("/bin/true")
    store = Store(str(work / "by-ssh"))
    machine = Machine("orionbox", "generic", url="tcp://192.168.0.29:2376", tls=True)
    host = {"IPAddress": "192.168.0.29", "SSHHost": "192.168.0.29", "SSHUser": "ops", "SSHPort": 22, "EnginePort": 2376}
    machine.driver_state = json.dumps({**host, "SSHKeyPath": "", "MAC": ""})
    added(store, machine, {"known_hosts": HOST_KEY})
    found_first = ["/usr/bin/env", f"PATH={programs}:{os.environ['PATH']}"]
    cost, base = paired([*found_first, *MACHINECTL, "-s", store.root, "ssh", "orionbox", "true"], PYTHON)
    yield row("ssh orionbox, CPU", cost.cpu, "python -c pass", base.cpu, "4 x")


def creating(work: Path) -> Iterator[Sequence[str]]:
    counted = iter(range(10_000))
    create = [*MACHINECTL, "-s", str(work / "made"), "create", "-d", "none", "--url", "unix:///x.sock"]
    costs, bases = [], []
    for _ in range(RUNS):
        costs.append(measured([*create, f"m{next(counted)}"]))
        bases.append(measured([*MACHINECTL, "ls", "--help"]))
    yield row("create -d none, wall", median(costs).wall, "machinectl ls --help", median(bases).wall, "2 x")


def many_answering(work: Path) -> Iterator[Sequence[str]]:
    create_certificates(str(work / "certs"), ["127.0.0.1"])
    store = Store(str(work / "answering"))
    files = {name: (work / "certs" / name).read_bytes() for name in ("ca.pem", "cert.pem", "key.pem")}
    with engines(work / "certs") as port:
        for number in range(100):
            add(store, f"m{number}", f"tcp://127.0.0.1:{port}", files)
        ls, ps = [*MACHINECTL, "-s", store.root, "ls"], [*MACHINECTL, "-s", store.root, "ps"]
        pairs = [(measured(ls), measured(ps)) for _ in range(5)]
    cost, of_ps = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    yield ["ls of 100 machines over TLS, CPU", f"{cost.cpu:.2f} s", "-", "-", "0.9 s"]
    yield row("ps of 100 machines over TLS, wall", of_ps.wall, "ls of them", cost.wall, "1.5 x")
    yield row("ps of 100 machines over TLS, CPU", of_ps.cpu, "ls of them", cost.cpu, "1.5 x")


def many_silent(work: Path) -> Iterator[Sequence[str]]:
    timeout = TIMEOUT.default
    for count in (20, 500):
        store = Store(str(work / f"silent{count}"))
        with silence() as port:
            for number in range(count):
                add(store, f"m{number}", f"tcp://127.0.0.1:{port}", tls=False)
            costs = [measured([*MACHINECTL, "-s", store.root, "ls"]) for _ in range(2)]
        took = median(costs).wall
        yield row(
            f"ls of {count} silent machines, wall", took, f"the timeout of {timeout} s", timeout, "timeout + 0.5 s"
        )


def add(store: Store, name: str, url: str, files: dict[str, bytes] | None = None, *, tls: bool = True) -> None:
    machine = Machine(name, "none", url=url, tls=tls)
    machine.driver_state = f'{{"URL": "{url}"}}'
    added(store, machine, files)


@contextmanager
def engines(certs: Path) -> Iterator[int]:
    """Something that answers as an engine does, in a process of its own, so that its CPU is not counted."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINES, str(listener.fileno()), str(certs)], pass_fds=[listener.fileno()]
        )
        try:
            yield listener.getsockname()[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def serve_engines() -> None:
    """Serve TLS on the listening socket of argv, requiring a client's certificate, until the process is ended."""
    import ssl
    import threading

    from tests.support.servers import Connection, engine

    listener, certs = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "server.pem", certs / "server-key.pem")
    context.load_verify_locations(certs / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as secured:
            engine(Connection(secured, threading.Event()))

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


@contextmanager
def silence() -> Iterator[int]:
    """A port where connections are taken by the kernel and never by anybody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        yield listener.getsockname()[1]


def paired(command: Sequence[str], baseline: Sequence[str]) -> tuple[Cost, Cost]:
    measured(command), measured(baseline)
    pairs = [(measured(command), measured(baseline)) for _ in range(RUNS)]
    return median([cost for cost, _ in pairs]), median([base for _, base in pairs])


# What needs nothing but this machine, and what takes hosts of the lab.
PARTS = {
    "start": light,
    "ssh": logging_in,
    "create": creating,
    "fleet": bench_fleet.fleets,
    "answering": many_answering,
    "silent": many_silent,
    "engines": bench_engines.fleets,
    "run": bench_run.many,
    "push": bench_push.pushes,
    "socket": bench_socket.sockets,
}
ON_HOSTS = {"hosts": bench_hosts.hosts, "apply": bench_apply.fleets}


if __name__ == "__main__":
    # Thousands of machines are asked at once, and as many connections taken.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    main(sys.argv[1:])
