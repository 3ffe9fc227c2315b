// Images on a real Ceph of one OSD, through the package as it is installed: filled, read, copied, and started from.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildDeb } from '../../scripts/deb.ts'
import { until } from '../real/world-libvirt.ts'
import { type SystemdWorld, startSystemd, whyNoSystemd } from '../real/world-systemd.ts'

const missing = whyNoSystemd()
let node: SystemdWorld | undefined
let folder = ''

// A cluster as small as can be, on a sparse file; its keys and the pool of libvirt are as `node apply` makes them.
const CLUSTER = `
set -e
fsid=$(cat /proc/sys/kernel/random/uuid)
mkdir -p /etc/ceph /var/lib/ceph/mon/ceph-one /var/lib/ceph/mgr/ceph-one /var/lib/ceph/osd/ceph-0 /var/run/ceph
cat >/etc/ceph/ceph.conf <<C
[global]
fsid = $fsid
mon_host = 127.0.0.1
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_warn = 1
bluestore_block_size = 4294967296
osd_memory_target = 939524096
mgr_initial_modules =
C
cd /tmp
ceph-authtool --create-keyring mon.ring --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool --create-keyring /etc/ceph/ceph.client.admin.keyring --gen-key -n client.admin \\
    --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
ceph-authtool mon.ring --import-keyring /etc/ceph/ceph.client.admin.keyring >/dev/null
monmaptool --create --fsid $fsid --addv one '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' map >/dev/null
chown -R ceph:ceph /var/lib/ceph /var/run/ceph mon.ring map
runuser -u ceph -- ceph-mon --mkfs -i one --monmap map --keyring mon.ring
systemctl start ceph-mon@one
ceph auth get-or-create mgr.one mon 'allow profile mgr' osd 'allow *' -o /var/lib/ceph/mgr/ceph-one/keyring
chown -R ceph:ceph /var/lib/ceph/mgr
systemctl start --no-block ceph-mgr@one
uuid=$(cat /proc/sys/kernel/random/uuid)
key=$(ceph-authtool --gen-print-key)
echo "{\\"cephx_secret\\": \\"$key\\"}" | ceph osd new $uuid -i -
ceph-authtool --create-keyring /var/lib/ceph/osd/ceph-0/keyring --name osd.0 --add-key "$key" >/dev/null
chown -R ceph:ceph /var/lib/ceph/osd
ceph-osd -i 0 --mkfs --osd-uuid $uuid --osd-objectstore bluestore --setuser ceph --setgroup ceph
systemctl start ceph-osd@0
until ceph osd stat | grep -q '1 up'; do sleep 0.3; done
ceph osd pool create vm-pool 8 --size 1 --yes-i-really-mean-it 2>/dev/null || ceph osd pool create vm-pool 8
ceph osd pool application enable vm-pool rbd
ceph auth get-or-create client.libvirt mon 'profile rbd' osd 'profile rbd pool=vm-pool' >/etc/ceph/ceph.client.libvirt.keyring
chown root:debvisor-rpc /etc/ceph/ceph.client.libvirt.keyring
chmod 640 /etc/ceph/ceph.client.libvirt.keyring
cat >/tmp/secret.xml <<X
<secret ephemeral='no' private='yes'><uuid>5f6f5a30-52f5-4f77-9b32-6d8bbdf6a5e9</uuid><usage type='ceph'><name>client.libvirt</name></usage></secret>
X
virsh -q secret-define /tmp/secret.xml
ceph auth print-key client.libvirt >/tmp/key
virsh -q secret-set-value 5f6f5a30-52f5-4f77-9b32-6d8bbdf6a5e9 --file /tmp/key
rm /tmp/key
cat >/tmp/pool.xml <<X
<pool type='rbd'><name>vm-pool</name><source><name>vm-pool</name><host name='127.0.0.1'/>
<auth type='ceph' username='libvirt'><secret uuid='5f6f5a30-52f5-4f77-9b32-6d8bbdf6a5e9'/></auth></source></pool>
X
virsh -q pool-define /tmp/pool.xml
virsh -q pool-start vm-pool
until [ "$(ceph df -f json | sed 's/.*"total_bytes":\\([0-9]*\\).*/\\1/')" -gt 1000000000 ]; do sleep 0.5; done
virsh -q pool-refresh vm-pool
`

beforeAll(async () => {
    if (missing) return
    const deb = await buildDeb()
    folder = mkdtempSync(join(tmpdir(), 'dv-rbd-'))
    mkdirSync(join(folder, 'share'))
    copyFileSync(deb, join(folder, 'share/debvisor.deb'))
    node = await startSystemd(`${join(folder, 'share')}:/srv/share`, { ceph: true })
    await sh(
        'echo RPCD_OPTIONS=--accel=tcg >/etc/default/debvisor; dpkg --install --force-confold /srv/share/debvisor.deb',
    )
    await sh(CLUSTER)
    await until('the daemon to know the pool', 60_000, () =>
        sh('debvisor pool list').then(
            text => /vm-pool\s.*\d (M|G)iB/.test(text),
            () => false,
        ),
    )
    // 3 MiB of content in 16 MiB, the last byte of it being one of the content.
    await sh(
        'truncate -s 16M /root/disk.raw && dd if=/dev/urandom of=/root/disk.raw bs=1M count=2 seek=1 conv=notrunc status=none && ' +
            'dd if=/dev/urandom of=/root/disk.raw bs=1M count=1 seek=15 conv=notrunc status=none && ' +
            'qemu-img convert -f raw -O qcow2 /root/disk.raw /root/disk.qcow2 && ' +
            'debvisor pool create default /var/lib/libvirt/images --yes',
    )
}, 1_200_000)
afterAll(async () => {
    await node?.stop()
    if (folder) rmSync(folder, { recursive: true })
})

const sh = (line: string) => node!.enter(['sh', '-c', line])
const failing = (line: string) => sh(`! ${line} 2>&1`)
const same = (name: string) => sh(`rbd export --no-progress vm-pool/${name} - | cmp - /root/disk.raw && echo the same`)

it('an image that is uploaded is in the cluster as it was, without its holes', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('debvisor image upload /root/disk.qcow2 vm-pool/debian --format qcow2 --keep-as raw')
    expect(await same('debian')).toBe('the same\n')
    expect(await sh('debvisor image list')).toMatch(/debian\s/)
    const used = Number(await sh(`rbd diff vm-pool/debian | awk '$3 == "data" { sum += $2 } END { print sum }'`))
    expect(used).toBeGreaterThanOrEqual(3 << 20)
    expect(used).toBeLessThan(12 << 20)
})

it('is read again as it is, whole and in part', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('debvisor image download vm-pool/debian /root/back.raw && cmp /root/back.raw /root/disk.raw')
})

it('becomes the disk of a VM, which starts from the cluster and has its seed there', async ({ skip }) => {
    if (missing) skip(missing)
    await sh(
        'debvisor vm create web1 --image vm-pool/debian --pool vm-pool --size 32M --memory 64M --no-network --user ann --start',
    )
    expect(await sh('debvisor vm list')).toMatch(/web1\s+running/)
    const xml = await sh('virsh dumpxml web1')
    expect(xml).toMatch(/protocol='rbd' name='vm-pool\/web1/)
    expect(await sh('rbd ls vm-pool')).toMatch(/^debian$[\s\S]*^web1/m)
    const disk = /name='vm-pool\/(web1[^']*)'/.exec(xml)![1]!
    // The copy stands alone, is as large as was asked for, and begins with the content.
    const info = JSON.parse(await sh(`rbd info --format json vm-pool/${disk}`))
    expect(info.size).toBe(32 << 20)
    expect(info.parent).toBeUndefined()
    await sh('debvisor vm stop web1 --yes')
    await sh(`rbd export --no-progress vm-pool/${disk} - | head -c 16M | cmp - /root/disk.raw`)
    await sh('debvisor vm delete web1 --disks --yes')
    expect(await sh('rbd ls vm-pool')).toBe('debian\n')
})

it('a raw image of another pool is copied; one of another format is refused, with what to do', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('debvisor image upload /root/disk.raw default/plain.raw --format raw')
    await sh('debvisor vm create web2 --image default/plain.raw --pool vm-pool --memory 64M --no-network')
    const disk = /name='vm-pool\/(web2[^']*)'/.exec(await sh('virsh dumpxml web2'))![1]!
    expect(await same(disk)).toBe('the same\n')
    await sh('debvisor vm delete web2 --disks --yes')
    await sh('debvisor image upload /root/disk.qcow2 default/thin.qcow2')
    const said = await failing(
        'debvisor vm create web3 --image default/thin.qcow2 --pool vm-pool --memory 64M --no-network',
    )
    expect(said).toContain('debvisor image convert default/thin.qcow2 vm-pool/NAME --format raw')
    expect(await sh('rbd ls vm-pool; debvisor vm list')).not.toContain('web3')
    await sh('debvisor image convert default/thin.qcow2 vm-pool/thick --format raw')
    expect(await same('thick')).toBe('the same\n')
})

it('without its key says so, and leaves nothing half made', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('chmod 600 /etc/ceph/ceph.client.libvirt.keyring')
    const said = await failing('debvisor image upload /root/disk.raw vm-pool/other --format raw')
    expect(said).toMatch(/does not let the service at its images[\s\S]*keyring/)
    expect(await sh('rbd ls vm-pool')).not.toContain('other')
    await sh('chmod 640 /etc/ceph/ceph.client.libvirt.keyring')
    await sh('debvisor image upload /root/disk.raw vm-pool/other --format raw')
    expect(await same('other')).toBe('the same\n')
})
