#!/bin/sh
# Register a host whose engine already speaks TLS, set up by hand or by a script like gen-docker-certs.sh, and point
# docker at it. This needs the engine's port only: no SSH, and nothing on the host changes.
#
#   existing-tls-host.sh URL DIRECTORY NAME
#   existing-tls-host.sh tcp://192.168.0.29:2376 ~/.docker orionbox
#
# DIRECTORY has the client's three files: ca.pem, cert.pem and key.pem. If you have none yet, `machinectl certs create
# --out DIRECTORY --san NAME --san ADDRESS` makes them, and the host's.
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

# machinectl checks the files (do they match, are they for a client, are they valid today), then copies them to where docker
# looks for them.
machinectl create "$url" --tls-dir "$directory" "$name"

# Print the engine's version. If it does not answer or refuses this client, the script ends here with the reason.
machinectl version "$name"

# Certificates from such scripts last a year. In a cron job this line fails, and sends mail, a month before they expire.
machinectl certs ls --fail-under 30 "$name"

# A raw request to the engine, instead of netcat on its socket or curl with three files.
machinectl api "$name" /info

# Point docker at the host. A script needs two lines: `eval "$(...)"` continues with this computer's engine if there is no
# such machine. It needs --shell, too: you may have started it from fish.
lines=$(machinectl env --shell sh "$name")
eval "$lines"
docker ps
