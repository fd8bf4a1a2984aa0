#!/bin/sh
# A server on the LAN that you can SSH into becomes a Docker host.
#
#   onboard.sh ADDRESS NAME [OPTION...]
#   onboard.sh 192.168.0.29 orionbox --generic-ssh-user ops
#
# Each OPTION is one of `machinectl create -d generic --help`.
set -eu
for word in "${1-}" "${2-}"; do
    case $word in
        '' | -*)
            echo "usage: onboard.sh ADDRESS NAME [OPTION...]" >&2
            exit 2
            ;;
    esac
done
address=$1 name=$2
shift 2
set -- --driver generic --generic-ip-address "$address" "$@" "$name"

# What was found there and what would be done, for you to read: nothing is changed yet. A server that cannot be taken on
# ends the script here.
machinectl create --dry-run "$@"

# The same for real. Containers that run there keep running. Nobody is asked in a script: a host key that is not known
# is taken this once and pinned. On a network that is not yours alone, demand the one you know, with
# --ssh-host-key SHA256:... among the options.
machinectl create "$@"

# What was done there is on record, and what undoes each of it.
machinectl changes "$name"

# From here on docker is on that host. In a script that takes two lines, as `eval "$(...)"` goes on when there is no such
# machine, with the engine of this computer; and --shell, as the shell that it was started from may be a fish.
lines=$(machinectl env --shell sh "$name")
eval "$lines"
docker version --format 'The engine of {{.Server.Os}}/{{.Server.Arch}} is {{.Server.Version}}'

# It takes everything back, and leaves containers and images:
#   machinectl rm --purge NAME
