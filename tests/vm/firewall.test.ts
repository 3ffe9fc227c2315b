// The firewall beside a real Docker: who reaches a published port from another host, before and after restarts; and neighbours on br0.
// The other host is QEMU's own user network: what it hands in comes over the NIC of the node.
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { staticBusybox } from '../real/world-guest.ts'
import { type NodeVm, startNode } from './node-vm.ts'

const MINUTE_MS = 60_000
const DOCUMENT = '/etc/debvisor/node.yaml'
const OPEN = 'firewall:\n  open:\n    - { port: 8080, why: a site }\n'
let vm: NodeVm
/** Ports of this machine that lead to those of the node. */
let ports: { site: number; other: number; ssh: number }

beforeAll(async () => {
    ports = { site: await freePort(), other: await freePort(), ssh: await freePort() }
    const to = (port: number, of: number) => `hostfwd=tcp:127.0.0.1:${port}-:${of}`
    vm = await startNode({
        disks: 0,
        nics: [`user,${to(ports.site, 8080)},${to(ports.other, 8081)},${to(ports.ssh, 22)}`],
        files: [await staticBusybox()],
    })
    await vm.must(
        `mkdir -p /etc/debvisor; printf 'profile: zfs\\n' > ${DOCUMENT}; ` +
            `debvisor node init --profile zfs | sed -n '/^network:/,/^$/p' >> ${DOCUMENT}`,
    )
    await apply()
    await vm.must(
        'mkdir -p /root/image/bin && cp /opt/beside/busybox /root/image/bin/ && ' +
            'tar -C /root/image -c . | docker import - box',
    )
}, 50 * MINUTE_MS)
afterAll(() => vm?.stop())

async function apply() {
    const ran = await vm.sh('debvisor node apply --yes', 15 * MINUTE_MS)
    expect(ran.out + ran.err).toContain('The machine is what its document says.')
}

/** A port that nobody listens on now. */
const freePort = () =>
    new Promise<number>(resolve => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address() as { port: number }
            server.close(() => resolve(port))
        })
    })

/** What a site answers to somebody from outside; undefined when nothing comes. */
const asked = (port: number) =>
    fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(15_000) }).then(
        answer => answer.text(),
        () => undefined,
    )
const serve = (name: string, port: number) =>
    vm.must(
        `docker run --detach --restart=always --name ${name} --publish ${port}:80 box ` +
            `/bin/busybox sh -c 'echo ${name} >/index.html; exec /bin/busybox httpd -f -p 80 -h /'`,
    )
/** The container itself answers, asked from the node. */
const isUp = (name: string) =>
    vm.must(
        `until /opt/beside/busybox wget -qO- http://$(docker inspect ${name} ` +
            `--format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')/; do sleep 1; done`,
        3 * MINUTE_MS,
    )

describe('a port that a container publishes', () => {
    it(
        'is closed to other hosts until the document opens it, whatever Docker does',
        async () => {
            await serve('site', 8080)
            expect(await isUp('site')).toBe('site\n')
            expect(await asked(ports.site)).toBeUndefined()
            await vm.must('systemctl restart docker', 3 * MINUTE_MS)
            expect(await isUp('site')).toBe('site\n')
            expect(await asked(ports.site)).toBeUndefined()
        },
        15 * MINUTE_MS,
    )

    it(
        'is open when the document says so; the one beside it stays closed, and SSH was open all the time',
        async () => {
            await vm.must(`printf '${OPEN}' >> ${DOCUMENT}`)
            await apply()
            expect(await asked(ports.site)).toBe('site\n')
            await serve('other', 8081)
            expect(await isUp('other')).toBe('other\n')
            expect(await asked(ports.other)).toBeUndefined()
            await vm.must('systemctl restart docker', 3 * MINUTE_MS)
            expect(await isUp('site')).toBe('site\n')
            expect(await asked(ports.site)).toBe('site\n')
            expect(await asked(ports.other)).toBeUndefined()
        },
        25 * MINUTE_MS,
    )

    it(
        'is so after a reboot as well',
        async () => {
            await vm.reboot()
            await isUp('site')
            await isUp('other')
            expect(await asked(ports.site)).toBe('site\n')
            expect(await asked(ports.other)).toBeUndefined()
        },
        15 * MINUTE_MS,
    )
})

it(
    'TCP passes between neighbours on br0, which Docker alone would drop',
    async () => {
        // Two machines on the bridge, as a network namespace each.
        for (const [name, address] of [
            ['a', '10.0.2.31'],
            ['b', '10.0.2.32'],
        ])
            await vm.must(
                [
                    `ip netns add ${name}`,
                    `ip link add v${name} type veth peer name eth0 netns ${name}`,
                    `ip link set v${name} master br0 up`,
                    `ip -n ${name} link set eth0 up`,
                    `ip -n ${name} address add ${address}/24 dev eth0`,
                ].join(' && '),
            )
        // As Docker leaves it where forwarding was off before; here the node's own settings turn it on at boot.
        await vm.must('iptables -P FORWARD DROP')
        await vm.must(
            `mkdir -p /root/web && echo neighbour >/root/web/index.html && ` +
                `ip netns exec b /opt/beside/busybox httpd -p 80 -h /root/web`,
        )
        const said = await vm.must(
            'for i in 1 2 3 4 5; do ip netns exec a timeout 10 /opt/beside/busybox wget -qO- http://10.0.2.32/ && break; sleep 1; done',
            2 * MINUTE_MS,
        )
        expect(said).toBe('neighbour\n')
    },
    10 * MINUTE_MS,
)
