// Only what works on this very state folder is taken for a leftover of it.
import { expect, it } from 'vitest'
import { whatIs } from './leftovers.ts'

const state = '/srv/dev'
it.each([
    [['etcd', '--data-dir', '/srv/dev/etcd/data'], 'etcd'],
    [['/usr/bin/etcd', '--data-dir', '/srv/dev2/etcd/data'], undefined],
    [['etcd'], undefined],
    [['node', '/x/dist/rpcd.mjs', '--state', '/srv/dev', '--audit', '/srv/dev/audit'], 'rpcd'],
    [['node', '/x/dist/rpcd.mjs', '--state', '/srv/dev2'], undefined],
    [['libvirtd', '--config', '/srv/dev/libvirt/libvirtd.conf'], 'libvirtd'],
    [['/usr/sbin/libvirtd', '--timeout', '120'], undefined],
    [['/usr/bin/qemu-system-x86_64', '-blockdev', '{"filename":"/srv/dev/images/a.qcow2"}'], 'qemu'],
    [['/usr/bin/qemu-system-x86_64', '-blockdev', '{"filename":"/srv/dev2/images/a.qcow2"}'], undefined],
    [['less', '/srv/dev/log/rpcd.log'], undefined],
])('%j is %s', (words, name) => {
    expect(whatIs(words, state)).toBe(name)
})
