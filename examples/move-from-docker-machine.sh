#!/bin/sh
# Move from docker-machine to machinectl: all machines at once, and the hosts that you name.
#
#   move-from-docker-machine.sh DIRECTORY [NAME...]
#   move-from-docker-machine.sh ~/.docker/machine          # the machines only
#   move-from-docker-machine.sh ~/.docker/machine web db   # and these hosts
#
# DIRECTORY is docker-machine's store. machinectl does not write to it, so docker-machine keeps working, and you can run
# this again for machines that it creates later.
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

# Show what each machine becomes, or why machinectl cannot take it over. An unreadable record ends the script here, before
# anything changes.
machinectl import --from-docker-machine --dry-run "$directory"
machinectl import --from-docker-machine "$directory"

# The engines answer with the imported certificates. From here on, your scripts can call `machinectl` instead of
# `docker-machine`.
machinectl ls

# `provision` gives a host certificates from its machine's own CA. This locks out docker-machine's clients, on other
# computers, too, so it runs only for the hosts that you name. Containers keep running.
for name; do
    machinectl provision --dry-run "$name"
    machinectl provision --yes "$name"
    (
        # Two lines: `eval "$(...)"` continues with this computer's engine if there is no such machine.
        lines=$(machinectl env --shell sh "$name")
        eval "$lines"
        docker ps
    )
done

# To restore a host's set-up by docker-machine:
#   machinectl rm --purge NAME
