"""What may lie in a file's place and is none, or has no end."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GIGABYTE = 1 << 30


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_gigabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIGABYTE)


def a_socket(path: Path) -> None:
    # The path of a socket has at most 107 bytes.
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(before)


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


STRANGE = [a_pipe, an_endless_device, a_directory, a_gigabyte, a_socket]
