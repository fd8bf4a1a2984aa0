"""Read OpenSSH's settings for a host from `ssh -G`."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import time

from machinectl.errors import Hint, UsageError
from machinectl.process_streams import find_program
from machinectl.ssh.destination import Settings, SSHEndpoint, is_plain_name, ssh_command
from machinectl.ssh.ssh_errors import SSHError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    # ssh_config's keywords in lower case, each with its values in order.
    Options = dict[str, list[str]]

PORTS = range(1, 1 << 16)
# Default ConnectTimeout for TCP and the greeting, in seconds: enough for a booting host or a bad link.
CONNECT_TIMEOUT = 15.0
# A link is dead after 3 x 15 s without an answer. OpenSSH's default count is 3; its default interval is 0, never.
ALIVE_INTERVAL = 15.0
ALIVE_COUNT = 3
# ssh -G runs the commands of `Match exec`, and may look up names. Seconds.
QUERY_TIMEOUT = 30.0

# OpenSSH's defaults, without sk keys, which need their token and an agent.
DEFAULTS: Options = {
    "identityfile": ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"],
    "userknownhostsfile": ["~/.ssh/known_hosts ~/.ssh/known_hosts2"],
    "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"],
}
# StrictHostKeyChecking: ssh -G prints true and false.
STRICTNESS = {"yes": "yes", "true": "yes", "accept-new": "accept-new", "no": "no", "false": "no", "off": "no"}

# docker-machine's variable for `--native-ssh`, and Go's words for false.
NATIVE, OFF = "MACHINE_NATIVE_SSH", {"0", "f", "F", "false", "FALSE", "False"}
# Answers of ssh with their time (time.monotonic), by program, host, user and port.
ANSWERS: dict[tuple[str, str, str, int], tuple[float, Options]] = {}
# How long an answer is valid, in seconds: one command reuses it, but a booting host may soon need another route
# (`Match exec`).
ANSWER_HOLDS = 10.0


def is_native() -> bool:
    """Return whether paramiko is used: there is no ssh, or `--native-ssh` was given, which sets the variable."""
    value = os.environ.get(NATIVE, "")
    return bool(value and value not in OFF) or not find_program("ssh")


def read_settings(endpoint: SSHEndpoint) -> Settings:
    """Query ssh; without one, there are only its defaults. Raises UsageError or SSHError."""
    check_endpoint(endpoint)
    program = find_program("ssh")
    return choose_settings(endpoint, cached_options(program, endpoint) if program else DEFAULTS)


def check_endpoint(endpoint: SSHEndpoint) -> None:
    """Refuse names that ssh or a ProxyCommand's shell would misread."""
    if not is_plain_name(endpoint.host) or "/" in endpoint.host or "@" in endpoint.host:
        raise UsageError(f"{endpoint.host!r} is not a host's name or address", Hint("Give it as ssh takes it"))
    if endpoint.user:
        check_ssh_user(endpoint.user)


def check_ssh_user(user: str) -> None:
    """Refuse a name that ssh or a shell would misread."""
    if not is_plain_name(user):
        raise UsageError(f"{user!r} is not a user's name", Hint("Give it as ssh takes it"))


def cached_options(program: str, endpoint: SSHEndpoint) -> Options:
    """Query ssh once per ANSWER_HOLDS."""
    now = time.monotonic()
    key = (program, endpoint.host, endpoint.user, endpoint.port)
    if key not in ANSWERS or now >= ANSWERS[key][0] + ANSWER_HOLDS:
        ANSWERS[key] = (now, ask_openssh(endpoint))
    return ANSWERS[key][1]


def ask_openssh(endpoint: SSHEndpoint) -> Options:
    """Return keywords in lower case; they may repeat."""
    host = endpoint.host
    try:
        answer = subprocess.run(
            ssh_command(host, ["-G"], user=endpoint.user, port=endpoint.port),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=QUERY_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        late = f"ssh did not read its configuration for {host} within {QUERY_TIMEOUT:.0f} s"
        raise SSHError(late, Hint("See what it waits for", f"ssh -vG {host}")) from exc
    except OSError as exc:
        raise SSHError(f"ssh cannot be started: {exc.strerror}", Hint("Try", "ssh -V")) from exc
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines() or ["no reason given"]
        raise SSHError(f"ssh refuses its configuration for {host}: {said[0]}", Hint("See", f"ssh -G {host}"))
    options: Options = {}
    for line in answer.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        options.setdefault(keyword.lower(), []).append(value)
    return options


def choose_settings(endpoint: SSHEndpoint, options: Mapping[str, Sequence[str]]) -> Settings:
    """The endpoint's values win."""
    import socket

    def option(name: str, default: str = "") -> str:
        value = options.get(name, [default])[0]
        return "" if value.lower() == "none" else value

    user = endpoint.user or option("user") or getpass.getuser()
    hostname = option("hostname", endpoint.host)
    port = endpoint.port or int(option("port", "22"))
    # Tokens that several keywords accept.
    tokens = {
        "%": "%",
        "d": os.path.expanduser("~"),
        "h": hostname,
        "k": option("hostkeyalias") or endpoint.host,
        "L": socket.gethostname().partition(".")[0],
        "l": socket.gethostname(),
        "n": endpoint.host,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }
    keys = [expand_path(path, tokens) for path in options.get("identityfile", ()) if path.lower() != "none"]
    # `ssh -G` leaves blanks in paths unquoted.
    known_hosts = f"{option('userknownhostsfile')} {option('globalknownhostsfile')}".split()
    strict = option("stricthostkeychecking").lower()
    interval = float(option("serveraliveinterval", "0"))
    return Settings(
        host=endpoint.host,
        hostname=hostname,
        user=user,
        port=port,
        keys=(os.path.expanduser(endpoint.key),) if endpoint.key else tuple(keys),
        key_given=bool(endpoint.key),
        identities_only=bool(endpoint.key) or option("identitiesonly") == "yes",
        agent=agent_socket(option("identityagent", "SSH_AUTH_SOCK"), tokens),
        proxy_jump="" if endpoint.jump else option("proxyjump"),
        proxy_command="" if endpoint.jump else replace_tokens(option("proxycommand"), tokens),
        known_hosts=tuple(path for each in known_hosts if os.path.isfile(path := expand_path(each.strip('"'), tokens))),
        host_key_alias=option("hostkeyalias"),
        strict_host_key_checking=STRICTNESS.get(strict, "ask"),
        revoked_host_keys=expand_path(option("revokedhostkeys"), tokens),
        connect_timeout=float(option("connecttimeout") or CONNECT_TIMEOUT),
        alive_interval=interval or ALIVE_INTERVAL,
        alive_count=int(option("serveralivecountmax", str(ALIVE_COUNT))) if interval else ALIVE_COUNT,
        jump=endpoint.jump,
        known_hosts_command=option("knownhostscommand"),
    )


def agent_socket(value: str, tokens: Mapping[str, str]) -> str:
    """`value` is a path, $VARIABLE, SSH_AUTH_SOCK or ""."""
    if value == "SSH_AUTH_SOCK" or (value.startswith("$") and not value.startswith("${")):
        return os.environ.get(value.removeprefix("$"), "")
    return expand_path(value, tokens)


def expand_path(path: str, tokens: Mapping[str, str]) -> str:
    path = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), path)
    return os.path.expanduser(replace_tokens(path, tokens))


def replace_tokens(text: str, tokens: Mapping[str, str]) -> str:
    """Unknown tokens stay."""
    return re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)


def jump_host(text: str) -> SSHEndpoint:
    """Parse one host for ssh -J. Raises UsageError."""
    found = jump_target(text)
    colons, port = found.host.count(":"), re.search(r":(\d+)/?$", text)
    # No address has one colon: it is an invalid port.
    if "," in text or colons == 1 or (port and not colons and found.port not in PORTS):
        raise UsageError(
            f"{text!r} is not a jump host: name a machine, or [user@]host[:port]",
            Hint("If it is itself behind a jump host, set that one for it: ProxyJump in ~/.ssh/config")
            | Hint("or", "machinectl set --ssh-jump <HOST> <NAME>"),
        )
    check_endpoint(found)
    return found


def jump_targets(proxy_jump: str) -> list[SSHEndpoint]:
    """Parse [user@]host[:port] or ssh:// URIs, separated by commas."""
    return [jump_target(text.strip()) for text in proxy_jump.split(",")]


def jump_target(text: str) -> SSHEndpoint:
    user, at, address = text.removeprefix("ssh://").rstrip("/").rpartition("@")
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d+))?", address)
    # An IPv6 address without a port needs no brackets.
    host, port = (match[1] or match[2], match[3]) if match else (address, None)
    return SSHEndpoint(host, user if at else "", int(port or 0))
