"""Decide whether to trust a host key."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime

from machinectl.console import ask_until, yes_or_no
from machinectl.errors import UsageError
from machinectl.files.atomic import read_file
from machinectl.files.ownership import temporary_directory
from machinectl.ssh.destination import PIN
from machinectl.ssh.keys import known_hosts
from machinectl.ssh.ssh_errors import HostKeyRefused
from machinectl.ssh.ssh_settings import QUERY_TIMEOUT, config_tokens, replace_tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from machinectl.console import Console
    from machinectl.ssh.keys.known_hosts import HostKey, KnownHost
    from machinectl.ssh.ssh_settings import Settings

# In bytes, about 50,000 keys: a user's file may list the hosts of a company.
LONGEST_KNOWN_HOSTS = 16 << 20

COMPARE = "Compare with: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub, typed on the host"
# The first bytes of a key revocation list (PROTOCOL.krl).
REVOCATION_LIST = b"SSHKRL\n\0"


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
                "On the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            )


class HostKeys:
    """Checks the keys of a host and its jump hosts."""

    def __init__(self, policy: HostKeyPolicy, console: Console) -> None:
        self._policy = policy
        self._console = console
        # The known_hosts to save.
        self.pinned = policy.pinned
        # Output of the user's KnownHostsCommand, by host and key.
        self._said: dict[tuple[Settings, HostKey | None], list[KnownHost]] = {}

    @property
    def machine(self) -> str:
        return self._policy.machine

    def known_types(self, settings: Settings, *, jump: bool = False) -> list[str]:
        """Ask the host for these types first, so that its key can match."""
        pins = self._pins(settings, jump=jump)
        known = without_marker(self._known(settings, None, jump=jump))
        entries = known or pins if jump else pins or known
        return list(dict.fromkeys(entry.key.type for entry in entries))

    def keep_accepted(self) -> None:
        if self.pinned != self._policy.pinned:
            self._policy.keep(self.pinned)

    def demanded(self, *, jump: bool = False) -> str:
        """Return the required fingerprint, or ""."""
        return "" if jump else self._policy.demanded.rstrip("=")

    def _known(self, settings: Settings, key: HostKey | None, *, jump: bool) -> list[KnownHost]:
        """Run KnownHostsCommand unless a pin or fingerprint decides."""
        known = find_known(settings)
        if self.demanded(jump=jump) or self._pins(settings, jump=jump):
            return known
        if (settings, key) not in self._said:
            self._said[settings, key] = command_entries(settings, key)
        return known + self._said[settings, key]

    def takes_certificates(self, settings: Settings, *, jump: bool = False) -> bool:
        """Return whether the user trusts a CA for the host, and no pin or fingerprint decides."""
        if self.demanded(jump=jump) or self._pins(settings, jump=jump) or (not jump and self._policy.pinned.strip()):
            return False
        return any(entry.marker == known_hosts.AUTHORITY for entry in self._known(settings, None, jump=jump))

    def is_certified(self, settings: Settings, key: HostKey, shown: bytes, *, jump: bool = False) -> bool:
        """Return whether a trusted CA certified the key. Raises HostKeyRefused if the CA is revoked."""
        authority = authority_of(settings, shown)
        known = self._known(settings, key, jump=jump)
        marks = {entry.marker for entry in known if entry.key == authority}
        if authority is None or known_hosts.AUTHORITY not in marks or known_hosts.REVOKED in marks:
            return False
        if settings.revoked_host_keys:
            check_not_revoked(settings, authority)
        return True

    def check(self, settings: Settings, key: HostKey, *, jump: bool = False, certified: bool = False) -> None:
        """Accept a key, and pin it if it is new. Raises HostKeyRefused."""
        if settings.revoked_host_keys:
            check_not_revoked(settings, key)
        known = self._known(settings, key, jump=jump)
        if any(entry.marker == known_hosts.REVOKED and entry.key == key for entry in known):
            raise HostKeyRefused(
                f"The key of {settings.address} ({key}) is marked as revoked in your known_hosts",
                "Ask who runs the host for its new key; do not connect until then",
            )
        demanded = self.demanded(jump=jump)
        pins = self._pins(settings, jump=jump)
        if demanded:
            if key.fingerprint != demanded:
                raise not_demanded(settings, key, demanded)
        elif pins and not (jump and without_marker(known)):
            self._must_be_in(pins, settings, key, self._accept_command(key, jump=jump))
            return
        elif not jump and self._policy.pinned.strip():
            raise HostKeyRefused(
                f"The machine's known_hosts holds no key of its host, {settings.address}, which shows {key}",
                f"If that is its key, accept it: {self._accept_command(key, jump=False)}",
            )
        elif without_marker(known) and not certified:
            self._must_be_in(without_marker(known), settings, key, removal_commands(settings))
        elif not certified:
            self._ask(settings, key)
        if not jump or not (without_marker(known) or certified):
            self._pin(settings, key, jump=jump)

    def _must_be_in(self, entries: list[KnownHost], settings: Settings, key: HostKey, command: str) -> None:
        if any(entry.key == key for entry in entries):
            return
        same_type = [entry for entry in entries if entry.key.type == key.type] or entries
        raise HostKeyRefused(
            f"The host key of {settings.address} has changed: {same_type[0].key} is known, it shows {key}. "
            "Nothing was sent to it",
            f"If it was reinstalled and that is its key, accept it: {command}",
            key.line,
        )

    def _accept_command(self, key: HostKey, *, jump: bool) -> str:
        if jump or not self._policy.machine:
            return "remove its line from the machine's known_hosts" if jump else f"--ssh-host-key {key.fingerprint}"
        command = self._policy.again or f"machinectl provision {self._policy.machine}"
        return f"{command} --ssh-host-key {key.fingerprint}"

    def _ask(self, settings: Settings, key: HostKey) -> None:
        refusal = "--ssh-strict is given" if self._policy.strict else ""
        if not refusal and settings.strict_host_key_checking == "yes":
            refusal = "StrictHostKeyChecking yes of your SSH configuration refuses it"
        if refusal:
            raise HostKeyRefused(
                f"{settings.address} is not known, and {refusal}; it shows {key}",
                f"Compare it with the host's; if it is right: --ssh-host-key {key.fingerprint}",
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
                f"Make it readable: ls -l {path}",
            ) from exc
    return known_hosts.find_keys(entries, settings.known_names)


def command_entries(settings: Settings, key: HostKey | None = None) -> list[KnownHost]:
    """Run the command, if configured, and return its lines about the host.

    Pass no key before the host shows one. Raises HostKeyRefused if the command fails.
    """
    if not settings.known_hosts_command:
        return []
    tokens = config_tokens(settings.host, settings.hostname, settings.user, settings.port, settings.host_key_alias)
    tokens |= {"H": settings.known_names[0], "I": "HOSTNAME" if key else "ORDER"}
    tokens |= {
        "t": key.type if key else "NONE",
        "f": key.fingerprint if key else "NONE",
        "K": base64.b64encode(key.blob).decode() if key else "NONE",
    }
    try:
        command = [replace_tokens(word, tokens) for word in shlex.split(settings.known_hosts_command)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=QUERY_TIMEOUT
        )
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        raise HostKeyRefused(
            f"KnownHostsCommand of your SSH configuration failed: no key of {settings.address} is trusted ({exc})",
            f"Try it: {settings.known_hosts_command}",
        ) from exc
    return known_hosts.find_keys(known_hosts.parse_known_hosts(done.stdout), settings.known_names)


def removal_commands(settings: Settings) -> str:
    """Return commands that remove the host's known keys."""
    commands = []
    for path in settings.known_hosts:
        entries = without_marker(known_hosts.parse_known_hosts(read_file(path, LONGEST_KNOWN_HOSTS)))
        found = next((name for name in settings.known_names if any(entry.names(name) for entry in entries)), "")
        if found:
            as_root = [] if os.access(path, os.W_OK) else ["sudo"]
            commands.append(shlex.join([*as_root, "ssh-keygen", "-f", path, "-R", found]))
    return "; ".join(commands) or f"change what your KnownHostsCommand prints: {settings.known_hosts_command}"


def authority_of(settings: Settings, shown: bytes) -> HostKey | None:
    """Return the CA of a certificate; None unless it is valid for the host now."""
    from machinectl.certs.openssh_key import ssh_host_authority

    kind = shown[4 : 4 + int.from_bytes(shown[:4], "big")]
    name = settings.host_key_alias or settings.hostname.lower()
    line = ssh_host_authority(kind + b" " + base64.b64encode(shown), name, datetime.now(UTC))
    return known_hosts.parse_key(*line.decode().split()[:2]) if line else None


def check_not_revoked(settings: Settings, key: HostKey) -> None:
    """Raises HostKeyRefused, as OpenSSH does, even if RevokedHostKeys is unreadable."""
    path = settings.revoked_host_keys
    try:
        text = read_file(path, LONGEST_KNOWN_HOSTS)
    except OSError as exc:
        raise HostKeyRefused(
            f"{path}, RevokedHostKeys of your SSH configuration, cannot be read ({exc.strerror}): no key is trusted",
            f"See: ls -l {path}",
        ) from exc
    if is_in_revocation_list(path, key) if text.startswith(REVOCATION_LIST) else known_hosts.contains_key(text, key):
        raise HostKeyRefused(
            f"The key of {settings.address} ({key}) is revoked: {path}, RevokedHostKeys of your SSH configuration, "
            "names it",
            "Ask who runs the host for its new key; do not connect until then",
        )


def is_in_revocation_list(path: str, key: HostKey) -> bool:
    """Query a binary list (PROTOCOL.krl) with ssh-keygen. Raises HostKeyRefused."""
    with temporary_directory() as directory:
        file = os.path.join(directory, "key.pub")
        with open(file, "w", encoding="utf-8") as written:
            written.write(f"{key.line}\n")
        query = ["ssh-keygen", "-Q", "-f", path, file]
        try:
            answer = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as exc:
            raise HostKeyRefused(
                f"{path}, RevokedHostKeys of your SSH configuration, is readable only by ssh-keygen, which cannot be "
                f"started ({exc.strerror}): no key is trusted",
                "Install OpenSSH, or write the keys down in that file as text, one a line",
            ) from exc
    revoked = answer.stdout.rstrip().endswith(b"REVOKED")
    if answer.returncode != 0 and not revoked:
        raise HostKeyRefused(
            f"{path}, RevokedHostKeys of your SSH configuration, is not a list of keys: no key is trusted",
            f"See: ssh-keygen -Q -l -f {path}",
        )
    return revoked


def without_marker(entries: Iterable[KnownHost]) -> list[KnownHost]:
    return [entry for entry in entries if not entry.marker]
