"""Copies of a project's files on a machine's host, and the list of them here."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from typing import TYPE_CHECKING, NamedTuple

from machinectl.compose.archive import write_archive
from machinectl.compose.host_container import Engine
from machinectl.compose.local_files import LocalFiles
from machinectl.compose.sent_files import (
    Changes,
    Look,
    SentFiles,
    all_entries,
    changed_paths,
    paths_to_look_at,
    plan_changes,
)
from machinectl.console import confirm
from machinectl.errors import Declined, Hint, MachineError, one_line
from machinectl.files.atomic import Translated, make_directories, read_file, remove_if_present, replace_file
from machinectl.hosts.docker_program import engine_environment
from machinectl.machines.store.store_paths import Lock
from machinectl.quantities import first_names, human_size, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.compose.project import Project
    from machinectl.compose.sent_files import FileThere
    from machinectl.console import Console
    from machinectl.machines.store import Store

ON_HOST = "/var/lib/machinectl/compose"
IN_STORE, IDENTITY = "compose", "id"
WORKING_DIRECTORY = "com.docker.compose.project.working_dir"


# Bytes. Before more are sent, a person is asked.
MUCH = 500 * 10**6


class Brought(NamedTuple):
    """`override` is the path of a compose file, "" if nothing is needed. `is_anew`: copies that were there are gone."""

    override: str = ""
    is_anew: bool = False


class Copies:
    """The copies of a project's files on one machine's host, and the list of them in the store."""

    def __init__(self, store: Store, engine: Engine, directory: str, project: str) -> None:
        self.engine = engine
        lists = list_directory(store, engine.name)
        with Translated(lists):
            make_directories(lists)
        origin = "\0".join((identity(lists), directory, project))
        self.key = hashlib.sha256(os.fsencode(origin)).hexdigest()[:24]
        self.path = os.path.join(lists, self.key)
        self.place = f"{ON_HOST}/{self.key}"

    def bring(self, project: Project, console: Console) -> Brought:
        """Bring the host's copies up to date. Raises MachineError."""
        check_project_name(self.engine, project)
        return self.refresh(project, console) if project.sources or project.host_paths else Brought()

    def refresh(self, project: Project, console: Console) -> Brought:
        with Lock(f"{self.path}.lock"):
            known = SentFiles.read(f"{self.path}.json")
            is_anew = self.update(project, known, console)
            if not project.sources:
                return Brought()
            replace_file(f"{self.path}.yaml", project.override(self.place).encode())
        if not known.entries:
            console.note(
                f'Plain docker compose would give the containers of "{project.name}" empty directories',
                Hint("From now on", "machinectl compose", self.engine.name, "up", "-d"),
            )
        return Brought(f"{self.path}.yaml", is_anew and bool(known.entries))

    def preview(self, project: Project, console: Console) -> Brought:
        """Say what would be sent, as far as it can be told from here."""
        local = LocalFiles(project)
        changed = changed_paths(local, SentFiles.read(f"{self.path}.json"))
        sent = [local.entries[path] for path in changed if path in local.entries]
        total = human_size(sum(entry.size for entry in sent))
        console.note(f'Would send {plural(len(sent), "file")} ({total}) to "{self.engine.name}"')
        return Brought(f"{self.path}.yaml" if os.path.exists(f"{self.path}.yaml") else "")

    def update(self, project: Project, known: SentFiles, console: Console) -> bool:
        """Send what changed, and return whether all copies had to be made anew."""
        local = LocalFiles(project)
        sent = SentFiles(project.name, project.directory, known.mark, known.entries, known.pending)
        changed = changed_paths(local, sent)
        here = sorted(filter(os.path.exists, project.host_paths))
        look = self.look(changed, here)
        if absent := sorted({*here}.difference(look.host_paths)):
            console.warn(
                f'"{self.engine.name}" has no {first_names(absent)}, which is here: absolute paths are the host\'s',
                Hint("To copy it there", "machinectl compose --allow", absent[0], self.engine.name, "up", "-d"),
            )
        is_anew = not look.mark or look.mark != known.mark
        if is_anew:
            sent = SentFiles(project.name, project.directory, secrets.token_hex(16))
            changed = changed_paths(local, sent)
            look = self.look(changed)
        there = look.files
        changes = plan_changes(local, sent, changed, there)
        if changes or is_anew:
            ask_if_large(changes, console)
            sent.pending = {*sent.pending, *changes.sent, *changes.removed}
            sent.write(f"{self.path}.json")
            self.send(changes, sent.mark, there, console)
        sent.entries, sent.pending, sent.left_out = all_entries(local, sent), set(), local.left_out
        sent.write(f"{self.path}.json")
        if local.left_out and local.left_out != known.left_out:
            console.note(f"Not copied: {first_names(local.left_out)}")
        if changes.kept:
            console.warn(
                f'"{self.engine.name}" keeps its own {first_names(changes.kept)}: changed both here and there',
                Hint("To replace it, remove it in the container, save it here, and type the same again"),
            )
        return is_anew

    def look(self, changed: Sequence[str], host_paths: Sequence[str] = ()) -> Look:
        data = b"".join(os.fsencode(f".{path}") + b"\0" for path in paths_to_look_at(changed))
        printed = self.engine.run_script("look.sh", host_paths, self.place, lambda stdin: stdin.write(data))
        try:
            return Look.read(printed)
        except ValueError as exc:
            raise MachineError(
                f'The programs of "{self.engine.name}" print what nobody expects: {one_line(printed)}',
                Hint("Look at its host", "machinectl ssh", self.engine.name),
            ) from exc

    def send(self, changes: Changes, mark: str, there: Mapping[str, FileThere], console: Console) -> None:
        end = f"end-{secrets.token_hex(16)}"
        count = f"{plural(len(changes.sent), 'file')} ({human_size(changes.size)})"
        with console.step(f'Sending {count} to "{self.engine.name}"'):
            printed = self.engine.run_script(
                "receive.sh", [end, mark], self.place, lambda stdin: write_archive(stdin, changes, there, end)
            )
        if printed:
            busy = first_names([path.removeprefix(".") for path in printed.splitlines()])
            console.warn(
                f"{busy} was in use and is replaced: containers still see the old one",
                Hint("Restart them", "machinectl compose", self.engine.name, "restart"),
            )

    def remove(self) -> None:
        """Remove the copies, and what the store knows of them. Raises MachineError."""
        with Lock(f"{self.path}.lock"):
            above, _, directory = ON_HOST.rpartition("/")
            self.engine.run_script("remove.sh", [directory, self.key], above, lambda _: None)
            for ending in (".json", ".yaml", ".lock"):
                remove_if_present(self.path + ending)


def list_directory(store: Store, name: str) -> str:
    return os.path.join(store.directory(name), IN_STORE)


def read_lists(store: Store, name: str) -> list[SentFiles]:
    """Return the lists of what was sent to a machine's host."""
    directory = list_directory(store, name)
    try:
        files = sorted(file for file in os.listdir(directory) if file.endswith(".json"))
    except OSError:
        return []
    return [SentFiles.read(os.path.join(directory, file)) for file in files]


def files_on_host(store: Store, name: str) -> list[str]:
    """Return the copies on a machine's host, in words."""
    projects = [sent.project for sent in read_lists(store, name)]
    return [f"the files of {first_names(projects)} on {name}"] if projects else []


def remove_all(store: Store, name: str) -> None:
    """Remove all copies from a machine's host. Raises MachineError."""
    if lists := read_lists(store, name):
        with engine_environment(store, name) as environment:
            for sent in lists:
                Copies(store, Engine(name, environment), sent.directory, sent.project).remove()


def identity(directory: str) -> str:
    """Return a random number: the copies of two computers are apart, although directories have the same names."""
    path = os.path.join(directory, IDENTITY)
    try:
        return read_file(path).decode(errors="replace")
    except FileNotFoundError:
        replace_file(path, secrets.token_hex(16).encode())
    return read_file(path).decode(errors="replace")


def check_project_name(engine: Engine, project: Project) -> None:
    """Raise MachineError if another directory has a project of this name: compose would replace its containers."""
    label = f"{{{{.Label {json.dumps(WORKING_DIRECTORY)}}}}}"
    of_project = f"--filter=label=com.docker.compose.project={project.name}"
    listed = engine.docker("ps", "--all", of_project, f"--format={label}")
    if listed.returncode:
        raise MachineError(
            f'The engine of "{engine.name}" does not answer: {one_line(os.fsdecode(listed.stderr))}',
            Hint("See why", "machinectl doctor", engine.name),
        )
    own = os.path.realpath(project.directory)
    others = {line for line in os.fsdecode(listed.stdout).splitlines() if line and os.path.realpath(line) != own}
    if others:
        raise MachineError(
            f'"{engine.name}" runs a project "{project.name}" from {min(others)}, whose containers this would replace',
            Hint("Give this one another name", "machinectl compose", engine.name, "--", "-p", "<NAME>", "up", "-d"),
        )


def ask_if_large(changes: Changes, console: Console) -> None:
    is_large = changes.size > MUCH and console.interactive
    if is_large and not confirm(console, f"Send {human_size(changes.size)} of files?"):
        raise Declined("Nothing was sent")
