"""Completion in real shells: Tab is typed in a terminal, and what comes to stand there is read from the screen."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from machinectl.cli.parsing.shell_snippets import STARTS
from machinectl.machines.record import Machine
from machinectl.machines.store import Store
from tests.support.archives import Made, saved
from tests.support.at_shell import CONTROL_U, PLAIN, SHELLS, TAB, Person, at_shell, ran
from tests.support.image_engines import unique_layer
from tests.support.program import machinectl
from tests.support.registered import added

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.image_engines import Engine

ROOT = Path(__file__).parents[2]
# What is typed before Tab, and what the line is then: what each shell's script itself does.
COMPLETED = [
    ("prov", "provision"),
    ("restart plain ori", "restart plain orionbox"),
    ("-s other rm sir", "-s other rm sirius"),
    ("--storage-path=other rm sir", "--storage-path=other rm sirius"),
    ("certs import plain oth", "certs import plain other/"),
    ("ls --fil", "ls --filter"),
    ("env --shell fi", "env --shell fish"),
    ("env --shell=fi", "env --shell=fish"),
    ("create --driver=gen", "create --driver=generic"),
    ("certs create --ca-key=a-k", "certs create --ca-key=a-key"),
    ("scp a-k", "scp a-key"),
    ("scp a-key ori", "scp a-key orionbox:"),
    ("scp root@ori", "scp root@orionbox:"),
    ("scp ./c:l", "scp ./c:lock"),
]
# What Tab must not add to.
LEFT = ["env plain or", "frob ori", "use ../", "scp orionbox:a-k", "scp a-key orionbox:oth", "mount oth"]
LABELS = {"orionbox": {"role": "web", "rack": "", "rol;touch ran": "$(touch ran)"}, "sirius": {"place": ""}}
OF_LABELS = [
    ("run --selector=role=w", "run --selector=role=web"),
    ("ps --selector role=web,ra", "ps --selector role=web,rack"),
    ("run plain -- a-k", "run plain -- a-key"),
    ("-s other docker sirius ps a-k", "-s other docker sirius ps a-key"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "a-key").touch()
    (home / "c:lock").touch()
    for root, names in ((".local/share/machinectl", ("orionbox", "plain")), ("other", ("sirius",))):
        for name in names:
            machine = Machine(name, "none", url="unix:///x.sock")
            machine.labels = LABELS.get(name, {})
            added(Store(str(home / root)), machine)
    hostile = home / ".local/share/machinectl/machines"
    for name in ("use-me;touch ran", "$(touch ran)", "-x", ".hidden", "or\nion", "a b"):
        (hostile / name).mkdir()
    return home


@pytest.fixture(params=SHELLS)
def person(request: pytest.FixtureRequest, home: Path) -> Iterator[Person]:
    with at_shell(request.param, home) as person:
        yield person


def tab(person: Person, line: str) -> None:
    """Type a command line of ours and Tab, in place of what stands there."""
    person.type(CONTROL_U)
    person.run("true")
    person.type(f"machinectl {line}{TAB}")


def test_tab_completes_what_is_typed(person: Person) -> None:
    for line, wanted in COMPLETED:
        tab(person, line)
        person.until_line(f"ready> machinectl {wanted}")


def test_tab_adds_nothing_where_nothing_is_known(person: Person, home: Path) -> None:
    for line in LEFT:
        tab(person, line)
        person.type("|")
        person.until_line(f"ready> machinectl {line}|")
    assert not (home / "ran").exists()


def test_labels_are_completed_and_what_is_run_is_about_files(person: Person, home: Path) -> None:
    for line, wanted in OF_LABELS:
        tab(person, line)
        person.until_text(f"ready> machinectl {wanted}")
    assert not (home / "ran").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_images_are_completed(shell: str, home: Path, engines: dict[str, Engine]) -> None:
    engines["classic"].load(saved({"local.lan:5000/probed/app:1.2": Made([unique_layer()])}))
    with at_shell(shell, home, environment={"DOCKER_HOST": engines["classic"].endpoint.url}) as person:
        for line, wanted in (
            ("push local.lan", "push local.lan:5000/probed/app:1.2"),
            ("push local.lan:5000/probed/app:", "push local.lan:5000/probed/app:1.2"),
            ("push x pl", "push x plain"),
        ):
            tab(person, line)
            person.until_line(f"ready> machinectl {wanted}")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_verbs_and_flags_are_shown_with_what_they_are_for(shell: str, home: Path) -> None:
    with at_shell(shell, home) as person:
        tab(person, "re" + TAB)
        person.until_text("Reboot hosts", "Create new certificates", "Rename a machine")
        tab(person, "ls --f" + TAB)
        person.until_text("Filter by driver, state, name", "A Go template")


def test_no_blank_is_put_behind_a_machines_colon(person: Person) -> None:
    for line in ("scp ori", "scp root@ori", "mount ori"):
        tab(person, line)
        person.type("www|")
        person.until_line(f"ready> machinectl {line.removesuffix('ori')}orionbox:www|")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_works_in_a_shell_with_odd_settings(shell: str, home: Path) -> None:
    before = {
        "bash": "set -fuC; shopt -s failglob nocasematch; IFS=/n; alias cd=false ls=false printf=false local=false",
        "zsh": "setopt no_unset no_clobber no_glob; alias cd=false ls=false print=false local=false",
        "fish": "alias cd=false; alias ls=false; set -g IFS n",
    }
    with at_shell(shell, home, after=before[shell]) as person:
        for line, wanted in [
            ("use ori", "use orionbox"),
            ("env --shell=fi", "env --shell=fish"),
            ("scp a-k", "scp a-key"),
            ("scp root@ori", "scp root@orionbox:"),
        ]:
            tab(person, line)
            person.until_line(f"ready> machinectl {wanted}")


def test_where_zsh_starts_its_completion_later_ours_is_there_all_the_same(home: Path) -> None:
    before = "unfunction compdef compinit; autoload -Uz compinit"
    with at_shell("zsh", home, before=before, after="compinit -D -u") as person:
        tab(person, "use ori")
        person.until_line("ready> machinectl use orionbox")


def test_systemds_completion_which_fish_ships_is_replaced(home: Path) -> None:
    (home / "ships/machinectl.fish").parent.mkdir()
    (home / "ships/machinectl.fish").write_text("complete -c machinectl -a 'poweroff list-images'")
    before = f"set -p fish_complete_path {home}/ships"
    offered = ran("fish", home, "complete -C 'machinectl '", before=before).stdout
    assert "provision\t" in offered
    assert "poweroff" not in offered


@pytest.mark.parametrize("shell", SHELLS)
def test_the_file_that_packages_hold_completes_by_itself(shell: str, home: Path) -> None:
    """As the shells find it: by the program's name in a directory of theirs, at the first Tab."""
    found = machinectl("completion", shell)
    place = home / "completions"
    place.mkdir()
    (place / {"bash": "machinectl", "zsh": "_machinectl", "fish": "machinectl.fish"}[shell]).write_text(found.stdout)
    forgotten = {
        "bash": f"complete -r machinectl; unset -f _machinectl; source {place}/machinectl",
        "zsh": f"unfunction _machinectl; fpath=({place} $fpath); compinit -D -u",
        "fish": f"functions -e __machinectl_complete; complete -e -c machinectl; source {place}/machinectl.fish",
    }
    with at_shell(shell, home, after=forgotten[shell]) as person:
        tab(person, "env --shell=fi")
        person.until_line("ready> machinectl env --shell=fish")


def test_the_wheel_carries_the_files_where_shells_look() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    carried = build["targets"]["wheel"]["shared-data"]
    for shell, place in (
        ("bash", "share/bash-completion/completions/machinectl"),
        ("zsh", "share/zsh/site-functions/_machinectl"),
        ("fish", "share/fish/vendor_completions.d/machinectl.fish"),
    ):
        assert carried[f"machinectl/cli/scripts/completion.{shell}"] == place


def test_the_snippet_runs_the_program_that_printed_it(home: Path) -> None:
    """Where another machinectl is first on the PATH, ours is named by its path, whatever that holds."""
    directory = home / "it's $HOME"
    directory.mkdir()
    program = directory / "machinectl"
    program.write_text(f"#!{sys.executable}\nfrom machinectl.cli.main import main\nraise SystemExit(main())\n")
    program.chmod(0o755)
    for shell in SHELLS:
        snippet = subprocess.run([program, "shell-init", shell], capture_output=True, text=True, check=True).stdout
        (home / "snippet").write_text(snippet)
        line = f"source {home}/snippet" if shell == "fish" else f'eval "$(cat {home}/snippet)"'
        found = ran(shell, home, f"{line}\nmachinectl ls -q --filter name=plain\nmachinectl version")
        assert found.stdout.startswith("plain\nmachinectl version")
        assert found.started == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_store_that_is_named_is_the_shells_from_then_on(shell: str, home: Path) -> None:
    (home / "it's $HOME").symlink_to("other")
    snippet = machinectl("-s", home / "it's $HOME", "shell-init", shell).stdout
    (home / "snippet").write_text(snippet)
    line = f"source {home}/snippet" if shell == "fish" else f'eval "$(cat {home}/snippet)"'
    found = ran(shell, home, f"{line}\nmachinectl use sirius\nmachinectl ls -q")
    assert found.docker() == {"DOCKER_HOST": "unix:///x.sock", "DOCKER_MACHINE_NAME": "sirius"}
    assert found.stdout == "sirius\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_an_eval_that_makes_one_line_of_it_says_so(shell: str, home: Path) -> None:
    (home / "snippet").write_text(machinectl("shell-init", shell).stdout)
    line = f"eval (cat {home}/snippet)" if shell == "fish" else f"eval $(cat {home}/snippet)"
    found = subprocess.run([*PLAIN[shell], "-c", line], capture_output=True, text=True, check=False)
    assert found.stderr == f"machinectl: all lines became one; write: {STARTS[shell][1]}\n"
    assert found.stdout == ""


def test_what_powershell_gets_is_there_and_names_the_program() -> None:
    """No PowerShell is at hand: this much of its text is held."""
    for arguments in ((), ("--prompt",)):
        text = machinectl("shell-init", "powershell", *arguments).stdout
        assert "@PROGRAM@" not in text
        assert "& '" in text
        assert ("function global:prompt " in text) == bool(arguments)
        for opening, closing in ("{}", "()", "[]"):
            plain = without_texts(text)
            assert plain.count(opening) == plain.count(closing)


def without_texts(script: str) -> str:
    """A script of PowerShell without comments and without what stands in quotes."""
    return re.sub(r"(?m)^\s*#.*$|'(?:[^']|'')*'|\"(?:[^\"`]|`.)*\"", "", script)


def test_zsh_completes_a_link_of_docker_machines_name(home: Path) -> None:
    (home / "links").mkdir(parents=True)
    (home / "links/docker-machine").symlink_to(home / "bin/machinectl")
    with at_shell("zsh", home, before=f"path=({home}/links $path)") as person:
        person.type(f"docker-machine env ori{TAB}")
        person.until_line("ready> docker-machine env orionbox")
