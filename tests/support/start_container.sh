# Starts a command as a container does, by the kernel's means alone: on a root that cannot be written to, as a user without
# rights, with a volume at /data and an empty /tmp. To be run by root in namespaces of its own (unshare).
#
# arguments: a folder for the root, the volume, the user's number, folders to show at their own place (by `:`), the command
set -eu
root=$1 volume=$2 user=$3 shown=$4
shift 4
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/tmp" "$root/data" "$root/proc" "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$volume" "$root/data"
IFS=:
for folder in $shown; do
    mkdir -p "$root$folder"
    mount --bind -o ro "$folder" "$root$folder"
done
unset IFS
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups --bounding-set=-all --inh-caps=-all \
    --no-new-privs env -C /data "$@"
