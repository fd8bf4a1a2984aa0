"""The driver for existing servers with SSH."""

from __future__ import annotations

import os

from machinectl.driver import (
    TLS_PORT,
    CheckFailed,
    DriverError,
    EngineURL,
    Hint,
    Instance,
    NoPowerSwitch,
    Option,
    Request,
    SSHEndpoint,
    UsageError,
    Where,
    check_ssh_user,
    nothing_to_close,
    nothing_to_give_back,
    parse_json,
    parse_url,
    read_file,
    ssh_settings,
    state_unknown,
    write_private_file,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from machinectl.driver import OptionValue

# The key's copy in the machine's directory, so that the store can be moved.
KEY_FILE = "id_ssh"
# The key, its public half and its certificate.
KEY_ENDS = ("", ".pub", "-cert.pub")
# Keys and types of a server's state.
KINDS: dict[str, type] = {
    **dict.fromkeys(("IPAddress", "SSHHost", "SSHUser", "SSHKeyPath", "MAC"), str),
    **dict.fromkeys(("SSHPort", "EnginePort"), int),
}
START_AGAIN = Hint("Restore it from a backup, or register the server again", "machinectl create -d generic --help")
MAC = r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
HIGHEST_PORT = 65535


class GenericDriver:
    """An existing server. Registering and removing do not change it."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, str, int], ServerAddress] = {}
        # Keys for machines created here, by the machine's directory.
        self._named: dict[str, str] = {}

    def options(self) -> Sequence[Option]:
        return [
            option(
                "ip-address",
                "The server: [USER@]HOST[:PORT].",
                required=True,
                check=check_address,
                identity=True,
                locates=split_login,
            ),
            option(
                "ssh-user",
                "The user to log in as (default: from your SSH configuration, else root).",
                check=check_ssh_user,
                letter="u",
            ),
            option(
                "ssh-key",
                "The private key to log in with, copied to the machine's directory (default: those of ssh).",
                path=True,
                letter="i",
            ),
            option(
                "ssh-port",
                "The SSH port (default: from your SSH configuration, else 22).",
                default=0,
                check=check_ssh_port,
                identity=True,
                letter="p",
            ),
            option("engine-port", "The engine's port.", default=TLS_PORT, check=check_engine_port),
            Option(
                "generic-copy-key",
                "Authorize your public key on the host, so that it asks for no password again.",
                default=False,
                short="copy-key",
            ),
            option("mac", "The MAC address for Wake-on-LAN (learnt at provisioning).", check=check_mac),
        ]

    def check(self, request: Request) -> None:
        check_ssh_port(request.options["generic-ssh-port"])
        check_engine_port(request.options["generic-engine-port"])
        check_mac(request.options["generic-mac"])
        key = wanted_key(request)
        for path in key_files(key):
            check_key(path)
        way = self._address(request)
        if not way.resolves:
            raise CheckFailed(
                f"{way.host} does not resolve: no such host is known here",
                Hint("Give its address, or see", "getent hosts", way.host),
            )

    def preview(self, request: Request) -> Where:
        way = self._address(request)
        return Where(
            tcp_url(way.address, check_engine_port(request.options["generic-engine-port"])),
            SSHEndpoint(way.host, way.user, way.port, wanted_key(request), bool(request.options["generic-copy-key"])),
        )

    def create(self, request: Request, keep: Callable[[str], None]) -> str:  # noqa: ARG002 (the contract's)
        way = self._address(request)
        copy_key(request)
        self._named[request.directory] = wanted_key(request)
        return state_text(
            {
                # The first five are docker-machine's.
                "IPAddress": way.address,
                "SSHUser": way.user,
                "SSHPort": way.port,
                "SSHKeyPath": KEY_FILE if wanted_key(request) else "",
                "EnginePort": check_engine_port(request.options["generic-engine-port"]),
                "SSHHost": way.host,
                "MAC": check_mac(request.options["generic-mac"]),
                "CopyKey": bool(request.options["generic-copy-key"]),
            }
        )

    remove = nothing_to_give_back

    def where(self, instance: Instance) -> Where:
        state = parse_state(instance)
        ssh = SSHEndpoint(
            state.get("SSHHost") or state["IPAddress"],
            state.get("SSHUser", ""),
            state.get("SSHPort", 0),
            # If `create` fails, the copy may be gone: name the given file in errors.
            self._named.get(instance.directory) or kept_key(instance, state.get("SSHKeyPath", "")),
            bool(state.get("CopyKey")),
        )
        return Where(tcp_url(state["IPAddress"], state["EnginePort"]), ssh)

    state = state_unknown

    def move(self, instance: Instance, url: str) -> str:
        parsed = parse_url(url)
        if parsed.scheme != "tcp":
            raise DriverError(
                f'Machine "{instance.name}" has a server\'s engine, which {url} is not',
                Hint("Register it as a separate machine", "machinectl create -d none --url", url, "<NAME>"),
            )
        state = parse_state(instance)
        moved = {"IPAddress": parsed.host, "EnginePort": parsed.port or TLS_PORT}
        if state.get("SSHHost") == state["IPAddress"]:
            moved["SSHHost"] = parsed.host
        return state_text({**state, **moved})

    def change(self, instance: Instance, options: Mapping[str, OptionValue]) -> str:
        state = parse_state(instance)
        if options.get("generic-engine-port", state["EnginePort"]) != state["EnginePort"]:
            url = tcp_url(state["IPAddress"], int(str(options["generic-engine-port"])))
            raise DriverError(
                f'Where the engine of "{instance.name}" listens is changed on its host',
                Hint("Set the new URL, and apply it", "machinectl set --url", url, instance.name)
                | Hint("", "machinectl provision", instance.name),
            )
        request = Request(instance.name, instance.directory, {**recorded_options(state), **options})
        self.check(request)
        new = parse_json(self.create(request, keep=lambda _: None))
        kept = {} if "generic-ssh-key" in options else {"SSHKeyPath": state.get("SSHKeyPath", "")}
        # The name may resolve to another address now: keep the recorded one.
        kept |= {} if "generic-ip-address" in options else {"IPAddress": state["IPAddress"]}
        return state_text({**state, **new, **kept})

    def no_power(self, instance: Instance, verb: str = "") -> NoPowerSwitch:  # noqa: ARG002 (the contract's)
        return NoPowerSwitch(
            f'"{instance.name}" is a standalone server: machinectl does not control its power',
            Hint("Shut it down", "machinectl stop", instance.name) | Hint("or switch it off where it stands"),
            mac=parse_state(instance).get("MAC", ""),
        )

    def start(self, instance: Instance) -> NoReturn:
        raise self.no_power(instance)

    stop = restart = kill = start

    close = nothing_to_close

    def _address(self, request: Request) -> ServerAddress:
        """Return a server's address. Resolves names and runs `ssh -G`, once per server."""
        asked = (
            check_address(request.options["generic-ip-address"]),
            str(request.options["generic-ssh-user"]),
            check_ssh_port(request.options["generic-ssh-port"]),
        )
        if asked not in self._addresses:
            self._addresses[asked] = look_up(*asked)
        return self._addresses[asked]


def option(name: str, text: str, **more: Any) -> Option:
    """Return an option with docker-machine's name and environment variable."""
    variable = f"GENERIC_{name.upper().replace('-', '_')}"
    return Option(f"generic-{name}", text, variable=variable, short=name, **more)


class ServerAddress:
    """`host` is the name for ssh, so that the user's SSH configuration applies; `address` is for docker."""

    def __init__(self, host: str, address: str, user: str, port: int) -> None:
        self.host, self.user, self.port = host, user, port
        self.address = address or host
        self.resolves = bool(address)


def look_up(host: str, user: str, ssh_port: int) -> ServerAddress:
    """Complete the options with the user's SSH configuration, else docker-machine's default, root.

    `ssh -G` always names a user: the local one means none is configured.
    """
    import getpass

    found = ssh_settings(SSHEndpoint(host, user, ssh_port))
    written_down = found.user if found.user != getpass.getuser() else ""
    address = next((name for name in (host, found.hostname) if resolves(name)), "")
    return ServerAddress(host, address, user or written_down or "root", found.port)


def resolves(name: str) -> bool:
    import socket

    try:
        socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return True


def state_text(state: Mapping[str, Any]) -> str:
    import json

    return json.dumps(state)


def parse_state(instance: Instance) -> dict[str, Any]:
    """Raises DriverError for an invalid state."""
    try:
        state = parse_json(instance.state)
    except (ValueError, RecursionError):
        state = None
    if not isinstance(state, dict) or not all(isinstance(state.get(key, kind()), kind) for key, kind in KINDS.items()):
        state = {}
    if not state.get("IPAddress") or "EnginePort" not in state:
        raise DriverError(f'The record of "{instance.name}" has no address and port of a server', START_AGAIN)
    return state


def recorded_options(state: Mapping[str, Any]) -> dict[str, OptionValue]:
    """Return a recorded server's options without the key: it was copied already."""
    return {
        "generic-ip-address": state.get("SSHHost") or state["IPAddress"],
        "generic-ssh-user": state.get("SSHUser", ""),
        "generic-ssh-key": "",
        "generic-ssh-port": state.get("SSHPort", 0),
        "generic-engine-port": state["EnginePort"],
        "generic-copy-key": bool(state.get("CopyKey")),
        "generic-mac": state.get("MAC", ""),
    }


def kept_key(instance: Instance, name: str) -> str:
    """Return a key's path in the machine's directory. Raises DriverError for other paths.

    An imported record must not use the user's other keys.
    """
    if name != os.path.basename(name) or name in {os.curdir, os.pardir} or not name.isprintable():
        raise DriverError(
            f'The record of "{instance.name}" names a key outside of the machine\'s directory: {name!r}',
            Hint(f"Copy it to {os.path.join(instance.directory, KEY_FILE)}, and write {KEY_FILE} there"),
        )
    return os.path.join(instance.directory, name) if name else ""


def tcp_url(host: str, port: int) -> str:
    return str(EngineURL("tcp", host=host, port=port))


def split_login(text: str) -> dict[str, OptionValue] | None:
    """Return the options in [USER@]HOST[:PORT]; None for a URL or a path. Raises UsageError."""
    user, at, address = text.strip().rpartition("@")
    if "/" in text:
        return None
    if ":" in user:
        raise UsageError(
            "An address holds no password", Hint("Leave it out: you are asked for it. Or pass --ssh-password-file FILE")
        )
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    try:
        found = parse_url(f"ssh://{user}{at}{address}")
    except UsageError as exc:
        raise UsageError(
            f"{text!r} is not [USER@]HOST[:PORT]",
            Hint("Write ops@192.168.0.29, ops@orion.local:22 or ops@[fd00::1d]"),
        ) from exc
    named: dict[str, OptionValue] = {"generic-ssh-user": found.user, "generic-ssh-port": found.port}
    return {"generic-ip-address": found.host, **{name: value for name, value in named.items() if value}}


def check_address(value: OptionValue) -> str:
    """Return an address without brackets. Raises UsageError."""
    address = str(value).strip()
    bare = address.removeprefix("[").removesuffix("]")
    try:
        parse_url(tcp_url(bare, TLS_PORT))
    except UsageError as exc:
        raise UsageError(
            f"--ip-address {address!r} is neither an address nor a name",
            Hint("Give 192.168.0.29, fd00::1d or orion.local; --ssh-user and --ssh-port have the rest"),
        ) from exc
    return bare


def check_engine_port(value: OptionValue) -> int:
    return check_ssh_port(value, "engine-port", least=1)


def check_ssh_port(value: OptionValue, name: str = "ssh-port", *, least: int = 0) -> int:
    if not isinstance(value, int) or not least <= value <= HIGHEST_PORT:
        raise UsageError(f"--{name} {value} is not a port", Hint(f"Give a number from {least} to {HIGHEST_PORT}"))
    return value


def check_mac(value: OptionValue) -> str:
    """Return the MAC address with colons. Raises UsageError."""
    import re

    mac = str(value)
    if mac and not re.fullmatch(MAC, mac):
        raise UsageError(f"--mac {mac!r} is not a MAC address", Hint("Give it as 52:54:00:12:34:56"))
    return mac.lower().replace("-", ":")


def wanted_key(request: Request) -> str:
    return os.path.expanduser(str(request.options["generic-ssh-key"]))


def key_files(path: str) -> list[str]:
    """Return the key, and its public half and certificate if they exist."""
    files = (path + end for end in KEY_ENDS)
    return [file for file in files if file == path or os.path.exists(file)] if path else []


def check_key(path: str) -> None:
    """Raise CheckFailed if the file is unreadable; do not check its content."""
    try:
        read_file(path)
    except OSError as exc:
        raise CheckFailed(f"--ssh-key {path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc


def copy_key(request: Request) -> None:
    """Replace the key of the machine's directory, if one is given."""
    path = wanted_key(request)
    given = key_files(path)
    for end in KEY_ENDS if path else ():
        kept = os.path.join(request.directory, KEY_FILE + end)
        if path + end in given:
            write_private_file(kept, read_file(path + end))
        elif os.path.lexists(kept):
            # ssh would offer the public half of the former key.
            os.remove(kept)
