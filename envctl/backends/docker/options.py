"""`options.docker`: engine settings that no key of the spec covers. A closed list.

=============  ==================================================  =====================================
option         value                                               example
=============  ==================================================  =====================================
cpu_shares     number: its part of the processors, usually 1024    512
devices        list of PATH or HOST:INSIDE                         [/dev/fuse]
dns            list of addresses                                   [192.168.1.1]
dns_opt        list of options of the resolver                     ["ndots:1"]
dns_search     list of domains                                     [example.org]
domainname     text                                                example.org
extra_hosts    mapping of name to address                          {gateway: host-gateway}
hostname       text                                                web-1
labels         mapping of name to text, for programs that read it  {team: shop}
network_mode   none                                                none
pids_limit     number                                              200
read_only      true: the root file system cannot be written to     true
selinux        shared, private: label mounts for containers       private
shm_size       bytes, or a number with k, m, g                     256m
stop_signal    name of a signal                                    SIGINT
stop_timeout   seconds between that signal and SIGKILL, ≤ 3600     30
sysctls        mapping of name to value                            {net.core.somaxconn: 1024}
tmpfs          mapping of path to mount options                    {/tmp: "size=64m"}
ulimits        mapping of name to number or {soft, hard}           {nofile: {soft: 1024, hard: 4096}}
=============  ==================================================  =====================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

from envctl.backends.common import ulimits
from envctl.backends.docker.names import PREFIX
from envctl.lazy_dataclass import dataclass
from envctl.plan.model import Run

Body: TypeAlias = Mapping[str, Any]
"""A part of the engine's JSON for a new container."""

LONGEST_STOP: Final = 3600
"""The maximum stop timeout in seconds."""
_UNITS: Final = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE: Final = re.compile(r"(\d+)\s*([bkmg]?)b?", re.IGNORECASE)
_LABELS: Final = {"shared": "z", "private": "Z"}
"""Docker's mount options for SELinux labels, by the spec's words."""
_RESERVED: Final = (PREFIX, "com.docker.")
_REFUSED: Final = {
    "privileged": "a privileged container is root on the host: list what it needs under `capabilities` or `devices`",
    "cap_add": "write it as `capabilities` of the service",
    "network": "every environment has its own network; services reach each other by name",
    "volumes": "write them as `volumes` or `mounts` of the service",
    "pid": "a container only sees its own processes",
    "ipc": "every container has its own",
    "security_opt": "services cannot gain new privileges",
}


@dataclass(frozen=True, slots=True)
class InvalidOption:
    """A problem with an option; `path` is its path within the options."""

    path: str
    message: str
    expected: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Option:
    """`key` is the option's key in the engine's JSON, in the host configuration if `host`.

    `compose` is its key in a Compose file, if it differs from the option's name. An option without a `key` applies to
    mounts instead.
    """

    expected: str
    read: Callable[[Any], Any]
    key: str
    host: bool = True
    compose: str = ""


def problems(options: Mapping[str, Any]) -> list[InvalidOption]:
    """All problems with these options."""
    invalid: list[InvalidOption] = []
    for name, value in options.items():
        if name not in _OPTIONS:
            invalid.append(_unknown(name))
            continue
        try:
            _OPTIONS[name].read(value)
        except (ValueError, TypeError, KeyError, AttributeError):
            expected = _OPTIONS[name].expected
            invalid.append(InvalidOption(name, f"{name} cannot be {value!r}", expected))
    return invalid


def conflicts(run: Run) -> Iterator[InvalidOption]:
    """Options that conflict with the rest of a service; paths start at its run."""
    if run.ports and run.options.get("network_mode") == "none":
        yield InvalidOption(
            "ports",
            "a service without a network cannot publish ports",
            hint="remove `ports`, or `options.docker.network_mode: none`",
        )
    for mount in run.mounts if label(run.options) else ():
        if ":" in mount.source or ":" in mount.target:
            yield InvalidOption(
                "mounts",
                f"a mount with a colon in its path cannot be labelled for SELinux: {mount.source} at {mount.target}",
                hint="rename it, or remove `options.docker.selinux`: the engine would take the colon as the end of the path",
            )


def bodies(options: Mapping[str, Any]) -> tuple[Body, Body]:
    """The options as parts of the container's and the host's configuration. They must be valid."""
    container: dict[str, Any] = {}
    host: dict[str, Any] = {}
    for name, value in options.items():
        option = _OPTIONS[name]
        if not option.key:
            continue
        (host if option.host else container)[option.key] = option.read(value)
    host["Ulimits"] = [
        {"Name": name, "Soft": soft, "Hard": hard}
        for name, (soft, hard) in ulimits.limits(options).items()
    ]
    return container, host


def label(options: Mapping[str, Any]) -> str:
    """Docker's mount option for SELinux labels: "z", "Z", or "". The options must be valid."""
    return _LABELS.get(str(options.get("selinux")), "")


def compose(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options as keys of a service in a Compose file. They must be valid."""
    in_compose = {
        name: soft if soft == hard else {"soft": soft, "hard": hard}
        for name, (soft, hard) in ulimits.limits(options).items()
    }
    return {
        _OPTIONS[name].compose or name: _in_compose(name, value)
        for name, value in sorted({**options, "ulimits": in_compose}.items())
        if _OPTIONS[name].key
    }


def _in_compose(name: str, value: Any) -> Any:
    """Most values are the same in Compose; the others are converted."""
    match name:
        case "devices":
            return [":".join(_device(item)) for item in value]
        case "labels":
            return _own_labels(value)
        case "sysctls":
            return _sysctls(value)
        case "tmpfs":
            return [f"{path}:{item}" if item else path for path, item in _tmpfs(value).items()]
        case "shm_size":
            return _size(value)
        case "stop_timeout":
            return f"{value}s"
        case _:
            return value


def _unknown(name: str) -> InvalidOption:
    if name in _REFUSED:
        return InvalidOption(name, f"{name} is not accepted in options.docker", hint=_REFUSED[name])
    from difflib import get_close_matches

    matches = get_close_matches(name, _OPTIONS)
    hint = f"did you mean {matches[0]!r}?" if matches else ""
    return InvalidOption(
        name, f"options.docker has no {name!r}", "one of " + ", ".join(_OPTIONS), hint
    )


# --- reading values; ValueError, TypeError for what is not one ------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _seconds(value: Any) -> int:
    if _count(value) > LONGEST_STOP:
        raise ValueError
    return _count(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _size(value: Any) -> int:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError
        return int(match[1]) * _UNITS[match[2].lower()]
    return _count(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError
    return [_text(item) for item in value]


def _devices(value: Any) -> list[dict[str, str]]:
    return [
        {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": "rwm"}
        for host, inside in map(_device, _texts(value))
    ]


def _device(text: str) -> tuple[str, str]:
    """A device of the host, and its path inside the container."""
    host, colon, inside = text.partition(":")
    paths = [PurePosixPath(path) for path in (host, inside if colon else host)]
    if not paths[0].is_relative_to("/dev") or paths[0] == PurePosixPath("/dev"):
        raise ValueError
    if any(not path.is_absolute() or ".." in path.parts or ":" in str(path) for path in paths):
        raise ValueError
    return str(paths[0]), str(paths[1])


def _hosts(value: Any) -> list[str]:
    return sorted(f"{_text(name)}:{_text(address)}" for name, address in value.items())


def _sysctls(value: Any) -> dict[str, str]:
    return {_text(name): str(item) for name, item in sorted(value.items())}


def _tmpfs(value: Any) -> dict[str, str]:
    if not all(str(path).startswith("/") for path in value):
        raise ValueError
    return {_text(path): _text(item) if item else "" for path, item in sorted(value.items())}


def _own_labels(value: Any) -> dict[str, str]:
    """Labels of the user; those of envctl and of Compose say what belongs to them."""
    labels = {_text(name): str(text) for name, text in sorted(value.items())}
    if any(name.startswith(_RESERVED) for name in labels):
        raise ValueError
    if not all(text.isprintable() for text in labels.values()):
        raise ValueError
    return labels


def _label(value: Any) -> str:
    return _LABELS[_text(value)]


def _no_network(value: Any) -> str:
    if value != "none":
        raise ValueError
    return "none"


_OPTIONS: Final[Mapping[str, _Option]] = {
    "cpu_shares": _Option("a whole number", _count, "CpuShares"),
    "devices": _Option("a list of paths below /dev", _devices, "Devices"),
    "dns": _Option("a list of addresses", _texts, "Dns"),
    "dns_opt": _Option("a list of texts", _texts, "DnsOptions"),
    "dns_search": _Option("a list of domains", _texts, "DnsSearch"),
    "domainname": _Option("a name", _text, "Domainname", host=False),
    "extra_hosts": _Option("a mapping of name to address", _hosts, "ExtraHosts"),
    "hostname": _Option("a name", _text, "Hostname", host=False),
    "labels": _Option(
        f"a mapping of name to text; names do not begin with {' or '.join(_RESERVED)}",
        _own_labels,
        "Labels",
        host=False,
    ),
    "network_mode": _Option('"none"', _no_network, "NetworkMode"),
    "pids_limit": _Option("a whole number", _count, "PidsLimit"),
    "read_only": _Option("true or false", _flag, "ReadonlyRootfs"),
    "selinux": _Option("shared or private", _label, ""),
    "shm_size": _Option("bytes, or a number with k, m or g", _size, "ShmSize"),
    "stop_signal": _Option("the name of a signal", _text, "StopSignal", host=False),
    "stop_timeout": _Option(
        "whole seconds, 3600 at most",
        _seconds,
        "StopTimeout",
        host=False,
        compose="stop_grace_period",
    ),
    "sysctls": _Option("a mapping of name to value", _sysctls, "Sysctls"),
    "tmpfs": _Option("a mapping of absolute path to mount options", _tmpfs, "Tmpfs"),
    "ulimits": _Option(ulimits.EXPECTED, ulimits.read, "Ulimits"),
}
