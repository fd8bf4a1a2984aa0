"""A stand-in for docker CLI 29.3 where the one that is here is older: it calls the hooks of a command that failed.

It does what 29.3's source does (docker/cli cmd/docker/docker.go, cli-plugins/manager/hooks.go and plugin.go,
cli-plugins/hooks/template.go): of config.json's plugins those are called whose `error-hooks` begin the command; each
gets its request as one argument, its exit code and its stderr count for nothing, and its template is executed. The
command itself is run by the real docker, whose message is what the hook gets.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.docker_plugged import PluggedDocker


def next_steps(docker: PluggedDocker, *command: str, **environment: str) -> list[str]:
    """The lines that docker 29.3 prints under `What's next:` after a command that fails."""
    done = docker(*command, **environment)
    assert done.returncode, f"{command} does not fail"
    words = [word for word in command if not word.startswith("-")]
    return hooked(docker.directory, words, done.stderr.rstrip("\n"), {**docker.environment, **environment})


def hooked(directory: Path, words: list[str], failure: object, environment: Mapping[str, str]) -> list[str]:
    """The same for a command that failed with that message; for a plugin's command it is `exit status N`."""
    steps: list[str] = []
    for name, settings in json.loads((directory / "config.json").read_text())["plugins"].items():
        hooks = (hook.split(" ") for hook in settings.get("error-hooks", "").split(","))
        match = next((hook for hook in hooks if words[: len(hook)] == hook), None)
        if match is None:
            continue
        request = json.dumps({"RootCmd": " ".join(match), "Flags": {}, "CommandError": failure})
        answer = subprocess.run(
            [directory / "cli-plugins" / f"docker-{name}", name, "docker-cli-plugin-hooks", request],
            env={**os.environ, **environment, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": "docker"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        # Its stderr is nobody's: what is said there would be a bug that nobody sees.
        assert (answer.returncode, answer.stderr) == (0, b"")
        if answer.stdout:
            response = json.loads(answer.stdout)
            assert response["Type"] == 0
            steps += executed(response["Template"]).split("\n")
    return steps


def executed(template: str) -> str:
    """What Go's text/template makes of a template that has no actions but one: two braces as they are."""
    text = template.replace('{{"{{"}}', "\0")
    assert "{{" not in text
    return text.replace("\0", "{{")
