"""Log in with a password or prompts (RFC 4256)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl.errors import one_line
from machinectl.ssh.client.connection_failures import LONGEST_SAID
from machinectl.ssh.client.denials import NEW_PASSWORD, PASSWORD_METHODS
from machinectl.ssh.keys.credentials import TRIES, ask_secret

if TYPE_CHECKING:
    from machinectl.ssh.client.login_attempt import LoginAttempt

# sshd's LoginGraceTime in seconds: the user may have to fetch a code.
PERSON_TIMEOUT = 120.0
# Prompts for a code instead of a password: pam_google_authenticator, pam_oath, Duo and others.
CODE = re.compile(r"\b(code|token|otp|totp|one[- ]time|passcode|duo)\b", re.IGNORECASE)


class PasswordLogin:
    def __init__(self, attempt: LoginAttempt) -> None:
        self._attempt = attempt
        self._settings = attempt.settings
        self._credentials = attempt.credentials
        self._console = attempt.console
        # The server's prompts, and whether the password has expired.
        self.prompts: list[str] = []
        self.is_expired = False

    def run(self) -> None:
        methods = self._attempt.methods
        if not any(method in methods for method in PASSWORD_METHODS):
            return
        if self._attempt.accepted_key and "password" not in methods:
            # The prompt may be for a code, so show the server's text.
            for _ in range(TRIES if self._console.interactive else 1):
                if self._answer_prompts(self._credentials.password):
                    return
        elif self._credentials.password is not None:
            self._attempt.tried.append("the password given")
            self._try_password(self._credentials.password)
        else:
            self._ask_passwords()

    def _ask_passwords(self) -> None:
        for _ in range(TRIES):
            password = ask_secret(self._console, f"Password of {self._settings.login}")
            if password is None:
                return
            self._attempt.tried.append("the password typed")
            if self._try_password(password):
                self._credentials.password = password
                return
            self._console.warn(f"{self._settings.address} does not take that password")

    def _try_password(self, password: str) -> bool:
        if "password" not in self._attempt.methods:
            return self._answer_prompts(password)
        granted = self._attempt.request(lambda request: request.auth_password(self._settings.user, password))
        return granted and (self._attempt.is_granted or self._answer_prompts(None))

    def _answer_prompts(self, password: str | None) -> bool:
        """Use the password for the first hidden prompt; ask the user the others."""
        if "keyboard-interactive" not in self._attempt.methods:
            return False
        passwords = iter([password])

        def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
            text = " ".join([title, instructions, *(prompt for prompt, _ in prompts)])
            self.is_expired = self.is_expired or NEW_PASSWORD.search(text) is not None
            self.prompts += [prompt_line(prompt) for prompt, _ in prompts]
            return [
                (None if shown or CODE.search(prompt) else next(passwords, None)) or self._ask(prompt) or ""
                for prompt, shown in prompts
            ]

        if self._console.interactive:
            self._attempt.allow_seconds(PERSON_TIMEOUT)
        self._attempt.request(lambda request: request.auth_interactive(self._settings.user, answer))
        return self._attempt.is_granted

    def _ask(self, prompt: str) -> str | None:
        # As OpenSSH does, name the host: its prompt may pretend to be ours.
        return ask_secret(self._console, f"({self._settings.login}) {prompt_line(prompt)}")


def prompt_line(prompt: str) -> str:
    return one_line(prompt.strip().rstrip(":"), LONGEST_SAID)
