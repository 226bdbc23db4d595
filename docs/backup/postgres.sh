#!/bin/sh
# Copies a deployment's PostgreSQL databases to a new folder, or restores such copies.
#
#   postgres.sh dump FOLDER NAME=URL...       anchoring first, then capture, consent, enrollment, vault: see BACKUP.md
#   postgres.sh restore FOLDER NAME=URL...    replaces what is in the databases, each in one transaction; stop the services first
#
# A copy is a file FOLDER/NAME.dump, complete once it has that name. It contains no keys. URLs contain passwords: use PGPASSFILE or a
# service file instead if others can see the command line.
set -eu

[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
what=$1 folder=$2
shift 2
case $what in
    dump) umask 077; mkdir "$folder" ;;
    restore) for one; do [ -f "$folder/${one%%=*}.dump" ] || { echo "$folder/${one%%=*}.dump: no such copy" >&2; exit 1; }; done ;;
    *) echo "$what: neither dump nor restore" >&2; exit 2 ;;
esac
for one; do
    name=${one%%=*} url=${one#*=}
    if [ "$what" = dump ]; then
        pg_dump --format=custom --no-owner --file="$folder/$name.part" "$url"
        sync "$folder/$name.part"
        mv "$folder/$name.part" "$folder/$name.dump"
    else
        pg_restore --clean --if-exists --no-owner --single-transaction --exit-on-error --dbname="$url" "$folder/$name.dump"
    fi
    echo "$what: $name"
done
sync "$folder"
