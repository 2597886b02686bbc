#!/bin/sh
# Run redis with the secret's password, which no command line tells.
set -eu
password=$(cat /run/secrets/redis_password)
{ cat /etc/jobs/redis.conf; printf 'requirepass %s\n' "$password"; } >/tmp/redis.conf
exec redis-server /tmp/redis.conf
