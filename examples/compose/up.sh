#!/bin/sh
# Compose on a machine: the project is read here, its containers run there.
#
#   up.sh NAME
set -eu
case ${1-} in
    '' | -*)
        echo "usage: up.sh NAME" >&2
        exit 2
        ;;
esac
name=$1
project=$(dirname "$0")/compose.yaml

# Compose is docker's: what points docker at a machine is all it needs. The subshell leaves the rest of the script as it
# is. (By hand, `docker --context NAME compose up` does the same: a machine is a docker context, too.)
(
    # Two lines: `eval "$(...)"` goes on when there is no such machine, with the engine of this computer.
    lines=$(machinectl env --shell sh "$name")
    eval "$lines"
    docker compose --file "$project" up --detach --wait
    docker compose --file "$project" ps
)

# Published ports are the machine's.
echo "See http://$(machinectl ip "$name"):8080"

# It takes the containers away:
#   eval $(machinectl env NAME) && docker compose --file compose.yaml down
