"""Sends the output of a unit's process to its machine's journal. Pure.

The process writes into two pipes that belong to its user, so it can open /dev/stdout as in a container, which is
impossible with a socket of the journal. A log service sends the lines to the journal. Lines of short-lived processes,
empty lines and long lines arrive, too: see docs/decisions/machines.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from envctl.backends.vagrant.quoting import words
from envctl.backends.vagrant.unit.unit_paths import UnitPaths
from envctl.lazy_dataclass import dataclass

PROGRAM: Final = "/usr/lib/envctl/log"
"""The path, in a machine, of the program that sends the lines of all its units."""
SERVICE_FILE: Final = "/etc/systemd/system/envctl-log@.service"
PART: Final = "ENVCTL_PART"
"""The journal field that marks an entry whose line continues in the next entry."""
RUN: Final = "ENVCTL_RUN"
"""The journal field with the unit's run id, which stays the same from one creation of the unit to the next."""
LONGEST: Final = 65536
"""The maximum length of a line in one entry, in bytes."""

SERVICE: Final = f"""\
[Unit]
Description=output of %i
[Service]
Type=notify
ExecStart=/usr/bin/perl {PROGRAM} %i
Restart=always
RestartSec=0
LogRateLimitIntervalSec=0
OOMScoreAdjust=-1000
"""
"""The template of the log services, one per unit. It has no rate limit, so that no line is dropped.

It reports READY after it has opened the pipes, because data in a pipe without a reader is lost.
"""

# Perl exists on every system with dpkg. It uses no modules, because loading one takes a second on an emulated
# processor.
_PROGRAM: Final = r"""# Sends what comes from a unit's two pipes to the journal, an entry a line.
use strict;
my $unit = $ARGV[0];
my $folder = $ARGV[1] // "/run/envctl/output/$unit";
my $socket = $ARGV[2] // '/run/systemd/journal/socket';
my ($journal, $init, $ending);
open my $file, '<', $ARGV[3] // "/etc/envctl/$unit/output" or die "its run is not known: $!
";
chomp(my $run = <$file>);
$SIG{TERM} = sub { $ending = 1 };

# A datagram socket to a listener; systemd may listen at an abstract name.
sub datagrams {
    my $where = shift =~ s/^@/\0/r;
    return socket($_[0], 1, 2, 0) && connect($_[0], pack 'Sa*', 1, $where);
}

sub connected {
    select undef, undef, undef, 0.1 until datagrams($socket, $journal);
}

# A field with its length, as it may contain any byte: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
sub entry {
    my ($pipe, $text, $part) = @_;
    my $data = "PRIORITY=$$pipe{level}
SYSLOG_IDENTIFIER=$unit
ENVCTL_RUN=$run
" . ($part ? "ENVCTL_PART=1
" : '')
        . "MESSAGE
" . pack('Q<', length $text) . "$text
";
    connected() until $journal && defined send $journal, $data, 0;
}

# Without blocking: a writer may come later, or be gone. Opened before the former end is closed, so that no byte is lost.
sub opened {
    my $pipe = shift;
    sysopen my $end, $$pipe{path}, 2048 or die "$$pipe{path}: $!
";
    $$pipe{end} = $end;
}

# Read one pipe; whether there was anything.
sub taken {
    my $pipe = shift;
    my $count = sysread $$pipe{end}, $$pipe{text}, LONGEST, length $$pipe{text};
    return 0 unless defined $count;
    if (!$count) {
        # All writers are gone: an unfinished line is complete now.
        entry($pipe, $$pipe{text}) if length $$pipe{text};
        $$pipe{text} = '';
        opened($pipe);
        return 0;
    }
    while ((my $at = index $$pipe{text}, "
") >= 0) {
        entry($pipe, substr $$pipe{text}, 0, $at);
        substr $$pipe{text}, 0, $at + 1, '';
    }
    entry($pipe, substr($$pipe{text}, 0, LONGEST, ''), 1) while length $$pipe{text} > LONGEST;
    return 1;
}

my @pipes = map { { path => "$folder/$$_[0]", level => $$_[1], text => '' } } ['stdout', 6], ['stderr', 3];
opened($_) for @pipes;
send $init, 'READY=1', 0 if $ENV{NOTIFY_SOCKET} && datagrams($ENV{NOTIFY_SOCKET}, $init);
until ($ending) {
    my $ready = '';
    vec($ready, fileno $$_{end}, 1) = 1 for @pipes;
    next if select($ready, undef, undef, undef) < 1;
    # Until both are empty: a writer that came and went while a pipe was reopened causes no other wake-up.
    1 while grep { taken($_) } @pipes;
}
# Send what is left in the pipes before exiting.
for my $pipe (@pipes) {
    1 while taken($pipe);
    entry($pipe, $$pipe{text}) if length $$pipe{text};
}
"""
PROGRAM_TEXT: Final = _PROGRAM.replace("LONGEST", str(LONGEST))


def setup_commands(paths: UnitPaths, owner: str, *, new_run: bool) -> Iterator[str]:
    """Shell commands that create the pipes for an owner, quoted for `chown`; `new_run` begins another run."""
    yield f"mkdir -p {paths.pipes[0].rpartition('/')[0]} {_run_file(paths).rpartition('/')[0]}"
    yield (
        f"for pipe in {words(paths.pipes)}; do [ -p $pipe ] || mkfifo -m 600 $pipe;"
        f" chown -- {owner} $pipe 2>/dev/null || :; done"
    )
    uuid = f"cat /proc/sys/kernel/random/uuid >{_run_file(paths)}"
    yield uuid if new_run else f"[ -s {_run_file(paths)} ] || {uuid}"


def redirect(paths: UnitPaths) -> str:
    """A shell command that redirects the shell, and the process that it becomes, to the pipes.

    It opens them for reading, too: otherwise a write would kill the process while the log service restarts.
    """
    stdout, stderr = paths.pipes
    return f"exec 1<>{stdout} 2<>{stderr}"


@dataclass(frozen=True, slots=True)
class LogRange:
    """The range of lines to read: the last `tail` lines between two times, in seconds since 1970; None is no limit."""

    tail: int | None = None
    since: float | None = None
    until: float | None = None

    def has(self, moment: float) -> bool:
        """Whether a time is in the range."""
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment <= self.until
        )


def read_command(
    paths: UnitPaths, log_range: LogRange, *, follow: bool = False, form: str = "json"
) -> str:
    """The shell command that prints a unit's run, the time in microseconds, and its last journal entries in a range.

    More entries may come than are in the range: journalctl counts lines from the first after --since, and to the last
    of all with --until. With `follow`, entries of earlier runs may come first, and those of later runs at the end. For
    a unit that was never started, the command prints nothing.
    """
    lines = "all" if log_range.tail is None or log_range.until is not None else log_range.tail
    moments = f" --until=@{log_range.until:.6f}" if log_range.until is not None else ""
    if lines == "all" and log_range.since is not None:
        moments += f" --since=@{log_range.since:.6f}"
    which = "" if follow else f" {RUN}=$run"
    fields = f"MESSAGE,PRIORITY,{PART},{RUN},__REALTIME_TIMESTAMP"
    return (
        f"[ ! -s {_run_file(paths)} ] || {{ read -r run <{_run_file(paths)}; echo $run $(date +%s%6N);"
        f" exec journalctl {'--follow ' if follow else ''}--no-pager --quiet --all --output={form}"
        f" --output-fields={fields} --lines={lines}{moments} _SYSTEMD_UNIT={paths.log_service}{which}; }}"
    )


def _run_file(paths: UnitPaths) -> str:
    """The file with the id of a unit's run; it survives reboots."""
    return f"/etc/envctl/{paths.unit}/output"
