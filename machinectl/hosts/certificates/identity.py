"""A machine's certificates as one value, which is read and replaced as a whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from machinectl.files.fileset import read_regular_file

if TYPE_CHECKING:
    from machinectl.machines.store import Held

# The files that the docker CLI reads, and those of an engine apart from its CA.
CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
SERVER_FILES = ("server.pem", "server-key.pem")


def kept_in(file: str) -> bytes:
    """Declare a field of Identity and its file in a machine's directory."""
    found: bytes = field(default=b"", repr=False, metadata={"file": file})
    return found


@dataclass(frozen=True)
class Identity:
    """The CA, the engine's server and this client, each a certificate and its key as PEM; b"" if missing.

    The CA's key may be kept elsewhere. Machines that others set up have no server certificate here.
    """

    ca: bytes = kept_in("ca.pem")
    client: bytes = kept_in("cert.pem")
    client_key: bytes = kept_in("key.pem")
    ca_key: bytes = kept_in("ca-key.pem")
    server: bytes = kept_in("server.pem")
    server_key: bytes = kept_in("server-key.pem")

    @classmethod
    def of_files(cls, files: dict[str, bytes]) -> Identity:
        """Make an identity from the contents of files, by their names in a machine's directory."""
        return cls(**{part: files.get(file, b"") for part, file in FILES.items()})

    @classmethod
    def read(cls, directory: str) -> Identity:
        """Read a directory, without checks. Raises MachineError if a file exists but cannot be read."""
        paths = {file: os.path.join(directory, file) for file in FILES.values()}
        return cls.of_files({file: read_regular_file(path) for file, path in paths.items() if os.path.lexists(path)})

    @property
    def files(self) -> dict[str, bytes]:
        """All contents by file name; b"" for missing files."""
        return {file: getattr(self, part) for part, file in FILES.items()}

    @property
    def present(self) -> dict[str, bytes]:
        """The contents of the files that are not missing."""
        return {file: data for file, data in self.files.items() if data}

    @property
    def on_host(self) -> dict[str, bytes]:
        """The engine's files, by their names on the host (provision.configuration.CERTIFICATES)."""
        whole = {"ca.pem": self.ca, "server.pem": self.server + self.server_key, "server-key.pem": self.server_key}
        return {file: data for file, data in whole.items() if data}

    def keep(self, held: Held) -> None:
        """Write all files to the machine's directory at once, unless it has them already."""
        if Identity.read(held.directory) != self:
            held.write_files(self.files)


FILES = {part.name: part.metadata["file"] for part in fields(Identity)}
