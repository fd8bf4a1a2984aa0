"""docker, which we are a plugin of, is told to end: so are we.

Where it has no terminal docker does not pass a signal on: it closes a socket that its plugins hold on to (docker/cli
cli-plugins/socket). Where the signal was for all of a process group, we have it already, and a second one would be
another ^C.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# docker/cli cli-plugins/socket, EnvKey.
SOCKET = "DOCKER_CLI_PLUGIN_SOCKET"
# A signal for the whole group is here long before that; in seconds.
OWN_SIGNAL = 0.5
# What we end by where it comes by itself, some only while commands run elsewhere.
ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def end_with_docker(environment: Mapping[str, str]) -> None:
    """From here on, take docker's end for ^C, unless that comes by itself; nothing where docker offers no socket."""
    address = environment.get(SOCKET, "")
    if not address:
        return
    docker = socket.socket(socket.AF_UNIX)
    try:
        # Go's spelling of Linux's abstract addresses.
        docker.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        docker.close()
        return
    # As long as the process lives: each signal's number is written there.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=watch, args=(docker, heard), daemon=True).start()


def watch(docker: socket.socket, heard: int) -> None:
    """Wait until docker hangs up, and interrupt this process if nobody else has. `heard` has its signals' numbers."""
    while read(docker):
        continue
    interrupted = False
    while select.select([heard], [], [], 0 if interrupted else OWN_SIGNAL)[0]:
        interrupted = interrupted or bool(ENDING.intersection(os.read(heard, 1024)))
    if not interrupted:
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)


def read(docker: socket.socket) -> bytes:
    try:
        return docker.recv(1)
    except OSError:
        return b""
