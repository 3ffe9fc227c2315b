// What a machine says of itself, with firmware that says something and firmware that nobody has filled in.
import { expect, it } from 'vitest'
import { fakeSystem } from '../../ports/fake.ts'
import { seeMachine } from './machine.ts'

const CPU = (flags: string) =>
    `processor\t: 0\nmodel name\t: Xeon\nphysical id\t: 0\ncpu cores\t: 2\nflags\t\t: ${flags}\n`
const base = {
    '/etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n',
    '/proc/sys/kernel/osrelease': '6.12.48+deb13-amd64\n',
    '/proc/meminfo': 'MemTotal: 2048 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n',
}

it('names a server by its firmware', async () => {
    const files = {
        ...base,
        '/proc/cpuinfo': CPU('fpu vmx sse2'),
        '/sys/firmware/efi/fw_platform_size': '64\n',
        '/sys/class/dmi/id/sys_vendor': 'Dell Inc.\n',
        '/sys/class/dmi/id/product_name': 'PowerEdge R640\n',
        '/sys/class/dmi/id/product_serial': 'ABC1234\n',
    }
    expect(await seeMachine(fakeSystem({ files }))).toMatchObject({
        ...{ os: 'Debian GNU/Linux 13 (trixie)', osVersion: '13', kernel: '6.12.48+deb13-amd64' },
        ...{ model: 'Dell Inc. PowerEdge R640', serial: 'ABC1234', firmware: 'UEFI' },
        ...{ cpuModel: 'Xeon', cpus: 1, virtualization: 'vmx', memoryBytes: 2 * 1024 ** 2 },
    })
})

it('leaves out what a board maker has not filled in, and is content with less', async () => {
    const files = {
        ...base,
        '/proc/cpuinfo': CPU('fpu sse2 svm_lock'),
        '/sys/class/dmi/id/sys_vendor': 'ASUS\n',
        '/sys/class/dmi/id/product_name': 'System Product Name\n',
        '/sys/class/dmi/id/product_serial': 'To Be Filled By O.E.M.\n',
    }
    const seen = await seeMachine(fakeSystem({ files }))
    expect(seen).toMatchObject({ model: 'ASUS', serial: '', firmware: 'BIOS', virtualization: '' })
    expect(await seeMachine(fakeSystem())).toMatchObject({ os: '', model: '', cpus: 0 })
})
