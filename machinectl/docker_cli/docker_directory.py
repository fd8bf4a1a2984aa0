"""docker's own directory: $DOCKER_CONFIG, else ~/.docker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.files.user_directories import check_home_known

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "~/.docker"
# Nothing can be there: it has no contexts and no settings.
NOWHERE = os.path.join(os.devnull, ".docker")


def docker_directory(environment: Mapping[str, str]) -> str:
    """Return NOWHERE for a user without a home directory (cli/config/config.go: Dir)."""
    if given := environment.get("DOCKER_CONFIG"):
        return os.path.abspath(given)
    usual = os.path.expanduser(USUAL)
    return NOWHERE if usual == USUAL else os.path.abspath(usual)


def check_docker_directory(directory: str) -> None:
    """Raise MachineError for NOWHERE, before anything is written."""
    if directory == NOWHERE:
        check_home_known(USUAL, Hint("Set HOME, or name docker's directory", "export DOCKER_CONFIG=<DIR>"))
