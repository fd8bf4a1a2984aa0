"""A machine's certificates as one value: read whole, replaced whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from machinectl.files.fileset import read_regular_file

if TYPE_CHECKING:
    from machinectl.machines.store import Held

# What the docker CLI looks for, and what an engine has beside its CA.
CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
SERVER_FILES = ("server.pem", "server-key.pem")


def kept_in(file: str) -> bytes:
    """Declare a part of an identity, and the file of a machine's directory that holds it."""
    found: bytes = field(default=b"", repr=False, metadata={"file": file})
    return found


@dataclass(frozen=True)
class Identity:
    """The CA, the engine's server and the client here, each a certificate and its key as PEM; b"" is what is missing.

    The CA's key may rightly be kept elsewhere, and a machine that others set up has no server's.
    """

    ca: bytes = kept_in("ca.pem")
    client: bytes = kept_in("cert.pem")
    client_key: bytes = kept_in("key.pem")
    ca_key: bytes = kept_in("ca-key.pem")
    server: bytes = kept_in("server.pem")
    server_key: bytes = kept_in("server-key.pem")

    @classmethod
    def of_files(cls, files: dict[str, bytes]) -> Identity:
        """What files hold, by the names that they have in a machine's directory."""
        return cls(**{part: files.get(file, b"") for part, file in FILES.items()})

    @classmethod
    def read(cls, directory: str) -> Identity:
        """What a directory holds, unchecked. Raises MachineError where a file is there and cannot be read."""
        paths = {file: os.path.join(directory, file) for file in FILES.values()}
        return cls.of_files({file: read_regular_file(path) for file, path in paths.items() if os.path.lexists(path)})

    @property
    def files(self) -> dict[str, bytes]:
        """All of it by the names of its files; empty where there is none."""
        return {file: getattr(self, part) for part, file in FILES.items()}

    @property
    def present(self) -> dict[str, bytes]:
        """The files that there are."""
        return {file: data for file, data in self.files.items() if data}

    @property
    def on_host(self) -> dict[str, bytes]:
        """What an engine is given, by the names of its files on the host (provision.configuration.CERTIFICATES)."""
        whole = {"ca.pem": self.ca, "server.pem": self.server + self.server_key, "server-key.pem": self.server_key}
        return {file: data for file, data in whole.items() if data}

    def keep(self, held: Held) -> None:
        """Have just this in the machine's directory, all of it or nothing of it."""
        if Identity.read(held.directory) != self:
            held.write_files(self.files)


FILES = {part.name: part.metadata["file"] for part in fields(Identity)}
