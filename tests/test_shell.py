"""Each shell's lines, byte for byte; which shell is asking; and PowerShell and cmd by stand-ins of their rules."""

from __future__ import annotations

import os
import shutil
import string
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinectl import shell
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

TYPED = ["machinectl", "env", "orionbox"]
CONFIGURE = "Run this command to configure your shell: \n"
EVAL_BUFFER = '(with-temp-buffer (shell-command "machinectl env orionbox" (current-buffer)) (eval-buffer))'
POSIX = (
    'export K="VALUE"\n',
    "unset K\n",
    f"# {CONFIGURE}# eval $(machinectl env orionbox)\n",
)
TABLE = {
    "bash": POSIX,
    "zsh": POSIX,
    "sh": POSIX,
    "nushell": POSIX,
    "fish": (
        'set -gx K "VALUE";\n',
        "set -e K;\n",
        f"# {CONFIGURE}# eval (machinectl env orionbox)\n",
    ),
    "powershell": (
        '$Env:K = "VALUE"\n',
        "Remove-Item Env:\\\\K\n",
        f"# {CONFIGURE}# & machinectl env orionbox | Invoke-Expression\n",
    ),
    "cmd": (
        "SET K=VALUE\n",
        "SET K=\n",
        f"REM {CONFIGURE}REM \t@FOR /f \"tokens=*\" %i IN ('machinectl env orionbox') DO @%i\n",
    ),
    "tcsh": (
        'setenv K "VALUE";\n',
        "unsetenv K;\n",
        f": {CONFIGURE}: eval `machinectl env orionbox`\n",
    ),
    "emacs": (
        '(setenv "K" "VALUE")\n',
        '(setenv "K" nil)\n',
        f";; {CONFIGURE};; {EVAL_BUFFER}\n",
    ),
}
ORDINARY = [
    "1",
    "tcp://192.168.0.29:2376",
    "unix:///var/run/docker.sock",
    "ssh://ops@orion.example.com:2222",
    "/home/me/.local/share/machinectl/machines/orionbox",
    "/Users/me/My Machines/orionbox",
    "localhost,127.0.0.1,192.168.0.29",
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40) | st.text(
    string.punctuation + " ab\n\t“”„é", max_size=20
)


def printed(name: str, variables: dict[str, str | None]) -> str:
    """What is printed for the variables, without the hint."""
    return "".join(shell.env_script(name, variables, TYPED, "").splitlines(keepends=True)[:-2])


def hint(name: str, *typed: str, path: str = "") -> str:
    return "".join(line + "\n" for line in shell.hint(name, typed, path))


@pytest.mark.parametrize("name", TABLE)
def test_the_lines_are_docker_machines(name: str) -> None:
    set_line, unset_line, hint_lines = TABLE[name]
    assert shell.env_script(name, {"K": "VALUE"}, TYPED, "") == set_line + hint_lines
    assert shell.env_script(name, {"K": None}, TYPED, "") == unset_line + hint_lines


@pytest.mark.parametrize("value", ORDINARY)
@pytest.mark.parametrize("name", TABLE)
def test_an_ordinary_value_stands_as_it_is(name: str, value: str) -> None:
    assert printed(name, {"K": value}) == TABLE[name][0].replace("VALUE", value)


def test_only_where_sh_mixes_statements_they_end_with_a_semicolon() -> None:
    assert printed("sh", {"A": "1", "B": "2"}) == 'export A="1"\nexport B="2"\n'
    assert printed("sh", {"A": None, "B": None}) == "unset A\nunset B\n"
    assert printed("sh", {"A": None, "B": "2"}) == 'unset A;\nexport B="2";\n'
    assert printed("fish", {"A": None, "B": "2"}) == 'set -e A;\nset -gx B "2";\n'
    assert printed("cmd", {"A": None, "B": "2"}) == "SET A=\nSET B=2\n"


@pytest.mark.parametrize("name", ["bash", "fish", "tcsh", "emacs"])
@given(value=TEXT)
def test_a_statement_is_one_line_of_ascii(name: str, value: str) -> None:
    text = printed(name, {"K": value})
    assert text.isascii()
    assert all(character.isprintable() for character in text[:-1])


# PowerShell and cmd run on Windows; PowerShell is in none of Debian's packages, and Wine's cmd.exe is not Windows'. So
# these two follow the documented rules instead, written down apart from the code under test. They are no proof that the
# rules are the shells' own.


def test_powershell_escapes_what_it_would_take_for_its_own() -> None:
    assert printed("powershell", {"K": 'a`b$c"d'}) == '$Env:K = "a``b`$c`"d"\n'


@pytest.mark.parametrize("character", ["\u201c", "\n", "\u00e9", "\udcff"])
def test_powershell_refuses_what_is_not_printable_ascii(character: str) -> None:
    with pytest.raises(MachineError, match=r"^powershell cannot hold DOCKER_CERT_PATH: it has the character "):
        printed("powershell", {"DOCKER_CERT_PATH": f"/tmp/{character}"})


def set_by_cmd(statement: str) -> tuple[str, str]:
    """`SET /?`: what stands between the first quote and the last one, or else all there is."""
    assert statement.startswith("SET ")
    assignment = statement.removeprefix("SET ")
    if assignment.startswith('"'):
        assignment = assignment[1 : assignment.rindex('"')]
    name, _, value = assignment.partition("=")
    return name, value


def read_from_batch_file(line: str) -> tuple[str, str]:
    """What cmd's parser does to a line before SET sees it: %, then operators outside quotes, then !."""
    assert not set("%!\r\n") & set(line)
    outside = "".join(line.split('"')[::2])
    assert not set("&|<>^()") & set(outside)
    return set_by_cmd(line)


def read_by_for(output: str) -> tuple[str, str]:
    """`FOR /?`: tokens=* takes a line without blanks in front, and its value is not parsed again but for !."""
    (line,) = output.splitlines()
    assert not line.startswith(";")
    assert "!" not in line
    return set_by_cmd(line.lstrip(" \t"))


@given(
    value=st.text(string.ascii_letters + string.digits + "#$&'()*+,-./:;<=>?@[\\]^_`{|}~ \t", min_size=1, max_size=30)
)
def test_cmd_reads_every_value_back_that_it_can_hold(value: str) -> None:
    text = printed("cmd", {"K": value})
    assert read_by_for(text) == ("K", value)
    assert read_from_batch_file(text.removesuffix("\n")) == ("K", value)


@pytest.mark.parametrize("character", ['"', "%", "!", "\n", "\r", "\x1a", "\x1b", "é", "“"])
def test_cmd_refuses_what_it_cannot_hold_and_names_another_way(character: str) -> None:
    with pytest.raises(MachineError) as caught:
        printed("cmd", {"DOCKER_CERT_PATH": f"C:\\a{character}b"})
    assert caught.value.cause == f"cmd cannot hold DOCKER_CERT_PATH: it has the character {character!r}"
    assert caught.value.hint == "Print it for another shell: --shell bash"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bash", """eval $(machinectl -s "/tmp/my dir" -x "$(printf %b 'a\\0042\\0044b\\0012c')")"""),
        ("fish", """eval (machinectl -s "/tmp/my dir" -x a\\X22\\X24b\\X0ac)"""),
        ("tcsh", """eval `machinectl -s "/tmp/my dir" -x $'a\\042\\044b\\012c'`"""),
        (
            "emacs",
            (
                r"""(with-temp-buffer (shell-command "machinectl -s \042/tmp/my dir\042 -x """
                r"""\042$(printf %b 'a\1340042\1340044b\1340012c')\042" (current-buffer)) (eval-buffer))"""
            ),
        ),
    ],
)
def test_the_hint_quotes_arguments_for_its_shell(name: str, expected: str) -> None:
    typed = ["machinectl", "-s", "/tmp/my dir", "-x", 'a"$b\nc']
    assert hint(name, *typed).splitlines()[1] == f"{shell.SHELLS[name].comment} {expected}"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "machinectl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_an_installed_program_is_called_by_its_bare_name(installed: Path, tmp_path: Path) -> None:
    assert shell.program(str(installed), f"/nowhere:{installed.parent}") == ["machinectl"]
    (tmp_path / "link").symlink_to(installed.parent)
    assert shell.program(str(installed), f"{tmp_path}/link") == ["machinectl"]


def test_a_program_is_called_by_its_path_where_the_bare_name_is_another_or_none(
    installed: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(installed, other)
    assert shell.program(str(installed), f"{other}:{installed.parent}") == [str(installed)]
    assert shell.program(str(installed), "/nowhere") == [str(installed)]
    assert shell.program("./gone/machinectl", str(installed.parent)) == ["./gone/machinectl"]


def test_a_module_is_run_by_the_python_that_runs_it() -> None:
    directory, name = os.path.split(sys.executable)
    main = "/x/machinectl/__main__.py"
    assert shell.program(main, directory) == [name, "-P", "-m", "machinectl"]
    assert shell.program(main, "/nowhere") == [sys.executable, "-P", "-m", "machinectl"]


def test_the_python_of_an_environment_is_not_taken_for_the_one_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, target in (("usr", sys.executable), ("venv", tmp_path / "usr" / "python3")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python3").symlink_to(target)
    own = str(tmp_path / "venv" / "python3")
    monkeypatch.setattr(sys, "executable", own)
    main = "/x/machinectl/__main__.py"
    assert shell.program(main, f"{tmp_path}/usr:{tmp_path}/venv") == [own, "-P", "-m", "machinectl"]
    monkeypatch.chdir(tmp_path / "usr")
    assert shell.program(main, f":{tmp_path}/venv") == [own, "-P", "-m", "machinectl"]
    assert shell.program(main, f"{tmp_path}/venv:{tmp_path}/usr") == ["python3", "-P", "-m", "machinectl"]


NO_PROCESS = 2**31 - 1


@pytest.mark.parametrize(
    "environment", [{}, {"SHELL": ""}, {"SHELL": "/bin/false"}, {"SHELL": "\udcff\n"}, {"SHELL": "/"}]
)
def test_no_shell_at_all_is_no_error(environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert shell.detect(environment, NO_PROCESS) == "sh"
    assert capfd.readouterr() == ("", "")


def test_ps_tells_where_there_is_no_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ps = tmp_path / "ps"
    ps.write_text('#!/bin/sh\ntest "$*" = "-o comm= -p 7" && echo -zsh\n')
    ps.chmod(0o755)
    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert shell.detect({"SHELL": "/bin/fish"}, 7) == "zsh"
