"""The session of a verb: store, console and the options before it. Light path."""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import THIS, is_on
from machinectl.cli.options.store_followers import StoreFollowers
from machinectl.cli.output.exit_status import program_with
from machinectl.machines.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from machinectl.cli.output.terminal import Terminal


class GivenTLS:
    """The files of docker-machine's --tls-… options, or ""."""

    def __init__(self, ca: str = "", ca_key: str = "", certificate: str = "", key: str = "") -> None:
        self.ca = ca
        self.ca_key = ca_key
        self.certificate = certificate
        self.key = key


# As docker-machine calls it. `ssh.connect` reads it.
NATIVE_SSH = "MACHINE_NATIVE_SSH"


class Session:
    """A running command line; `arguments` are canonical."""

    def __init__(
        self,
        storage_path: str = "",
        arguments: Sequence[str] = (),
        *,
        tls: GivenTLS | None = None,
        native_ssh: bool = False,
    ) -> None:
        self.arguments = list(arguments)
        self.following = StoreFollowers()
        self.store = Store(storage_path, [self.following], self.following.warn)
        self.store.words = THIS.own_words
        # The program's name with its store, for suggested commands.
        self.program = program_with(storage_path)
        self.tls = tls or GivenTLS()
        self.native_ssh = native_ssh or is_on(os.environ.pop(NATIVE_SSH, ""))
        if self.native_ssh:
            os.environ[NATIVE_SSH] = "1"
        # From the environment, by variable.
        self.passwords = THIS.passwords
        self._console: Terminal | None = None

    @property
    def console(self) -> Terminal:
        if self._console is None:
            from machinectl.cli.output.terminal import Terminal

            self._console = Terminal(self.program)
        return self._console

    def note_empty_store(self) -> None:
        """Say how to create the first machine, at a terminal: scripts may capture both streams."""
        if sys.stderr.isatty() and not self.store.names():
            from machinectl.machines.store.missing_machine import first_steps

            self.console.note("There is no machine yet", first_steps())


def session_of(given: Mapping[str, Any], arguments: Sequence[str]) -> Session:
    """Return the session for the values of the flags before the verb."""
    if given["debug"]:
        os.environ["MACHINE_DEBUG"] = "1"
    THIS.root = given["storage_path"]
    tls = GivenTLS(given["tls_ca_cert"], given["tls_ca_key"], given["tls_client_cert"], given["tls_client_key"])
    return Session(given["storage_path"], arguments, tls=tls, native_ssh=given["native_ssh"])
