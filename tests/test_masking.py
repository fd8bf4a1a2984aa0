"""What is shown of passwords and of what is named like a secret, wherever it stands."""

from __future__ import annotations

import pytest

from machinectl.masking import without_secret, without_secret_of, without_secrets_in_lines


@pytest.mark.parametrize(
    "text",
    [
        "HTTPS_PROXY=http://jo@corp.example:hunter2@proxy:3128",
        "https://u:it's@hunter2@mirror",
        "https_proxy=jo@corp.example:hunter2@proxy:3128",
        "SMTP_PASS=hunter2",
        "DB_PWD=hunter2",
        "log-opt=splunk-token=hunter2",
        '{"log-opts": {"splunk-token": "hunter2"}, "registry-mirrors": ["https://u@d.e:hunter2@m"]}',
    ],
)
def test_no_secret_is_shown(text: str) -> None:
    assert "hunter2" not in without_secret(text)


@pytest.mark.parametrize(
    "line",
    [
        "|Environment=HTTPS_PROXY=http://jo@corp.example:hunter2@proxy:1",
        "|Environment=REG_PASSWORD=hunter2",
        """|Environment="REG_PASSWORD=a b hunter2" "C=d\"""",
    ],
)
def test_no_secret_of_a_units_lines_is_shown(line: str) -> None:
    shown = without_secrets_in_lines(f"@unit\n{line}\n|ExecStart=/usr/bin/dockerd")
    assert "hunter2" not in shown
    assert "|ExecStart=/usr/bin/dockerd" in shown


def test_what_is_put_into_daemon_json_is_shown_without_its_secrets() -> None:
    assert without_secret_of("log-opts", {"splunk-token": "hunter2", "tag": "x"}) == {"splunk-token": "***", "tag": "x"}
