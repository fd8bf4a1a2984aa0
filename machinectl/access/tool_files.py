"""The files that a tool needs to use engines over TLS, and the commands that make it use them.

Pure: names, URLs and certificates in, file contents and command lines out. Each tool's function names the documentation
that it follows.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.files.env_file import format_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PARTS = {"CA": "ca.pem", "CERT": "cert.pem", "KEY": "key.pem"}
GITHUB_STEP = """\
# A step of a job, before those that use docker. The runner has to reach {address}.
- name: Use the engine of {name}
  env:
    CA: ${{{{ secrets.{prefix}CA }}}}
    CERT: ${{{{ secrets.{prefix}CERT }}}}
    KEY: ${{{{ secrets.{prefix}KEY }}}}
  run: |
    umask 077
    directory="$RUNNER_TEMP/docker-{name}"
    mkdir -p "$directory"
    printf '%s\\n' "$CA" >"$directory/ca.pem"
    printf '%s\\n' "$CERT" >"$directory/cert.pem"
    printf '%s\\n' "$KEY" >"$directory/key.pem"
    {{
      echo DOCKER_HOST={url}
      echo DOCKER_TLS_VERIFY=1
      echo "DOCKER_CERT_PATH=$directory"
    }} >>"$GITHUB_ENV"
"""
GITLAB_JOB = """\
# Jobs use it by `extends: .docker-{name}`. The runner has to reach {address}.
.docker-{name}:
  variables:
    DOCKER_HOST: {url}
    DOCKER_TLS_VERIFY: "1"
  before_script:
    - umask 077
    - export DOCKER_CERT_PATH="$(mktemp -d)"
    - echo "${prefix}CA" | base64 -d >"$DOCKER_CERT_PATH/ca.pem"
    - echo "${prefix}CERT" | base64 -d >"$DOCKER_CERT_PATH/cert.pem"
    - echo "${prefix}KEY" | base64 -d >"$DOCKER_CERT_PATH/key.pem"
"""


@dataclass(frozen=True)
class EngineAccess:
    """How one tool reaches one engine. The files are PEM."""

    name: str
    url: str
    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """Return HOST:PORT."""
        return self.url.removeprefix("tcp://")

    def variables(self, directory: str) -> dict[str, str]:
        """Return docker's environment variables.

        See https://docs.docker.com/reference/cli/docker/#environment-variables
        """
        return {"DOCKER_HOST": self.url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": directory}


@dataclass(frozen=True)
class ToolFiles:
    """`files` are contents by path below the directory; `lines` are for any shell. Those with # are comments."""

    files: dict[str, bytes] = field(repr=False)
    lines: list[str]


def certificate_files(engines: Sequence[EngineAccess]) -> dict[str, bytes]:
    """Return the files that docker's own programs look for, by path."""
    files: dict[str, bytes] = {}
    for engine in engines:
        contents = (engine.ca, engine.certificate, engine.key)
        files |= {f"{engine.name}/{file}": data for file, data in zip(PARTS.values(), contents, strict=True)}
    return files


def quoted(*parts: str) -> str:
    """Return a path as one word of a shell."""
    return shlex.quote(os.path.join(*parts))


def env(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set docker's variables, which its CLI, SDKs and most other programs read.

    https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    files = certificate_files(engines) | with_variables(engines, directory)
    return ToolFiles(files, [f"{environment(directory, engine)} docker version" for engine in engines])


def testcontainers(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set docker's variables; Java, Go and .NET also read them from ~/.testcontainers.properties, Python does not.

    https://java.testcontainers.org/features/configuration/
    https://testcontainers-python.readthedocs.io/en/latest/features/configuration/
    """
    files = certificate_files(engines) | with_variables(engines, directory)
    lines = []
    for engine in engines:
        settings = {
            name.lower().replace("_", "."): value
            for name, value in engine.variables(os.path.join(directory, engine.name)).items()
        }
        files[f"{engine.name}/testcontainers.properties"] = format_variables("properties", settings).encode()
        properties = quoted(directory, engine.name, "testcontainers.properties")
        lines += [
            f"{environment(directory, engine)} pytest",
            f"# For Java, Go and .NET: cat {properties} >>~/.testcontainers.properties",
        ]
    return ToolFiles(files, lines)


def with_variables(engines: Sequence[EngineAccess], directory: str) -> dict[str, bytes]:
    return {
        f"{engine.name}/docker.env": format_variables(
            "dotenv", engine.variables(os.path.join(directory, engine.name))
        ).encode()
        for engine in engines
    }


def environment(directory: str, engine: EngineAccess) -> str:
    """Return the beginning of a command with docker's variables, for any shell: fish does not read docker.env."""
    variables = engine.variables(os.path.join(directory, engine.name))
    return " ".join(["env", *(f"{name}={shlex.quote(value)}" for name, value in variables.items())])


def github(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set three secrets, which GitHub masks in logs, and write the step that uses them.

    https://cli.github.com/manual/gh_secret_set
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-environment-variable
    """
    files = certificate_files(engines)
    lines = ["# In a clone of the repository, or with --repo OWNER/NAME; again after each renewal:"]
    prefixes = variable_prefixes(engines)
    for engine in engines:
        prefix = prefixes[engine.name]
        files[f"{engine.name}/step.yml"] = GITHUB_STEP.format(
            address=engine.address, name=engine.name, prefix=prefix, url=shlex.quote(engine.url)
        ).encode()
        lines += [
            f"gh secret set {prefix}{part} <{quoted(directory, engine.name, file)}" for part, file in PARTS.items()
        ]
        lines += ["# For .github/workflows/:", f"cat {quoted(directory, engine.name, 'step.yml')}"]
    return ToolFiles(files, lines)


def gitlab(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set three masked variables. GitLab masks values of one line without blanks only: they are Base64.

    https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable
    https://docs.gitlab.com/cli/variable/set/
    """
    files = {f"{path}.base64": base64.b64encode(data) for path, data in certificate_files(engines).items()}
    lines = [
        "# In a clone of the project, or with --repo GROUP/NAME; again after each renewal:",
        "# (with --protected, only jobs of protected branches have them)",
    ]
    prefixes = variable_prefixes(engines)
    for engine in engines:
        prefix = prefixes[engine.name]
        files[f"{engine.name}/gitlab-ci.yml"] = GITLAB_JOB.format(
            address=engine.address, name=engine.name, prefix=prefix, url=json.dumps(engine.url)
        ).encode()
        for part, file in PARTS.items():
            source = quoted(directory, engine.name, f"{file}.base64")
            # `set` refuses an existing variable.
            lines.append(
                f"glab variable set {prefix}{part} --masked <{source} || "
                f"glab variable update {prefix}{part} --masked <{source}"
            )
        lines += ["# For .gitlab-ci.yml:", f"cat {quoted(directory, engine.name, 'gitlab-ci.yml')}"]
    return ToolFiles(files, lines)


def variable_prefixes(engines: Sequence[EngineAccess]) -> dict[str, str]:
    """Return the beginnings of variables' names by machine; names have letters, digits and underscores."""
    machines: dict[str, str] = {}
    for engine in engines:
        prefix = f"DOCKER_{re.sub(r'[^A-Z0-9]', '_', engine.name.upper())}_"
        other = machines.setdefault(prefix, engine.name)
        if other != engine.name:
            raise MachineError(
                f'"{other}" and "{engine.name}" have the same name as variables: {prefix}KEY',
                Hint("Rename one of them", "machinectl rename", engine.name, "<NEW-NAME>"),
            )
    return {machine: prefix for prefix, machine in machines.items()}


# A layout takes the engines and the absolute path of the directory for the files.
LAYOUTS: Mapping[str, Callable[[Sequence[EngineAccess], str], ToolFiles]] = {
    "env": env,
    "github": github,
    "gitlab": gitlab,
    "testcontainers": testcontainers,
}
