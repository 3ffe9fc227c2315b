// Whether a block device of the kernel is a disk or a part of it: /dev/sda1 is one of /dev/sda, /dev/sdaa is not.

/** Both of this boot. Behind a digit the kernel puts a `p` before the number: /dev/nvme0n1p2, and /dev/nvme0n12 is a disk. */
export function standsOn(device: string, disk: string): boolean {
    if (device === disk) return true
    return device.startsWith(disk) && (/\d$/.test(disk) ? /^p\d+$/ : /^\d+$/).test(device.slice(disk.length))
}
