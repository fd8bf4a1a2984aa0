"""Variables of a continuous integration service, for jobs that use an engine: GitHub, GitLab."""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.hosts.access.tool_files.tool_layout import ToolFiles, by_machine, certificate_files, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess

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


def github(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set three secrets, which GitHub masks in logs, and write the step that uses them.

    https://cli.github.com/manual/gh_secret_set
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-environment-variable
    """
    files = by_machine(engines)
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
    files: dict[str, bytes] = {}
    lines = [
        "# In a clone of the project, or with --repo GROUP/NAME; again after each renewal:",
        "# (with --protected, only jobs of protected branches have them)",
    ]
    prefixes = variable_prefixes(engines)
    for engine in engines:
        prefix = prefixes[engine.name]
        files.update({f"{path}.base64": base64.b64encode(data) for path, data in certificate_files(engine).items()})
        files[f"{engine.name}/gitlab-ci.yml"] = GITLAB_JOB.format(
            address=engine.address, name=engine.name, prefix=prefix, url=json.dumps(engine.url)
        ).encode()
        for part, file in PARTS.items():
            source = quoted(directory, engine.name, f"{file}.base64")
            # `set` refuses a variable that is there.
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
                f"Rename one of them: machinectl rename {engine.name} <NEW-NAME>",
            )
    return {machine: prefix for prefix, machine in machines.items()}
