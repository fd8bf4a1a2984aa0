"""Interrupt this process when docker, which runs it as a plugin, ends.

Without a terminal, docker closes a socket instead of passing signals on (docker/cli cli-plugins/socket). A signal to
the process group arrives by itself: a second one would act as another ^C.
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
# How long to wait for our own signal, if docker's process group got one. Seconds.
OWN_SIGNAL = 0.5
# These signals end this process, some only while remote commands run.
ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


def end_with_docker(environment: Mapping[str, str]) -> None:
    """Interrupt this process when docker ends, unless a signal already has."""
    address = environment.get(SOCKET, "")
    if not address:
        return
    docker = socket.socket(socket.AF_UNIX)
    try:
        # Go writes Linux's abstract addresses with @.
        docker.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        docker.close()
        return
    # Each signal's number is written to this pipe, for as long as the process lives.
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    threading.Thread(target=interrupt_at_hangup, args=(docker, heard), daemon=True).start()


def interrupt_at_hangup(docker: socket.socket, heard: int) -> None:
    """Wait until docker hangs up, then interrupt unless `heard`, the wakeup pipe, shows a signal."""
    while receive(docker):
        continue
    interrupted = False
    while select.select([heard], [], [], 0 if interrupted else OWN_SIGNAL)[0]:
        interrupted = interrupted or bool(ENDING.intersection(os.read(heard, 1024)))
    if not interrupted:
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)


def receive(docker: socket.socket) -> bytes:
    try:
        return docker.recv(1)
    except OSError:
        return b""
