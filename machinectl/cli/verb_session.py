"""The session of a verb: store, console, options before it, and what follows the store. Light path."""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import THIS, is_on
from machinectl.cli.output.exit_status import program_with
from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.features import FOLLOWERS, function_at
from machinectl.machines.store import Store
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from machinectl.cli.output.terminal import Terminal
    from machinectl.features import Follower
    from machinectl.machines.record import Machine


class GivenTLS(Frozen):
    """The files of docker-machine's --tls-… options, or ""."""

    ca: str = ""
    ca_key: str = ""
    certificate: str = ""
    key: str = ""


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


class StoreFollowers:
    """Followers of a store; several threads may call it."""

    def __init__(self) -> None:
        # Messages to print, and machines by (follower, cause, hint) of a failure.
        self.said: list[tuple[str, Hint]] = []
        self.failed: dict[tuple[Follower, str, Hint], list[str]] = {}

    def warn(self, text: str, hint: Hint = NO_HINT) -> None:
        self.said.append((text, hint))

    def __call__(self, store: Store, name: str, before: Machine | None, after: Machine | None) -> None:
        for follower in FOLLOWERS:
            self.attempt(follower, after.name if after else name, follower.follow, store, name, before, after)

    def catch_up(self, store: Store) -> None:
        for follower in FOLLOWERS:
            if follower.catch_up:
                self.attempt(follower, "all machines", follower.catch_up, store)

    def follow_answers(self, store: Store) -> None:
        """Point docker at the addresses that answer now; add the warnings of skipped ones."""
        # It is loaded only for a machine with several addresses.
        found = sys.modules.get("machinectl.machines.answered_address")
        if found is None:
            return
        self.said += found.NEWS.skipped.items()
        for name in sorted(found.NEWS.moved):
            try:
                machine = store.read(name)
            except MachineError:
                # It was removed or renamed.
                continue
            self(store, name, machine, machine)

    def attempt(self, follower: Follower, name: str, place: str, *arguments: Any) -> None:
        try:
            self.said += function_at(place)(*arguments) or ()
        except MachineError as exc:
            self.fail(follower, name, exc.cause, Hint.of(*getattr(exc.hint, "parts", ((exc.hint, "", False),))))
        except Exception as exc:  # noqa: BLE001 (the machine has changed: no failure here may hide that)
            self.fail(follower, name, f"{type(exc).__name__}: {exc}", Hint("This is a bug; please report it"))

    def fail(self, follower: Follower, name: str, cause: str, hint: Hint) -> None:
        self.failed.setdefault((follower, cause, hint), []).append(name)

    @property
    def has_news(self) -> bool:
        return bool(self.said or self.failed)

    def report(self, warn: Callable[[str, Hint], None]) -> None:
        for text, hint in dict.fromkeys(self.said):
            warn(text, hint)
        for (follower, cause, hint), names in self.failed.items():
            warn(f"{', '.join(sorted(names))}: {follower.name} is not in step: {cause}", hint | follower.repair)
