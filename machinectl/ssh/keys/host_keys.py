"""Decide whether to trust a host key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from machinectl.console import ask_until, yes_or_no
from machinectl.errors import NO_HINT, Hint, UsageError
from machinectl.files.atomic import read_file
from machinectl.ssh.destination import PIN
from machinectl.ssh.keys import known_hosts
from machinectl.ssh.keys.known_hosts import key_text
from machinectl.ssh.ssh_errors import HostKeyRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from machinectl.console import Console
    from machinectl.ssh.destination import Settings
    from machinectl.ssh.keys.known_hosts import HostKey, KnownHost

# In bytes, about 50,000 keys: a user's file may list the hosts of a company.
LONGEST_KNOWN_HOSTS = 16 << 20

PRINT_FINGERPRINT = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
COMPARE = Hint("Compare with what this prints on the host", PRINT_FINGERPRINT)


@dataclass(frozen=True, slots=True)
class HostKeyPolicy:
    """`pinned` is the machine's known_hosts, empty on first contact.

    `demanded` is a SHA256 fingerprint; it overrides the pin. `strict` refuses unknown keys. Hints name `machine`, or
    the command `again`. Prompts say `how_long` a key is trusted; `keep` gets accepted ones even if the login fails.
    """

    pinned: bytes = b""
    demanded: str = ""
    strict: bool = False
    machine: str = ""
    how_long: str = "from now on"
    again: str = ""
    keep: Callable[[bytes], None] = field(default=lambda _: None, compare=False)

    def __post_init__(self) -> None:
        if self.demanded and not known_hosts.is_fingerprint(self.demanded):
            raise UsageError(
                f"{self.demanded!r} is not a SHA256 fingerprint",
                Hint("On the host", PRINT_FINGERPRINT),
            )


class HostKeys:
    """Checks the keys of a host and its jump hosts."""

    def __init__(self, policy: HostKeyPolicy, console: Console) -> None:
        self._policy = policy
        self._console = console
        # The known_hosts to save.
        self.pinned = policy.pinned

    @property
    def machine(self) -> str:
        return self._policy.machine

    def known_types(self, settings: Settings, *, jump: bool = False) -> list[str]:
        """Ask the host for these types first, so that its key can match."""
        return list(dict.fromkeys(entry.key.type for entry in self.expected(settings, jump=jump)))

    def has_pin(self, settings: Settings, *, jump: bool = False) -> bool:
        return bool(self._pins(settings, jump=jump))

    def keep_accepted(self) -> None:
        if self.pinned != self._policy.pinned:
            self._policy.keep(self.pinned)

    def demanded(self, *, jump: bool = False) -> str:
        """Return the required fingerprint, or ""."""
        return "" if jump else self._policy.demanded.rstrip("=")

    def check(self, settings: Settings, key: HostKey, *, jump: bool = False, certified: bool = False) -> None:
        """Accept a key, and pin it if it is new. Raises HostKeyRefused.

        `certified`: ssh trusts it by the user's configuration.
        """
        known = find_known(settings)
        if any(entry.marker == known_hosts.REVOKED and entry.key == key for entry in known):
            raise revoked_key(settings, str(key))
        demanded, expected = self.demanded(jump=jump), self.expected(settings, jump=jump)
        if demanded:
            if key.fingerprint != demanded:
                raise not_demanded(settings, key, demanded)
        elif expected and not certified:
            if all(entry.key != key for entry in expected):
                raise self.changed(settings, key.type, key.fingerprint, jump=jump)
        elif not jump and self._policy.pinned.strip():
            raise HostKeyRefused(
                f"The machine's known_hosts holds no key of its host, {settings.address}, which shows {key}",
                self._accept("If that is its key, accept it", key.fingerprint),
            )
        elif not certified:
            self._ask(settings, key)
        is_users = jump and (certified or without_marker(known))
        if not is_users and all(entry.key != key for entry in self._pins(settings, jump=jump)):
            self._pin(settings, key, jump=jump)

    def expected(self, settings: Settings, *, jump: bool = False) -> list[KnownHost]:
        """Return the keys of which the host must have one; none before the first contact."""
        pins, known = self._pins(settings, jump=jump), without_marker(find_known(settings))
        if jump:
            return known or pins
        # A damaged pin is no first contact.
        return pins or ([] if self._policy.pinned.strip() else known)

    def changed(self, settings: Settings, kind: str, fingerprint: str, *, jump: bool = False) -> HostKeyRefused:
        """Return the error for a host that shows a key of this type in place of an expected one."""
        entries = self.expected(settings, jump=jump)
        is_own = entries and entries == self._pins(settings, jump=jump)
        text = "If it was reinstalled and that is its key, accept it"
        if not is_own:
            accept = removal_commands(text, settings)
        elif jump:
            accept = Hint(f"{text}: remove its line from the machine's known_hosts")
        else:
            accept = self._accept(text, fingerprint)
        same_type = [entry for entry in entries if entry.key.type == kind] or entries
        return HostKeyRefused(
            f"The host key of {settings.address} has changed: "
            f"{same_type[0].key if same_type else 'another one'} is known, "
            f"it shows {key_text(kind, fingerprint)}. Nothing was sent to it",
            accept,
            fingerprint,
        )

    def _accept(self, text: str, fingerprint: str) -> Hint:
        if not self._policy.machine:
            return Hint(f"{text}: --ssh-host-key {fingerprint}")
        command = self._policy.again or f"machinectl provision {self._policy.machine}"
        return Hint(text, f"{command} --ssh-host-key {fingerprint}")

    def _ask(self, settings: Settings, key: HostKey) -> None:
        refusal = "--ssh-strict is given" if self._policy.strict else ""
        if not refusal and settings.strict_host_key_checking == "yes":
            refusal = "StrictHostKeyChecking yes of your SSH configuration refuses it"
        if refusal:
            raise HostKeyRefused(
                f"{settings.address} is not known, and {refusal}; it shows {key}",
                if_right(key.fingerprint),
            )
        how_long = f" {self._policy.how_long}".rstrip()
        if not self._console.interactive or settings.strict_host_key_checking in {"accept-new", "no"}:
            self._console.note(f"The key of {settings.address} was not known; {key} is trusted{how_long}")
            return
        given = ask_until(
            self._console,
            f"{settings.address} is not known. Its key is {key}.\nTrust it{how_long}? (yes/no/[fingerprint]) ",
            f"Type yes, no or the fingerprint of {settings.address}: ",
            key_or_no,
            no="no",
        )
        if given == "no":
            raise HostKeyRefused(f"The key of {settings.address} was not accepted: nothing was sent to it", COMPARE)
        if given not in {"yes", key.fingerprint}:
            raise not_demanded(settings, key, given)

    def _pins(self, settings: Settings, *, jump: bool) -> list[KnownHost]:
        return known_hosts.find_keys(known_hosts.parse_known_hosts(self.pinned), [pin_name(settings, jump=jump)])

    def _pin(self, settings: Settings, key: HostKey, *, jump: bool) -> None:
        name = pin_name(settings, jump=jump)
        lines = [line for line in self.pinned.splitlines(keepends=True) if not line.startswith(name.encode() + b" ")]
        self.pinned = b"".join([*lines, f"{name} {key.line}\n".encode()])


def key_or_no(answer: str) -> str | None:
    """Return "yes", "no" or the pasted fingerprint; None for other text."""
    agreed = yes_or_no(answer)
    if agreed is not None:
        return "yes" if agreed else "no"
    return answer.rstrip("=") if known_hosts.is_fingerprint(answer) else None


def not_demanded(settings: Settings, key: HostKey, demanded: str) -> HostKeyRefused:
    return HostKeyRefused(f"{settings.address} shows the key {key}, but {demanded} is required", COMPARE)


def revoked_key(settings: Settings, key: str, by: str = "") -> HostKeyRefused:
    """`by` says what revokes it, other than a line of known_hosts."""
    return HostKeyRefused(
        f"The key of {settings.address} ({key}) is {by or 'marked as revoked in your known_hosts'}",
        Hint("Ask who runs the host for its new key; do not connect until then"),
    )


def if_right(fingerprint: str) -> Hint:
    return Hint(f"Compare it with the host's; if it is right: --ssh-host-key {fingerprint}")


def pin_name(settings: Settings, *, jump: bool) -> str:
    return settings.known_names[0] if jump else PIN


def find_known(settings: Settings) -> list[KnownHost]:
    """Return a host's keys from the user's and the system's known_hosts."""
    entries = []
    for path in settings.known_hosts:
        try:
            entries += known_hosts.parse_known_hosts(read_file(path, LONGEST_KNOWN_HOSTS))
        except OSError as exc:
            raise HostKeyRefused(
                f"{path} cannot be read ({exc.strerror}), so that nothing is known of {settings.address}",
                Hint("Make it readable", "ls -l", path),
            ) from exc
    return known_hosts.find_keys(entries, settings.known_names)


def removal_commands(text: str, settings: Settings) -> Hint:
    """Return commands that remove the host's known keys."""
    hint = NO_HINT
    for path in settings.known_hosts:
        entries = without_marker(known_hosts.parse_known_hosts(read_file(path, LONGEST_KNOWN_HOSTS)))
        found = next((name for name in settings.known_names if any(entry.names(name) for entry in entries)), "")
        if found:
            as_root = "" if os.access(path, os.W_OK) else "sudo "
            hint |= Hint("and" if hint else text, f"{as_root}ssh-keygen -f", path, "-R", found)
    return hint or Hint(f"{text}: change what your KnownHostsCommand prints")


def without_marker(entries: Iterable[KnownHost]) -> list[KnownHost]:
    return [entry for entry in entries if not entry.marker]
