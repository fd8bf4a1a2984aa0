"""Run a machinectl command line, and record what it hands to SSH, to TLS and to other programs, before it is encrypted.

    python -m tests.support.recording FILE ARGUMENT…, or `tests.support.program.recorded`

Of paramiko's SSH that is each message: logins, commands, their stdin, SFTP. Of other programs, as the system's ssh, it
is their arguments and what they get through pipes.
"""

from __future__ import annotations

import base64
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def record_into(path: Path) -> None:
    import paramiko.packet

    log = path.open("ab", buffering=0)

    def kept(send: Callable[..., Any]) -> Callable[..., Any]:
        def sent(sender: object, data: Any, *rest: Any) -> Any:
            log.write(data.asbytes() if hasattr(data, "asbytes") else bytes(data))
            return send(sender, data, *rest)

        return sent

    def written(descriptor: int, data: Any, write: Callable[[int, Any], int] = os.write) -> int:
        count = write(descriptor, data)
        log.write(bytes(data)[:count])
        return count

    def started(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"subprocess.Popen", "os.exec", "os.posix_spawn"}:
            log.write(repr(arguments[:2]).encode())

    for where, name in (
        (paramiko.packet.Packetizer, "send_message"),
        (ssl.SSLSocket, "send"),
        (ssl.SSLObject, "write"),
    ):
        setattr(where, name, kept(getattr(where, name)))
    os.write = written
    sys.addaudithook(started)


def spellings(secret: bytes) -> set[bytes]:
    """Return the forms in which a secret could be part of something longer: as it is, in hexadecimal, in Base64.

    Base64 depends on what comes before it: three ways, without the letters that depend on their neighbours.
    """
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        whole = (len(secret) + shift) // 3 * 3 - shift
        text = base64.b64encode(bytes(shift) + secret[:whole])[4 if shift else 0 :]
        found |= {text, text.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def main() -> int:
    from machinectl.cli.typer_app import run_with_typer

    record_into(Path(sys.argv[1]))
    return run_with_typer(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
