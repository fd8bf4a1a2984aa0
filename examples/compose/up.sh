#!/bin/sh
# Run Compose on a machine: it reads the project here, and the containers run there.
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

# Compose uses the engine that docker points at. The subshell keeps this from the rest of the script.
# (By hand, `docker --context NAME compose up` does the same: each machine is a docker context.)
(
    # Two lines: `eval "$(...)"` continues with this computer's engine if there is no such machine.
    lines=$(machinectl env --shell sh "$name")
    eval "$lines"
    docker compose --file "$project" up --detach --wait
    docker compose --file "$project" ps
)

# Published ports are on the machine.
echo "See http://$(machinectl ip "$name"):8080"

# To remove the containers:
#   eval $(machinectl env NAME) && docker compose --file compose.yaml down
