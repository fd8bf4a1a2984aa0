"""A job: a shell script that runs to its end on the host, also where the connection is cut in the middle."""

from __future__ import annotations

import io
import shlex
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from machinectl.provision import resource

if TYPE_CHECKING:
    from collections.abc import Mapping


# The functions that ask the engine, and have it make a container.
ENGINE = ("engine.sh", "container.sh")


class RemoteResult(Protocol):
    """What a remote command ended with; `ssh.Result` is one."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


class Remote(Protocol):
    """A host that runs commands as root."""

    # Runs a shell script. Raises MachineError where the connection fails, and with `check` where the script does.
    # `shown` is what a person who watches sees in the script's place; what it prints is not seen if it is `secret`.
    def run(
        self,
        script: str,
        *,
        input: bytes = b"",  # noqa: A002 - as subprocess.run has it
        timeout: float = ...,
        check: bool = ...,
        shown: str = ...,
        secret: bool = ...,
    ) -> RemoteResult: ...


@dataclass(frozen=True)
class Job:
    """What is sent: the script, the variables that it starts with, and files that lie beside it, private to root."""

    script: str
    variables: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # Other scripts, of functions that this one calls.
    functions: tuple[str, ...] = ()
    # Seconds until the answer is given up on; the job itself goes on.
    timeout: float = 600

    @property
    def text(self) -> str:
        """The script as it runs."""
        assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items())
        functions = "".join(f"{resource(name)}\n" for name in self.functions)
        return assignments + functions + resource(self.script)

    @property
    def restarts(self) -> bool:
        """Whether the engine is restarted by it."""
        return self.variables.get("action") == "restart"

    @property
    def archive(self) -> bytes:
        """Everything as a tar archive: files go through stdin, so that nothing of them is in an argument."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            # The script comes last: an archive that was cut off on its way has none.
            for name, content in {**self.files, "job.sh": self.text.encode()}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o600
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def content_of(self, path: str) -> bytes | None:
        """Return what the job writes to a path; None if it does not write there."""
        for number, line in enumerate(self.files.get("manifest", b"").decode().splitlines(), 1):
            if line.partition(" ")[2] == path:
                return self.files[str(number)]
        return None

    def with_file(self, path: str, mode: str, content: bytes) -> Job:
        """Return the same job of apply.sh with one file more, put in place after the others."""
        manifest = self.files["manifest"].decode()
        number = len(manifest.splitlines()) + 1
        more = {"manifest": f"{manifest}{mode} {path}\n".encode(), str(number): content}
        return replace(self, files={**self.files, **more})

    def run(self, remote: Remote) -> RemoteResult:
        launch = resource("launch.sh")
        return remote.run(launch, input=self.archive, timeout=self.timeout, check=False, shown=self.text)


@dataclass(frozen=True)
class NewFile:
    """A file to be put in place on the host; without content it is removed."""

    path: str
    mode: str = "644"
    content: bytes | None = field(default=None, repr=False)

    @property
    def line(self) -> str:
        """Return the file's line in a manifest."""
        return f"{'-' if self.content is None else self.mode} {self.path}"


def apply(
    files: list[NewFile],
    *,
    init: str,
    action: str,
    port: int = 0,
    socket: str = "",
    validate: str = "",
    live_restore: str = "",
    enable: bool = False,
    directories: tuple[str, ...] = (),
    afterwards: NewFile | None = None,
) -> Job:
    """Return the job that installs files and reloads or restarts the engine, or restores the old files (apply.sh).

    `afterwards` then replaces one of the files, without another reload.
    """
    manifest = "".join(f"{file.line}\n" for file in files)
    contents = {str(number): file.content or b"" for number, file in enumerate(files, 1)}
    if afterwards:
        contents["afterwards"] = afterwards.content or b""
    variables = {
        "init": init,
        "action": action,
        "port": f"{port:04X}" if port else "",
        "socket": socket,
        "validate": validate,
        "live_restore": live_restore,
        "enable": "yes" if enable else "",
        "directories": " ".join(directories),
        "afterwards": afterwards.line if afterwards else "",
    }
    return Job("apply.sh", variables, {"manifest": manifest.encode(), **contents}, ENGINE)
