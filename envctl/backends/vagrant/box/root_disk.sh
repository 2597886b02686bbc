# Makes a disk from the image in which the script runs, as a sparse file in a tar archive. It needs only the rights of root
# in the container. Arguments: a folder, which is not part of the disk, and the disk's size.
set -e
folder=$1 size=$2
root=$folder/root
mkdir "$root"
set --
for one in /* /.[!.]* /..?*; do
    case $one in
    "$folder" | /dev | /proc | /sys | /.dockerenv | '/.[!.]*' | '/..?*') ;;
    *) set -- "$@" "$one" ;;
    esac
done
# Copy everything with one command, so that hard links to the same file remain links.
cp -a "$@" "$root/"
mkdir -m 755 "$root/dev"
mkdir -m 555 "$root/proc" "$root/sys"
# The engine mounts its own files there in the container.
for file in hostname hosts resolv.conf; do : >"$root/etc/$file"; done
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -E lazy_itable_init=1,root_owner=0:0 -m 0 -L root \
    -d "$root" "$folder/raw" "$size" >&2
rm -rf "$root"
fallocate --dig-holes "$folder/raw"
tar -C "$folder" --format=gnu -cSf "$folder/disk.tar" raw
rm "$folder/raw"
