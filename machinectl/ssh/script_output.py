"""Parse a running script's output, and end the script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.ssh.framing import LONGEST_NUMBER, FramedStream
from machinectl.ssh.runner import is_signalled
from machinectl.ssh.ssh_errors import SSHError, shell_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.process_streams import WriteOutput


# Most output before the script's own, in bytes: a login may print endlessly.
LONGEST_LOGIN = 16 << 20
# Most output of a script to keep in memory, in bytes.
MOST_OUTPUT = 16 << 20


def end_command(process: int) -> str:
    """Return sh that sends SIGTERM to the process group, then SIGKILL."""
    # proc(5): the group is the third word after the name in parentheses, which may contain anything.
    group = f"read -r stat </proc/{process}/stat; IFS=' '; set -f; set -- ${{stat##*) }}; group=$3"
    # A process that has ended stays a zombie (Z) until its parent reaps it, which a container's first process may not.
    alive = 'sub(/.*[)] /, "") && $3 == group && $1 != "Z" { alive++ } END { print alive + 0 }'
    there = (
        'kill -0 "-$group" || exit 0; '
        f'[ "$(cat /proc/[0-9]*/stat | awk -v group="$group" \'{alive}\')" != 0 ] || exit 0'
    )
    return (
        f'{{ {group}; set +f; [ "$group" -gt 1 ] || exit 0; kill -TERM "-$group"; '
        f"for pause in 1 2 3 4 5 6 7 8 9 10; do {there}; sleep 0.2 || sleep 1; done; "
        'kill -KILL "-$group"; } 2>/dev/null'
    )


class ScriptOutput:
    """If `numbered`, the first line is the shell's process number (`framing.streamed`)."""

    def __init__(self, mark: str, write: WriteOutput, *, numbered: bool = True) -> None:
        self._write = write
        self._streams = {False: FramedStream(mark), True: FramedStream(mark)}
        self._before = 0
        # The received part of the first line; None after it.
        self._first: bytes | None = b"" if numbered else None
        # 0 if unknown.
        self.process = 0
        # The outer shell's exit status: -1 if unknown, None after a stop or a timeout.
        self.shell_status: int | None = -1
        # Whether we stopped the script, but the host did not confirm it.
        self.may_run = False

    @property
    def started(self) -> bool:
        return self._streams[False].started

    @property
    def is_ready(self) -> bool:
        """Whether to send the script."""
        return self._first is None

    @property
    def status(self) -> int | None:
        return self._streams[False].status

    @property
    def is_complete(self) -> bool:
        """True even without a valid status."""
        return self._streams[False].ended

    @property
    def noise(self) -> str:
        """Output before the script's own."""
        return b"".join(each.noise for each in self._streams.values()).decode(errors="replace")

    def take(self, data: bytes, on_stderr: bool) -> bool:
        """Return whether the output is complete."""
        if not self._streams[on_stderr].started:
            self._before += len(data)
            if self._before > LONGEST_LOGIN:
                return True
        self._pass_on(self._streams[on_stderr].take(data), on_stderr=on_stderr)
        return all(each.ended for each in self._streams.values())

    def finish(self) -> None:
        """Pass on what may have been a mark."""
        for on_stderr, stream in self._streams.items():
            self._pass_on(stream.rest(), on_stderr=on_stderr)

    def _pass_on(self, data: bytes, *, on_stderr: bool) -> None:
        if not on_stderr and self._first is not None:
            self._first += data
            line, end, data = self._first.partition(b"\n")
            if not end and len(line) <= LONGEST_NUMBER:
                return
            self.process = int(line) if line.isdigit() and len(line) <= LONGEST_NUMBER else 0
            self._first = None
        if data:
            self._write(data, on_stderr)


class CollectedOutput(ScriptOutput):
    """Keeps the output, and passes it to `also` as it comes."""

    def __init__(self, mark: str, also: WriteOutput | None = None) -> None:
        super().__init__(mark, self._keep, numbered=False)
        self._also = also
        self._kept = {False: bytearray(), True: bytearray()}
        self._size = 0

    @property
    def stdout(self) -> bytes:
        return bytes(self._kept[False])

    @property
    def stderr(self) -> bytes:
        return bytes(self._kept[True])

    @property
    def is_too_long(self) -> bool:
        return self._size > MOST_OUTPUT

    def take(self, data: bytes, on_stderr: bool) -> bool:
        self._size += len(data)
        return super().take(data, on_stderr) or self.is_too_long

    def _keep(self, data: bytes, on_stderr: bool) -> None:
        self._kept[on_stderr].extend(data)
        if self._also:
            self._also(data, on_stderr)


def final_status(output: ScriptOutput, address: str, find_loss: Callable[[], SSHError | None]) -> int | None:
    """Return None if the script was stopped. Without a status, raises `find_loss()` or another SSHError."""
    if output.may_run:
        raise SSHError(
            f"{address} did not confirm that it ended a command that timed out",
            Hint("It may still be running there; on the host", "ps -ef"),
        )
    if output.shell_status is None:
        return None
    if output.status is not None:
        return output.status
    output.finish()
    if output.is_complete:
        raise SSHError(
            f"{address} ended a command without an exit status", Hint("See each command and its output: --debug")
        )
    if is_signalled(output.shell_status):
        return output.shell_status
    raise find_loss() or shell_ended(address)
