"""One host of the lab: what it is, how to reach it, and what can happen to it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cgroup
from tests.lab.command import LabError, launch, sh
from tests.lab.line import Blocking, Line
from tests.lab.network import Network
from tests.lab.place import IMAGES, KEY, RUN
from tests.lab.snapshot import Snapshot, changed_files, files_in_memory, running_units
from tests.lab.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOT = Path(__file__).with_name("boot.sh").read_text()
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FILLED = "etc usr opt root home tmp srv var/cache var/tmp var/lib/apt var/lib/dpkg"


@dataclass(frozen=True)
class Host:
    """A server that is a systemd-nspawn container; `Lab.up` makes it."""

    lab: int
    number: int
    suite: str
    variants: tuple[str, ...]
    lower: str
    "The overlay's `lowerdir=`: its image."

    @property
    def name(self) -> str:
        return f"h{self.number}"

    @property
    def ip(self) -> str:
        return self._network.ip(self.number)

    @property
    def mac(self) -> str:
        return self._network.mac(self.number)

    @property
    def port(self) -> int:
        """Where its sshd listens."""
        return next((VARIANTS[name].port for name in self.variants if VARIANTS[name].port != 22), 22)

    @property
    def directory(self) -> Path:
        return RUN / str(self.lab) / self.name

    @property
    def console(self) -> str:
        """What it printed on its console since it was made."""
        return self._console.read_text(errors="replace")

    @property
    def host_key(self) -> str:
        """Its sshd's ed25519 public key, as a known_hosts line has it after the name."""
        return " ".join((self.directory / "up/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])

    @property
    def _facts(self) -> Path:
        """What it is; written last when it is made, and the first to go."""
        return self.directory / "host.json"

    @property
    def _console(self) -> Path:
        return self.directory / "console.log"

    @property
    def _network(self) -> Network:
        return Network(self.lab)

    @property
    def _line(self) -> Line:
        return Line(self._network, self.number)

    @property
    def _cgroup(self) -> str:
        return f"{self._network.bridge}/{self.name}"

    def create(self) -> None:
        """Make its files and its end of the network, without booting it."""
        for part in ("up/etc/ssh", "work", "root", "docker", "containerd"):
            (self.directory / part).mkdir(parents=True)
        # The files that make a host itself go straight into its still empty upper layer.
        etc = self.directory / "up/etc"
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        shutil.copy("/etc/resolv.conf", etc / "resolv.conf")
        for kind in ("ed25519", "ecdsa"):
            key = etc / f"ssh/ssh_host_{kind}_key"
            sh("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", self.name, "-f", key)
        self._network.add(self.number)
        facts = {"number": self.number, "suite": self.suite, "variants": self.variants, "lower": self.lower}
        (self.directory / "host.new").write_text(json.dumps(facts))
        (self.directory / "host.new").rename(self._facts)

    @classmethod
    def load(cls, lab: int, file: Path) -> Host:
        facts = json.loads(file.read_text())
        return cls(lab, facts["number"], facts["suite"], tuple(facts["variants"]), facts["lower"])

    def boot(self) -> None:
        """Switch it on, without waiting for it."""
        groups = cgroup.create(self._cgroup)
        self.link(up=True)
        environment = {
            "CGROUPS": " ".join(map(str, groups)),
            "D": str(self.directory),
            "IMAGES": str(IMAGES),
            "LOWER": self.lower.replace(f"{IMAGES}/", ""),
            "NAME": f"{self._network.bridge}-{self.name}",
            "NETNS": self._network.namespace(self.number),
            "VETH": self._network.veth(self.number),
        }
        # It belongs to its cgroup, not to whoever asked for it.
        launch(["bash", "-c", _BOOT], self._console, environment=environment)

    def start(self) -> None:
        """Switch it on and wait until it has booted."""
        self.boot()
        self.wait_booted()

    def poweroff(self) -> None:
        """Pull the plug: none of its processes gets to say goodbye."""
        self.link(up=False)
        cgroup.end(self._cgroup)

    def reboot(self, *, wait: bool = True) -> None:
        """As `systemctl reboot` on it does; with `wait`, until it has booted again."""
        before = self._init()
        self.run("systemctl reboot --no-block")
        if wait:
            self._until(lambda: self._init() not in (None, before), "did not reboot")
            self.wait_booted()

    def remove(self) -> None:
        """Take it away for good, also where it was made, or taken away, by halves only."""
        self._facts.unlink(missing_ok=True)
        self._network.remove(self.number)
        cgroup.end(self._cgroup)
        if self.directory.exists():
            shutil.rmtree(self.directory)

    @property
    def is_made(self) -> bool:
        return self._facts.exists()

    @property
    def is_on(self) -> bool:
        return self._init() is not None

    def wait_off(self, timeout: float = 30) -> None:
        """Until it has shut down by itself."""
        events = cgroup.paths(self._cgroup)[0] / "cgroup.events"
        self._until(lambda: "populated 0" in events.read_text(), "is still on", timeout)
        cgroup.end(self._cgroup)

    def wait_ssh(self, timeout: float = 60) -> None:
        """Until its sshd answers and, if it has booted, lets users in."""
        self._until(self._lets_users_in, "has no sshd", timeout)

    def wait_booted(self, timeout: float = 60) -> None:
        """Until all that it starts at boot has been started, the engine included."""
        asked = "systemctl is-system-running --wait"

        def booted() -> bool:
            return self.is_on and self.run(asked, check=False, timeout=timeout).stdout in ("running\n", "degraded\n")

        self._until(booted, "does not boot", timeout)

    def run(
        self, command: str, stdin: bytes = b"", *, check: bool = True, user: str = "root", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on it without network or sshd.

        Raises `LabError` if it fails and `check` is set, or if the host is off.
        """
        init = self._init()
        if init is None:
            raise LabError(f"{self.name} is off")
        # In the host's own cgroup, so that it ends with the host.
        join = f'echo $$ > {cgroup.paths(self._cgroup)[0]}/payload/init.scope/cgroup.procs; exec "$@"'
        enter = ["nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p", f"--root=/proc/{init}/root", "--wdns=/"]
        home = "/root" if user == "root" else f"/home/{user}"
        shell = ["env", "-i", f"PATH={_PATH}", f"HOME={home}", "LC_ALL=C", "bash", "-c", command]
        if user != "root":
            enter += ["runuser", "-u", user, "--"]
        words = ["bash", "-c", join, "-", *enter, *shell]
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, check=False)
        stdout, stderr = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        if check and done.returncode:
            raise LabError(f"{self.name}: {command[:200]} failed ({done.returncode}): {stderr[-2000:]}{stdout[-1000:]}")
        return subprocess.CompletedProcess(command, done.returncode, stdout, stderr)

    def output(self, command: str, *, user: str = "root") -> str:
        """What a shell command prints on it, without the newline at its end."""
        return self.run(command, user=user).stdout.rstrip("\n")

    def ssh_command(self, user: str = "root") -> list[str]:
        """The system's ssh to it, with the lab's key and without asking or remembering its host key."""
        options = {
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "5",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", "-i", str(KEY), "-p", str(self.port), *words, f"{user}@{self.ip}"]

    def install_key(self, user: str, public_key: str) -> None:
        """Let that key log in as that user, beside those that do already."""
        home = self.output(f"getent passwd {shlex.quote(user)} | cut -d: -f6")
        script = f'install -d -m 700 -o {user} -g {user} "{home}/.ssh"; f="{home}/.ssh/authorized_keys"\n'
        script += f'cat >> "$f"; chmod 600 "$f"; chown {user}:{user} "$f"'
        self.run(script, f"{public_key.strip()}\n".encode())

    def link(self, *, up: bool) -> None:
        """Plug its network cable in or out."""
        self._line.plug(up=up)

    def block(self, port: int, how: Blocking) -> None:
        """Its firewall for a TCP port: `drop`, `reject` or `off`."""
        self._line.block(port, how)

    def only_from(self, other: Host) -> None:
        """Let its sshd be reached only from another host, as behind a jump host."""
        self._line.only_from(other.ip, self.port)

    def fill_disk(self) -> None:
        """Leave no room for a byte, below all but the engine's own directories, until `free_disk`.

        What is written goes to a full tmpfs that is laid over each directory; `df` of a file in one says so.
        """
        script = f"mkdir -p /run/full; mount -t tmpfs -o size=1m full /run/full; for d in {_FILLED}; do\n"
        script += "mkdir -p /run/full/$d/up /run/full/$d/work\n"
        script += "mount -t overlay -o lowerdir=/$d,upperdir=/run/full/$d/up,workdir=/run/full/$d/work full /$d\n"
        self.run(f"set -e; {script}done; cat /dev/zero > /run/full/fill || :")

    def free_disk(self) -> None:
        """Undo `fill_disk`; what was written since is gone."""
        self.run(f"for d in {_FILLED}; do umount -l /$d; done; umount -l /run/full; rmdir /run/full")

    def readonly_etc(self) -> None:
        """Refuse every change below /etc, until `writable_etc`."""
        self.run("mount --bind /etc /etc && mount -o remount,bind,ro /etc")

    def writable_etc(self) -> None:
        self.run("umount -l /etc")

    def snapshot(self) -> Snapshot:
        """What it is like now, as far as that does not change by itself: equal if nothing was done."""
        self._until_nobody_holds_it()
        found = changed_files(self.directory / "up", [Path(layer) for layer in self.lower.split(":")])
        init = self._init()
        if init is not None:
            found |= files_in_memory(Path(f"/proc/{init}/root"))
            found |= running_units(cgroup.paths(self._cgroup)[0] / "payload")
            found["hostname"] = (self.output("hostname"), "", "")
            found["firewall"] = ("", "", hashlib.sha256(self._line.filter().encode()).hexdigest())
        return found

    def _until_nobody_holds_it(self) -> None:
        """Wait until machinectl's lock is gone, which a process of the host removes when the connection has ended."""
        init = self._init()
        if init is not None:
            holder = f"/proc/{init}/root/run/machinectl.holder"
            with suppress(LabError):  # a cut line is held for long, and then to be seen
                self._until(lambda: not os.path.exists(holder), "is held by machinectl", timeout=10)

    def _init(self) -> int | None:
        """The PID, on this machine, of its systemd."""
        try:
            scope = cgroup.paths(self._cgroup)[0] / "payload/init.scope/cgroup.procs"
            return int(scope.read_text().split()[0])
        except (OSError, IndexError):
            return None

    def _lets_users_in(self) -> bool:
        init = self._init()
        if init is None or os.path.exists(f"/proc/{init}/root/run/nologin"):
            return False
        try:
            with socket.create_connection((self.ip, self.port), 1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _until(self, done: Callable[[], bool], otherwise: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} {otherwise} after {timeout:g} s; its console:\n{self.console[-2000:]}")
            time.sleep(0.02)
