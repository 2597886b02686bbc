"""The kernel and initial RAM disk that boot machines, and the build that turns an image into a machine.

All boxes share a kernel of the distribution and a small RAM disk. It loads the dozen modules that a virtual machine
needs, mounts the root disk and the volumes, sets the host name and starts systemd, without a device manager or network
manager. SSH answers after 10 s without KVM. The scripts are part of the boxes' digests, so changing one makes all boxes
again.
"""

from __future__ import annotations

from typing import Final

from envctl.host.architectures import NATIVE
from envctl.plan.digest import build_digest
from envctl.plan.model import Base, Build, InstallPackages, RunCommand, Step, WriteFile
from envctl.plan.volatile_places import PATTERNS

MODULES: Final = (
    "af_packet",
    "autofs4",
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "virtiofs",
    "button",
    "evdev",
)
ON_DEMAND: Final = ("overlay",)
"""Modules that are loaded only if the kernel's command line names them."""
KERNEL_BASE: Final = Base("debian:bookworm", "debian:bookworm")
"""The base of the kernel, whatever the base of a machine."""
KERNEL_PACKAGE: Final = NATIVE.kernel
KERNEL: Final = "/out/vmlinuz"
INITRD: Final = "/out/initrd"

FAILED: Final = "/run/envctl/failed"
"""The file with errors from mounting disks and folders, one per line."""

_INIT: Final = r"""#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
$b mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
while read m; do $b insmod /m/$m; done < /m/list
$b mount -t ext4 -o rw,noatime /dev/vda /root || { echo "envctl: no root disk" >/dev/console; $b poweroff -f; }
# What an image has in /run is there in a container, too.
$b cp -a /root/run/. /run/
for arg in $($b cat /proc/cmdline); do case $arg in
  envctl.host=*) host=${arg#*=};;
  envctl.key=*) key=${arg#*=};;
  envctl.volume=*) volumes="$volumes ${arg#*=}";;
  envctl.share=*) shares="$shares ${arg#*=}";;
  envctl.module=*) $b insmod "/m/${arg#*=}.ko";;
esac; done
$b mkdir -p -m 755 /run/envctl; $b cp /bin/busybox /udhcpc.sh /run/envctl/
# Without a key of ours the machine is Vagrant's alone, which keeps its own where every machine has it.
if [ -n "$key" ]; then echo "ssh-ed25519 $key envctl" > /run/envctl/authorized_keys
else $b ln -s /root/.ssh/authorized_keys /run/envctl/authorized_keys; fi
[ -z "$host" ] || echo "$host" > /root/etc/hostname
# As in a container: who is not root may listen below port 1024, and ping.
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start; echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range
host=$($b cat /root/etc/hostname 2>/dev/null); host=${host:-localhost}; $b hostname "$host"
$b ip link set lo up; $b ip link set eth0 up
# A path is written with everything unusual by number: \0NNN.
# Without its data a unit must not run: what went wrong is told when it is to be started.
fail() { echo "envctl: $*" | $b tee -a FAILED >/dev/console; }
inside() { $b chroot /root "$@" </dev/null; }
$b mount -o bind /run /root/run; $b mount -o bind /dev /root/dev
i=/run/envctl/busybox
# Where a path leads inside, made if it is not there.
place() {
  path=$($b printf '%b.' "$1"); path=${path%.}
  inside $i mkdir -p -- "$path" 2>/dev/null || inside $i mkdir -p -- "$(inside $i readlink -f "$path")"
  path=$(inside $i readlink -f "$path"; echo .); path=${path%??}
  [ -n "$path" ] && [ -d "/root$path" ] || { fail "there can be no folder $1"; return 1; }
}
# A blank disk is formatted and starts with what the image has there, as a new volume of a container does;
# so does one whose copy was cut off, which its label tells.
blank() {
  [ "$($b head -c 65536 "$1" | $b tr -d '\000' | $b wc -c)" = 0 ] ||
    [ "$($b head -c 1154 "$1" | $b tail -c 10)" = envctl-new ]
}
format() {
  inside /sbin/mke2fs -F -q -t ext4 -L envctl-new -m 0 -E lazy_itable_init=1,lazy_journal_init=1 "$1" &&
    $b mkdir -p /v && $b mount -t ext4 "$1" /v && $b rmdir /v/lost+found && $b cp -a "/root$path/." /v/ &&
    $b chown "$($b stat -c %u:%g "/root$path")" /v && $b chmod "$($b stat -c %a "/root$path")" /v &&
    $b umount /v && inside /sbin/tune2fs -L '' "$1" >/dev/null
}
for v in $volumes; do
  serial=${v%%:*} dev=
  for d in /sys/block/vd*; do [ "$($b cat $d/serial)" = "$serial" ] && dev=/dev/${d##*/}; done
  [ -n "$dev" ] || { fail "the disk of ${v#*:} is not there"; continue; }
  place "${v#*:}" || continue
  [ "$($b head -c 65536 $dev | $b wc -c)" = 65536 ] || { fail "the disk of $path cannot be read"; continue; }
  ! blank $dev || format $dev || { fail "the disk of $path cannot be made"; continue; }
  $b mount -t ext4 -o noatime $dev "/root$path" || fail "the disk of $path cannot be mounted"
done
for s in $shares; do
  tag=${s%%:*} mode=rw
  case $tag in ro-*) tag=${tag#ro-}; mode=ro;; esac
  place "${s#*:}" || continue
  $b mount -t virtiofs -o $mode "$tag" "/root$path" || fail "the folder of this host for $path cannot be mounted"
done
$b umount /root/run; $b umount /root/dev
$b mount --move /dev /root/dev; $b mount --move /proc /root/proc
$b mount --move /sys /root/sys; $b mount --move /run /root/run
# Run from inside the new root, so that it and its script outlive the switch; it waits for the lease, and
# renews it in the background.
$b chroot /root /run/envctl/busybox udhcpc -b -i eth0 -s /run/envctl/udhcpc.sh -x hostname:"$host" -t 5 -T 1 -A 5 </root/dev/null >/root/dev/null 2>&1
# The power button, which this host presses when it is shut down itself, has the init stop all that runs and power off.
$b mkdir -p /root/run/envctl/acpi/PWRF; printf '#!/run/envctl/busybox sh\nkill -POWEROFF 1\n' > /root/run/envctl/acpi/PWRF/00000080
$b chmod 755 /root/run/envctl/acpi/PWRF/00000080
$b chroot /root /run/envctl/busybox acpid -c /run/envctl/acpi -p /run/envctl/acpid.pid -l /dev/null </root/dev/null >/root/dev/null 2>&1
exec $b switch_root /root /sbin/init
"""
_POWER_OFF: Final = 38
"""SIGRTMIN+4: https://www.freedesktop.org/software/systemd/man/latest/systemd.html#Signals"""
INIT: Final = _INIT.replace("FAILED", FAILED).replace("POWEROFF", str(_POWER_OFF))

_DHCP: Final = r"""#!/run/envctl/busybox sh
b=/run/envctl/busybox
case $1 in bound|renew)
  $b ip addr replace "$ip/${mask:-24}" dev "$interface"
  [ -z "$router" ] || $b ip route replace default via "${router%% *}" dev "$interface"
  : > /etc/resolv.conf
  for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
;; esac
"""

_MAKE: Final = r"""
cd /tmp
apt-get update -q
apt-get download KERNEL_PACKAGE
package=$(dpkg -f KERNEL_PACKAGE*.deb Depends | sed 's/ .*//')
apt-get download "$package"
for deb in "$package"*.deb; do dpkg -x "$deb" /kernel; done
rm -f ./*.deb; rm -rf /var/lib/apt/lists/*
version=$(ls /kernel/lib/modules)
depmod -b /kernel "$version"
root=/tmp/root
mkdir -p $root/bin $root/m $root/proc $root/sys $root/dev $root/run $root/root /out
cp /bin/busybox $root/bin/; ln -s busybox $root/bin/sh
cp /envctl/init /envctl/udhcpc.sh $root/; chmod 755 $root/init $root/udhcpc.sh
for module in ON_DEMAND; do cp "$(modprobe -d /kernel -S "$version" --show-depends $module | sed -n '$s/^insmod \([^ ]*\).*/\1/p')" $root/m/; done
for module in MODULES; do modprobe -d /kernel -S "$version" --show-depends $module; done 2>/dev/null |
  sed -n 's/^insmod //p' | awk '!seen[$1]++ {print $1}' > /tmp/list
while read -r file; do cp "$file" $root/m/; basename "$file"; done < /tmp/list > $root/m/list
cd $root; find . | LC_ALL=C sort | cpio -o -H newc --quiet --reproducible > /out/initrd
cp /kernel/boot/vmlinuz-* /out/vmlinuz
rm -rf /kernel $root /tmp/list
"""


def _making() -> str:
    named = _MAKE.replace("KERNEL_PACKAGE", KERNEL_PACKAGE)
    return named.replace("ON_DEMAND", " ".join(ON_DEMAND)).replace("MODULES", " ".join(MODULES))


def kernel_build(base: Base, *, template_digest: str = "") -> Build:
    """The build of an image with the kernel and the RAM disk, at KERNEL and INITRD.

    `template_digest`, here and below, is the digest of the project's own templates, if any.
    """
    steps = (
        InstallPackages(("busybox-static", "cpio", "kmod")),
        WriteFile("/envctl/init", INIT),
        WriteFile("/envctl/udhcpc.sh", _DHCP),
        RunCommand(("/bin/sh", "-ec", _making())),
    )
    return Build(base, steps, build_digest(base, steps, template_digest))


# --- additions of a machine to the image ----------------------------------------------------

PACKAGES: Final = ("e2fsprogs", "openssh-server", "systemd-sysv")
"""The packages that turn an image into a machine. For `parity`, they and their dependencies are substrate."""

_MASKED: Final = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service"
    " fstrim.timer systemd-tmpfiles-clean.timer getty@.service serial-getty@.service getty.target"
    " systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-udevd.service"
    " systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service"
    " systemd-boot-system-token.service systemd-machine-id-commit.service systemd-binfmt.service"
    " systemd-firstboot.service systemd-hwdb-update.service systemd-journal-catalog-update.service"
    " systemd-update-done.service systemd-modules-load.service systemd-remount-fs.service"
    " systemd-sysusers.service systemd-logind.service systemd-pstore.service"
    " systemd-user-sessions.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount"
    " sys-kernel-tracing.mount sys-fs-fuse-connections.mount sys-kernel-config.mount"
    " proc-sys-fs-binfmt_misc.automount modprobe@.service kmod-static-nodes.service ldconfig.service"
    " ssh.socket systemd-initctl.socket"
)

_SSHD: Final = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /run/envctl/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
X11Forwarding no
PrintMotd no
PrintLastLog no
MaxSessions 100
PermitUserRC no
SetEnv SHLVL=1
"""
"""Settings of the SSH server. The first value of each setting counts, so the file is sorted before the image's own.

SHLVL=1 keeps Debian's bash from reading root's .bashrc for commands over SSH. Reading it takes time, and an image could
print text there, which would appear in the output of envctl's commands.
"""

_SSH_SERVICE: Final = """\
[Unit]
DefaultDependencies=no
After=
Before=
[Service]
Type=simple
ExecStartPre=
ExecStartPre=/bin/sh -c 'mkdir -p -m 755 /run/sshd; [ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
ExecStart=
ExecStart=/usr/sbin/sshd -D -e
"""

# Services of packages would start in a machine but not in a container, so only SSH is enabled.
SETTLE: Final = f"""
rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires /etc/rc?.d/S*
for unit in {_MASKED}; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
# Its generators look at every reload, a process each, for what no machine has: swap, encrypted disks, mounts but by envctl.
mkdir -p /etc/systemd/system-generators
for path in $(dpkg -L systemd | grep '/system-generators/.'); do
    # The one for init scripts stays: a service may be started so, as in a container.
    [ "${{path##*/}}" = systemd-sysv-generator ] || ln -sf /dev/null "/etc/systemd/system-generators/${{path##*/}}"
done
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf /lib/systemd/system/ssh.service /etc/systemd/system/multi-user.target.wants/ssh.service
ln -sf /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
# /tmp is left alone: what the build put there is there in a container, too.
mkdir -p /etc/tmpfiles.d
for file in tmp.conf x11.conf; do ln -sf /dev/null "/etc/tmpfiles.d/$file"; done
mkdir -p /var/log/journal
rm -f /etc/ssh/ssh_host_* /usr/sbin/policy-rc.d
: > /etc/machine-id
"""


_VOLATILE: Final = " -o ".join(f"-path '{pattern}'" for pattern in PATTERNS)
_LISTS: Final = r"""
lists() {
    mkdir -p "$1"
    dpkg-query -W -f='${Package}\t${Version}\n' | LC_ALL=C sort > "$1/packages"
    sed 's/:/\t/' /etc/passwd | LC_ALL=C sort > "$1/users"
    sed 's/:/\t/' /etc/group | LC_ALL=C sort > "$1/groups"
    find / -xdev \( VOLATILE \) -prune -o -printf '%p\t%y %m %U %G %l\n' > "$1/names"
    find / -xdev \( VOLATILE \) -prune -o -type f -exec sha256sum {} + |
        sed -n -E 's/^([0-9a-f]{64})  (.*)/\2\t\1/p' | LC_ALL=C sort > "$1/sums"
    LC_ALL=C sort "$1/names" "$1/sums" > "$1/files"
}
""".replace("VOLATILE", _VOLATILE)
_BEFORE: Final = _LISTS + "lists /usr/lib/envctl/before\n"
# The substrate list ends with files that exist only in a running machine. Facts trust the manifest (path, digest, size
# and time) for files that have not changed since the disk was made.
_AFTER: Final = (
    _LISTS
    + r"""
lists /usr/lib/envctl/after
cd /usr/lib/envctl
tab=$(printf '\t')
for list in packages users groups files; do
    LC_ALL=C comm -3 before/$list after/$list | sed 's/^\t//' | cut -f1 | LC_ALL=C sort -u > changed
    # What a changed file was in the image, in the words of facts.
    [ $list != files ] || LC_ALL=C sort before/names | LC_ALL=C join -t "$tab" before/sums - |
        sed -E 's/\t([0-9a-f]{64})\tf ([0-7]+) ([0-9]+) ([0-9]+) $/\tmode \2, owner \3:\4, sha256 \1/' > was
    touch was
    LC_ALL=C join -t "$tab" -a 1 changed was | sed "s/^/$list\t/"
done > substrate
printf '%s\t%s\n' sockets 'tcp 0.0.0.0:22' sockets 'tcp [::]:22' \
    files /etc/ssh/ssh_host_ed25519_key files /etc/ssh/ssh_host_ed25519_key.pub >> substrate
find / -xdev \( VOLATILE \) -prune -o -type f -printf '%p\t%s %T@\t%m %U %G\n' | LC_ALL=C sort > after/sizes
LC_ALL=C join -t "$tab" after/sums after/sizes > manifest
find / -xdev \( VOLATILE \) -prune -o -type l -printf '%p\t-> %l\n' >> manifest
rm -r before after changed was
""".replace("VOLATILE", _VOLATILE)
)


def machine_build(image: str, *, key: str = "", template_digest: str = "") -> Build:
    """The build of a machine's root filesystem: the unit's image with systemd and an SSH server.

    The owner of the public key `key` can log in as root if the machine starts without its own key. All that the build
    adds or changes is listed in /usr/lib/envctl/substrate, by category and key of facts, with the former state of
    changed files. /usr/lib/envctl/manifest lists all files.
    """
    base = Base("", image)
    steps: tuple[Step, ...] = (
        RunCommand(("/bin/sh", "-ec", _BEFORE)),
        InstallPackages(PACKAGES),
        WriteFile("/etc/ssh/sshd_config.d/00-envctl.conf", _SSHD),
        WriteFile("/etc/systemd/system/ssh.service.d/envctl.conf", _SSH_SERVICE),
        WriteFile("/etc/systemd/system-preset/00-envctl.preset", "enable ssh.service\ndisable *\n"),
        *([WriteFile("/root/.ssh/authorized_keys", f"{key}\n", mode="0600")] if key else []),
        RunCommand(("/bin/sh", "-ec", SETTLE + _AFTER)),
    )
    return Build(base, steps, build_digest(base, steps, template_digest))
