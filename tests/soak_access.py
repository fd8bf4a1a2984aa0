"""End holders of access under faults, again and again, on a real host of the lab, as root.

    python -m tests.soak_access [FAULTS [SEED]], or `make soak-access`

`access end` is killed at any moment, or loses its connection. Later faults are not counted. After each
fault, a holder whom the engine refuses is never on record as active, and the next `access end` completes: it alone is
refused, the owner and another holder go on, and a container keeps its process.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.engine import Endpoint, probe
from machinectl.hosts.holder_cas import holder_ca
from machinectl.machines.holders import ACTIVE, ENDING, AccessHolder, find_holder, put_holder
from machinectl.machines.store import Store
from machinectl.provision.client_cas import CLIENTS, ca_digests
from machinectl.state import State
from tests.hosts.test_setup_lab import IMAGE, RUN
from tests.lab.lan import Lab
from tests.lab.place import KEY
from tests.support.program import COMMAND, killed_after, killed_around_commands, machinectl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.host import Host

FAULTS, BATCH = 200, 25
# Moments at which the host or the record changes; see `die_around_commands`.
MOMENTS = 12
STAYING = "staying"
# Seconds until a job that lost its command has ended on the host.
SETTLED = 120
STARTED = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' c1"


class Soak:
    def __init__(self, host: Host, directory: Path, chance: random.Random) -> None:
        self.host, self.directory, self.chance = host, directory, chance
        self.store = Store(str(directory / "store"))
        # Faults that struck, and rounds in which the command had ended before.
        self.faults, self.missed = 0, 0
        # How long an end takes in seconds, and how many moments it has.
        self.took, self.moments = 5.0, MOMENTS
        self.outcomes: dict[str, int] = {}
        words = ["create", "-d", "generic", "--generic-ip-address", host.ip, "--generic-ssh-user", "ops"]
        done = machinectl(*words, "--generic-ssh-key", KEY, host.name, store=self.store.root, seconds=300)
        assert done.returncode == 0, done.stderr
        host.run(f"{IMAGE}; {RUN.format('c1')}")
        self.container = host.output(STARTED)

    def let_in(self, names: list[str]) -> None:
        """Let many in by one restart: on record first, then by a host that has lost its list."""
        own = (Path(self.store.directory(self.host.name)) / "ca.pem").read_bytes()
        digests = {certs.fingerprint(own)}
        with self.store.writing(self.host.name) as held:
            for who in names:
                ca = holder_ca(held, AccessHolder(who))
                put_holder(held.machine, AccessHolder(who, ca=certs.fingerprint(ca.certificate)))
                digests.add(certs.fingerprint(ca.certificate))
                client = certs.issue_client(ca, who)
                directory = self.directory / who
                directory.mkdir(exist_ok=True)
                for name, data in (("ca.pem", own), ("cert.pem", client.certificate), ("key.pem", client.key)):
                    (directory / name).write_bytes(data)
            held.write()
        self.host.run(f"rm -f {CLIENTS}")
        done = machinectl("provision", self.host.name, store=self.store.root, seconds=300)
        assert done.returncode == 0, done.stderr
        assert set(ca_digests(self.host.output(f"cat {CLIENTS}").encode())) == digests

    def answers(self, directory: Path | str) -> bool:
        where = Endpoint(f"tcp://{self.host.ip}:2376", tls=True, cert_dir=str(directory))
        return probe(where, 5).state is State.RUNNING

    @property
    def owner_is_answered(self) -> bool:
        return self.answers(self.store.directory(self.host.name))

    def until_settled(self) -> None:
        """Until no job is at work on the host, and its engine answers."""
        end = time.monotonic() + SETTLED
        at_work = "read -r job </run/machinectl/pid && [ -e /proc/$job ]"
        while not self.owner_is_answered or self.host.run(at_work, check=False).returncode == 0:
            assert time.monotonic() < end, "the engine does not come back"
            time.sleep(0.2)

    @property
    def kinds(self) -> list[Callable[[str], bool]]:
        """Each ends a holder, and returns whether it came in between."""
        return [self.killed_in_time, self.killed_around, self.cut_off]

    def round(self, who: str, fault: Callable[[str], bool]) -> None:
        assert self.answers(self.directory / who), f"{who} never had access, so that its end shows nothing"
        struck = fault(who)
        self.faults += struck
        self.missed += not struck
        self.until_settled()
        holder = find_holder(self.store.read(self.host.name), who)
        is_accepted = self.answers(self.directory / who)
        state = "ended" if holder is None else holder.state
        assert state in {ACTIVE, ENDING, "ended"}
        # Never half ended without the record saying so.
        assert is_accepted or state != ACTIVE, f"{who} is refused, and active on record after {fault.__name__}"
        assert not is_accepted or state != "ended", f"{who} has ended on record, and is accepted"
        assert struck or state == "ended", f"{fault.__name__} came too late, and {who} is {state}"
        result = f"{state or 'active'}, {'accepted' if is_accepted else 'refused'}"
        key = f"{fault.__name__}: {result if struck else 'too late'}"
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        if holder is not None:
            begun = time.monotonic()
            done = machinectl(*self.end_of(who), store=self.store.root, seconds=300)
            # One that has only to finish is shorter.
            self.took = time.monotonic() - begun if is_accepted else self.took
            assert done.returncode == 0, done.stderr
        self.check(who)

    def check(self, who: str) -> None:
        machine = self.store.read(self.host.name)
        assert find_holder(machine, who) is None
        assert not (Path(machine.directory) / "holders" / who).exists()
        assert not self.answers(self.directory / who)
        assert self.owner_is_answered
        assert self.answers(self.directory / STAYING)
        assert self.host.output(STARTED) == self.container
        assert self.host.output("docker info -f '{{.LiveRestoreEnabled}}'") == "false"
        assert self.host.output("grep -c live-restore /etc/docker/daemon.json; true") == "0"
        assert self.host.output("ls /etc/docker/machinectl") == "ca.pem\nclients.pem\nrevision\nserver.pem"

    def end_of(self, who: str) -> list[str]:
        return ["access", "end", "-y", who, self.host.name]

    def killed_in_time(self, who: str) -> bool:
        done = killed_after(self.chance.uniform(0, self.took), self.store.root, *self.end_of(who))
        return done.returncode == -signal.SIGALRM

    def killed_around(self, who: str) -> bool:
        moment = self.chance.randint(1, self.moments)
        done = killed_around_commands(moment, self.store.root, *self.end_of(who))
        if done.returncode == 0:
            self.moments = max(1, moment - 1)
        elif moment == self.moments:
            self.moments += 1
        return done.returncode == -signal.SIGKILL

    def cut_off(self, who: str) -> bool:
        """Lose the network in the middle, and the command a while after that."""
        environment = {**os.environ, "MACHINE_STORAGE_PATH": self.store.root}
        process = subprocess.Popen(
            [*COMMAND, *self.end_of(who)], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(self.chance.uniform(0, self.took))
        self.host.link(up=False)
        try:
            process.wait(self.chance.uniform(0, 3))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.host.link(up=True)
        return process.returncode != 0


def main(faults: int, seed: int) -> None:
    lab = Lab.claim()
    try:
        [host] = lab.up(["docker"], "trixie")
        host.wait_booted()
        with tempfile.TemporaryDirectory() as directory:
            os.environ["HOME"] = directory
            soak = Soak(host, Path(directory), random.Random(seed))
            print(f"seed {seed}", flush=True)
            while soak.faults < faults:
                begun = soak.faults + soak.missed
                names = [f"holder-{begun + number}" for number in range(min(BATCH, faults - soak.faults))]
                soak.let_in([STAYING, *names])
                for who in names:
                    soak.round(who, soak.chance.choice(soak.kinds))
                print(
                    f"{soak.faults} faults, {soak.missed} came too late; {soak.took:.1f} s and {soak.moments} moments "
                    f"for an end: {soak.outcomes}",
                    flush=True,
                )
    finally:
        lab.down()


if __name__ == "__main__":
    words = [int(each) for each in sys.argv[1:]]
    main(words[0] if words else FAULTS, words[1] if len(words) > 1 else random.SystemRandom().randrange(1 << 32))
