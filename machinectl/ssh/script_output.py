"""A script that is followed while it runs on a host: what it prints is passed on, and it can be ended. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.ssh.framing import LONGEST_NUMBER, FramedStream

if TYPE_CHECKING:
    from collections.abc import Callable

    # Is given what a command says, and whether it says it on stderr.
    WriteOutput = Callable[[bytes, bool], None]

# How much may be said before the script is begun, in bytes: a login that goes on for ever is none.
LONGEST_LOGIN = 16 << 20


def end_command(process: int) -> str:
    """Ends a process and what it started, its process group, by force where it does not end within a few seconds."""
    # proc(5): the group is the third word behind the name, which is in parentheses and may hold anything.
    group = f"read -r stat </proc/{process}/stat; IFS=' '; set -f; set -- ${{stat##*) }}; group=$3"
    there = 'kill -0 "-$group" || exit 0'
    return (
        f'{{ {group}; [ "$group" -gt 1 ] || exit 0; kill -TERM "-$group"; '
        f"for pause in 1 2 3 4 5 6 7 8 9 10; do {there}; sleep 0.2 || sleep 1; done; "
        'kill -KILL "-$group"; } 2>/dev/null'
    )


class ScriptOutput:
    """What comes back of a script; `status` is its exit status, None as long as it runs, or where it was ended.

    `process` is the number of the shell there that runs it, 0 where that is not known.
    """

    def __init__(self, mark: str, say: WriteOutput) -> None:
        self._say = say
        self._streams = {False: FramedStream(mark), True: FramedStream(mark)}
        self._before = 0
        # What came of the first line; None behind it.
        self._first: bytes | None = b""
        self.process = 0
        # The exit status of that shell from SSH: -1 if it is unknown, None if the command was ended before.
        self.shell_status: int | None = -1
        # Whether it was to be ended, and the host did not confirm that.
        self.may_run = False

    @property
    def started(self) -> bool:
        return self._streams[False].started

    @property
    def is_ready(self) -> bool:
        """Return whether the script can be sent: the number of its shell is known."""
        return self._first is None

    @property
    def status(self) -> int | None:
        return self._streams[False].status

    @property
    def is_whole(self) -> bool:
        """Return whether the script has ended, with or without a valid status."""
        return self._streams[False].ended

    @property
    def noise(self) -> str:
        """What was said instead of the script's own output, or before it."""
        return b"".join(each.noise for each in self._streams.values()).decode(errors="replace")

    def hear(self, data: bytes, on_stderr: bool) -> bool:
        """Pass on what has come; whether that was all, or nothing is to be expected any more."""
        if not self._streams[on_stderr].started:
            self._before += len(data)
            if self._before > LONGEST_LOGIN:
                return True
        self._pass_on(self._streams[on_stderr].take(data), on_stderr=on_stderr)
        return all(each.ended for each in self._streams.values())

    def finish(self) -> None:
        """Pass on what was held back; nothing more comes."""
        for on_stderr, stream in self._streams.items():
            self._pass_on(stream.rest(), on_stderr=on_stderr)

    def _pass_on(self, said: bytes, *, on_stderr: bool) -> None:
        if not on_stderr and self._first is not None:
            self._first += said
            line, end, said = self._first.partition(b"\n")
            if not end and len(line) <= LONGEST_NUMBER:
                return
            self.process = int(line) if line.isdigit() and len(line) <= LONGEST_NUMBER else 0
            self._first = None
        if said:
            self._say(said, on_stderr)
