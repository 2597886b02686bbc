"""Health checks: the command that runs inside the unit, the same for the engine and for `up`.

An HTTP or TCP check is a POSIX shell script that uses whatever tool the image has. URL, host and port are arguments of
the script, never part of its text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Final, assert_never

from envctl.backends.base import Execution
from envctl.backends.common.capped import CappedBuffer
from envctl.backends.common.secret_wrapper import wrapped
from envctl.errors import EnvctlError
from envctl.plan.exit_state import exit_text
from envctl.plan.model import Probe, ProbeKind, Run

MOST_OUTPUT: Final = 64 * 1024
"""How much output of a health check is stored, in bytes."""
_LATE: Final = frozenset(
    {"timed out", "connection timed out", "io::socket::inet: connect: timeout"}
)
"""Messages that the tools below print when they time out."""
_PYTHON_HTTP: Final = """\
import sys, urllib.request, urllib.error
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
opener = urllib.request.build_opener(Stay, urllib.request.ProxyHandler({}))
try:
    answer = opener.open(sys.argv[1], timeout=float(sys.argv[2]))
except urllib.error.HTTPError as error:
    answer = error
except Exception as error:
    sys.exit("%s" % (getattr(error, "reason", None) or error))
status = answer.getcode()
print("HTTP %d" % status)
if status >= 400:
    print(answer.read(400).decode("utf-8", "replace"))
sys.exit(status >= 400)
"""

_PYTHON_TCP: Final = """\
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
except Exception as error:
    sys.exit("%s" % error)
print("open")
"""

_PERL_TCP: Final = """\
use IO::Socket::INET;
my $to = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1], Timeout => $ARGV[2]);
if (!$to) { print "$@\\n"; exit 1 }
print "open\\n";
"""

_PERL_HTTP: Final = """\
use IO::Socket::INET;
my ($host, $port, $path) = $ARGV[0] =~ m{^http://([^/:?]+)(?::(\\d+))?(.*)$}s or do { print "no tool for this URL\\n"; exit 1 };
$port ||= 80; $path =~ s{^(?!/)}{/};
$SIG{ALRM} = sub { print "timed out\\n"; exit 1 }; alarm $ARGV[1];
my $to = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => $ARGV[1]);
if (!$to) { print "$@\\n"; exit 1 }
print $to "GET $path HTTP/1.0\\r\\nHost: $host:$port\\r\\n\\r\\n";
my ($status) = (<$to> // "") =~ m{^HTTP/\\S+ (\\d+)} or do { print "no HTTP answer\\n"; exit 1 };
print "HTTP $status\\n"; exit($status >= 400);
"""

# The tools stay children of the shell, so that `facts` can recognise the check's processes by the shell's arguments.
_HTTP: Final = """\
url=$1 seconds=$2
has() { command -v "$1" >/dev/null 2>&1; }
if has curl; then
    status=$(curl --silent --show-error --noproxy '*' --max-time "$seconds" --output /dev/null \
        --write-out '%{http_code}' -- "$url" 2>&1) || { [ $? != 28 ] || status="timed out"; echo "$status"; exit 1; }
    echo "HTTP $status"
    case $status in 2??|3??) exit 0 ;; *) exit 1 ;; esac
fi
for python in python3 /opt/*/bin/python; do
    has "$python" && { "$python" -I -c "$PYTHON" "$url" "$seconds" 2>&1; exit; }
done
has perl && { perl -e "$PERL" "$url" "$seconds" 2>&1; exit; }
if has wget; then
    output=$(wget -q -O /dev/null -T "$seconds" "$url" 2>&1) && { echo reached; exit 0; }
    echo "${output:-wget cannot reach it}"; exit 1
fi
if has bash; then
    bash -c "$BASH_SCRIPT" probe "$url" "$seconds" 2>&1; exit
fi
echo "no curl, python3, perl, wget or bash in the image to probe with: use {command: [...]}"; exit 1
"""

_BASH_HTTP: Final = """\
rest=${1#http://}; [ "$rest" = "$1" ] && { echo "no tool for this URL"; exit 1; }
where=${rest%%/*}; path=/${rest#"$where"}; path=/${path##/}
host=${where%%:*}; port=${where##*:}; [ "$port" = "$where" ] && port=80
exec 3<>"/dev/tcp/$host/$port" || exit 1
printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$path" "$where" >&3
read -r -t "$2" _ status _ <&3 || { [ $? -gt 128 ] && echo "timed out" || echo "no HTTP answer"; exit 1; }
echo "HTTP $status"
case $status in 2??|3??) exit 0 ;; *) exit 1 ;; esac
"""

_TCP: Final = """\
host=$1 port=$2 seconds=$3
has() { command -v "$1" >/dev/null 2>&1; }
for python in python3 /opt/*/bin/python; do
    has "$python" && { "$python" -I -c "$PYTHON" "$host" "$port" "$seconds" 2>&1; exit; }
done
has perl && { perl -e "$PERL" "$host" "$port" "$seconds" 2>&1; exit; }
if has nc; then
    nc -z -w "$seconds" "$host" "$port" 2>&1 && { echo open; exit 0; }
    echo closed; exit 1
fi
if has bash; then
    bash -c 'exec 3<>"/dev/tcp/$1/$2" && echo open' probe "$host" "$port" 2>&1; exit
fi
echo "no python3, perl, nc or bash in the image to probe with: use {command: [...]}"; exit 1
"""


def test(probe: Probe) -> tuple[str, ...]:
    """The command that runs the health check once: exit code 0 is healthy; its output says why."""
    seconds = str(max(1, ceil(probe.timeout)))
    match probe.kind:
        case ProbeKind.COMMAND:
            return probe.test
        case ProbeKind.HTTP:
            script = _assign(PYTHON=_PYTHON_HTTP, PERL=_PERL_HTTP, BASH_SCRIPT=_BASH_HTTP) + _HTTP
        case ProbeKind.TCP:
            script = _assign(PYTHON=_PYTHON_TCP, PERL=_PERL_TCP) + _TCP
        case _:
            assert_never(probe.kind)
    return ("/bin/sh", "-c", script, "probe", *probe.test, seconds)


class CutShortError(EnvctlError):
    """A health check was ended before its own timeout, so its result is unknown."""


def ask(
    probe: Probe, run: Callable[[Execution], int], *, grace: float, cut_short: bool = False
) -> tuple[bool, str]:
    """Run the health check once with `run`, which runs commands in the unit: whether it passed, and its output.

    It gets `grace` seconds more than its own timeout. With `cut_short`, `grace` is negative, and CutShortError is
    raised if the time was not enough.
    """
    output = CappedBuffer(MOST_OUTPUT)
    execution = Execution(test(probe), stdout=output, stderr=output, timeout=probe.timeout + grace)
    try:
        code = run(execution)
    except EnvctlError as error:
        if isinstance(error.__cause__, TimeoutError):
            if cut_short:
                raise CutShortError("the probe was cut short") from error
            return False, timed_out(probe)
        raise
    return result(probe, code, output.text.strip())


def with_secrets(run: Run) -> Probe | None:
    """The unit's health check as its user runs it. A command from the spec gets the variables that contain secrets."""
    declared = run.probe
    if declared is None or declared.kind is not ProbeKind.COMMAND:
        return declared
    return replace(declared, test=wrapped(run, declared.test))


def result(probe: Probe, code: int | None, text: str) -> tuple[bool, str]:
    """Whether the check passed, and its message, from its exit code and output; the code is None after a timeout."""
    if code is None:
        return False, timed_out(probe)
    return code == 0, text if code == 0 else _failed(probe, code, text)


def timed_out(probe: Probe) -> str:
    """The message for a health check that timed out."""
    return f"the probe timed out after {probe.timeout:g} s"


def _failed(probe: Probe, code: int, text: str) -> str:
    """The message of a failed health check; for a command from the spec, with its exit code."""
    if probe.kind is ProbeKind.COMMAND:
        return f"{exit_text(code)}: {text}" if text else f"the probe ended with {exit_text(code)}"
    if text.lower().removesuffix(".") in _LATE:
        return timed_out(probe)
    return text or f"the probe ended with {exit_text(code)}"


def _assign(**texts: str) -> str:
    """Shell assignments of these constants."""
    return "".join(f"{name}={_single_quoted(text)}\n" for name, text in texts.items())


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
