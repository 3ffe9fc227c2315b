// The network of a node by its document: br0 is made, changed, cut by a wrong document, and comes back by itself each time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const PROFILES = '/etc/NetworkManager/system-connections'
let vm: NodeVm
/** Names of the three NICs, the primary one first. */
let nics: string[]

beforeAll(async () => {
    const behind = 'user,net=10.0.3.0/24'
    vm = await startNode({ disks: 0, nics: ['user', behind, behind] })
    const links = JSON.parse(await vm.must('ip -json link show')) as { ifname: string; address: string }[]
    nics = links.filter(one => one.address.startsWith('52:54:00:12:34:')).map(one => one.ifname)
}, 40 * MINUTE_MS)
afterAll(() => vm?.stop())

const debvisor = (words: string, deadlineMs = 5 * MINUTE_MS) => vm.sh(`debvisor ${words}`, deadlineMs)
const put = (name: string, network: string) => vm.put(`/root/${name}.yaml`, `profile: zfs\n${network}`)
const verified = async (name: string) => {
    const ran = await debvisor(`node verify --file /root/${name}.yaml`)
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
    expect(ran.code).toBe(0)
}
const applied = async (name: string) => {
    const ran = await debvisor(`node apply /root/${name}.yaml --yes`, 10 * MINUTE_MS)
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
    expect((await debvisor(`node apply /root/${name}.yaml --yes`)).out).toContain('Nothing to do')
    await verified(name)
    // What was tried in memory is gone; NetworkManager has it from where the next boot has it.
    expect((await vm.sh('ls /run/NetworkManager/system-connections | grep ^debvisor')).out).toBe('')
}
const addressesOf = async (name: string) => {
    const [link] = JSON.parse(await vm.must(`ip -json -4 addr show dev ${name}`)) as [
        { addr_info: { local: string; prefixlen: number }[] },
    ]
    return link.addr_info.map(one => `${one.local}/${one.prefixlen}`)
}
const linkOf = async (name: string) =>
    (JSON.parse(await vm.must(`ip -json -details link show dev ${name}`)) as Record<string, unknown>[])[0]!
const answers = async (address: string) => (await vm.sh(`ping -nc1 -W2 ${address}`)).code === 0
/** A rollback of NetworkManager may write what it brings back once more, to another file. */
const isUntouched = async () => {
    expect((await vm.sh(`grep -r 192.0.2. ${PROFILES}`)).out).toBe('')
    expect(await vm.must(`cat ${PROFILES}/debvisor-br0.nmconnection`)).toContain('address1=10.0.2.20/24')
}

/** br0 at that address; others are not known to the gateway. */
const fixed = (address: string, gateway: string, more = '') =>
    `network:\n  bridges:\n    - name: br0\n      ports: [${nics[0]}]\n      ipv4: { addresses: [${address}], gateway: ${gateway} }\n      ipv6: off\n${more}`

describe('the network of a node by its document', () => {
    it(
        'is left as it is where the document does not speak of it',
        async () => {
            await put('silent', '')
            const before = await addressesOf(nics[0]!)
            expect(before).toEqual(['10.0.2.15/24'])
            await applied('silent')
            expect(await addressesOf(nics[0]!)).toEqual(before)
            expect((await vm.sh('ip link show dev br0')).code).toBe(1)
        },
        20 * MINUTE_MS,
    )

    it(
        'is br0 over the primary NIC in what init writes, with the MAC and the address of that',
        async () => {
            const written = await vm.must('debvisor node init --profile zfs')
            expect(written).toMatch(new RegExp(`ports:\\s+- ${nics[0]}\\n\\s+ipv4: dhcp`))
            expect(written).toContain(`mac: 52:54:00:12:34:58`)
            await vm.must(
                `printf 'profile: zfs\\n' > /root/dhcp.yaml; debvisor node init --profile zfs | sed -n '/^network:/,/^$/p' >> /root/dhcp.yaml`,
            )
            const { out } = await debvisor('node plan --file /root/dhcp.yaml')
            expect(out).toContain('it comes back after 75 s unless 10.0.2.2 answers')
            await applied('dhcp')
            expect(await addressesOf('br0')).toEqual(['10.0.2.15/24'])
            expect((await linkOf('br0')).address).toBe('52:54:00:12:34:56')
            expect((await linkOf(nics[0]!)).master).toBe('br0')
            expect(await answers('10.0.2.2')).toBe(true)
        },
        10 * MINUTE_MS,
    )

    it(
        'is so after a reboot as well',
        async () => {
            await vm.reboot()
            await verified('dhcp')
            expect(await addressesOf('br0')).toEqual(['10.0.2.15/24'])
        },
        15 * MINUTE_MS,
    )

    it(
        'changes the address of a bridge without letting go of the VMs on it',
        async () => {
            await vm.must('ip tuntap add vnet7 mode tap && ip link set vnet7 master br0 up')
            await put('static', fixed('10.0.2.20/24', '10.0.2.2'))
            await applied('static')
            expect(await addressesOf('br0')).toEqual(['10.0.2.20/24'])
            expect((await linkOf('vnet7')).master).toBe('br0')
            expect(await answers('10.0.2.2')).toBe(true)
        },
        10 * MINUTE_MS,
    )

    it(
        'has a bond that stands by, and a VLAN on it',
        async () => {
            const bond = `  bonds:\n    - name: bond0\n      members: [${nics[1]}, ${nics[2]}]\n      ipv4: { addresses: [10.0.3.20/24] }\n`
            const vlan = '  vlans:\n    - { id: 20, on: bond0, ipv4: { addresses: [10.20.0.1/24] }, mtu: 1400 }\n'
            await put('bond', fixed('10.0.2.20/24', '10.0.2.2', bond + vlan))
            await applied('bond')
            expect(await linkOf('bond0')).toMatchObject({ linkinfo: { info_data: { mode: 'active-backup' } } })
            expect(await linkOf('bond0.20')).toMatchObject({
                mtu: 1400,
                link: 'bond0',
                linkinfo: { info_data: { id: 20 } },
            })
            expect(await addressesOf('bond0.20')).toEqual(['10.20.0.1/24'])
            expect(await answers('10.0.3.2')).toBe(true)
            await vm.must(`ip link set ${nics[1]} down`)
            await expect.poll(() => answers('10.0.3.2'), { timeout: MINUTE_MS }).toBe(true)
            await vm.must(`ip link set ${nics[1]} up`)
        },
        10 * MINUTE_MS,
    )

    it(
        'says what was changed by hand, and mends it',
        async () => {
            await vm.must(
                `nmcli connection modify uuid "$(nmcli -g GENERAL.CON-UUID device show br0)" ipv4.addresses 10.0.2.21/24`,
            )
            await vm.must('ip addr del 10.20.0.1/24 dev bond0.20')
            const { out, code } = await debvisor('node verify --file /root/bond.yaml')
            expect(code).toBe(2)
            expect(out).toMatch(/debvisor-br0\.nmconnection/)
            const plan = await debvisor('node plan --file /root/bond.yaml')
            expect(plan.out).toMatch(/-address1=10\.0\.2\.21\/24/)
            await applied('bond')
            expect(await addressesOf('bond0.20')).toEqual(['10.20.0.1/24'])
        },
        10 * MINUTE_MS,
    )
})

describe('a document that cuts the network of its node', () => {
    const isBack = async () => {
        expect(await addressesOf('br0')).toEqual(['10.0.2.20/24'])
        expect((await linkOf(nics[0]!)).master).toBe('br0')
        expect(await answers('10.0.2.2')).toBe(true)
    }
    const isRefused = async (name: string) => {
        const again = await debvisor(`node apply /root/${name}.yaml --yes`)
        expect(again.code).toBe(1)
        expect(again.err).toContain('This change was tried before and came back by itself')
        await isBack()
    }
    /** Begins an apply of a wrong document, and answers when the network is cut. */
    const begun = async (name: string, address: string) => {
        await put(name, fixed(address, '192.0.2.1'))
        await vm.must(`debvisor node apply /root/${name}.yaml --yes >/root/${name}.log 2>&1 & echo $! > /root/pid`)
        await vm.must(`until ip -4 addr show dev br0 | grep -q ${address}; do sleep 0.2; done`, 3 * MINUTE_MS)
        expect(await answers('10.0.2.2')).toBe(false)
    }

    it(
        'comes back by itself, is not tried again unasked, and leaves nothing of it for the next boot',
        async () => {
            await put('static', fixed('10.0.2.20/24', '10.0.2.2'))
            await applied('static')
            expect((await vm.sh('ip link show dev bond0')).code).toBe(1)
            await put('wrong', fixed('192.0.2.9/24', '192.0.2.1'))
            const ran = await debvisor('node apply /root/wrong.yaml --yes')
            expect(ran.code).toBe(1)
            expect(ran.err).toContain('Something that was waited for did not come')
            await expect.poll(() => answers('10.0.2.2'), { timeout: MINUTE_MS }).toBe(true)
            await isBack()
            await isUntouched()
            await isRefused('wrong')
            await applied('static')
        },
        20 * MINUTE_MS,
    )

    it(
        'comes back when the apply is killed meanwhile',
        async () => {
            await vm.must('ip tuntap add vnet8 mode tap && ip link set vnet8 master br0 up')
            await begun('killed', '192.0.2.10')
            await vm.must('kill -9 $(cat /root/pid) $(pgrep -f "[d]ebvisor.mjs node apply")')
            const meanwhile = await debvisor('node plan --file /root/static.yaml')
            expect(meanwhile.out).toContain('A change of the network waits for its confirmation')
            await expect.poll(() => answers('10.0.2.2'), { timeout: 3 * MINUTE_MS }).toBe(true)
            await isBack()
            await isUntouched()
            expect((await linkOf('vnet8')).master).toBe('br0')
            await isRefused('killed')
            await applied('static')
        },
        20 * MINUTE_MS,
    )

    it(
        'is gone after a power cut: the network of before boots',
        async () => {
            await begun('cut', '192.0.2.11')
            await vm.cut()
            await vm.boot()
            await isBack()
            await isUntouched()
            await verified('static')
            await isRefused('cut')
        },
        20 * MINUTE_MS,
    )

    it(
        'is tried once more where that is asked for',
        async () => {
            const ran = await debvisor('node apply /root/cut.yaml --yes --retry')
            expect(ran.err).toContain('Something that was waited for did not come')
            await expect.poll(() => answers('10.0.2.2'), { timeout: MINUTE_MS }).toBe(true)
            await applied('static')
        },
        20 * MINUTE_MS,
    )
})
