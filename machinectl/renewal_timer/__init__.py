"""The timer that runs `renew --due` daily: systemd's for a user, or launchd's on macOS."""
