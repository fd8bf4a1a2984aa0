"""A machine's certificates as one value."""

from __future__ import annotations

import os

from machinectl.files.fileset import read_regular_file
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.machines.store import Held

# The docker CLI's files, and an engine's files without its CA.
CLIENT_FILES = ("ca.pem", "cert.pem", "key.pem")
SERVER_FILES = ("server.pem", "server-key.pem")


# Fields of Identity, and their files.
FILES = {
    "ca": "ca.pem",
    "client": "cert.pem",
    "client_key": "key.pem",
    "ca_key": "ca-key.pem",
    "server": "server.pem",
    "server_key": "server-key.pem",
}


class Identity(Frozen):
    """A machine's CA, server and client as PEM, b"" if missing: the CA's key may be elsewhere."""

    ca: bytes = b""
    client: bytes = b""
    client_key: bytes = b""
    ca_key: bytes = b""
    server: bytes = b""
    server_key: bytes = b""

    # Frozen's would show the keys.
    __repr__ = object.__repr__

    @classmethod
    def of_files(cls, files: dict[str, bytes]) -> Identity:
        return cls(**{part: files.get(file, b"") for part, file in FILES.items()})

    @classmethod
    def read(cls, directory: str) -> Identity:
        """Read without checks. Raises MachineError."""
        paths = {file: os.path.join(directory, file) for file in FILES.values()}
        return cls.of_files({file: read_regular_file(path) for file, path in paths.items() if os.path.lexists(path)})

    @property
    def files(self) -> dict[str, bytes]:
        """Contents by file name; b"" if missing."""
        return {file: getattr(self, part) for part, file in FILES.items()}

    @property
    def certificates(self) -> bytes:
        return self.ca + self.client + self.server

    @property
    def present(self) -> dict[str, bytes]:
        return {file: data for file, data in self.files.items() if data}

    @property
    def on_host(self) -> dict[str, bytes]:
        """The engine's files by name on the host (provision.configuration.CERTIFICATES)."""
        whole = {"ca.pem": self.ca, "server.pem": self.server + self.server_key, "server-key.pem": self.server_key}
        return {file: data for file, data in whole.items() if data}

    def keep(self, held: Held) -> None:
        """Write the files that differ, all at once.

        While a set is replaced, ca.pem is missing: docker would fail for a client that stays as it is.
        """
        before = Identity.read(held.directory)
        same_client = all(self.files[file] == before.files[file] for file in CLIENT_FILES)
        if before != self:
            held.write_files(
                {name: data for name, data in self.files.items() if not (same_client and name in CLIENT_FILES)}
            )
