"""The scripts that install and remove an environment on a host, and those that wait for its health checks. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Final

from envctl.backends.common import probe
from envctl.exports.systemd.host_names import HostNames, host_units
from envctl.plan.build_secrets import build_secrets
from envctl.plan.model import Build, Kind, Plan, Unit

_GRACE: Final = 5.0
"""Seconds that a health check gets in addition to its own timeout."""
_SLIM: Final = "-slim"

_HEAD: Final = """\
#!/bin/sh
# Made by envctl export; changes belong in the spec.
# {about}
# shellcheck disable=SC1091,SC2013,SC2043,SC2086,SC2154,SC2194
set -eu
umask 022
fail() {{
    printf '%s\\n' "$1" >&2
    exit 1
}}
[ "$(id -u)" = 0 ] || fail "run this as root"
prefix={prefix}
state={state}
scripts={scripts}
units={units}

# Sockets come first: a connection would start their services again.
stop_units() {{
    for unit in $units; do
        case $unit in *.socket) systemctl stop "$unit" 2>/dev/null || : ;; esac
    done
    systemctl stop $units 2>/dev/null || :
}}
"""

_HOSTS: Final = """\

# Without the names of an earlier installation.
sed "/^# begin $prefix\\$/,/^# end $prefix\\$/d" /etc/hosts >"/etc/hosts.$prefix"
"""

_BUILD: Final = """\

here=$(cd -- "$(dirname -- "$0")" && pwd)
policy=/usr/sbin/policy-rc.d
work=
mkdir -p -- "$state/built"
clean_up() {
    rm -f -- "/run/$prefix.input"
    [ -z "$work" ] || rm -rf -- "$work"
    [ ! -e "$policy.$prefix" ] || mv -f -- "$policy.$prefix" "$policy"
}
trap clean_up EXIT
[ ! -e "$policy" ] || mv -f -- "$policy" "$policy.$prefix"

# build NAME DIGEST: runs the steps of a build unless this host has done that. Standard input: its secrets.
build() {
    [ "$(cat "$state/built/$1" 2>/dev/null)" != "$2" ] || return 0
    : >"$state/changed"
    work=$(mktemp -d "/var/tmp/$prefix.XXXXXX")
    chmod 755 "$work"
    [ ! -d "$here/context" ] || cp -R -- "$here/context" "$work/"
    /bin/sh "$here/provision/$1.sh" "$work"
    rm -rf -- "$work"
    work=
    printf '%s\\n' "$2" >"$state/built/$1"
}

# volume FOLDER TARGET: a new volume begins with the content of its target, as that of a container does.
volume() {
    [ ! -e "$1" ] || return 0
    mkdir -p -- "$(dirname -- "$1")"
    rm -rf -- "$1.new"
    if [ -d "$2" ]; then cp -a -- "$2" "$1.new"; else mkdir -- "$1.new"; fi
    mv -- "$1.new" "$1"
}

# put FILE FOLDER MODE: installs a file if it is another one.
put() {
    cmp -s -- "$1" "$2/${1##*/}" && return 0
    : >"$state/changed"
    install -D -m "$3" -- "$1" "$2/${1##*/}"
}
"""

_UNITS: Final = """\

# Units of an earlier installation that are not part of this one.
for unit in $(cat "$state/units" 2>/dev/null); do
    case " $units " in
    *" $unit "*) ;;
    *)
        systemctl disable --quiet "$unit" 2>/dev/null || :
        [ ! -d /run/systemd/system ] || systemctl stop "$unit" 2>/dev/null || :
        rm -f -- "/etc/systemd/system/$unit"
        ;;
    esac
done
for unit in $units; do
    put "$here/units/$unit" /etc/systemd/system 0644
done
printf '%s\\n' "$units" >"$state/units"
systemctl enable --quiet $enabled

# In a folder that becomes a system's root, no systemd runs.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -e "$state/changed" ]; then
        stop_units
        systemctl reset-failed $units 2>/dev/null || :
    fi
    systemctl start $enabled
    rm -f -- "$state/changed"
fi
"""

_REMOVE: Final = """\

[ ! -d /run/systemd/system ] || stop_units
systemctl disable --quiet $units 2>/dev/null || :
for unit in $units; do
    rm -f -- "/etc/systemd/system/$unit"
done
rm -rf -- "$scripts" "/run/$prefix" "$state/units"
[ ! -d /run/systemd/system ] || systemctl daemon-reload
"""


def install_script(plan: Plan, names: HostNames, *, units: Sequence[str]) -> str:
    """The script that installs everything; `units` are the files of all services and sockets."""
    about = f"Installs {names.prefix} on this host. It can run again: what has not changed stays as it is."
    enabled = [unit for unit in units if _is_enabled(unit, plan, names)]
    parts = [
        _head(names, units, about),
        f"enabled={shlex.quote(' '.join(enabled))}\n",
        *_checks(plan, names),
        _BUILD,
        *_builds(plan, names),
        *_volumes(plan, names),
        *(f'put "$here/scripts/{name}" "$scripts" 0755\n' for name in ready_scripts(plan, names)),
        *_hosts(plan),
        _UNITS,
    ]
    return "".join(parts)


def uninstall_script(names: HostNames, *, units: Sequence[str]) -> str:
    """The script that removes the services, and leaves data, secrets, packages and users."""
    about = f"Removes the services of {names.prefix}. Volumes, secrets, packages and users stay."
    stays = f"volumes stay in {names.state}/volumes, secrets in {names.secrets}; packages, users and files of builds stay, too"
    return "".join(
        (
            _head(names, units, about),
            _REMOVE,
            _HOSTS,
            'cat "/etc/hosts.$prefix" >/etc/hosts\nrm -f -- "/etc/hosts.$prefix"\n',
            f"echo {shlex.quote(stays)}\n",
        )
    )


def ready_scripts(plan: Plan, names: HostNames) -> Mapping[str, str]:
    """By file name, the scripts that wait until a unit is healthy."""
    return {
        names.ready_script(unit).rpartition("/")[2]: _ready_script(unit)
        for unit in host_units(plan)
        if unit.run.probe and unit.kind is not Kind.TASK
    }


def _head(names: HostNames, units: Sequence[str], about: str) -> str:
    return _HEAD.format(
        about=about,
        prefix=shlex.quote(names.prefix),
        state=shlex.quote(names.state),
        scripts=shlex.quote(names.scripts),
        units=shlex.quote(" ".join(units)),
    )


def _is_enabled(unit: str, plan: Plan, names: HostNames) -> bool:
    """Whether a unit starts at boot: all but the services that a socket starts."""
    return unit.endswith(".socket") or unit in {names.service(item) for item in host_units(plan)}


def _checks(plan: Plan, names: HostNames) -> Iterator[str]:
    """Commands that refuse a host that lacks something, before anything is changed."""
    yield "\n. /etc/os-release\n"
    bases = {build.base.name.removesuffix(_SLIM) for build in builds(plan).values()}
    for base in sorted(bases - {""}):
        text = f"this is made for {base}; this host has "
        yield (
            f'case {shlex.quote(base)} in "$ID:${{VERSION_CODENAME-}}" | "$ID:${{VERSION_ID-}}") ;;'
            f' *) fail {shlex.quote(text)}"$ID:${{VERSION_CODENAME-}}" ;; esac\n'
        )
    for path in dict.fromkeys(
        mount.source for unit in host_units(plan) for mount in unit.run.mounts
    ):
        text = f"{path} is mounted, and does not exist on this host"
        yield f"[ -e {shlex.quote(path)} ] || fail {shlex.quote(text)}\n"
    secrets = _secrets(plan)
    if secrets:
        text = f"put these secrets into files of their names in {names.secrets}, for root only:"
        yield f"install -d -m 0700 {names.secrets}\nmissing=\n"
        yield f"for name in {shlex.join(secrets)}; do\n"
        yield f'    [ -s "{names.secrets}/$name" ] || missing="$missing $name"\ndone\n'
        yield f'[ -z "$missing" ] || fail {shlex.quote(text)}"$missing"\n'


def _secrets(plan: Plan) -> Sequence[str]:
    units = host_units(plan)
    used = {secret.name for unit in units for secret in unit.run.secrets}
    in_builds = {secret.name for unit in units for secret in build_secrets(unit.source)}
    return sorted(used | in_builds)


def builds(plan: Plan) -> Mapping[str, Build]:
    """By the name of the first unit that has it, each build of the host's units."""
    first: dict[str, tuple[str, Build]] = {}
    for unit in host_units(plan):
        if isinstance(unit.source, Build):
            first.setdefault(unit.source.digest, (unit.name, unit.source))
    return dict(first.values())


def _builds(plan: Plan, names: HostNames) -> Iterator[str]:
    yield "\n"
    for name, build in builds(plan).items():
        secrets = [f"{names.secrets}/{secret.name}" for secret in build_secrets(build)]
        call = f"build {shlex.join((name, build.digest))}"
        if secrets:
            loop = f'for file in {shlex.join(secrets)}; do base64 -w 0 "$file"; echo; done'
            yield f'input=/run/$prefix.input\n(umask 077; {loop} >"$input")\n'
            yield f'{call} <"$input"\nrm -f -- "$input"\n'
        else:
            yield f"{call} </dev/null\n"


def _volumes(plan: Plan, names: HostNames) -> Iterator[str]:
    targets = {
        volume.name: volume.target for unit in host_units(plan) for volume in unit.run.volumes
    }
    for name, target in sorted(targets.items()):
        yield f"volume {shlex.join((names.volume(name), target))}\n"


def _hosts(plan: Plan) -> Iterator[str]:
    """Commands that write the names of all services, which are on the host itself."""
    aliases = {
        name: None
        for unit in host_units(plan)
        for name in (unit.name, unit.service, *unit.run.aliases)
    }
    yield _HOSTS
    line = f"127.0.0.1 {' '.join(aliases)}"
    yield '{\n    cat "/etc/hosts.$prefix"\n'
    yield f'    printf \'# begin %s\\n%s\\n# end %s\\n\' "$prefix" {shlex.quote(line)} "$prefix"\n'
    yield '} >/etc/hosts.new\ncat /etc/hosts.new >/etc/hosts\nrm -f -- /etc/hosts.new "/etc/hosts.$prefix"\n'


def _ready_script(unit: Unit) -> str:
    declared = probe.with_secrets(unit.run)
    assert declared is not None
    patience = ceil(declared.start_period + declared.retries * declared.interval)
    limit = f"timeout --signal=KILL {declared.timeout + _GRACE:g}"
    return (
        "#!/bin/sh\n"
        "# Made by envctl export; changes belong in the spec.\n"
        "# shellcheck disable=SC1003,SC2016\n"
        f"# Waits until {unit.name} is healthy.\n"
        f"end=$(($(date +%s) + {patience}))\n"
        f"until message=$({limit} {shlex.join(probe.test(declared))} 2>&1 </dev/null); do\n"
        '    if [ "$(date +%s)" -ge "$end" ]; then\n'
        f"        printf '%s\\n' {shlex.quote(f'{unit.name} did not become healthy within {patience} s')} \"$message\" >&2\n"
        "        exit 1\n"
        "    fi\n"
        f"    sleep {declared.pause(0.0):g}\n"
        "done\n"
    )
