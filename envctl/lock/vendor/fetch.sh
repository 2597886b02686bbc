# Fetches the same package files that are installed in the image into /.envctl. Arguments: deb NAME=VERSION…,
# first NAME… (each, and the first package it depends on), wheel PYTHON NAME==VERSION…, or npm NAME@VERSION…
set -e
kind=$1
shift
cd /.envctl
case $kind in
deb)
    apt-get update -q >&2
    apt-get download -q -o APT::Sandbox::User=root -- "$@" >&2
    for file in *.deb; do dpkg --field "$file" >"$file.control"; done
    ;;
first)
    apt-get update -q >&2
    for one; do
        apt-get download -q -o APT::Sandbox::User=root -- "$one" >&2
        apt-get download -q -o APT::Sandbox::User=root -- "$(dpkg --field "$one"_*.deb Depends | sed 's/[ ,(].*//')" >&2
    done
    for file in *.deb; do dpkg --field "$file" >"$file.control"; done
    ;;
wheel)
    python=$1
    shift
    "$python" -m pip wheel --quiet --no-input --disable-pip-version-check --no-deps --no-cache-dir --wheel-dir /.envctl -- "$@" >&2
    ;;
npm)
    npm_config_cache=$(mktemp -d)
    export npm_config_cache npm_config_update_notifier=false
    npm cache add -- "$@" >&2
    find "$npm_config_cache/_cacache/content-v2" -type f -exec cp {} /.envctl/ \;
    ;;
esac
