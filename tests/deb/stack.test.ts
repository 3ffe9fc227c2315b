// Containers and stacks on a node where systemd runs: dockerd, Compose and our daemon as the package shuts it in, all real.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildDeb } from '../../scripts/deb.ts'
import { rulesText } from '../../src/capabilities/firewall/rules.ts'
import { until } from '../real/world-libvirt.ts'
import { type SystemdWorld, startSystemd, whyNoSystemd } from '../real/world-systemd.ts'

const missing = whyNoSystemd()
let node: SystemdWorld | undefined
let folder = ''

const sh = (line: string) => node!.enter(['sh', '-c', line])
const compose = `services:
  web:
    image: site
    command: [httpd, -f, -p, "80", -h, /www]
    ports: ["8080:80"]
    configs: [{ source: page, target: /www/index.html }]
    secrets: [word]
    volumes: ["data:/data"]
configs: { page: { content: "one" } }
secrets: { word: { environment: WORD } }
volumes: { data: {} }
`

beforeAll(async () => {
    if (missing) return
    const deb = await buildDeb()
    folder = mkdtempSync(join(tmpdir(), 'dv-deb-stack-'))
    const share = join(folder, 'share')
    mkdirSync(share)
    copyFileSync(deb, join(share, 'debvisor.deb'))
    writeFileSync(join(share, 'compose.yaml'), compose)
    writeFileSync(join(share, 'next.yaml'), compose.replace('"one"', '"two"'))
    writeFileSync(join(share, 'firewall.nft'), rulesText({ cluster: [], open: [], stacks: 'any', bridges: [] }, 'test'))
    node = await startSystemd(`${share}:/srv/share`, { docker: true })
    await sh('dpkg --install --force-confold /srv/share/debvisor.deb')
    await sh('echo RPCD_OPTIONS=--accel=tcg >/etc/default/debvisor && systemctl restart debvisor-rpcd')
    const busybox = 'mkdir -p /tmp/i/bin && cp /bin/busybox /tmp/i/bin && ln -s busybox /tmp/i/bin/httpd'
    await sh(`${busybox} && ln -s busybox /tmp/i/bin/sleep && tar -C /tmp/i -c . | docker import - site`)
    await until('Docker to be known', 60_000, () =>
        sh('debvisor container engine').then(
            text => text.includes('API'),
            () => false,
        ),
    )
}, 960_000)
afterAll(async () => {
    await node?.stop()
    if (folder) rmSync(folder, { recursive: true })
})

const page = async (text: string) =>
    until(`the page to say ${text}`, 20_000, () =>
        sh('curl --silent --max-time 2 http://127.0.0.1:8080/').then(
            said => said === text,
            () => false,
        ),
    )

it('brings a stack up with Compose inside the sandbox of the daemon, changes it, rolls it back and takes it down', async ({
    skip,
}) => {
    if (missing) skip(missing)
    await sh('printf "a word\\n" | debvisor stack create shop /srv/share/compose.yaml --secret WORD --up --yes')
    await page('one')
    expect(await sh('docker exec shop-web-1 /bin/busybox cat /run/secrets/word')).toBe('a word')
    await sh('debvisor stack update shop /srv/share/next.yaml --up --yes')
    await page('two')
    await sh('debvisor stack rollback shop 1 --yes')
    await page('one')
    expect(await sh('debvisor stack list')).toMatch(/shop\s+running/)
    // It was Compose as the daemon's own user, and the daemon is as shut in as its unit says.
    expect(await sh('stat -c "%U %a" /var/lib/debvisor/stacks/shop')).toBe('debvisor-rpc 700\n')
    expect(await sh('systemctl show --property=ProtectSystem,NRestarts --value debvisor-rpcd')).toBe('0\nstrict\n')
    expect(await sh('ls -A /var/lib/debvisor/stacks/.scratch')).not.toContain('.env')
    expect(await sh('journalctl --quiet --no-pager --grep "a word" || :')).toBe('')
})

it('opens a container by way of the root service, at the paths of a node', async ({ skip }) => {
    if (missing) skip(missing)
    await sh('cp /srv/share/firewall.nft /etc/debvisor/ && nft --file /etc/debvisor/firewall.nft')
    await sh('docker run -d --name web -p 8090:80 site httpd -f -p 80')
    const shown = () => sh('debvisor container show web')
    await until('it to be known', 10_000, () =>
        shown().then(
            text => text.includes('closed by the firewall'),
            () => false,
        ),
    )
    await sh('debvisor container expose web --yes')
    expect(await shown()).toContain('everybody: exposed, as firewall.stacks says')
    expect(await sh('nft list set inet debvisor exposed_tcp')).toMatch(/8090 \. 172\.\d+\.\d+\.\d+/)
    expect(await sh('stat -c "%U %a" /run/debvisor-exposed.nft')).toBe('root 644\n')
    await sh('nft --file /etc/debvisor/firewall.nft')
    expect(await sh('nft list set inet debvisor exposed_tcp')).toContain('8090')
    await sh('debvisor container unexpose web --yes')
    expect(await sh('nft list set inet debvisor exposed_tcp')).not.toContain('8090')
    await sh('debvisor stack down shop --yes')
    expect(await sh('docker ps --quiet --filter label=com.docker.compose.project=shop')).toBe('')
})
