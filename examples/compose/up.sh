#!/bin/sh
# Run Compose on a machine, with the files of this computer: the containers run there.
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

machinectl compose "$name" -- --file "$project" up --detach --wait
machinectl compose "$name" -- --file "$project" ps

# Published ports are on the machine.
echo "See http://$(machinectl ip "$name"):8080"

# To remove the containers, and the files on the machine:
#   machinectl compose NAME -- --file compose.yaml down --files
