# Lists the packages installed in an image. Prints sections of text, each after a mark that no file of the image can
# contain, because it is random. Needs only a POSIX shell. Argument: the mark.
mark=$1
exec 2>/dev/null
section() { printf '%s:%s\000' "$mark" "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }

section architecture
if has dpkg; then dpkg --print-architecture; elif has apk; then apk --print-arch; else uname -m; fi
section packages
if has dpkg-query; then
    # shellcheck disable=SC2016  # the format is dpkg's
    dpkg-query -W -f='${Package}\t${Architecture}\t${Version}\t${db:Status-Status}\n'
elif has rpm; then
    rpm -qa --qf '%{NAME}\t%{ARCH}\t%{VERSION}-%{RELEASE}\tinstalled\n'
elif has apk; then
    apk info -v
fi
if has find; then
    # Files of the distribution's packages are covered by those packages.
    find / -xdev -path '/usr/lib/*/dist-packages' -prune -o -type d -name '*.dist-info' -print |
        while IFS= read -r folder; do
            section python
            echo "$folder"
            grep '^Tag:' "$folder/WHEEL"
            echo
            cat "$folder/RECORD"
        done
    find / -xdev -path /usr/share/nodejs -prune -o -type d -name node_modules -print -prune |
        while IFS= read -r folder; do
            section npm
            echo "${folder%/node_modules}"
            cat "$folder/.package-lock.json" ||
                grep -H -o -m 1 '"version"[[:space:]]*:[[:space:]]*"[^"]*"' "$folder"/*/package.json "$folder"/@*/*/package.json
        done
fi
section end
