"""The command lines that a newcomer types first: each wrong one names the right one, which works as it stands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from machinectl.cli.catalogue import ALL
from machinectl.cli.parsing.suggestions import COMMANDS, DOCKERS
from machinectl.verbs.shared_flags import DRY_RUN
from tests.support.in_process import machinectl
from tests.support.real import need
from tests.support.registered import register
from tests.test_hints import Hint, complaint

if TYPE_CHECKING:
    from machinectl.machines.store import Store
    from tests.support.dockerd import Dockerd
    from tests.support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("ssh_config")

GENERIC = "-d generic --no-provision"


class Guess(NamedTuple):
    """A wrong command line, the one that its hint names, and how that one ends."""

    typed: str
    meant: str
    code: int = 0


GUESSES = [
    # vagrant, multipass, systemctl
    Guess("up web1", "start web1"),
    Guess("halt web1", "stop web1"),
    Guess("reboot web1", "restart web1"),
    Guess("destroy -f web1", "rm -f web1"),
    Guess("purge web1", "rm --purge web1"),
    Guess("shell web1 uname -s", "ssh web1 uname -s"),
    # kubectl
    Guess("get web1", "ls web1"),
    Guess("describe web1", "inspect web1"),
    # No shell has loaded the function: it says how.
    Guess("use-context web1", "use web1", code=1),
    # docker and docker-machine
    Guess("logs nginx", "docker web1 -- logs nginx", code=1),
    Guess("exec -it nginx sh", "docker web1 -- exec -it nginx sh", code=1),
    Guess("load -i notes.txt", "docker web1 -- load -i notes.txt", code=1),
    Guess("access list", "access ls"),
    Guess("docker ps", "docker web1 -- ps"),
    Guess("run uname -a", "run web1 -- uname -a"),
    Guess("run wbe1 uname -a", "run web1 -- uname -a"),
    Guess("cp notes.txt web1:", "scp notes.txt web1:"),
    Guess("ssh {user}@wbe1", "ssh {user}@web1"),
    Guess(f"create {GENERIC} --ip=127.0.0.1 web2", f"create {GENERIC} --ip-address=127.0.0.1 web2"),
    Guess(f"create {GENERIC} --generic-ip 127.0.0.1 web2", f"create {GENERIC} --ip-address 127.0.0.1 web2"),
    Guess(f"create {GENERIC} --key {{key}} 127.0.0.1 web2", f"create {GENERIC} --ssh-key {{key}} 127.0.0.1 web2"),
    Guess("set --generic-ssh-prt 22 web1", "set --ssh-port 22 web1"),
    Guess("add tcp://127.0.0.1:1 web2", "create tcp://127.0.0.1:1 web2"),
    Guess("terminate web1", "help all"),
    # Mistyped.
    Guess("--storage {store} ls -q", "--storage-path {store} ls -q"),
    Guess("lss -q", "ls -q"),
    Guess("regen web1", "regenerate-certs web1", code=1),
    Guess("url wbe1", "url web1"),
    Guess("scp notes.txt wbe1:x", "scp notes.txt web1:x"),
    Guess("env --shel bash web1", "env --shell bash web1"),
    Guess("ls --storage-path {store} -q", "--storage-path {store} ls -q"),
]


@pytest.fixture
def web1(store: Store, sshd: Sshd, dockerd: Dockerd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    need("docker")
    register(store, "web1", sshd, engine=dockerd)
    (tmp_path / "notes.txt").write_text("a note\n")
    monkeypatch.chdir(tmp_path)
    return store


@pytest.mark.parametrize("guess", GUESSES, ids=lambda guess: guess.typed)
def test_a_wrong_guess_names_the_command_that_works(web1: Store, sshd: Sshd, guess: Guess) -> None:
    def words(line: str) -> list[str]:
        return shlex.split(line.format(user=sshd.user, key=sshd.key_path, store=web1.root))

    wrong = machinectl(*words(guess.typed), store=web1.root, cwd=Path.cwd())
    assert (wrong.returncode != 0, wrong.stdout) == (True, "")
    error, hint = wrong.stderr.splitlines()
    assert not error.startswith(" ")
    command = shlex.split(hint.partition("machinectl ")[2])
    assert command == words(guess.meant)
    answer = "y\n" if command[0] == "rm" else ""
    done = machinectl(*harmless(command), store=web1.root, cwd=Path.cwd(), stdin=answer)
    assert done.returncode == guess.code, done.stderr


def harmless(command: list[str]) -> list[str]:
    """The command as a dry run, if it would change the host, which is this computer."""
    verb = ALL.get(command[0])
    return [*command, "--dry-run"] if verb and DRY_RUN in verb.flags and command[0] != "create" else command


def test_every_synonym_is_of_a_verb_that_there_is() -> None:
    for word, command in COMMANDS.items():
        assert word not in ALL or ALL[word].hidden
        assert complaint(Hint(word, f"{command} web1")) == ""
    assert not set(DOCKERS.split()) & set(ALL)


@pytest.mark.parametrize("verb", ["rm", "stop", "restart", "provision", "url"])
def test_a_machine_with_another_number_is_another_server(web1: Store, verb: str) -> None:
    done = machinectl(verb, "web3", store=web1.root)
    assert done.returncode == 1
    assert "web1" not in done.stderr
    assert "does not exist" in done.stderr
