// The root of its own in which an image is opened: the system's programs, a few devices, and the folder of that image.

/**
 * Furnishes a mount namespace from inside, which no other process can do, and goes on as what its arguments say. It
 * ends with an error when any of that fails. Its text is constant: paths come as arguments, and nothing of an image does.
 * mount(8), pivot_root(2); /usr is merged on Debian 12 and 13, so /bin and /lib are links.
 */
const SCRIPT = `set -e
root=$1 work=$2
shift 2
mount -t tmpfs -o mode=0755,size=1m,nr_inodes=64,nosuid,nodev tmpfs "$root"
cd "$root"
mkdir usr etc dev proc work old
mount --rbind /usr usr
for name in bin sbin lib lib32 lib64; do
    if [ -L "/$name" ]; then ln -s "usr/$name" "$name"
    elif [ -d "/$name" ]; then mkdir "$name"; mount --rbind "/$name" "$name"
    fi
done
for name in etc/ld.so.cache dev/null dev/zero dev/urandom; do
    : > "$name"
    mount --bind "/$name" "$name"
done
mount -t proc proc proc 2> dev/null || :
mount --bind "$work" work
pivot_root . old
umount -l old
cd /work
exec "$@"
`

/** Where the new root is put (an empty folder), and the folder that the tool sees as its own. */
export interface Place {
    root: string
    work: string
}

/** What runs what comes behind it in that root; to be run in a new mount namespace, as root of it. */
export const inRoot = ({ root, work }: Place): string[] => ['sh', '-c', SCRIPT, 'sh', root, work]
