// The package on a node where systemd runs: what it starts, the first login, a VM that outlives upgrade, removal and purge.
import { execFileSync } from 'node:child_process'
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

/** The same package with a higher version. */
function newer(deb: string, to: string) {
    const tree = join(folder, 'tree')
    const run = (program: string, ...words: string[]) => execFileSync(program, words, { stdio: 'pipe' })
    run('dpkg-deb', '--raw-extract', deb, tree)
    run('sed', '-i', 's/^Version: .*/&+later/', join(tree, 'DEBIAN/control'))
    run('dpkg-deb', '--root-owner-group', '--build', tree, to)
    rmSync(tree, { recursive: true })
}

beforeAll(async () => {
    if (missing) return
    const deb = await buildDeb()
    folder = mkdtempSync(join(tmpdir(), 'dv-deb-node-'))
    mkdirSync(join(folder, 'share'))
    copyFileSync(deb, join(folder, 'share/debvisor.deb'))
    newer(deb, join(folder, 'share/later.deb'))
    node = await startSystemd(`${join(folder, 'share')}:/srv/share`)
}, 960_000)
afterAll(async () => {
    await node?.stop()
    if (folder) rmSync(folder, { recursive: true })
})

const sh = (line: string) => node!.enter(['sh', '-c', line])
const units = ['debvisor-rpcd.service', 'debvisor-etcd.service', 'debvisor-rootd.socket', 'debvisor-guests.service']
const states = async () => (await sh(`systemctl is-active ${units.join(' ')} || :`)).trim().split('\n')
const pidOf = async (unit: string) => (await sh(`systemctl show --property=MainPID --value ${unit}`)).trim()
const answers = () =>
    until('the panel to answer', 60_000, () =>
        sh('curl --silent --insecure --fail https://127.0.0.1:8443/').then(
            text => text.includes('<div id="root">') || text.includes('<html'),
            () => false,
        ),
    )
const call = (method: string, body: object, more = '') =>
    sh(
        `curl --silent --insecure ${more} -H 'content-type: application/json' -d '${JSON.stringify(body)}' https://127.0.0.1:8443/debvisor.${method}`,
    )

it('starts the API, its etcd and the door of root, each shut in as its unit says', async ({ skip }) => {
    if (missing) skip(missing)
    // Where the test runs there is no KVM; everything else is as it comes.
    await sh('dpkg --install --force-confold /srv/share/debvisor.deb')
    await sh('echo RPCD_OPTIONS=--accel=tcg >/etc/default/debvisor && systemctl restart debvisor-rpcd')
    await answers()
    expect(await states()).toEqual(['active', 'active', 'active', 'active'])
    expect(await sh('systemctl --failed --no-legend')).toBe('')
    expect(await sh('ps -o user:20= -C node,etcd | sort -u')).toMatch(/debvisor-rpc/)
    const listening = await sh("ss -Hltn | awk '{print $4}' | sort")
    expect(listening).toContain('*:8443')
    expect(listening).toContain('127.0.0.1:12379')
    expect(listening).not.toMatch(/(\*|0\.0\.0\.0|\]):12379/)
    // By systemd's own reckoning, from 0 (safe) to 10.
    for (const [unit, most] of [
        ['debvisor-rpcd', 4],
        ['debvisor-etcd', 2.5],
    ] as const) {
        const said = await sh(`systemd-analyze security --no-pager ${unit}.service | tail -n 1`)
        expect(Number(/(\d+\.\d+)/.exec(said)?.[1])).toBeLessThan(most)
    }
    expect(await sh('stat -c "%U %a" /etc/debvisor/etcd /etc/debvisor/etcd/node.key /run/debvisor/rpcd.sock')).toBe(
        'root 700\nroot 600\ndebvisor-rpc 600\n',
    )
})

it('shows on its screen where the panel is, and the certificate by which it is known; anybody may ask', async ({
    skip,
}) => {
    if (missing) skip(missing)
    const shown = await sh('setpriv --reuid nobody --clear-groups /usr/lib/debvisor/console --once')
    const pem = await sh('openssl x509 -noout -fingerprint -sha256 -in /etc/debvisor/pki/panel.crt')
    const fingerprint = pem.trim().split('=')[1]!
    expect(shown.replace(/\s+/g, '')).toContain(fingerprint.slice(0, 47) + fingerprint.slice(48))
    expect(shown).toMatch(/All services are well\./)
    await sh('systemctl stop debvisor-rpcd')
    expect(await sh('/usr/lib/debvisor/console --once')).toContain('The panel does not answer')
    await sh('systemctl start debvisor-rpcd')
    await answers()
})

it('lets the first administrator in by the link, once, and nobody else', async ({ skip }) => {
    if (missing) skip(missing)
    expect(await call('identity.v1.IdentityService/WhoAmI', {})).toContain('unauthenticated')
    const said = await sh('debvisor user first-login --yes')
    const secret = /#\/first\/(\S+)/.exec(said)![1]!
    const who = { secret, user: 'ann', password: 'correct horse battery' }
    await call('identity.v1.IdentityService/FirstLogin', who, '--cookie-jar /root/jar')
    expect(await call('identity.v1.IdentityService/WhoAmI', {}, '--cookie /root/jar')).toContain('"ann"')
    expect(await call('identity.v1.IdentityService/FirstLogin', { ...who, user: 'eve' })).toContain('"code"')
    expect(await sh('debvisor user list')).toMatch(/ann +admin/)
    expect(await sh(`journalctl --quiet --no-pager --grep '${secret}' || :`)).toBe('')
})

it('plans the document on the command line and, through the root service, for the panel', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('debvisor node init --profile zfs --write')
    const plan = await sh('debvisor node plan')
    expect(plan).toContain('Cockpit')
    // The package has made it: the document finds it there.
    expect(plan).not.toContain('Make the account debvisor-rpc')
    expect(await call('node.v1.ProvisionService/GetDocument', {}, '--cookie /root/jar')).toContain('profile: zfs')
    expect(await sh('systemctl is-active debvisor-rootd.service')).toBe('active\n')
})

it('makes a new certificate when it is told to, and may answer at port 80 and do nothing else that others may not', async ({
    skip,
}) => {
    if (missing) skip(missing)
    const shown = () => sh('debvisor certificate show')
    const before = await shown()
    expect(before).toContain('made by the node itself')
    const said = await sh('debvisor certificate self-signed --yes')
    const fingerprint = /[0-9A-F]{2}(:[0-9A-F]{2}){31}/.exec(said)![0]
    expect(before).not.toContain(fingerprint)
    expect(await shown()).toContain(fingerprint)
    const capabilities = await sh(`grep '^Cap' /proc/$(systemctl show --property=MainPID --value debvisor-rpcd)/status`)
    // CAP_NET_BIND_SERVICE is the tenth bit (capabilities(7)).
    expect(capabilities.match(/\t[0-9a-f]{16}/g)!.map(mask => Number.parseInt(mask, 16))).toEqual(
        Array(5).fill(1 << 10),
    )
})

it('runs a VM, as the user debvisor-rpc and in its sandbox', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('debvisor pool create default /var/lib/libvirt/images --yes')
    await sh(
        'qemu-img create -q -f qcow2 /root/small.qcow2 16M && debvisor image upload /root/small.qcow2 default/small.qcow2',
    )
    await sh('debvisor vm create web1 --image default/small.qcow2 --memory 64M --no-network --start')
    expect(await sh('debvisor vm list')).toMatch(/web1\s+running/)
    await sh('debvisor vm screenshot web1 /root/web1.png && test -s /root/web1.png')
    expect(await sh('systemctl show --property=NRestarts --value debvisor-rpcd')).toBe('0\n')
    // The unit leaves it what it needs to open images of strangers in a root of its own.
    const sandbox = await sh('journalctl --quiet --no-pager -u debvisor-rpcd | grep -i sandbox')
    expect(sandbox).toContain('root of its own')
})

it('is upgraded while the VM and etcd go on', async ({ skip }) => {
    if (missing) skip(missing)
    const before = { rpcd: await pidOf('debvisor-rpcd'), etcd: await pidOf('debvisor-etcd') }
    await sh('dpkg --install /srv/share/later.deb')
    await answers()
    expect(await pidOf('debvisor-rpcd')).not.toBe(before.rpcd)
    expect(await pidOf('debvisor-etcd')).toBe(before.etcd)
    expect(await sh('cat /etc/default/debvisor')).toBe('RPCD_OPTIONS=--accel=tcg\n')
    expect(await sh('debvisor vm list')).toMatch(/web1\s+running/)
    expect(await call('identity.v1.IdentityService/WhoAmI', {}, '--cookie /root/jar')).toContain('"ann"')
    // What an administrator has turned off stays off.
    await sh('systemctl disable --now debvisor-guests.service && dpkg --install /srv/share/later.deb')
    expect(await sh('systemctl is-enabled debvisor-guests.service || :')).toBe('disabled\n')
    expect(await sh('systemctl is-active debvisor-guests.service || :')).toBe('inactive\n')
})

it('is removed and purged while the VM goes on, and takes nothing that is not its own', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('dpkg --remove debvisor')
    expect(await states()).toEqual(['inactive', 'inactive', 'inactive', 'inactive'])
    expect(await sh('virsh --quiet list --name')).toContain('web1')
    await sh('dpkg --install /srv/share/later.deb')
    await answers()
    expect(await sh('debvisor user list')).toMatch(/ann +admin/)
    await sh('dpkg --purge debvisor')
    expect(await sh('virsh --quiet list --name')).toContain('web1')
    expect(await sh('ls /var/lib/libvirt/images')).toContain('small.qcow2')
    expect(await sh('cat /etc/debvisor/node.yaml')).toContain('profile: zfs')
    expect(
        await sh('ls -d /etc/debvisor/pki /etc/debvisor/etcd /var/log/debvisor /var/lib/debvisor/* 2>/dev/null || :'),
    ).toBe('')
    expect(await sh('systemctl --failed --no-legend; systemctl list-unit-files --no-legend "debvisor*" || :')).toBe('')
    expect(await sh('ss -Hltn')).not.toMatch(/:8443|:12379/)
})
