"""Read the options for logging in to hosts."""

from __future__ import annotations

import re

from machinectl.cli.output.exit_status import debugging
from machinectl.files.user_files import is_exposed, read_secret
from machinectl.machines.create_options import HOST_KEY, LOGIN_SECRETS, STRICT
from machinectl.ssh.keys.credentials import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machinectl.certs import Pair
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login

NO_JUMP = ("", "none")

# A line of a remote file's content (facts.sh): base64 after a bar.
FILE_CONTENT = r"(?m)^\|[A-Za-z0-9+/]{16,}={0,2}$"


def pop_login(options: dict[str, Any], here: Session) -> Login:
    """Build the login, and remove its flags from `options`."""
    from machinectl.hosts.login import Login

    passphrase, password, sudo_password = (
        read_login_secret(options.pop(each.parameter), each.flag, here.passwords.get(each.variable), here.console)
        for each in LOGIN_SECRETS
    )

    def trace(text: str) -> None:
        from machinectl.masking import without_secrets_in_lines

        # Host files hold passwords, too.
        here.console.note(without_secrets_in_lines(re.sub(FILE_CONTENT, "|…", text)))

    return Login(
        Credentials(passphrase=passphrase, password=password, sudo_password=sudo_password),
        host_key=options.pop(HOST_KEY.parameter),
        strict=options.pop(STRICT.parameter),
        trace=trace if debugging() else None,
    )


def read_login_secret(path: str, flag: str, variable: str | None, console: Console) -> str | None:
    """Return the file's content, else the variable's value."""
    if not path:
        return variable or None
    if is_exposed(path):
        console.warn(f"{flag}: others can read {path}; keep them out: chmod 600 {path}")
    return read_secret(path, flag)


def parse_jump(text: str | None) -> str | None:
    """Return --ssh-jump for the record: "none" becomes "", as for ProxyJump."""
    return "" if text is not None and text.strip().lower() in NO_JUMP else text


def given_authority(here: Session) -> Pair | None:
    if not here.tls.ca_key:
        return None
    # Imported here: it loads cryptography.
    from machinectl.hosts.certificate_files import given_ca

    return given_ca(here.tls.ca, here.tls.ca_key)
