"""Differences to plant in a unit that runs, behind envctl's back, and what of them has to be found.

One table for both backends. A script runs as root of the unit's host, inside the unit; `container` and `machine`
take its place on that backend, `container` beside the container, with its process in $PID and the path of its control
group in $GROUP. Each is undone by the script that belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass

PRELUDE = r"""
cd /; mkdir -p /run/kept; mkdir -p -m 777 /run/told
# Keep files as they are, and put them back; /run is in memory, and volatile.
keep() { for path; do rm -rf "/run/kept$path"; cp -a --parents "$path" /run/kept; done; }
back() { for path; do rm -rf "$path"; cp -a "/run/kept$path" "$path"; done; }
# The unit's own process, which does as it is told.
read -r main </run/main
tell() { printf '%s\n' "$1" >/run/told/do.pl; kill -USR1 $main; for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /run/told/do.pl ] || return 0; sleep 0.3; done; exit 9; }
# Attributes of files, where there is no tool for them.
attribute() { perl -e '($path, $name, $value) = @ARGV; $value = pack "H*", $value; syscall(188, $path, $name, $value, length $value, 0) == 0 or die $!' "$@"; }
# A limit of the process's, by the kernel's number; it lowers its own, since not every host's root may.
lower() { tell "\$b = pack 'QQ'; syscall(97, $1, \$b); (\$soft{$1}, \$hard{$1}) = unpack 'QQ', \$b; syscall(160, $1, pack 'QQ', $2, \$hard{$1})"; }
restore() { tell "syscall(160, $1, pack 'QQ', \$soft{$1}, \$hard{$1})"; }
# Put a process in the unit's own control group.
join() { [ ! -e /sys/fs/cgroup/system.slice/envctl-web.service ] || echo $1 >/sys/fs/cgroup/system.slice/envctl-web.service/cgroup.procs; }
"""
"""What comes before each script inside."""
BESIDE = r"""
# A setting of the container's control group, in either version of those: -1 is none.
group() {
    if [ -d /sys/fs/cgroup/memory ]; then echo $3 >/sys/fs/cgroup/${1%/*}$GROUP/${1#*/}
    else case $3 in -1) set -- "$1" "$2" max ;; esac; echo $3 >/sys/fs/cgroup$GROUP/$2; fi
}
enter="nsenter --target=$PID --net"
"""
"""What comes before each script beside a container."""
_ADD = "add() { f=/proc/sys/$(echo $1 | tr . /); $enter sh -c 'echo $(($(cat $0) + $1)) >$0' $f $2; }\n"
PRELUDE, BESIDE = PRELUDE + _ADD, BESIDE + _ADD
OBEY = (
    "use IO::Socket::INET; $SIG{CHLD} = 'IGNORE';"
    ' $SIG{USR1} = sub { do "/run/told/do.pl"; unlink "/run/told/do.pl" };'
    ' $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "0.0.0.0:PORT") or die; sleep 1 while 1'
)
"""The program of the unit, in Perl: it listens, and runs what it is sent a signal for."""
FIND_MAIN = "for f in /proc/[0-9]*; do read -r c <$f/comm; [ $c != perl ] || echo ${f#/proc/} >/run/main; done; cat /run/main"
TOKEN = "/run/secrets/token"


@dataclass(frozen=True)
class Plant:
    """A difference: `found` are patterns, each of which some finding has to match, as "CATEGORY KEY"."""

    name: str
    found: tuple[str, ...]
    script: str = ""
    undo: str = ""
    container: tuple[str, str] | None = None
    machine: tuple[str, str] | None = None
    also: tuple[str, ...] = ()
    """What may be found besides: another view of the same."""
    docker: bool = True
    vagrant: bool = True
    alike: bool = False
    """Whether it is found beside units of the same backend only: beside others it is the host's, and substrate."""

    def on(self, backend: str) -> bool:
        """Whether it can be planted there."""
        return self.docker if backend == "docker" else self.vagrant


def _file(name: str, path: str, script: str, *more: str) -> Plant:
    """Something done to a file that is there."""
    return Plant(
        name,
        tuple(f"files {one}" for one in (path, *more)),
        f"keep {path}\n{script}",
        f"back {path}",
    )


def _extra(name: str, path: str, script: str = "", *, folder: str = "") -> Plant:
    """Something that was not there; `folder` is the first folder that has to be made for it."""
    quoted = "'" + path.replace("'", "'\\''") + "'"
    made = script or f'mkdir -p "$(dirname -- {quoted})"; echo extra >{quoted}'
    key = path.replace("[", "[[]")
    top = "'" + (folder or path).replace("'", "'\\''") + "'"
    found = (f"files {folder}", f"files {key}") if folder else (f"files {key}",)
    also = (f"files {folder}/*",) if folder else ()
    return Plant(name, found, made, f"rm -rf {top}", also=also)


FILES = [
    _file("a program edited", "/usr/bin/savelog", "echo '# x' >>/usr/bin/savelog"),
    _file("a program edited, of the same size and time", "/usr/sbin/add-shell", "printf X | dd of=/usr/sbin/add-shell conv=notrunc bs=1 seek=20 2>/dev/null; touch -r /run/kept/usr/sbin/add-shell /usr/sbin/add-shell"),
    _file("a module edited, of the same size and time", "/usr/lib/x86_64-linux-gnu/perl-base/Symbol.pm", "f=/usr/lib/x86_64-linux-gnu/perl-base/Symbol.pm; printf X | dd of=$f conv=notrunc bs=1 seek=3000 2>/dev/null; touch -r /run/kept$f $f"),
    _file("a document edited", "/usr/share/doc/debianutils/copyright", "echo x >>/usr/share/doc/debianutils/copyright"),
    _file("a setting of a package edited", "/etc/issue", "echo x >>/etc/issue"),
    _file("a mode of a program", "/usr/bin/ischroot", "chmod 700 /usr/bin/ischroot"),
    _file("an owner of a program", "/usr/bin/toe", "chown games /usr/bin/toe"),
    _file("a group of a program", "/usr/bin/tabs", "chgrp games /usr/bin/tabs"),
    _file("setuid", "/usr/bin/env", "chmod u+s /usr/bin/env"),
    _file("setgid", "/usr/bin/nproc", "chmod g+s /usr/bin/nproc"),
    _file("a capability", "/usr/bin/tty", "attribute /usr/bin/tty security.capability 0100000200200000000000000000000000000000"),
    _file("a package's link that leads elsewhere", "/usr/bin/sg", "ln -sfn /bin/sh /usr/bin/sg"),
    _file("a program that is gone", "/usr/bin/infocmp", "rm /usr/bin/infocmp"),
    _file("a program that became a folder", "/usr/bin/clear", "rm /usr/bin/clear; mkdir /usr/bin/clear"),
    _file("a program that became a link to its equal", "/usr/bin/tset", "cp -p /usr/bin/tset /var/tmp/tset; ln -sfn /var/tmp/tset /usr/bin/tset"),
    _file("an own file edited", "/srv/web/settings.ini", "echo x >>/srv/web/settings.ini"),
    _file("a file that nobody else may read edited", "/etc/app.key", "echo other >/etc/app.key; chmod 600 /etc/app.key"),
    _file("a file in a closed folder edited", "/srv/vault/inner", "echo other >/srv/vault/inner"),
    _file("a link that leads elsewhere", "/srv/web/current", "ln -sfn /etc/passwd /srv/web/current"),
    _file("a file of root's home edited", "/root/.bashrc", "echo x >>/root/.bashrc"),
    _file("a password changed", "/etc/shadow", r"sed -i 's,^news:[^:]*:,news:$6$other:,' /etc/shadow"),
    _file("a mode of a folder", "/opt/debs", "chmod 700 /opt/debs"),
    _file("a folder that anybody may write", "/usr/local/share", "chmod 1777 /usr/local/share"),
    _file("a default changed", "/etc/login.defs", "sed -i s/022/077/ /etc/login.defs"),
    _extra("a program in /usr/bin", "/usr/bin/extra"),
    _extra("a program in /usr/local/bin", "/usr/local/bin/extra"),
    _extra("a library", "/usr/lib/x86_64-linux-gnu/libextra.so.1"),
    _extra("a state", "/var/lib/extra/state", folder="/var/lib/extra"),
    _extra("a table of cron", "/var/spool/cron/crontabs/root", folder="/var/spool/cron"),
    _extra("a mail", "/var/mail/extra"),
    _extra("a file in root's home", "/root/.extra"),
    _extra("a key of root's", "/root/.config/extra/key", folder="/root/.config"),
    _extra("a file in the user's home", "/home/app/extra"),
    _extra("a file in /opt", "/opt/extra"),
    _extra("a job of cron", "/etc/cron.d/extra"),
    _extra("a profile", "/etc/profile.d/extra.sh"),
    _extra("a library loaded before all others", "/etc/ld.so.preload", ": >/etc/ld.so.preload"),
    _extra("a service of systemd", "/etc/systemd/system/extra.service"),
    _extra("a service of systemd in /lib", "/usr/lib/systemd/system/extra.service"),
    _extra("a file deep down", "/usr/share/a/b/c/d/e/f/g/h/i/extra", folder="/usr/share/a"),
    _extra("a hidden folder", "/usr/lib/.hidden/x", folder="/usr/lib/.hidden"),
    _extra("a file at the root", "/.extra"),
    _extra("a file in /mnt", "/mnt/extra"),
    Plant("a file system mounted", ("files /media",), "mount -t tmpfs -o mode=755 tmpfs /media", "umount /media"),
    _extra("a name with spaces", "/srv/web/a  b "),
    _extra("a name with quotes", "/srv/web/it's \"$x\" `y`"),
    _extra("a name with a newline", "/srv/web/one\ntwo"),
    _extra("a name with a tab", "/srv/web/a\tb"),
    _extra("a name that looks like an arrow", "/srv/web/a' -> 'b"),
    _extra("a name with a backslash", "/srv/web/a\\nb"),
    _extra("a name in Unicode", "/srv/web/grüß-日本"),
    _extra("a name that begins like an option", "/srv/web/-rf"),
    _extra("an empty folder", "/srv/empty", "mkdir /srv/empty"),
    _extra("a pipe", "/srv/web/pipe", "mkfifo /srv/web/pipe"),
    _extra("a device", "/srv/web/null", "mknod /srv/web/null c 1 3"),
    _extra("a link to nowhere", "/srv/web/nowhere", "ln -s /none /srv/web/nowhere"),
]  # fmt: skip
_PASSWD, _GROUP = "files /etc/passwd", "files /etc/group"
ACCOUNTS = [
    Plant("a user", (_PASSWD, "users extra"), "keep /etc/passwd; echo extra:x:4242:4242::/:/bin/sh >>/etc/passwd", "back /etc/passwd"),
    Plant("another uid", (_PASSWD, "users uucp"), "keep /etc/passwd; sed -i s/^uucp:x:10:/uucp:x:99:/ /etc/passwd", "back /etc/passwd"),
    Plant("another shell", (_PASSWD, "users news"), "keep /etc/passwd; sed -i '/^news:/s,/[^:/]*/[^:/]*$,/bin/sh,' /etc/passwd", "back /etc/passwd"),
    Plant("a group", (_GROUP, "groups extra"), "keep /etc/group; echo extra:x:4242: >>/etc/group", "back /etc/group"),
    Plant("a member of a group", (_GROUP, "groups adm"), r"keep /etc/group; sed -i s/^adm:.*/\&app/ /etc/group", "back /etc/group"),
]  # fmt: skip
_DPKG = ("files /var/lib/dpkg/*", "files /usr/share/doc/*")
PACKAGES = [
    Plant("another version of a package", ("packages plant",), "keep /var/lib/dpkg; dpkg -i /opt/debs/plant_2_all.deb", "dpkg -i /opt/debs/plant_1_all.deb; back /var/lib/dpkg", also=_DPKG),
    Plant("an extra package", ("packages extra",), "keep /var/lib/dpkg; dpkg -i /opt/debs/extra_1_all.deb", "dpkg --purge extra; back /var/lib/dpkg", also=_DPKG),
    Plant("a package that is gone", ("packages other",), "keep /var/lib/dpkg; dpkg --purge other", "dpkg -i /opt/debs/other_1_all.deb; back /var/lib/dpkg", also=_DPKG),
    Plant("a Python package", ("python /usr/local/lib*: extra",), "mkdir -p /usr/local/lib/python3.11/dist-packages/extra-1.0.dist-info", "rm -r /usr/local/lib/python3.11", also=("files /usr/local/lib/*",)),
    Plant("a Python package of the user's", ("python /home/app/.local/*: mine",), "mkdir -p /home/app/.local/lib/python3.11/site-packages/mine-1.0.dist-info", "rm -r /home/app/.local", also=("files /home/app/.local*",)),
    Plant("an npm package", ("npm /usr/local/lib*: left-pad",), 'mkdir -p /usr/local/lib/node_modules/left-pad; printf \'{\\n  "version": "1.0.0"\\n}\' >/usr/local/lib/node_modules/left-pad/package.json', "rm -r /usr/local/lib/node_modules", also=("files /usr/local/lib/node_modules*",)),
    Plant("an npm package of the user's", ("npm /home/app: mine",), 'mkdir -p /home/app/node_modules/mine; printf \'{\\n  "version": "1.0.0"\\n}\' >/home/app/node_modules/mine/package.json', "rm -r /home/app/node_modules", also=("files /home/app/node_modules*",)),
]  # fmt: skip
_LOCALTIME = "/etc/localtime"
PLACES = [
    Plant("another time zone", ("locale time zone",), f"keep {_LOCALTIME}; ln -sfn /usr/share/zoneinfo/Asia/Tokyo {_LOCALTIME}", f"back {_LOCALTIME}", also=(f"files {_LOCALTIME}", f"locale {_LOCALTIME}")),
    Plant("another locale", ("locale available",), "cp -r /usr/lib/locale/C.utf8 /usr/lib/locale/xx_XX.utf8", "rm -r /usr/lib/locale/xx_XX.utf8", also=("files /usr/lib/locale/xx_XX.utf8*",)),
    Plant("a secret that is gone", (f"secrets {TOKEN}", f"secrets {TOKEN} digest"), f"mount -o remount,rw /run/secrets 2>/dev/null || :; mv {TOKEN} /run/kept-token", f"mv /run/kept-token {TOKEN}"),
    Plant("a secret of another value", (f"secrets {TOKEN} digest",), f"cp -p {TOKEN} /run/secrets/.was; chmod u+w {TOKEN}; echo more >>{TOKEN}; chmod u-w {TOKEN}", f"mv /run/secrets/.was {TOKEN}"),
    Plant("a secret that others may read", (f"secrets {TOKEN}",), f"chmod 444 {TOKEN}", f"chmod 400 {TOKEN}"),
    Plant("a name that is gone", ("names other",), "cat /etc/hosts >/run/hosts; cat /etc/resolv.conf >/run/resolv; sed '/ other/d' /run/hosts >/etc/hosts; echo nameserver 127.0.0.1 >/etc/resolv.conf", "cat /run/hosts >/etc/hosts; cat /run/resolv >/etc/resolv.conf"),
]  # fmt: skip
PROCESS = [
    Plant("another working directory", ("process *directory*",), "tell 'chdir \"/opt\"'", "tell 'chdir \"/srv/web\"'"),
    Plant("another mask for files", ("process *umask*",), "tell 'umask 0'", "tell 'umask 022'"),
    Plant("a process of the user's", ("processes *4242*",), "tell 'fork or exec \"sleep\", \"4242\"'", "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline | grep -qx 'sleep 4242 ' && kill ${p#/proc/}; done; sleep 1"),
    Plant("a process of root's", ("processes *5151*",), "setsid sleep 5151 >/dev/null 2>&1 & echo $! >/run/root.pid; join $(cat /run/root.pid); sleep 1", "kill $(cat /run/root.pid); sleep 1"),
    Plant("nice", ("processes *USR1*",), "renice -n 7 -p $main", "renice -n 0 -p $main"),
    Plant("oom_score_adj", ("processes *USR1*",), "echo 300 >/proc/$main/oom_score_adj", "echo 0 >/proc/$main/oom_score_adj"),
    Plant("a limit of files", ("limits open files",), "lower 7 99", "restore 7"),
    Plant("a limit of core files", ("limits core file size",), "lower 4 4096", "restore 4"),
    Plant("a port that listens", ("sockets tcp 0.0.0.0:9000",), "tell '$t = IO::Socket::INET->new(Listen => 5, LocalAddr => \"0.0.0.0:9000\") or die'", "tell 'close $t'"),
    Plant("a UDP port that is bound", ("sockets udp 0.0.0.0:9001",), "tell '$u = IO::Socket::INET->new(Proto => \"udp\", LocalAddr => \"0.0.0.0:9001\") or die'", "tell 'close $u'"),
    Plant("a port of loopback", ("sockets tcp 127.0.0.1:9002",), "tell '$l = IO::Socket::INET->new(Listen => 5, LocalAddr => \"127.0.0.1:9002\") or die'", "tell 'close $l'"),
]  # fmt: skip
_SLICE = "systemctl set-property --runtime"
LIMITS = [
    Plant("less memory", ("limits memory",), container=("group memory/memory.limit_in_bytes memory.max 209715200", "group memory/memory.limit_in_bytes memory.max -1"), machine=(f"{_SLICE} envctl-web.service MemoryMax=200M", f"{_SLICE} envctl-web.service MemoryMax=infinity")),
    Plant("less memory for all above it", ("limits memory",), machine=(f"{_SLICE} system.slice MemoryMax=200M", f"{_SLICE} system.slice MemoryMax=infinity"), docker=False),
    Plant("less of a processor", ("limits processors",), container=("group cpu/cpu.cfs_quota_us cpu.max 50000", "group cpu/cpu.cfs_quota_us cpu.max -1"), machine=(f"{_SLICE} envctl-web.service CPUQuota=50%", f"{_SLICE} envctl-web.service CPUQuota=")),
    Plant("fewer processes", ("limits tasks",), container=("group pids/pids.max pids.max 55", "group pids/pids.max pids.max max"), machine=(f"{_SLICE} envctl-web.service TasksMax=55", f"{_SLICE} envctl-web.service TasksMax=infinity")),
    Plant("a setting of the network", ("sysctls *somaxconn",), container=("add net.core.somaxconn 1", "add net.core.somaxconn -1"), machine=("add net.core.somaxconn 1", "add net.core.somaxconn -1")),
    Plant("another setting of the network", ("sysctls *tcp_keepalive_time",), container=("add net.ipv4.tcp_keepalive_time 1", "add net.ipv4.tcp_keepalive_time -1"), machine=("add net.ipv4.tcp_keepalive_time 1", "add net.ipv4.tcp_keepalive_time -1")),
    Plant("swap", ("*swap*",), machine=("fallocate -l 64M /var/tmp/swap; chmod 600 /var/tmp/swap; mkswap -q /var/tmp/swap; swapon /var/tmp/swap", "swapoff /var/tmp/swap; rm /var/tmp/swap"), docker=False, alike=True),
]  # fmt: skip
ALL = [*FILES, *ACCOUNTS, *PACKAGES, *PLACES, *PROCESS, *LIMITS]
VOLATILE = Plant(
    "what comes and goes",
    (),
    "echo x >/tmp/x; echo x >/run/x; echo x >/var/tmp/x; echo x >/dev/shm/x; echo x >/var/log/extra.log;"
    " mkdir -p /var/cache/extra; echo x >/var/cache/extra/x; echo x >/data/x; echo x >>/var/log/dpkg.log;"
    " touch /usr/bin/savelog /srv/web/settings.ini; cat /usr/bin/* >/dev/null;"
    ' tell \'$c = IO::Socket::INET->new(Proto => "udp", PeerAddr => "127.0.0.1:9") or die\'',
    "rm -rf /tmp/x /run/x /var/tmp/x /dev/shm/x /var/log/extra.log /var/cache/extra /data/x; tell 'close $c'",
)
"""Nothing of this is a difference."""


def batches(plants: list[Plant]) -> list[list[Plant]]:
    """The plants, in as few groups as have no finding in common within one."""
    found: list[list[Plant]] = []
    for plant in plants:
        mine = {*plant.found, *plant.also}
        for group in found:
            if not any(mine & {*one.found, *one.also} for one in group):
                group.append(plant)
                break
        else:
            found.append([plant])
    return found
