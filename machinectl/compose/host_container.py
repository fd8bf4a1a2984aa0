"""Run the host's own programs in a container, through its engine: without a login, sudo, or an image from a registry.

The container's image has links alone, to the directories of the host's programs.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from machinectl.errors import Hint, MachineError, one_line
from machinectl.hosts.docker_program import docker_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

IMAGE = "machinectl/files:1"
# The directories of the host that its programs need.
LINKS = ("bin", "sbin", "lib", "lib64", "usr")
# Root may write files of any owner, and look from the host's root; there is no network, and no log of what it prints.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SYS_CHROOT")
OPTIONS = (
    *("--rm", "-i", "--pull=never", "--network=none", "--log-driver=none", "--userns=host", "--cap-drop=ALL"),
    *(f"--cap-add={capability}" for capability in CAPABILITIES),
    *("--security-opt=no-new-privileges", "--security-opt=label=disable", "--volume=/:/host:ro", "--workdir=/copies"),
)
# docker run's exit status if the container cannot start.
NOT_STARTED = 125


class Engine(NamedTuple):
    """docker in the environment of a machine."""

    name: str
    environment: Mapping[str, str]

    def docker(self, *words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [docker_program(), *words], input=data, env=self.environment, capture_output=True, check=False
        )

    def run_script(self, name: str, words: Sequence[str], directory: str, feed: Callable[[BinaryIO], object]) -> str:
        """Run a script in a directory of the host, feed its stdin, and return its output. Raises MachineError."""
        text = (files("machinectl.compose") / name).read_text()
        command = ["/bin/sh", "-c", text, "sh", *words]
        status, printed, said = self.run_once(command, directory, feed)
        if status == NOT_STARTED and self.docker("image", "inspect", IMAGE).returncode:
            loaded = self.docker("import", "-", IMAGE, data=image())
            said = os.fsdecode(loaded.stderr)
            if loaded.returncode == 0:
                status, printed, said = self.run_once(command, directory, feed)
        if status == 0:
            return printed
        # docker and tar end with a line that says less.
        reasons = [*filter(None, said.splitlines()[-3:]), f"exit status {status}"]
        reason = one_line(reasons[max(0, len(reasons) - 3)])
        raise MachineError(
            f'Files were not copied to "{self.name}": {reason}', Hint("Mend that, and type the same again")
        )

    def run_once(
        self, command: Sequence[str], directory: str, feed: Callable[[BinaryIO], object]
    ) -> tuple[int, str, str]:
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
            program = subprocess.Popen(
                [docker_program(), "run", *OPTIONS, f"--volume={directory}:/copies", IMAGE, *command],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=said,
            )
            try:
                # It may end early, and then says why.
                with suppress(BrokenPipeError), cast("BinaryIO", program.stdin) as stdin:
                    feed(stdin)
                status = program.wait()
            finally:
                program.kill()
                program.wait()
            for output in (printed, said):
                output.seek(0)
            return status, os.fsdecode(printed.read()), os.fsdecode(said.read())


def image() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in LINKS:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"host/{name}"
            archive.addfile(link)
    return buffer.getvalue()
