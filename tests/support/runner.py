"""The tests' one stand-in for a Runner: a host as it was read once in the lab, whose jobs are kept and end as told."""

from __future__ import annotations

import base64
import io
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl.ssh.runner import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.process_streams import WriteOutput

FACTS = Path(__file__).parents[1] / "provision" / "facts"


class RecordedHost:
    """A host that answers with recorded facts (`name`), its clock set right, and ends each job with `status`.

    `valid` is whether dockerd's own check passes (default: if `status` is 0). `said` are the lines that a job prints,
    `at_work` is called while it runs; `jobs` are the scripts that were run, and `sent` is what lay beside the last one.
    `revision` is what the host keeps of who changed it last.
    """

    def __init__(
        self,
        name: str = "bare",
        *,
        status: int = 0,
        valid: bool | None = None,
        said: tuple[str, ...] = (),
        at_work: Callable[[], None] = lambda: None,
    ) -> None:
        now = f"@clock {datetime.now(UTC).timestamp():.0f}".encode()
        lines = (FACTS / name).read_bytes().split(b"\n")
        self.facts = b"\n".join(now if line.startswith(b"@clock") else line for line in lines)
        self.status = status
        self.valid = valid if valid is not None else status == 0
        self.said = said
        self.at_work = at_work
        self.jobs: list[str] = []
        self.sent: dict[str, bytes] = {}
        self.revision = b""

    def run(
        self,
        script: str,
        *,
        input: bytes = b"",
        timeout: float = 60,
        check: bool = True,
        shown: str = "",
        secret: bool = False,
        write: WriteOutput | None = None,
    ) -> CommandResult:
        assert "PRIVATE KEY" not in script
        if secret:
            return CommandResult(0, self.revision, b"")
        said = "".join(f"{line}\n" for line in self.said).encode()
        if "apt-get -s " in script and not input:
            return CommandResult(0, said, b"")
        if not input:
            return CommandResult(0, self.facts, b"")
        if "--config-file=/dev/stdin" in script:
            # dockerd judges what is to become of its configuration.
            return CommandResult(0 if self.valid else self.status or 1, said, b"")
        with tarfile.open(fileobj=io.BytesIO(input)) as archive:
            job = archive.extractfile("job.sh")
            assert job is not None
            self.jobs.append(job.read().decode())
            members = [(name, archive.extractfile(name)) for name in archive.getnames()]
            self.sent = {name: member.read() for name, member in members if member}
        self.at_work()
        if self.status == 0:
            self._keep_files()
        return CommandResult(self.status, said, b"")

    def _keep_files(self) -> None:
        """Answer from now on with the daemon.json and clients.pem that were sent; the rest stays as it was recorded."""
        for number, line in enumerate(self.sent.get("manifest", b"").splitlines(), 1):
            mode, _, path = line.partition(b" ")
            if path.endswith((b"/daemon.json", b"/clients.pem")):
                is_last = path.endswith(b"/daemon.json") and "afterwards" in self.sent
                content = self.sent["afterwards" if is_last else str(number)]
                self.facts = re.sub(rb"@file \d+ 0 0 %b\n(\|.*\n)*" % re.escape(path), b"", self.facts)
                file = b"@file %b 0 0 %b\n|%b\n\n@end" % (mode, path, base64.b64encode(content))
                self.facts = self.facts.replace(b"@end", file if content else b"@end")
