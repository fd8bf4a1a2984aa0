#!/bin/sh
# Make a server on the LAN a Docker host over SSH.
#
#   onboard.sh ADDRESS NAME [OPTION...]
#   onboard.sh ops@192.168.0.29 orionbox
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
set -- "$@" "$address" "$name"

# Show what machinectl finds on the server and what it would do. Nothing changes yet. If the server cannot become a Docker
# host, the script ends here.
machinectl create --dry-run "$@"

# Do it. Running containers keep running. A script gets no prompts: machinectl accepts an unknown host key this once and pins
# it. On a network that others use, pass the key that you expect: --ssh-host-key SHA256:...
machinectl create "$@"

# List the changes on the server, and how each is undone.
machinectl changes "$name"

# Point docker at the host. A script needs two lines: `eval "$(...)"` continues with this computer's engine if there is no
# such machine. It needs --shell, too: you may have started it from fish.
lines=$(machinectl env --shell sh "$name")
eval "$lines"
docker version --format 'The engine of {{.Server.Os}}/{{.Server.Arch}} is {{.Server.Version}}'

# To undo all of it, but keep containers and images:
#   machinectl rm --purge NAME
