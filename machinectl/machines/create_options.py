"""What `create` and a fleet's file can say of a machine, beside what is its driver's or its engine's.

Each option is declared here, and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple


class Declared(NamedTuple):
    """How an option is called, without dashes; `metavar` stands for its value in help, "" where it is a switch.

    The value of one that `is_path` names a file or a directory here. One that is `secret` names a file that holds the
    secret, which the environment may hold instead, in `variable` where there is one.
    """

    name: str
    metavar: str
    help: str
    is_path: bool = False
    secret: bool = False
    variable: str = ""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def parameter(self) -> str:
        """Its name as Python's functions may have it."""
        return self.name.replace("-", "_")


LABEL = Declared("label", "KEY=VALUE", "A label of the machine and of its engine.")
ENV_FILE = Declared(
    "engine-env-file",
    "FILE",
    "A file of such variables, as docker's --env-file: for a proxy's password.",
    is_path=True,
    secret=True,
)
NO_TLS = Declared("no-tls", "", "Speak to the engine without TLS.")
NO_PROVISION = Declared("no-provision", "", "Register the host as it is, and change nothing on it.")
NO_CONTEXT = Declared("no-context", "", "Make no docker context of the machine.")
JUMP = Declared(
    "ssh-jump",
    "NAME|[USER@]HOST[:PORT]",
    "Jump host for its SSH: a machine, else a host as in ssh -J. machine:NAME and host:HOST say which of the two.",
)

TLS_DIR = Declared("tls-dir", "DIR", "Certificates to use, ca.pem, cert.pem and key.pem in DIR.", is_path=True)
TLS_CA = Declared("tls-ca-cert", "FILE", "The CA of the engine's certificate.", is_path=True)
TLS_CERTIFICATE = Declared("tls-client-cert", "FILE", "The client's certificate.", is_path=True)
TLS_KEY = Declared("tls-client-key", "FILE", "The client's key.", is_path=True)
CERTIFICATES = (TLS_DIR, TLS_CA, TLS_CERTIFICATE, TLS_KEY)

PASSPHRASE_FILE = Declared(
    "ssh-passphrase-file", "FILE", "A file with the passphrase of the SSH key.", is_path=True, secret=True
)
PASSWORD_FILE = Declared(
    "ssh-password-file",
    "FILE",
    "A file with the password to log in with",
    is_path=True,
    secret=True,
    variable="MACHINECTL_SSH_PASSWORD",
)
SUDO_PASSWORD_FILE = Declared(
    "sudo-password-file",
    "FILE",
    "A file with the password for sudo",
    is_path=True,
    secret=True,
    variable="MACHINECTL_SUDO_PASSWORD",
)
LOGIN_SECRETS = (PASSPHRASE_FILE, PASSWORD_FILE, SUDO_PASSWORD_FILE)
HOST_KEY = Declared("ssh-host-key", "SHA256:…", "The fingerprint that the host's SSH key must have.")
STRICT = Declared("ssh-strict", "", "Refuse a host whose SSH key is not known.")

# Drivers whose machines have no host that is ever logged in at or set up: options for that are nothing to them.
WITHOUT_HOST = frozenset({"none"})
