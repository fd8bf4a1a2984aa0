"""`machinectl use` in real shells: what `env` says, whatever the shell is set to."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl.errors import MachineError
from machinectl.hosts.docker_environment import VARIABLES, docker_variables
from machinectl.hosts.identity import CLIENT_FILES
from machinectl.machines.record import Machine, Phase
from machinectl.machines.store import Store
from machinectl.verbs.env import env_statements, env_variables
from tests.support.at_shell import CONTROL_C, SHELLS, at_shell, ran
from tests.support.program import COMMAND, machinectl
from tests.support.registered import added

TLS = "tcp://192.0.2.29:2376"
PLAIN = "unix:///var/run/docker.sock"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def machines(home: Path) -> Store:
    store = Store(str(home / ".local/share/machinectl"))
    added(store, Machine("orionbox", "generic", url=TLS, tls=True), dict.fromkeys(CLIENT_FILES, b"\n"))
    added(store, Machine("plain", "none", url=PLAIN, tls=False))
    return store


def expected(store: Store, name: str) -> dict[str, str]:
    return {key: value for key, value in docker_variables(store, name).items() if value is not None}


@pytest.mark.parametrize("shell", SHELLS)
def test_use_sets_what_env_says(shell: str, home: Path, machines: Store) -> None:
    for name in ("orionbox", "plain"):
        own = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/somewhere", "DOCKER_HOST": "tcp://192.0.2.1:2376"}
        found = ran(shell, home, f"machinectl use {name}", environment=own)
        assert found.docker() == expected(machines, name)
        assert (found.code, found.stderr, found.stdout, found.started) == (0, "", "", [f"use {name}"])


@pytest.mark.parametrize("shell", SHELLS)
def test_the_store_is_the_one_that_machinectl_would_use(shell: str, home: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "a: store"))
    added(store, Machine("orionbox", "generic", url=TLS, tls=True))
    root = store.root
    for flag in (f"-s '{root}'", f"-s='{root}'", f"-s'{root}'", f"--storage-path '{root}'", f"-storage-path='{root}'"):
        found = ran(shell, home, f"machinectl {flag} use orionbox", environment={"MACHINE_STORAGE_PATH": "/nowhere"})
        assert found.docker() == expected(store, "orionbox")


@pytest.mark.parametrize("shell", SHELLS)
def test_use_goes_back_and_takes_all_away(shell: str, home: Path, machines: Store) -> None:
    own = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
    for script, wanted in (
        ("machinectl use orionbox; machinectl use -", own),
        ("machinectl use orionbox; machinectl use plain; machinectl use -", expected(machines, "orionbox")),
        (
            "machinectl use orionbox; machinectl use plain; machinectl use -; machinectl use -",
            expected(machines, "plain"),
        ),
        ("machinectl use orionbox; machinectl use --unset", {}),
        ("machinectl use -u; machinectl use -", own),
        ("machinectl use orionbox; machinectl use --unset; machinectl use -", expected(machines, "orionbox")),
        (
            "machinectl use orionbox; machinectl use plain; machinectl use plain; machinectl use -",
            expected(machines, "orionbox"),
        ),
    ):
        found = ran(shell, home, script, environment=own)
        assert found.docker() == wanted, script


STATUS = {"bash": "$?", "zsh": "$?", "fish": "$status"}


@pytest.mark.parametrize("shell", SHELLS)
def test_what_cannot_be_used_changes_nothing_and_is_told(shell: str, home: Path, machines: Store) -> None:
    own = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}
    added(machines, half_made())
    for words, code, told in (
        ("ghost", 1, 'Docker machine "ghost" does not exist'),
        ("''", 1, 'Docker machine "" does not exist'),
        ("half", 1, "is incomplete"),
        ("plain orionbox", 2, "Expected one machine name"),
        ("-", 1, "No machine was used before"),
        ("", 1, 'no "default" machine exists'),
        ("--bogus", 2, "No such option: --bogus"),
    ):
        found = ran(shell, home, f"machinectl use {words}\necho {STATUS[shell]}", environment=own)
        assert found.docker() == own
        assert told in found.stderr
        assert found.stdout.strip() == str(code)


def test_nothing_is_run_of_the_directory_that_a_shell_is_in(machines: Store, tmp_path: Path) -> None:
    (tmp_path / "machinectl.py").write_text("raise SystemExit('theirs')\n")
    start = shlex.join([*COMMAND, "-s", machines.root, "shell-init", "bash"])
    script = f'eval "$({start})"; cd {shlex.quote(str(tmp_path))}; machinectl ls -q'
    found = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("orionbox\nplain\n", "")


def half_made() -> Machine:
    machine = Machine("half", "generic", url=TLS, tls=True)
    machine.phase = Phase.PROVISIONING
    return machine


SET_TO = {
    "bash": "set -euCf; set -o pipefail; shopt -s failglob nocasematch expand_aliases; IFS=/n; CDPATH=/",
    "zsh": "setopt err_exit no_unset no_clobber ksh_arrays sh_word_split glob_subst csh_null_glob; IFS=/n",
    "fish": "set -g IFS /n",
}
ALIASES = ("machinectl", "cd", "ls", "command", "local", "eval", "return", "printf")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_works_whatever_the_shell_is_set_to(shell: str, home: Path, machines: Store) -> None:
    names = ALIASES if shell != "fish" else ("machinectl", "cd", "ls", "env", "grep")
    before = "\n".join([SET_TO[shell], *(f"alias {name}='false aliased'" for name in names)])
    script = "machinectl use orionbox\nmachinectl use plain\nmachinectl use -\nmachinectl use --unset\nmachinectl use -"
    found = ran(shell, home, script, before=before)
    assert (found.docker(), found.code) == (expected(machines, "orionbox"), 0)
    found = ran(shell, home, "machinectl ls -q", before=before)
    assert found.stdout == "orionbox\nplain\n"
    if shell != "fish":
        found = ran(shell, home, "machinectl use ghost\necho went on", before=before)
        assert (found.code, found.stdout) == (1, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_tells_of_a_docker_context_in_the_environment(shell: str, home: Path, machines: Store) -> None:
    found = ran(shell, home, "machinectl use orionbox", environment={"DOCKER_CONTEXT": "desktop"})
    assert "DOCKER_CONTEXT=desktop is set, too" in found.stderr
    assert found.docker() == {**expected(machines, "orionbox"), "DOCKER_CONTEXT": "desktop"}


@pytest.mark.parametrize("shell", SHELLS)
def test_without_the_snippet_it_explains_itself(shell: str, machines: Store) -> None:
    found = machinectl("use", "orionbox", store=machines.root, environment={"SHELL": f"/bin/{shell}"})
    assert found.returncode == 1
    assert "and this shell has not loaded it" in found.stderr
    assert "machinectl shell-init " in found.stderr
    assert "machinectl env orionbox" in found.stderr


HOSTS = st.sampled_from(["192.0.2.29", "orion.lan", "[fd00::29]", "a_b-c"])
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
TRAPS = st.sampled_from(
    [
        "$(touch ran)",
        "`touch ran`",
        "';touch ran;'",
        '";touch ran;"',
        "(touch ran)",
        "\\",
        "*",
        " a  b ",
        "\n",
        "é",
        "-n",
        "%s",
    ]
)
PART = st.one_of(ANYTHING, TRAPS)
URLS = st.one_of(
    st.builds("tcp://{}:{}".format, HOSTS, st.integers(1, 65535)),
    st.builds("ssh://ops@{}".format, HOSTS),
    st.builds("unix:///{}".format, PART),
    PART,
)
FOLDERS = PART.filter(lambda part: part not in {".", ".."} and len(part.encode()) < 200).map(
    lambda part: part.replace("/", "_")
)
NAMES = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.-]{0,20}", fullmatch=True)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=8)
@given(url=URLS, folder=FOLDERS, name=NAMES, tls=st.booleans())
def test_use_sets_exactly_what_env_says_and_runs_nothing(
    shell: str, url: str, folder: str, name: str, tls: bool
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory, "home")
        home.mkdir()
        store = Store(str(Path(directory, folder)))
        added(store, Machine(name, "none", url=url, tls=tls))
        try:
            env_statements(env_variables(store, [name], {}), shell, ["machinectl"], {})
            wanted = expected(store, name)
        except MachineError:
            wanted = {}
        found = ran(shell, home, f"machinectl use {name}", environment={"MACHINE_STORAGE_PATH": store.root})
        assert found.docker() == wanted
        assert not list(Path(directory).rglob("ran"))
        assert {key for key in found.variables if key in VARIABLES} == set(wanted)


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("shell", SHELLS)
def test_the_prompt_changes_only_where_it_is_asked_to(shell: str, home: Path) -> None:
    with at_shell(shell, home) as person:
        person.run("machinectl use orionbox")
        assert person.lines[-1] == "ready>"
        assert person.run("machinectl_prompt; machinectl_prompt '<%s>'; echo") == ["(orionbox) <orionbox>"]


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("shell", SHELLS)
def test_the_prompt_shows_the_machine_that_docker_speaks_to(shell: str, home: Path) -> None:
    with at_shell(shell, home, prompt=True) as person:
        person.type("machinectl use orionbox\r")
        person.until_line("(orionbox) ready>")
        person.type("machinectl use plain\r")
        person.until_line("(plain) ready>")
        person.type("machinectl use -\r")
        person.until_line("(orionbox) ready>")
        person.type("export DOCKER_HOST=tcp://192.0.2.1:2375\r")
        person.until_line("ready>")
        person.type("machinectl use --unset\r")
        person.until(lambda: person.lines[-2:] == ["ready> machinectl use --unset", "ready>"])
        person.type(f"machinectl use ghost{CONTROL_C}")
        person.until_line("ready>")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_name_in_the_environment_that_none_has_is_not_in_the_prompt(shell: str, home: Path) -> None:
    hostile = {"DOCKER_MACHINE_NAME": "$(touch ran)`touch ran`%(?.a.b)", "DOCKER_HOST": TLS}
    before = "setopt prompt_subst" if shell == "zsh" else ""
    with at_shell(shell, home, prompt=True, before=before, environment=hostile) as person:
        assert person.lines == ["ready>"]
        assert person.run("machinectl_prompt") == []
    assert not (home / "ran").exists()


STATUS_PROMPTS = {
    "bash": "PS1='$? ready> '",
    "zsh": "PROMPT='%? ready> '",
    "fish": "function fish_prompt; printf '%s ready> ' $status; end",
}


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_prompt_that_shows_the_last_status_goes_on_showing_it(shell: str, home: Path) -> None:
    with at_shell(shell, home, prompt=True, before=STATUS_PROMPTS[shell]) as person:
        person.run("machinectl use orionbox")
        person.type("sh -c 'exit 7'\r")
        person.until_line("(orionbox) 7 ready>")
