"""The verbs `push` and `pull`."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from machinectl.cli.catalogue import Argument, Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.cli.output.style import harmless
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import FILE, IMAGE, MACHINE, TEXT, Flag
from machinectl.quantities import duration, human_size, plural
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from typing import Any

    from machinectl.cli.verb_session import Session
    from machinectl.images.image import Reference
    from machinectl.images.image_sources import Source
    from machinectl.images.transfer import Order, Sent


WHICH_IMAGE = "A name, an ID or a digest."
PLATFORM = Flag(
    "--platform", metavar="PLATFORM", help="The platform, if the image has several: linux/amd64, linux/arm64, …"
)
NEW_NAME = Flag("--as", metavar="NAME:TAG", help="Give the image this name instead.", parameter="new_name")

VERBS = {
    "push": Verb(
        "push",
        more="It comes from the engine that docker points at. Only the layers that a machine lacks are sent.",
        examples=(
            "machinectl push web:1.2 orionbox rigel",
            "machinectl push web:1.2 -l role=web",
            "machinectl push --from orionbox web:1.2 rigel --dry-run",
            "docker save web:1.2 | machinectl push --from-file - web:1.2 orionbox",
        ),
        arguments=(Argument("image", "IMAGE", IMAGE, required=True, help=WHICH_IMAGE), shared.NAMES),
        flags=(
            *shared.CHOICE,
            Flag("--from", metavar="NAME", help="Take the image from this machine.", value=MACHINE, parameter="source"),
            Flag(
                "--from-file",
                metavar="FILE",
                help="Take it from an archive (- for stdin) of docker save, or of an OCI layout.",
                value=FILE,
                parameter="file",
            ),
            PLATFORM,
            NEW_NAME,
            shared.PARALLEL.with_changes(help="How many machines to work on at once."),
            Flag("--dry-run", help="Print how much push would send; send nothing."),
            shared.JSON_LINES,
        ),
        keeps_selector=True,
        writes_store=False,
    ),
    "pull": Verb(
        "pull",
        more="It goes to the engine that docker points at. Only the layers that it lacks are fetched.",
        examples=("machinectl pull web:1.2 orionbox",),
        arguments=(Argument("image", "IMAGE", TEXT, required=True, help=WHICH_IMAGE), shared.NAME),
        flags=(PLATFORM, NEW_NAME, shared.JSON),
    ),
}


def push(
    here: Session,
    *,
    image: str,
    names: list[str],
    selector: str | None,
    everything: bool,
    source: str,
    file: str,
    platform: str,
    new_name: str,
    parallel: int,
    dry_run: bool,
    as_json: bool,
) -> int:
    from contextlib import closing

    from machinectl.cli.run_verb import target_names
    from machinectl.images.image import parse_platform
    from machinectl.images.read_archive import Wanted
    from machinectl.images.transfer import Order, SourceError

    if source and file:
        raise UsageError("--from and --from-file exclude each other", Hint("Leave one of them out"))
    targets = target_names(here, names, selector, everything=everything)
    order = Order(
        source_of(here, source, file),
        Wanted(image, platform and parse_platform(platform)),
        new_reference(image, new_name),
        renamed=bool(new_name),
        parallel=parallel,
        dry_run=dry_run,
    )
    failures: list[MachineError] = []
    done: list[Sent] = []
    begun = time.monotonic()
    with (
        telling_interruption(here, image, done, targets),
        closing(results_of(here, order, targets)) as results,
    ):
        for name, result in results:
            seconds = time.monotonic() - begun
            if as_json:
                print_json(as_fields(name, result, seconds), indent=None)
            if not isinstance(result, MachineError):
                done.append(result)
                if not as_json:
                    write_out(f"{name}: {sentence(result, seconds, new_name or image, dry_run=dry_run)}\n")
                continue
            # All machines that wait for a broken source have the same error.
            if not as_json and result not in failures:
                alone = len(targets) == 1 or isinstance(result, SourceError)
                report(result if alone else result.named(name), here.program)
            failures.append(result)
    return int(bool(failures))


def results_of(
    here: Session, order: Order, names: Sequence[str]
) -> Generator[tuple[str, Sent | MachineError], None, None]:
    from functools import partial

    from machinectl.hosts.query_engines import ready_endpoint
    from machinectl.images.transfer import transfer

    known = [name for name in names if here.store.exists(name)]
    from machinectl.machines.store.missing_machine import no_such_machine

    yield from ((name, no_such_machine(here.store, name)) for name in names if name not in known)
    if known:
        yield from transfer(here.console, order, {name: partial(ready_endpoint, here.store, name) for name in known})


def pull(here: Session, *, image: str, name: str, platform: str, new_name: str, as_json: bool) -> int:
    from machinectl.engine.docker_context import current_engine
    from machinectl.images.image import parse_platform
    from machinectl.images.read_archive import Wanted
    from machinectl.images.transfer import Order, transfer

    order = Order(
        source_of(here, name, ""),
        Wanted(image, platform and parse_platform(platform)),
        new_reference(image, new_name),
        renamed=bool(new_name),
        step="Fetching",
    )
    begun = time.monotonic()
    with telling_interruption(here, image, [], ["here"]):
        [(_, result)] = transfer(here.console, order, {"": lambda: current_engine(os.environ)})
    if isinstance(result, MachineError):
        raise result
    seconds = time.monotonic() - begun
    if as_json:
        print_json(as_fields(name, result, seconds))
    else:
        write_out(f"{name}: {sentence(result, seconds, new_name or image, fetched=True)}\n")
    return 0


@contextmanager
def telling_interruption(here: Session, image: str, done: Sequence[Sent], targets: Sequence[str]) -> Iterator[None]:
    """At ^C, SIGTERM or SIGHUP, print how far the work got and how to go on."""
    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.typed_words import typed_line
    from machinectl.images.image_sources import STDIN

    try:
        with exiting_on_signals():
            yield
    except (KeyboardInterrupt, SystemExit):
        have = f"{len(done)} of {plural(len(targets), 'machine')} {'has' if len(done) == 1 else 'have'} {image}"
        again = "Run the same command again" if STDIN in THIS.typed else "Go on"
        left = "docker image prune removes an unnamed image that is left there"
        hint = Hint(again, "" if STDIN in THIS.typed else f"machinectl {typed_line(THIS.typed)}")
        here.console.note(f"Interrupted: {have if len(targets) > 1 else f'{image} has not arrived'} ({left})", hint)
        raise


def source_of(here: Session, machine: str, file: str) -> Source:
    from machinectl.engine.docker_context import current_engine
    from machinectl.hosts.query_engines import ready_endpoint
    from machinectl.images.image_sources import EngineSource, FileSource

    if file:
        return FileSource(file)
    if machine:
        return EngineSource(ready_endpoint(here.store, machine), f"machinectl images {machine}")
    return EngineSource(current_engine(os.environ), others="--from <NAME>, --from-file <FILE>")


def new_reference(image: str, new_name: str) -> Reference | None:
    """Return the name to give, None for a digest's image. Raises UsageError."""
    from machinectl.images.image import parse_reference

    found = parse_reference(new_name or image) if new_name or not image.startswith("sha256:") else None
    if new_name and found and not found.tag:
        raise UsageError(f"--as {harmless(new_name)!r} has a digest", Hint("Give a name and a tag: --as web:1.2"))
    return found if found and found.tag else None


def sentence(sent: Sent, seconds: float, name: str, *, dry_run: bool = False, fetched: bool = False) -> str:
    from machinectl.cli.tables.docker_lists import short_id

    # A whole archive has headers and manifests besides the image.
    amount = f"{human_size(min(sent.sent, sent.size))} of {human_size(sent.size)}"
    layers = f"{sent.layers} of {plural(sent.of_layers, 'layer')}"
    if sent.present:
        text = "the image is here already" if fetched else "already has the image"
        if sent.named and not dry_run:
            text += f", now also as {name}"
    elif dry_run:
        text = f"would send {amount} ({layers})"
    else:
        text = f"{'fetched' if fetched else 'sent'} {amount} ({layers}) in {duration(seconds)}"
    if sent.replaced:
        text += f"; the name {'would move' if dry_run else 'moved'} from image {short_id(sent.replaced)}"
    return text


def as_fields(name: str, result: Sent | MachineError, seconds: float) -> dict[str, Any]:
    """Return a machine's result; sizes in bytes."""
    from machinectl.images.transfer import Sent

    sent = Sent(0, 0, 0, 0) if isinstance(result, MachineError) else result
    return {
        "Name": name,
        "Sent": sent.sent,
        "Size": sent.size,
        "Layers": sent.layers,
        "OfLayers": sent.of_layers,
        "Present": sent.present,
        "Replaced": sent.replaced,
        "Named": sent.named,
        "Seconds": round(seconds, 3),
        "Error": result.cause if isinstance(result, MachineError) else "",
    }
