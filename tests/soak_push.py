"""Kill `push` and `pull` at any moment, again and again, on real engines of both image stores, as root.

    python -m tests.soak_push [KILLS [SEED]], or `make soak`

After each kill, no name leads to half an image. The next command completes, and removes what the killed one left.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machinectl import certs
from machinectl.engine import Endpoint
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from tests.support.archives import Made, saved
from tests.support.dockerd import running_with
from tests.support.image_engines import Engine, unique_layer
from tests.support.program import killed_after, killed_at_engine, machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 500
STORES = {"classic": b"{}", "containerd": b'{"features": {"containerd-snapshotter": true}}'}
# A push sends this often at most, and at least; see `die_at_engine`.
MOST_SENDS, LEAST_SENDS = 100, 8
IMAGE, OTHER, BASE = "app:1", "other:1", "base:1"


class Way(NamedTuple):
    """From an engine, or "" for a file, to another."""

    source: str
    target: str
    pulls: bool

    def command(self, image: str, directory: Path) -> list[str]:
        if self.pulls:
            return ["pull", image, self.source]
        source = ["--from", self.source] if self.source else ["--from-file", str(directory / f"{image}.tar")]
        return ["push", *source, image, self.target]


def ways() -> Iterator[Way]:
    for target in ("to-classic", "to-containerd"):
        for source in ("from-classic", "from-containerd"):
            yield Way(source, target, pulls=False)
            yield Way(source, target, pulls=True)
        yield Way("", target, pulls=False)


class Soak:
    def __init__(self, engines: dict[str, Engine], directory: Path, chance: random.Random) -> None:
        self.engines = engines
        self.directory = directory
        self.store = directory / "store"
        self.spool = directory / "spool"
        self.chance = chance
        self.kills = 0
        # Seconds of a whole command, and how often it sends, by way.
        self.took = dict.fromkeys(ways(), 1.0)
        self.sends = dict.fromkeys(ways(), MOST_SENDS)

    def round(self, way: Way) -> None:
        target = self.engines[way.target]
        low = unique_layer(self.chance.choice([10, 2000]))
        target.load(saved({BASE: Made([low], compressed=self.chance.choice([[], [0]]))}))
        for image in (IMAGE, OTHER):
            self.provide(way, image, low)
        os.environ["DOCKER_HOST"] = target.endpoint.url
        before = target.images()
        killed = self.killed(way)
        self.kills += killed.returncode < 0
        if killed.returncode >= 0:
            assert killed.returncode == 0, killed.stderr
        whole(target, IMAGE)
        after = self.chance.choice([IMAGE, OTHER])
        begun = time.monotonic()
        done = machinectl(*way.command(after, self.directory))
        self.took[way] = time.monotonic() - begun
        assert done.returncode == 0, done.stderr
        whole(target, after)
        assert after in target.images()
        assert set(target.images()) <= {*before, IMAGE, after}, target.images()
        assert os.listdir(self.spool) == [], [*os.walk(self.spool)]
        assert not [file for _, _, files in os.walk(self.store / "images") for file in files]
        for engine in self.engines.values():
            for name in engine.images():
                engine.docker("rmi", "-f", name)

    def provide(self, way: Way, image: str, low: bytes) -> None:
        layers = [low, unique_layer(self.chance.choice([1, 3000])), unique_layer(1)]
        archive = saved({image: Made(layers, compressed=self.chance.choice([[], [0], [0, 1, 2]]))})
        if way.source:
            self.engines[way.source].load(archive)
        else:
            (self.directory / f"{image}.tar").write_bytes(archive)

    def killed(self, way: Way) -> subprocess.CompletedProcess[str]:
        command = way.command(IMAGE, self.directory)
        if self.chance.random() < 0.5:
            return killed_after(self.chance.uniform(0, self.took[way]), self.store, *command)
        moment = self.chance.randint(1, self.sends[way])
        done = killed_at_engine(moment, self.store, *command)
        self.sends[way] = max(moment, LEAST_SENDS) if done.returncode == 0 else self.sends[way] + 1
        return done


def whole(engine: Engine, image: str) -> None:
    if image in engine.images():
        # Three layers, the configuration, and at least one manifest.
        assert len(engine.saved_blobs(image)) >= 5


def main(kills: int, seed: int) -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ca = certs.new_ca("the engine's CA")
        engines = {}
        store = Store(str(directory / "store"))
        for side in ("from", "to"):
            for kind, configuration in STORES.items():
                server = certs.issue_server(ca, ["orion.local"])
                dockerd = stack.enter_context(running_with(ca, server, configuration))
                name = f"{side}-{kind}"
                engines[name] = Engine(Endpoint(f"unix://{dockerd.socket}"))
                added(store, Machine(name, "none", url=f"unix://{dockerd.socket}", phase=Phase.READY))
        (directory / "spool").mkdir()
        os.environ |= {"TMPDIR": str(directory / "spool"), "MACHINE_STORAGE_PATH": str(directory / "store")}
        soak = Soak(engines, directory, random.Random(seed))
        print(f"seed {seed}", flush=True)
        while soak.kills < kills:
            for way in ways():
                try:
                    soak.round(way)
                except subprocess.CalledProcessError as exc:
                    raise AssertionError(f"{way}: {exc.stderr.decode()}") from exc
            print(f"{soak.kills} kills", flush=True)


if __name__ == "__main__":
    words = [int(each) for each in sys.argv[1:]]
    main(words[0] if words else KILLS, words[1] if len(words) > 1 else random.SystemRandom().randrange(1 << 32))
