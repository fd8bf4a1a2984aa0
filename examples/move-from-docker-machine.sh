#!/bin/sh
# From docker-machine to machinectl: its machines at once, their hosts when you say so.
#
#   move-from-docker-machine.sh DIRECTORY [NAME...]
#   move-from-docker-machine.sh ~/.docker/machine          # the machines alone
#   move-from-docker-machine.sh ~/.docker/machine web db   # and these hosts
#
# DIRECTORY is docker-machine's store. Nothing is written there, so that docker-machine goes on working, and this can be
# run again for what it makes later.
set -eu
for word in "${1-}" "$@"; do
    case $word in
        '' | -*)
            echo "usage: move-from-docker-machine.sh DIRECTORY [NAME...]" >&2
            exit 2
            ;;
    esac
done
directory=$1
shift

# What each machine would be here, or why it cannot be. A record that cannot be read ends the script here, before
# anything is done.
machinectl import --from-docker-machine --dry-run "$directory"
machinectl import --from-docker-machine "$directory"

# docker-machine's engines answer already: with the certificates that came along. `machinectl` takes the place of
# `docker-machine` in your scripts from here on.
machinectl ls

# A host that is taken over gets certificates of its machine's own CA: docker-machine's clients, on other computers, too,
# are locked out. That is why only the hosts that you name are. Containers keep running.
for name; do
    machinectl provision --dry-run "$name"
    machinectl provision --yes "$name"
    (
        # Two lines: `eval "$(...)"` goes on when there is no such machine, with the engine of this computer.
        lines=$(machinectl env --shell sh "$name")
        eval "$lines"
        docker ps
    )
done

# It gives a host back to docker-machine, as that had set it up:
#   machinectl rm --purge NAME
