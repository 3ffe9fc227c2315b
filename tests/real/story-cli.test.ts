// The story of 'Run a node' with the command line alone: from an image to a VM that is used, snapshotted, cloned, deleted.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generateSync } from 'otplib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Talk, talkTo } from './expect-console.ts'
import { readPicture } from './picture.ts'
import { debianImage, until } from './world.ts'
import { type DaemonWorld, startDaemon } from './world-daemon.ts'

const MINUTE_MS = 60_000
const PASSWORD = 'correct horse battery'
let world: DaemonWorld
const root = new URL('../../', import.meta.url).pathname
const program = ['--import', 'tsx', join(root, 'src/apps/cli/main.ts')]

/** Runs one command; answers what it printed. Rejects with its words when it fails. */
async function debvisor(
    line: string,
    stdin = '',
    env: object = { DEBVISOR_SOCKET: world.socketPath },
): Promise<string> {
    const running = promisify(execFile)(process.execPath, [...program, ...line.split(' ')], {
        cwd: root,
        env: { ...process.env, ...env },
        timeout: 5 * MINUTE_MS,
    })
    running.child.stdin?.end(stdin)
    return (await running).stdout
}

function consoleOf(vm: string): Talk & { close(): void } {
    const child = spawn(process.execPath, [...program, 'vm', 'console', vm, '--force'], {
        cwd: root,
        env: { ...process.env, DEBVISOR_SOCKET: world.socketPath },
        stdio: ['pipe', 'pipe', 'inherit'],
    })
    return { ...talkTo({ input: child.stdin, output: child.stdout }), close: () => void child.kill() }
}

beforeAll(async () => {
    await debianImage()
    world = await startDaemon()
}, 12 * MINUTE_MS)
afterAll(() => world?.stop())

it('a user is made, with a password from a pipe', async () => {
    await debvisor('user create ann --role admin', `${PASSWORD}\n`)
    expect(await debvisor('user list')).toMatch(/ann +admin/)
})

it(
    'images are sent to the node',
    async () => {
        await debvisor(`image upload ${await debianImage()} default/debian.qcow2`)
        await debvisor('image upload /usr/lib/ipxe/ipxe.iso default/ipxe.iso')
        const list = await debvisor('image list')
        expect(list).toMatch(/default\/debian\.qcow2 +qcow2/)
        expect(list).toMatch(/default\/ipxe\.iso +iso/)
    },
    3 * MINUTE_MS,
)

it('the plan is read before anything is made', async () => {
    const plan = await debvisor('vm create web1 --image default/debian.qcow2 --size 3G --memory 512M --dry-run')
    expect(plan).toMatch(/^Would be done:\n/)
    expect(plan).toContain('web1')
    expect(await debvisor('vm list')).toContain('There is no VM yet')
})

it(
    'a VM is made from the Debian image with cloud-init, and started',
    async () => {
        await debvisor(
            'vm create web1 --image default/debian.qcow2 --size 3G --memory 512M --user ann --password --start',
            `${PASSWORD}\n`,
        )
        expect(await debvisor('vm list')).toMatch(/web1 +running/)
        expect(await debvisor('vm show web1')).toMatch(/State +running[\s\S]+Disk vda +default\/web1/)
        // The first figures come with the second look at it, ten seconds after the first.
        const figures = /CPU +\d+% of its vCPUs[\s\S]+Network/
        await until('figures of it', 60_000, async () => figures.test(await debvisor('vm stats web1')))
        expect(await debvisor('vm guest web1')).toMatch(/Agent +does not answer/)
    },
    2 * MINUTE_MS,
)

it(
    'a VM is made from a bootable ISO, and its display is seen',
    async () => {
        await debvisor('vm create boot1 --iso default/ipxe.iso --size 1G --memory 256M --start')
        const file = join(world.folder, 'boot1.png')
        // The firmware's and iPXE's words come after a moment; until then the display is of one colour, or not VGA's text yet.
        const shown = async () => {
            await debvisor(`vm screenshot boot1 ${file} --overwrite`)
            const { width, height, colours } = readPicture(await readFile(file))
            return { size: `${width}x${height}`, words: colours > 1 }
        }
        await expect.poll(shown, { timeout: MINUTE_MS, interval: 1000 }).toEqual({ size: '720x400', words: true })
        await debvisor('vm delete boot1 --disks --force --yes')
        expect(await debvisor('vm list')).not.toContain('boot1')
    },
    2 * MINUTE_MS,
)

it(
    'somebody logs in on the serial console; a snapshot brings a changed file back',
    async () => {
        const talk = consoleOf('web1')
        try {
            // The login prompt may have come before the console was opened.
            const nudge = setInterval(() => talk.type('\n'), 5000)
            await talk.wait(/login: /, 6 * MINUTE_MS).finally(() => clearInterval(nudge))
            await talk.wait(/cloud-init.*finished|login: $/i, 3 * MINUTE_MS).catch(() => undefined)
            talk.type('ann\n')
            await talk.wait(/Password: /, MINUTE_MS)
            talk.type(`${PASSWORD}\n`)
            await talk.wait(/ann@web1/, 2 * MINUTE_MS)
            talk.type('echo before > state; sync; echo written-$((1 + 1))\n')
            await talk.wait(/written-2/)
            await debvisor('vm snapshot web1 clean --memory')
            expect(await debvisor('vm snapshots web1')).toMatch(/clean \(current\)/)
            talk.type('echo after > state; sync; cat state; echo changed-$((1 + 1))\n')
            await talk.wait(/after\s+changed-2/)
            await debvisor('vm revert web1 clean --yes')
        } finally {
            talk.close()
        }
        const again = consoleOf('web1')
        try {
            again.type('\n')
            await again.wait(/ann@web1/, MINUTE_MS)
            again.type('cat state; echo read-$((1 + 1))\n')
            expect(await again.wait(/before\s+read-2/, MINUTE_MS)).toContain('before')
        } finally {
            again.close()
        }
    },
    15 * MINUTE_MS,
)

it(
    'the VM is shut down, cloned, and both are deleted with their disks',
    async () => {
        await debvisor('vm shutdown web1 --deadline 120 --force')
        expect(await debvisor('vm list')).toMatch(/web1 +stopped/)
        await debvisor('vm clone web1 web2')
        expect(await debvisor('vm list')).toMatch(/web2 +stopped/)
        await debvisor('vm start web2')
        const talk = consoleOf('web2')
        try {
            // A machine of its own, on a disk of its own: it says its own name, not that of its source.
            const nudge = setInterval(() => talk.type('\n'), 5000)
            await talk.wait(/web2 login: /, 6 * MINUTE_MS).finally(() => clearInterval(nudge))
        } finally {
            talk.close()
        }
        await expect(debvisor('vm delete web1 --disks')).rejects.toMatchObject({ code: 3 })
        await debvisor('vm delete web1 --disks --yes')
        await debvisor('vm delete web2 --disks --force --yes')
        expect(await debvisor('vm list')).toContain('There is no VM yet')
        expect(await debvisor('image list')).not.toMatch(/web[12]/)
        expect(existsSync(join(world.libvirt.imagesDir, 'debian.qcow2'))).toBe(true)
    },
    14 * MINUTE_MS,
)

it('the audit record tells all of it, and is intact', async () => {
    const records = await debvisor('audit list --limit 1000')
    for (const what of [
        'vm.Create',
        'vm.CreateSnapshot',
        'vm.RevertSnapshot',
        'vm.Clone',
        'vm.Delete',
        'console.open',
        'identity.CreateUser',
    ]) {
        expect(records).toContain(what)
    }
    expect(records).not.toContain(PASSWORD)
    expect(await debvisor('audit verify')).toMatch(/All \d+ records are intact/)
})

it('from elsewhere: a login keeps a token and pins the certificate, a logout revokes and forgets it', async () => {
    const env = { XDG_CONFIG_HOME: join(world.folder, 'elsewhere') }
    await debvisor(`login ${world.url} -u ann --yes`, `${PASSWORD}\n`, env)
    const file = join(env.XDG_CONFIG_HOME, 'debvisor/login.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).not.toContain(PASSWORD)
    expect(await debvisor('whoami', '', env)).toMatch(/ann[\s\S]+admin[\s\S]+token/)
    expect(await debvisor('vm list', '', env)).toContain('There is no VM yet')
    // A token alone gives nobody rights: the password is asked for, and what is dangerous is done after that alone.
    const create = 'user create ben --role viewer'
    await expect(debvisor(create, `${PASSWORD}\n`, env)).rejects.toThrow('Your password, once more')
    await expect(debvisor(create, `${PASSWORD}\nnot this one at all\n`, env)).rejects.toThrow('The password is wrong')
    expect(await debvisor('user list', '', env)).not.toContain('ben')
    await debvisor(create, `${PASSWORD}\n${PASSWORD}\n`, env)
    expect(await debvisor('user list', '', env)).toMatch(/ben +viewer/)
    const next = 'staple battery correct'
    await expect(debvisor('user password', `wrong ${PASSWORD}\n${next}\n`, env)).rejects.toMatchObject({ code: 1 })
    expect(await debvisor('user password', `${PASSWORD}\n${next}\n`, env)).toContain('Your password is changed')
    expect(await debvisor('session list --user ann')).toContain('Nobody is logged in')
    const again = { XDG_CONFIG_HOME: join(world.folder, 'again') }
    await expect(debvisor(`login ${world.url} -u ann --yes`, `${PASSWORD}\n`, again)).rejects.toMatchObject({ code: 1 })
    await debvisor(`login ${world.url} -u ann --yes`, `${next}\n`, again)
    const { token } = JSON.parse(await readFile(file, 'utf8'))
    await debvisor('logout', '', env)
    expect(existsSync(file)).toBe(false)
    const stolen = join(world.folder, 'stolen')
    await writeFile(stolen, token)
    await expect(debvisor(`whoami --server ${world.url} --token-file ${stolen}`, '', env)).rejects.toMatchObject({
        code: 1,
    })
})

it('a second factor is set up in the terminal; a login then needs it, and it is taken away with a recovery code', async () => {
    const password = 'staple battery correct'
    const env = { XDG_CONFIG_HOME: join(world.folder, 'again') }
    const enrolling = spawn(process.execPath, [...program, 'factor', 'enrol'], {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: 'pipe',
    })
    const told = talkTo({ input: enrolling.stdin, output: enrolling.stderr })
    let answer = ''
    enrolling.stdout.on('data', chunk => {
        answer += chunk
    })
    const ended = new Promise(resolve => enrolling.once('close', resolve))
    enrolling.stdin.write(`${password}\n`)
    const secret = /Or type it in: ([A-Z2-7]+)\n/.exec(await told.wait(/Or type it in: [A-Z2-7]+\n/, MINUTE_MS))![1]!
    const codeIn = (seconds: number) => generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + seconds })
    enrolling.stdin.end(`${codeIn(0)}\n`)
    expect(await ended).toBe(0)
    const codes = answer.match(/^ {2}\S{4}(-\S{4}){3}$/gm)!.map(code => code.trim())
    expect(codes).toHaveLength(10)
    // What is printed may be kept in a file: the secret is for the terminal.
    expect(answer).not.toContain(secret)

    const login = `login ${world.url} -u ann --yes`
    const third = { XDG_CONFIG_HOME: join(world.folder, 'third') }
    await expect(debvisor(login, `${password}\n`, third)).rejects.toMatchObject({ code: 1 })
    await expect(debvisor(login, `${password}\n123\n`, third)).rejects.toMatchObject({ code: 1 })
    // The code that it was set up with is used up; that of the next half minute is good already.
    await debvisor(login, `${password}\n${codeIn(30)}\n`, third)
    await expect(
        debvisor('factor remove --yes', `${password}\n${codes[0]}\n${codes[0]}\n`, third),
    ).rejects.toMatchObject({
        code: 1,
    })
    expect(await debvisor('factor remove --yes', `${password}\n${codes[1]}\n${codes[2]}\n`, third)).toContain(
        'Your second factor is taken away',
    )
    await debvisor(login, `${password}\n`, third)
    expect(await debvisor('audit list --limit 1000')).not.toMatch(new RegExp([secret, ...codes].join('|')))
    expect(world.log()).not.toContain(secret)
})
