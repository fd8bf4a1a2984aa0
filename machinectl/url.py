"""Parse engine URLs: tcp://host:port, unix:///path, ssh://user@host:port."""

from __future__ import annotations

from machinectl.errors import CUT, Hint, UsageError

# Docker's registered ports (IANA): 2376 with TLS, 2375 without.
TLS_PORT = 2376
PLAIN_PORT = 2375
# sockaddr_un's sun_path holds 108 bytes with the closing NUL on Linux, 104 on macOS.
LONGEST_SOCKET_PATH = 103
LONGEST_HOST = 253
HIGHEST_PORT = 65535
IPV4_PARTS = 4
BYTES = frozenset(map(str, range(256)))

LETTERS_AND_DIGITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
HEX_DIGITS = frozenset("abcdefABCDEF0123456789")
HOST_CHARACTERS = LETTERS_AND_DIGITS | frozenset("-._")
EXAMPLES = "tcp://192.168.0.29:2376, unix:///var/run/docker.sock or ssh://ops@192.168.0.29"


class EngineURL:
    """An IPv6 `host` has no brackets."""

    __slots__ = ("host", "path", "port", "scheme", "user")

    def __init__(self, scheme: str, *, user: str = "", host: str = "", port: int = 0, path: str = "") -> None:
        self.scheme = scheme
        self.user = user
        self.host = host
        self.port = port
        self.path = path

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{user}{host}{port}"


def check_install_url(url: str, typed: str = "--engine-install-url") -> None:
    """Raise UsageError for a script's URL that is not http or https; `typed` is the flag or variable."""
    if not url.startswith(("http://", "https://")):
        from machinectl.masking import without_passwords

        cause = f"{typed} takes an http or https URL, not {without_passwords(url)!r}"
        raise UsageError(cause, Hint("For example: https://get.docker.com"))


def parse_url(text: str) -> EngineURL:
    """Raise UsageError with the right form."""
    if not text.isprintable():
        raise invalid_url(text, "it holds a character that cannot be printed")
    scheme, separator, rest = text.partition("://")
    if not separator:
        shown = without_password(text)
        form = f"tcp://{shown}" if text else f"for example {EXAMPLES}"
        raise UsageError(f"The URL {shown!r} has no scheme", Hint(f"Write {form}"))
    if scheme not in {"tcp", "unix", "ssh"}:
        raise invalid_url(text, f"docker knows tcp, unix and ssh, not {scheme!r}")
    return parse_socket(text, rest) if scheme == "unix" else parse_remote(text, scheme, rest)


def with_port(text: str, *, tls: bool | None = None) -> str:
    """Add docker's port to a tcp URL without one: 2375 only if `tls` is False."""
    url = parse_url(text)
    if url.scheme == "tcp" and not url.port:
        url.port = PLAIN_PORT if tls is False else TLS_PORT
    return str(url)


def with_host(text: str, host: str) -> str:
    """Replace a URL's host, and keep the user and the port."""
    url = parse_url(text)
    url.host = host
    return str(url)


def engine_port(text: str) -> int:
    """Return the engine's port; docker's port for TLS if a URL names none of its own."""
    url = parse_url(text)
    return (url.port if url.scheme == "tcp" else 0) or TLS_PORT


def uses_tls(text: str) -> bool:
    """Return whether TLS is the default."""
    url = parse_url(text)
    return url.scheme == "tcp" and url.port != PLAIN_PORT


def parse_socket(text: str, path: str) -> EngineURL:
    if not path.startswith("/") or path.endswith("/"):
        raise invalid_url(text, "the path of a socket is absolute: unix:///var/run/docker.sock")
    if len(path.encode(errors="surrogateescape")) > LONGEST_SOCKET_PATH:
        raise invalid_url(text, f"the path of a socket has at most {LONGEST_SOCKET_PATH} bytes")
    return EngineURL("unix", path=path)


def parse_remote(text: str, scheme: str, rest: str) -> EngineURL:
    # Docker accepts a slash at the end.
    user, at, address = rest.removesuffix("/").rpartition("@")
    if ":" in user:
        # Do not show the text: it contains a password.
        raise UsageError("The URL holds a password, which nobody takes from there", Hint("Use a key or an agent"))
    if at and scheme == "tcp":
        raise invalid_url(text, "a tcp URL has no user; who you are is in your certificate")
    if at and (not user or user[0] == "-" or not HOST_CHARACTERS.issuperset(user)):
        raise invalid_url(text, f"{user!r} is not a user's name")
    host, port = split_address(text, address)
    if not is_host(host):
        raise invalid_url(text, f"{host!r} is not a host's name or address")
    return EngineURL(scheme, user=user, host=host, port=parse_port(text, port) if port is not None else 0)


def split_address(text: str, address: str) -> tuple[str, str | None]:
    """Accept host, host:port, [v6] or [v6]:port."""
    if not address.startswith("[") and address.count(":") <= 1:
        host, colon, port = address.partition(":")
        return host, port if colon else None
    host, bracket, after = address.removeprefix("[").partition("]")
    if not bracket or ":" not in host or after[:1] not in {"", ":"}:
        raise invalid_url(text, "an IPv6 address stands in brackets: tcp://[fd00::29]:2376")
    return host, after[1:] if after else None


def is_host(host: str) -> bool:
    if not host or ":" in host or is_address(host):
        return is_address(host)
    if len(host) > LONGEST_HOST or not HOST_CHARACTERS.issuperset(host) or host[0] in "-." or ".." in host:
        return False
    # The C library would read numbers alone as an IPv4 address.
    return not (LETTERS_AND_DIGITS.isdisjoint(host) or all(map(is_number, host.removesuffix(".").split("."))))


def is_number(part: str) -> bool:
    """Return whether the C library reads it as part of an IPv4 address: 127, 0177, 0x7f."""
    return part.isdecimal() or (part[:2] in {"0x", "0X"} and HEX_DIGITS.issuperset(part[2:]))


def is_address(host: str) -> bool:
    """Accept IPv4 in four decimal numbers without leading zeros, as docker does, or IPv6 without brackets."""
    if ":" not in host:
        parts = host.split(".")
        return len(parts) == IPV4_PARTS and BYTES.issuperset(parts)
    import socket  # 3 ms that the light path spends only on IPv6

    try:
        socket.inet_pton(socket.AF_INET6, host)
    except OSError:
        return False
    return True


def parse_port(text: str, port: str) -> int:
    is_number = port.isascii() and port.isdecimal() and len(port) <= len(str(HIGHEST_PORT))
    if not (is_number and 0 < int(port) <= HIGHEST_PORT):
        raise invalid_url(text, f"{port!r} is not a port: a number from 1 to {HIGHEST_PORT}")
    return int(port)


def invalid_url(text: str, why: str) -> UsageError:
    return UsageError(
        f"The URL {without_password(text)!r} cannot be used: {why}", Hint(f"Write for example {EXAMPLES}")
    )


def without_password(text: str) -> str:
    """Hide the user and the password, which may hold a slash and an @."""
    scheme, separator, rest = text.partition("://") if "://" in text else ("", "", text)
    user, at, address = rest.rpartition("@")
    return f"{scheme}{separator}{CUT}@{address}" if at and ":" in user else text
