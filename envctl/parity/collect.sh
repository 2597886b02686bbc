# Collects facts inside a unit. Prints sections of text, each after a mark that no process in the unit can guess.
# Needs only a POSIX shell. If a program is missing, the facts that need it are reported as unknown.
# Standard input: the mark, the key for digests of secrets, then one question per line: KIND<tab>VALUE.
exec 2>/dev/null
# `find` fails where it cannot return to its first folder, and root without capabilities may not enter the unit's.
cd / || exit
IFS= read -r mark || exit
IFS= read -r key || key=
section() { printf '%s:%s\000' "$mark" "$1"; }
# Reports an unknown fact. This ends the current section.
unknown() { printf '%s:unknown\000%s\t%s\t%s' "$mark" "$1" "$2" "$3"; }
has() { command -v "$1" >/dev/null 2>&1; }
# Checks that programs exist; otherwise reports the fact (category, key) as unknown.
need() {
    about=$1 of=$2
    shift 2
    for program; do
        has "$program" || { unknown "$about" "$of" "$program is missing" && return 1; }
    done
}
# Prints a file, or reports that it cannot be read; prints nothing if it does not exist.
show() {
    if [ -r "$3" ]; then need "$1" "$2" head && head -c 4194304 "$3"
    elif [ -e "$3" ]; then unknown "$1" "$2" "$3 cannot be read"; fi
}
# The output of tools must not depend on the unit's language.
export LC_ALL=C
tab=$(printf '\t')

# Finds the main process: the oldest in this control group, except an init that only waits for others.
find_main() {
    [ -z "$main" ] || return 0
    IFS= read -r own </proc/self/cgroup
    oldest=''
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        { IFS= read -r group <"$folder/cgroup" && IFS= read -r stat <"$folder/stat"; } || continue
        [ "$group" = "$own" ] || continue
        command=${stat#*\(} command=${command%)*}
        [ "$pid" != 1 ] || case $command in docker-init | tini | catatonit | dumb-init | init | systemd) continue ;; esac
        # shellcheck disable=SC2086  # split into words
        started=$(set -- ${stat##*) } && echo "${20}")
        if [ -z "$oldest" ] || [ "$started" -lt "$oldest" ]; then main=$pid oldest=$started; fi
    done
    [ -n "$main" ]
}
main=''
# Prints a file of the main process, or reports that it cannot be read.
of_main() {
    if ! find_main; then unknown "$1" "$2" "the main process was not found"
    elif need "$1" "$2" cat; then cat "/proc/$main/$3" || unknown "$1" "$2" "/proc/$main/$3 cannot be read"; fi
}

# Some answers have several parts.
part() { printf '%s/%s\000' "$mark" "$1"; }
zero=''
! { has sha256sum && sha256sum -z /dev/null >/dev/null; } || zero=-z

# Lists all files except those at the given places: patterns for `find -path`, separated by tabs.
tree() {
    set -f
    old=$IFS IFS=$tab
    # shellcheck disable=SC2086  # split into words
    set -- $1
    IFS=$old
    # Include other mounted file systems, unless they are at such a place or a volume of the engine.
    roots='/' mounted=''
    while read -r _ _ _ root point rest; do
        for place; do
            # shellcheck disable=SC2254,SC2295  # a pattern
            case $point in / | $place | ${place%/\*} | ${place%/\*}/*) continue 2 ;; esac
        done
        case $root in */volumes/*/_data) continue ;; esac
        mounted="$mounted$point$tab${rest#* - }
"
        case $point in *\\*) ;; *) roots="$roots $point" ;; esac
    done </proc/self/mountinfo
    part mounted
    printf '%s' "$mounted"
    n=$#
    while [ "$n" -gt 0 ]; do
        place=$1 n=$((n - 1))
        shift
        set -- "$@" -path "$place" -o
    done
    if find / -maxdepth 0 -printf '' >/dev/null; then
        part listing
        # shellcheck disable=SC2086  # split into words
        { errors=$(find $roots -xdev \( "$@" -path '' \) -prune -o \
            -printf '%y %m %U %G %s %T@ %C@ %p\0%l\0' 2>&1 >&3); } 3>&1
    else
        need files "" stat || return 0
        part plain
        # shellcheck disable=SC2086  # split into words
        { errors=$(find $roots -xdev \( "$@" -path '' \) -prune -o ! -path '*
*' -exec stat -c '%f %u %g %s %Y %Z %n' {} + 2>&1 >&3); } 3>&1
        part links
        # shellcheck disable=SC2086  # split into words
        find $roots -xdev \( "$@" -path '' \) -prune -o ! -path '*
*' -type l -exec stat -c %N {} +
        part newlines
        # shellcheck disable=SC2086  # split into words
        find $roots -xdev \( "$@" -path '' \) -prune -o -path '*
*' -print0
    fi
    part denied
    printf '%s\n' "$errors"
    newer=''
    if [ -r /usr/lib/envctl/manifest ] && find / -maxdepth 0 -cnewer /lost+found >/dev/null; then
        part made
        stat -c '%Y %Z' /lost+found
        while read -r name value; do [ "$name" != btime ] || echo "$value"; done </proc/stat
        part manifest
        cat /usr/lib/envctl/manifest
        newer='-cnewer /lost+found'
    fi
    part sums
    # shellcheck disable=SC2086  # split into words
    find $roots -xdev \( "$@" -path '' \) -prune -o -type f -size -1048577k $newer -exec sha256sum $zero {} +
    case $(tar --version) in
    *GNU*)
        part capabilities
        # shellcheck disable=SC2086  # split into words
        find $roots -xdev \( "$@" -path '' \) -prune -o -type f \( -perm -1 -o -perm -10 -o -perm -100 \) -print0 |
            tar --null -T - -P --xattrs --xattrs-include=security.capability --quoting-style=literal -cvvf /dev/null |
            grep -a '^.\{10\}\*' |
            while IFS= read -r line; do
                printf '%s\n' "/${line#* /}"
                tar -P --xattrs --xattrs-include=security.capability -cf - -- "/${line#* /}" | head -c 2048
                printf '\000\000\000\000envctl\n'
            done
        ;;
    *)
        if has getcap; then
            part capabilities
            getcap -r / | while IFS= read -r line; do
                printf '%s\n%s\000\000\000\000envctl\n' "${line%% *}" "${line#* }"
            done
        fi
        ;;
    esac
    part end
}

# Kernel threads are most of a machine's processes, but not programs. Reading all their files takes seconds without KVM.
is_kernel_thread() {
    IFS= read -r rest <"$1/stat" || return 1
    # The flags are the seventh word after the name; PF_KTHREAD is one of the bits.
    rest=${rest##*) }
    for _ in 1 2 3 4 5 6; do rest=${rest#* }; done
    rest=${rest%% *}
    # If the name contains a newline, the line ends early, and the flags are not a number.
    case $rest in '' | *[!0-9]*) return 1 ;; esac
    [ $((rest & 2097152)) != 0 ]
}

# Prints the kernel's files about all processes except kernel threads, a given number of times.
processes() {
    times=$1 look=0
    while [ "$look" -lt "$times" ]; do
        [ "$look" = 0 ] || sleep 0.5 || sleep 1
        look=$((look + 1))
        part "look$look"
        set --
        for folder in /proc/[0-9]*; do
            ! is_kernel_thread "$folder" || continue
            # ostype is a constant word. It separates the other files from cmdline, which the process can change.
            set -- "$@" "$folder/stat" "$folder/oom_score_adj" "$folder/status" "$folder/cgroup" \
                /proc/sys/kernel/ostype "$folder/cmdline"
        done
        cat "$@"
    done
    part exes
    ls -l /proc/[0-9]*/exe
    part end
}

# Prints the limits of the unit's control group and of all visible groups above it.
limits_up() {
    # With cgroup v2, a missing controller means no limit.
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || echo "version 2"
    group=/sys/fs/cgroup${own#0::}
    while :; do
        for file in memory.max memory.high memory.swap.max cpu.max cpu.weight pids.max; do
            [ ! -r "$group/$file" ] || echo "$file $(cat "$group/$file")"
        done
        case $group in /sys/fs/cgroup/?*) group=${group%/*} ;; *) break ;; esac
    done
    for file in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.cfs_quota_us \
        cpu/cpu.cfs_period_us cpu/cpu.shares pids/pids.max; do
        [ ! -r "/sys/fs/cgroup/$file" ] || echo "${file#*/} $(cat "/sys/fs/cgroup/$file")"
    done
    # With cgroup v1, this includes the limits of groups above.
    grep -s '^hierarchical_mem' /sys/fs/cgroup/memory/memory.stat
}

# Finds a file that has existed since the unit was created.
find_reference() {
    for reference in /.dockerenv /etc/ssh/ssh_host_ed25519_key; do
        [ ! -e "$reference" ] || return 0
    done
    return 1
}

ask() {
    case $1 in
    os) show os "" /etc/os-release ;;
    kernel) need kernel "" uname && uname -s -r -m ;;
    packages)
        if has dpkg-query; then
            # shellcheck disable=SC2016  # the format is dpkg's
            dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n'
        elif has rpm; then
            rpm -qa --qf '%{NAME}\t%{ARCH}\t%{VERSION}-%{RELEASE}\tinstalled\n'
        elif has apk; then
            apk info -v
        else
            unknown packages "" "neither dpkg-query, rpm nor apk is installed"
        fi || unknown packages "" "the package manager does not answer"
        ;;
    users) show users "" /etc/passwd ;;
    groups) show groups "" /etc/group ;;
    timezone)
        need locale "time zone" date && date '+%Z %z'
        [ ! -L /etc/localtime ] || { need locale /etc/localtime readlink && readlink /etc/localtime; }
        ;;
    locale) need locale available locale && locale -a ;;
    sockets)
        need sockets "" cat || return 0
        echo "declared $2"
        [ ! -r /proc/sys/net/ipv4/ip_local_port_range ] || { printf 'range ' && cat /proc/sys/net/ipv4/ip_local_port_range; }
        for table in tcp tcp6 udp udp6; do
            if [ -r "/proc/net/$table" ]; then echo "$table" && cat "/proc/net/$table"
            elif [ "${table%6}" = "$table" ]; then echo missing; fi
        done
        # Short-lived sockets of clients have disappeared by then.
        sleep 0.5 || sleep 1
        for table in udp udp6; do
            [ ! -r "/proc/net/$table" ] || { echo "again $table" && cat "/proc/net/$table"; }
        done
        ;;
    substrate) show substrate "" /usr/lib/envctl/substrate ;;
    argv) of_main process argv cmdline ;;
    environ) of_main environment "" environ ;;
    status) of_main process "" status ;;
    limits) of_main limits "" limits ;;
    cwd)
        if find_main && need process directory readlink; then
            readlink "/proc/$main/cwd" || unknown process directory "/proc/$main/cwd cannot be read"
        fi
        ;;
    cgroup) if find_main && need limits memory cat grep; then limits_up; else unknown limits memory "the main process was not found"; fi ;;
    size)
        need limits "memory visible" grep && grep -E '^(MemTotal|SwapTotal):' /proc/meminfo
        grep -s '^Cpus_allowed_list:' /proc/self/status
        ;;
    sysctls)
        need sysctls "" grep || return 0
        cd /proc/sys || return 0
        # shellcheck disable=SC2046,SC2086  # names without blanks, some with patterns
        grep -r -s '' $(set +f; echo $2)
        ;;
    processes) need processes "" cat && processes "$2" ;;
    tree) need files "" find sha256sum && tree "$2" ;;
    sums)
        need files "" sha256sum || return 0
        set -f
        old=$IFS IFS=$tab
        # shellcheck disable=SC2086  # split into words
        set -- $2
        IFS=$old
        part gone
        for file; do [ -e "$file" ] || printf '%s\000' "$file"; done
        part sums
        # shellcheck disable=SC2086  # may be empty
        sha256sum $zero -- "$@"
        ;;
    name)
        # The server for units' names is local. Do not wait for a remote or missing name server.
        if has getent; then RES_OPTIONS='timeout:2 attempts:1' getent hosts "$2" >/dev/null && echo "$2"
        elif [ ! -r /etc/hosts ] || ! has grep; then unknown names "$2" "there is no getent, and /etc/hosts cannot be searched"
        elif grep -q -w -F -e "$2" /etc/hosts; then echo "$2"; fi
        ;;
    secret)
        [ -e "$2" ] || return 0
        need secrets "$2" stat sha256sum cat || return 0
        stat -L -c "%a %u %g %F$tab%n" "$2"
        if [ -r "$2" ]; then { printf '%s' "$key" && cat "$2"; } | sha256sum; fi
        ;;
    python) need python "" find && find "$2" -xdev -maxdepth 5 \( -name '*.dist-info' -o -name '*.egg-info' \) -prune ;;
    npm)
        [ -d "$2/node_modules" ] || return 0
        need npm "" head grep || return 0
        echo "$2"
        head -c 16777216 "$2/node_modules/.package-lock.json" ||
            grep -H -o -m 1 '"version"[[:space:]]*:[[:space:]]*"[^"]*"' "$2"/node_modules/*/package.json "$2"/node_modules/@*/*/package.json
        ;;
    # Questions that only `verify` asks.
    times)
        find "$2" -xdev -name __pycache__ -prune -o ! -name '*
*' -exec stat -c "%Z %Y$tab%n" {} +
        ;;
    gone)
        # Only in folders that can be entered, and not below a mount, which could hide the file.
        [ -e "$2" ] || [ -L "$2" ] || (
            folder=${2%/*}
            until [ -e "$folder/" ]; do folder=${folder%/*}; done
            cd "$folder/" && [ "$(stat -c %d .)" = "$(stat -c %d /)" ] && echo "$2"
        )
        ;;
    changed)
        find_reference || { unknown changed "" "it is unknown when the unit was created" && return 0; }
        need changed "" find stat grep sed sort || return 0
        found=$(find / -xdev \( -type f -o -type l \) -cnewer "$reference" ! -name '*
*' -exec stat -c "%a %u %g %F$tab%n" {} +)
        [ -n "$found" ] || return 0
        printf '%s\n' "$found"
        # A package may list a file under the old path of a folder that is now a link.
        # shellcheck disable=SC2062  # not a pattern: patterns come from standard input
        printf '%s\n' "$found" | sed "s/^[^$tab]*$tab//; p; s|^/usr/|/|" | grep -F -x -f - /var/lib/dpkg/info/*.list /dev/null | sed 's|^/var/lib/dpkg/info/|packaged |' | sort -u
        ;;
    lost)
        [ -d /var/lib/dpkg/info ] || return 0
        find_reference || { unknown lost "" "it is unknown when the unit was created" && return 0; }
        need lost "" cat xargs stat sed sort || return 0
        cat /var/lib/dpkg/info/*.list | sort -u | xargs -d '\n' stat -c '' 2>&1 >/dev/null |
            sed -n "s/^[^']*'\(\/.*\)': No such file or directory$/\1/p" | while IFS= read -r path; do
                folder=${path%/*}
                until [ -d "$folder/" ]; do folder=${folder%/*}; done
                [ ! "$folder/" -nt "$reference" ] || echo "$path"
            done
        ;;
    exec_environ) cat /proc/self/environ ;;
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
