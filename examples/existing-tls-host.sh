#!/bin/sh
# A host whose engine speaks TLS already, set up by hand or by a script like gen-docker-certs.sh: register it, and point
# docker at it. Only its engine's port is asked; nothing there is changed, and no SSH is needed.
#
#   existing-tls-host.sh URL DIRECTORY NAME
#   existing-tls-host.sh tcp://192.168.0.29:2376 ~/.docker orionbox
#
# DIRECTORY has the client's three files, ca.pem, cert.pem and key.pem. Where there are none yet, no script is needed:
# `machinectl certs create --out DIRECTORY --san NAME --san ADDRESS` makes them, and the host's.
set -eu
for word in "${1-}" "${2-}" "${3-}"; do
    case $word in
        '' | -*)
            echo "usage: existing-tls-host.sh URL DIRECTORY NAME" >&2
            exit 2
            ;;
    esac
done
url=$1 directory=$2 name=$3

# The files are looked at first (do they belong together, are they a client's, are they in time), then copied to where
# docker will look for them.
machinectl create --driver none --url "$url" --tls-dir "$directory" "$name"

# Does the engine answer, and take this client? Its version is printed, or why not and what to do: the script ends then.
machinectl version "$name"

# Such scripts make certificates for a year. In a cron job this line fails, and mails, a month before the end.
machinectl certs ls --fail-under 30 "$name"

# The engine's own words, where people took netcat on its socket, or curl with three files.
machinectl api "$name" /info

# From here on docker is on that host. In a script that takes two lines, as `eval "$(...)"` goes on when there is no such
# machine, with the engine of this computer; and --shell, as the shell that it was started from may be a fish.
lines=$(machinectl env --shell sh "$name")
eval "$lines"
docker ps
