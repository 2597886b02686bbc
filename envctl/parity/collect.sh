# Tells what is true in here: sections of text, each behind a mark that nothing in here can know beforehand.
# Needs a POSIX shell, and of the rest what is there: what is missing tells nothing, and fails nothing.
# Standard input: the mark, the key of the secrets' digests, then line by line what else to look at.
exec 2>/dev/null
IFS= read -r mark || exit
IFS= read -r key || key=
section() { printf '%s:%s\000' "$mark" "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
# Words of tools must not hang on the unit's language.
export LC_ALL=C
tab=$(printf '\t')

section os
head -c 65536 /etc/os-release
section kernel
uname -s -r -m
section packages
if has dpkg-query; then
    # shellcheck disable=SC2016  # the format is dpkg's
    dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n'
elif has rpm; then
    rpm -qa --qf '%{NAME}\t%{ARCH}\t%{VERSION}-%{RELEASE}\tinstalled\n'
elif has apk; then
    apk info -v
fi
section users
head -c 4194304 /etc/passwd
section groups
head -c 4194304 /etc/group
section timezone
date '+%Z %z'
readlink /etc/localtime
section locale
if has locale; then locale -a; fi
section sockets
for table in tcp tcp6 udp udp6; do
    [ ! -r "/proc/net/$table" ] || { echo "$table" && cat "/proc/net/$table"; }
done
section substrate
head -c 4194304 /usr/lib/envctl/substrate

# The main process: the oldest in this control group, but for an init that is there to wait for others.
IFS= read -r own </proc/self/cgroup
main='' oldest=''
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    { IFS= read -r group <"$folder/cgroup" && IFS= read -r stat <"$folder/stat"; } || continue
    [ "$group" = "$own" ] || continue
    command=${stat#*\(} command=${command%)*}
    [ "$pid" != 1 ] || case $command in docker-init | tini | catatonit | dumb-init | init | systemd) continue ;; esac
    # shellcheck disable=SC2086  # its words
    started=$(set -- ${stat##*) } && echo "${20}")
    if [ -z "$oldest" ] || [ "$started" -lt "$oldest" ]; then main=$pid oldest=$started; fi
done
if [ -n "$main" ]; then
    section argv
    cat "/proc/$main/cmdline"
    section environ
    cat "/proc/$main/environ"
    section status
    cat "/proc/$main/status"
    section limits
    cat "/proc/$main/limits"
    section cwd
    readlink "/proc/$main/cwd"
    section cgroup
    group=/sys/fs/cgroup${own#0::}
    for file in memory.max memory.swap.max cpu.max; do
        [ ! -r "$group/$file" ] || echo "$file $(cat "$group/$file")"
    done
    for file in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us; do
        [ ! -r "/sys/fs/cgroup/$file" ] || echo "${file#*/} $(cat "/sys/fs/cgroup/$file")"
    done
fi

ask() {
    case $1 in
    file)
        # Names with a newline in them are left out.
        find "$2" -xdev -name __pycache__ -prune -o ! -name '*
*' -type l -exec stat -c "link %u %g %N" {} +
        find "$2" -xdev -name __pycache__ -prune -o ! -name '*
*' \( -type f -o -type d \) -exec stat -c "%a %u %g %F$tab%n" {} +
        find "$2" -xdev -name __pycache__ -prune -o ! -name '*
*' -type f -exec sha256sum {} +
        ;;
    name)
        # Whoever knows the units' names is near; a name server that is far, or gone, is not waited for.
        if has getent; then RES_OPTIONS='timeout:2 attempts:1' getent hosts "$2" >/dev/null; else grep -q -w -F -e "$2" /etc/hosts; fi && echo "$2"
        ;;
    secret)
        stat -L -c "%a %u %g %F$tab%n" "$2" && { printf '%s' "$key" && cat "$2"; } | sha256sum
        ;;
    python) find "$2" -xdev -maxdepth 5 \( -name '*.dist-info' -o -name '*.egg-info' \) -prune ;;
    npm)
        echo "$2"
        head -c 16777216 "$2/node_modules/.package-lock.json" ||
            grep -H -m 1 '"version":' "$2"/node_modules/*/package.json "$2"/node_modules/@*/*/package.json
        ;;
    # What only `verify` asks.
    times)
        find "$2" -xdev -name __pycache__ -prune -o ! -name '*
*' -exec stat -c "%Z %Y$tab%n" {} +
        ;;
    gone)
        # Only where one can look, and where no other file system may hide it.
        [ -e "$2" ] || [ -L "$2" ] || (
            folder=${2%/*}
            until [ -e "$folder/" ]; do folder=${folder%/*}; done
            cd "$folder/" && [ "$(stat -c %d .)" = "$(stat -c %d /)" ] && echo "$2"
        )
        ;;
    given) cat /proc/self/environ ;;
    tool) if has "$2"; then echo "$2"; fi ;;
    provides)
        # shellcheck disable=SC2016  # the format is dpkg's
        dpkg-query -W -f='${db:Status-Status}\t${Provides}\n'
        ;;
    removed) grep -E '^[0-9-]+ [0-9:]+ (remove|purge) ' /var/log/dpkg.log ;;
    esac </dev/null
}
while IFS="$tab" read -r kind value; do
    section "$kind"
    ask "$kind" "$value"
done
section end
