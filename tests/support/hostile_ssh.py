"""SSH servers that are broken or mean harm: each breaks off, lies, floods or stalls at a point of its own.

`ENDING` are those that end by themselves or are found out at once, with words that the error has; `ENDLESS` go on for
as long as they are listened to.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import struct
import threading
from typing import TYPE_CHECKING

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.servers import Behaviour, Connection

    # What a server that has agreed on keys does with a request to log in, or with a command on a channel.
    Answering = Callable[[paramiko.Transport], object]
    Running = Callable[[paramiko.Channel], object]

# What a person's run takes at most, in KB.
MEMORY = 140 * 1024
# Runs the command line, with less patience, and says how much memory it took.
MEASURED = """
import re, sys
from machinectl.cli.main import run_command_line
from machinectl.ssh.native import native_login
from machinectl.ssh.openssh import openssh_session
native_login.AUTHENTICATION_TIMEOUT = openssh_session.LOGIN_SECONDS = 0.5
def most():
    # Not getrusage: its maximum is that of whoever started this, too.
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1])
before = most()
try:
    status = run_command_line(sys.argv[1:])
finally:
    with open("memory", "w") as file:
        file.write(str(most() - before))
sys.exit(status)
"""
GREETING = b"SSH-2.0-OpenSSH_9.9\r\n"
# What a terminal would act on: a title, a colour, a line erased, a bell, a C1 control.
ESCAPES = b"\x1b]0;owned\x07\x1b[31m\x1b[2K\r\x9b31mX"
IGNORE, DISCONNECT, EXT_INFO, KEXINIT = 2, 1, 7, 20
INFO_REQUEST, AUTH_FAILURE, AUTH_BANNER, GLOBAL_REQUEST, CHANNEL_OPEN, CHANNEL_DATA = 60, 51, 53, 80, 90, 94
REPLY = 31
MANY = 0xFFFFFFFF
ALGORITHMS = b"curve25519-sha256@libssh.org ssh-ed25519 aes128-ctr aes128-ctr hmac-sha2-256 hmac-sha2-256 none none , ,"


@functools.cache
def host_key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


def text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packet(payload: bytes, *, length: int | None = None, padding: int | None = None) -> bytes:
    """A packet as it is before keys are agreed on (RFC 4253 6), or one that lies about its lengths."""
    pad = 8 - (len(payload) + 5) % 8 + 8
    stated = len(payload) + pad + 1 if length is None else length
    return struct.pack(">IB", stated, pad if padding is None else padding) + payload + bytes(pad)


def kexinit(lists: Iterable[bytes] = tuple(ALGORITHMS.split())) -> bytes:
    return bytes([KEXINIT]) + bytes(16) + b"".join(map(text, lists)) + bytes(5)


def saying(*pieces: bytes) -> Behaviour:
    """Say something without having been asked, and close when all that the client has said is read."""

    def behaviour(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        connection.sock.shutdown(socket.SHUT_WR)
        connection.hold()

    return behaviour


def holding(*pieces: bytes) -> Behaviour:
    """Say something, and then nothing more."""

    def behaviour(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        connection.hold()

    return behaviour


def repeating(piece: bytes, *before: bytes, pause: float = 0) -> Behaviour:
    """Say something, and then the same for ever; with a `pause` in seconds in between."""

    def behaviour(connection: Connection) -> None:
        for first in before:
            connection.send(first)
        while not connection.stopping.wait(pause):
            connection.send(piece)

    return behaviour


def reset(connection: Connection) -> None:
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server(paramiko.ServerInterface):
    """Lets everybody in."""

    def __init__(self, run: Running | None, opening: Callable[[], int]) -> None:
        self.run = run
        self.opening = opening

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "password,keyboard-interactive"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return self.opening()

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self.run is None:
            return False
        threading.Thread(target=quietly, args=(self.run, channel), daemon=True).start()
        return True


def quietly(work: Callable[..., object], *arguments: object) -> None:
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        work(*arguments)


class Refusing(AuthHandler):
    """Answers each request to log in with something of its own."""

    def __init__(self, transport: paramiko.Transport, answer: Answering) -> None:
        super().__init__(transport)
        self.answer = answer

    def _parse_userauth_request(self, message: paramiko.Message) -> None:
        quietly(self.answer, self.transport)

    _parse_userauth_info_response = _parse_userauth_request


def agreeing(
    answer: Answering | None = None,
    *,
    run: Running | None = None,
    opening: Callable[[], int] = lambda: OPEN_SUCCEEDED,
) -> Behaviour:
    """A server that agrees on keys as it should; then `answer` takes requests to log in, and `run` commands."""

    def behaviour(connection: Connection) -> None:
        transport = paramiko.Transport(connection.sock)
        transport.add_server_key(host_key())
        if answer is not None:
            transport.auth_handler = Refusing(transport, answer)
        # An IndexError is paramiko's own for a message that is empty.
        with contextlib.suppress(paramiko.SSHException, EOFError, IndexError):
            transport.start_server(server=Server(run, opening))
            while transport.is_active() and not connection.stopping.wait(0.02):
                pass
        transport.close()

    return behaviour


def send(transport: paramiko.Transport, payload: bytes) -> None:
    transport._send_message(paramiko.Message(payload))  # type: ignore[attr-defined]  # the stubs leave it out


def answering(*payloads: bytes) -> Behaviour:
    """Answer each request to log in with these messages."""

    def answer(transport: paramiko.Transport) -> None:
        for payload in payloads:
            send(transport, payload)

    return agreeing(answer)


def flooding(payload: bytes) -> Behaviour:
    """Answer the first request to log in with the same message for ever."""

    def answer(transport: paramiko.Transport) -> None:
        while transport.is_active():
            send(transport, payload)

    return agreeing(answer)


def unencrypted(data: bytes) -> Behaviour:
    """Answer a request to log in with bytes that no key was used for."""

    def answer(transport: paramiko.Transport) -> None:
        transport.sock.sendall(data)

    return agreeing(answer)


def question(*prompts: bytes, number: int | None = None, title: bytes = b"") -> bytes:
    """keyboard-interactive's question (RFC 4256 3.2)."""
    asked = struct.pack(">I", len(prompts) if number is None else number)
    return bytes([INFO_REQUEST]) + text(title) * 2 + text(b"") + asked + b"".join(text(p) + b"\0" for p in prompts)


def failure(methods: bytes, *, partial: bool = False) -> bytes:
    return bytes([AUTH_FAILURE]) + text(methods) + bytes([partial])


def asking(*questions: bytes) -> Behaviour:
    """Want keyboard-interactive, and then ask; the last question again and again."""
    wanted = failure(b"keyboard-interactive")

    def behaviour(connection: Connection) -> None:
        said = itertools.chain([wanted], questions, itertools.repeat(questions[-1]))
        agreeing(lambda transport: send(transport, next(said)))(connection)

    return behaviour


def disconnect(words: bytes) -> bytes:
    return bytes([DISCONNECT]) + struct.pack(">I", 11) + text(words) + text(b"")


def ends(*said: bytes, errors: bytes = b"", status: int | None = None) -> Running:
    """Print something and close the channel, with an exit status or without one."""

    def run(channel: paramiko.Channel) -> None:
        for piece in said:
            channel.sendall(piece)
        channel.sendall_stderr(errors)
        if status is not None:
            channel.send_exit_status(status)
        channel.close()

    return run


def pours(channel: paramiko.Channel) -> None:
    while not channel.closed:
        channel.sendall(ESCAPES * 1000)


def ignores_the_window(channel: paramiko.Channel) -> None:
    """Send more than the client has room for (RFC 4254 5.2)."""
    transport = channel.get_transport()
    data = bytes([CHANNEL_DATA]) + struct.pack(">I", channel.remote_chanid) + text(b"x" * 32000)
    while not channel.closed:
        send(transport, data)


def drips(channel: paramiko.Channel) -> None:
    while not channel.closed:
        channel.sendall(b".")
        threading.Event().wait(0.02)


def leaves(channel: paramiko.Channel) -> None:
    channel.get_transport().close()


def never() -> int:
    """No answer to a request for a channel for as long as anybody may wait."""
    threading.Event().wait(30)
    return OPEN_SUCCEEDED


def stops_reading(connection: Connection) -> None:
    """Agree on keys, ask for answers without end and read none of them."""

    def answer(transport: paramiko.Transport) -> None:
        request = bytes([GLOBAL_REQUEST]) + text(b"x" * 20) + b"\1"
        while transport.is_active():
            send(transport, request)

    agreeing(answer)(connection)


def after_greeting(*payloads: bytes) -> Behaviour:
    return saying(GREETING, *(packet(payload) for payload in payloads))


GREETS_NOT, HANDSHAKE = "took the connection", "before the end of the login"
ENDING: dict[str, tuple[Behaviour, str]] = {
    "closes": (saying(), GREETS_NOT),
    "another protocol": (saying(b"220 mail.example.org ESMTP\r\n"), GREETS_NOT),
    "MaxStartups": (saying(b"Exceeded MaxStartups\r\n"), GREETS_NOT),
    "escapes": (saying(ESCAPES + b"\n"), GREETS_NOT),
    "a huge line": (saying(b"A" * 10_000_000), GREETS_NOT),
    "half a greeting": (saying(b"SSH-2.0-Op"), GREETS_NOT),
    "version 1": (saying(b"SSH-1.5-old\r\n"), "is incompatible with our SSH"),
    "a packet of 4 GB": (saying(GREETING + packet(b"", length=0xFFFFFFF4)), HANDSHAKE),
    "leaves politely": (after_greeting(disconnect(ESCAPES)), HANDSHAKE),
    "no algorithms": (after_greeting(kexinit([b""] * 10)), "is incompatible with our SSH"),
    "a key of escapes": (
        after_greeting(kexinit(), bytes([REPLY]) + text(text(ESCAPES)) + text(b"\x09" + bytes(31)) + text(b"")),
        HANDSHAKE,
    ),
    "a wrong MAC": (unencrypted(b"\x5a" * 4096), "login"),
    "closes at the login": (agreeing(lambda transport: transport.close()), "ended the connection"),
    "half an answer": (answering(bytes([AUTH_FAILURE, 0])), "login"),
    "accepts a thousand ways": (answering(failure(b"a" * 60 + b",password" * 5000)), "refuses the login"),
    "is never satisfied": (answering(failure(b"password,keyboard-interactive", partial=True)), "refuses the login"),
    "a banner of escapes": (
        answering(bytes([AUTH_BANNER]) + text(ESCAPES) + text(b""), failure(b"publickey")),
        "it accepts publickey",
    ),
    "asks without end": (asking(question(b"Password:")), "login"),
    "asks 4 billion questions at once": (asking(question(number=MANY)), "login"),
    "names 4 billion extensions": (answering(bytes([EXT_INFO]) + struct.pack(">I", MANY)), "without end"),
    "runs nothing": (agreeing(run=None), "opens no session"),
    "closes at a command": (agreeing(run=leaves), "was lost"),
    "ends with escapes": (agreeing(run=ends(ESCAPES, errors=ESCAPES, status=MANY)), "somebody"),
    "pours": (agreeing(run=pours), "more than 16 MB"),
    "pours beyond the window": (agreeing(run=ignores_the_window), "more than"),
    "a last word of 13 MB": (agreeing(run=ends(*[ESCAPES * 65536] * 10)), "somebody"),
}

# With these, paramiko's own loops and buffers have no end.
WITHOUT_PARAMIKO = {
    "asks 4 billion questions at once",
    "names 4 billion extensions",
    "pours beyond the window",
}

ENDLESS: dict[str, Behaviour] = {
    "says nothing": holding(),
    "a byte now and then": repeating(b"A", pause=0.02),
    "greets": holding(GREETING),
    "a packet, byte by byte": repeating(b"\0", GREETING, struct.pack(">IB", 65532, 4), pause=0.02),
    "ignore now and then": repeating(packet(bytes([IGNORE]) + text(b"")), GREETING, pause=0.02),
    "says nothing at the login": agreeing(lambda _: None),
    "ignore at the login": flooding(bytes([IGNORE]) + text(b"x" * 1000)),
    "banners at the login": flooding(bytes([AUTH_BANNER]) + text(ESCAPES * 10) + text(b"")),
    "requests at the login": stops_reading,
    "says nothing to a channel": agreeing(opening=never),
    "says nothing to a command": agreeing(run=lambda _: None),
    "prints now and then": agreeing(run=drips),
}
