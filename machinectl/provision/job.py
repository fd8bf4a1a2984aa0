"""Jobs: shell scripts that finish on the host even if the connection breaks."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from machinectl.provision.scripts import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


ENGINE = ("engine.sh", "container.sh")
# launch.sh's line with the last line of the job's output.
PROGRESS = b"progress: "
# Bytes kept of a line without an end.
LONGEST_LINE = 65536
PROGRESS_LINE = re.compile(rb"^progress: .*\n?", re.MULTILINE)


class RemoteResult(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


class Remote(Protocol):
    """A host that runs commands as root."""

    # Raises MachineError if the connection fails or, with `check`, the script. --debug prints `shown` instead of the
    # script, and no `secret` output. `write` gets the output as it comes, too.
    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - like subprocess.run
        timeout: float = ...,
        check: bool = ...,
        shown: str = ...,
        secret: bool = ...,
        write: Callable[[bytes, bool], None] | None = ...,
    ) -> RemoteResult: ...


@dataclass(frozen=True)
class Job:
    script: str
    variables: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # Scripts whose functions this one calls.
    functions: tuple[str, ...] = ()
    # Seconds to wait. The job continues on the host.
    timeout: float = 600

    @property
    def text(self) -> str:
        assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items())
        functions = "".join(f"{resource(name)}\n" for name in self.functions)
        return assignments + resource("systemctl.sh") + functions + resource(self.script)

    @property
    def restarts(self) -> bool:
        return self.variables.get("action") == "restart"

    @property
    def archive(self) -> bytes:
        """A tar archive for stdin, to keep secrets out of arguments."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            # Last, so that a truncated archive has no script.
            for name, content in {**self.files, "job.sh": self.text.encode()}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o600
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def content_of(self, path: str) -> bytes | None:
        for number, line in enumerate(self.files.get("manifest", b"").decode().splitlines(), 1):
            if line.partition(" ")[2] == path:
                return self.files[str(number)]
        return None

    def with_file(self, path: str, mode: str, content: bytes) -> Job:
        """Return a job (apply.sh) that installs this file last."""
        manifest = self.files["manifest"].decode()
        number = len(manifest.splitlines()) + 1
        more = {"manifest": f"{manifest}{mode} {path}\n".encode(), str(number): content}
        return replace(self, files={**self.files, **more})

    def run(self, remote: Remote, progress: Callable[[str], None] | None = None) -> RemoteResult:
        """`progress` gets the last line of the job's output, about once a second."""
        launch, write = resource("launch.sh"), None
        if progress:
            launch, write = f"progress=1\n{launch}", ProgressLines(progress).write
        result = remote.run(launch, input=self.archive, timeout=self.timeout, check=False, shown=self.text, write=write)
        return JobResult(result.status, result.stdout, PROGRESS_LINE.sub(b"", result.stderr))


def command_job(command: str) -> Job:
    return Job("command.sh", {"command": command})


@dataclass(frozen=True)
class JobResult:
    status: int
    stdout: bytes
    stderr: bytes


class ProgressLines:
    """Finds launch.sh's progress lines in a job's stderr."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._begun = b""

    def write(self, data: bytes, on_stderr: bool) -> None:
        if on_stderr:
            *lines, self._begun = (self._begun + data).split(b"\n")
            self._begun = self._begun[-LONGEST_LINE:]
            for line in lines:
                # A program that draws over its line ends or begins with a carriage return.
                said = line.removeprefix(PROGRESS).strip().rpartition(b"\r")[2].strip()
                if said and line.startswith(PROGRESS):
                    self._show(said.decode(errors="replace"))


@dataclass(frozen=True)
class NewFile:
    """A file to install, or to remove if `content` is None."""

    path: str
    mode: str = "644"
    content: bytes | None = field(default=None, repr=False)

    @property
    def line(self) -> str:
        return f"{'-' if self.content is None else self.mode} {self.path}"


@dataclass(frozen=True)
class Activation:
    """How the engine applies files: `action` is restart, reload or none.

    It must then listen on `port` (0: not checked). `validate` checks the files first. `live_restore` is expected after
    a reload. `containers`: keep (refuse to restart if the disk is full), or "".
    """

    action: str = "none"
    port: int = 0
    validate: str = ""
    live_restore: str = ""
    containers: str = ""
    enable: bool = False


INSTALL_ONLY = Activation()


def apply_job(
    files: list[NewFile],
    activation: Activation = INSTALL_ONLY,
    *,
    init: str,
    directories: tuple[str, ...] = (),
    afterwards: NewFile | None = None,
) -> Job:
    """Return the job that installs and activates files, or rolls back (apply.sh).

    `afterwards` then replaces a file, without a reload. Empty `directories` are removed.
    """
    contents = {str(number): file.content or b"" for number, file in enumerate(files, 1)}
    if afterwards:
        contents["afterwards"] = afterwards.content or b""
    variables = {
        "init": init,
        "action": activation.action,
        "port": f"{activation.port:04X}" if activation.port else "",
        "validate": activation.validate,
        "live_restore": activation.live_restore,
        "containers": activation.containers,
        "enable": "yes" if activation.enable else "",
        "directories": " ".join(directories),
        "afterwards": afterwards.line if afterwards else "",
    }
    manifest = "".join(f"{file.line}\n" for file in files)
    return Job("apply.sh", variables, {"manifest": manifest.encode(), **contents}, ENGINE)
