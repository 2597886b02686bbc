#!/bin/sh
# Run PostgreSQL on the volume; the first time, make the cluster. The password is the secret's.
set -eu

data=/var/lib/postgresql/guestbook
password=/run/secrets/db_password
set -- /usr/lib/postgresql/*/bin
PATH=$1:$PATH

if [ ! -e "$data" ]; then
    rm -rf "$data.new"
    initdb --pgdata="$data.new" --username=guestbook --pwfile="$password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo 'host all all all scram-sha-256' >>"$data.new/pg_hba.conf"
    echo 'CREATE DATABASE guestbook' | postgres --single -D "$data.new" postgres >/dev/null
    mv "$data.new" "$data"
fi

# The volume may be older than the secret: the role always has the secret's password.
quoted=$(sed "s/'/''/g" "$password")
printf "ALTER ROLE guestbook PASSWORD '%s'\n" "$quoted" |
    postgres --single -D "$data" postgres >/dev/null

exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
