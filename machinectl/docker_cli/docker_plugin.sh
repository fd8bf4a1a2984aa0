#!/bin/sh
# machinectl's plugin for the docker CLI. Written by: machinectl docker-plugin install

# docker asks each plugin what it is for its help and at each completion: Python is not started for that.
if [ "${1-}" = docker-cli-plugin-metadata ]; then
    echo '{"SchemaVersion": "0.1.0", "Vendor": "machinectl", "ShortDescription": "Docker hosts: make them, point docker at one", "URL": "https://github.com/machinectl/machinectl"}'
    exit
fi

# The program that wrote this file; an upgrade keeps its path.
program=@PROGRAM@
if [ -x "$program" ]; then
    exec "$program" @ARGUMENTS@docker-cli-plugin "$@"
fi

# Otherwise any other machinectl of ours; systemd has one, too.
rest=$PATH:${HOME-}/.local/bin:
while [ -n "$rest" ]; do
    found=${rest%%:*}/machinectl
    rest=${rest#*:}
    [ -x "$found" ] || continue
    case $("$found" --version 2>&1) in
        "machinectl version "*) exec "$found" docker-cli-plugin "$@" ;;
    esac
done

echo "Error: machinectl is no longer at $program, nor on the PATH" >&2
echo "  Install it again (pipx install machinectl), then: machinectl docker-plugin install" >&2
exit 1
