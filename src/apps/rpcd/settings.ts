// How the daemon is told what it needs: options of its command line, each with the default of an installed node.
import { parseArgs } from 'node:util'
import { Fault } from '../../base/fault.ts'
import { RULES_FILE } from '../../capabilities/firewall/plan.ts'
import { EXPOSED_FILE } from '../../capabilities/firewall/rules.ts'

export interface Settings {
    stateFolder: string
    auditFolder: string
    pkiFolder: string
    panelFolder: string
    listen: string
    socketPath: string
    libvirtSocket: string
    /** Of dockerd; it may come later, or not at all. */
    dockerSocket: string
    /** The one folder that passwords of registries are read from. */
    secretsFolder: string
    /** docker-compose, by its path. */
    composeProgram: string
    /** Stacks to begin with. */
    catalogueFolder: string
    /** TCP port at which a challenge of ACME is answered while it runs; the authority always asks port 80. */
    challengePort: number
    /** Of debvisor-rootd; it may come later, or not at all. */
    rootSocket: string
    /** Rules of the firewall, and the ports of containers that are open besides, as they lie on the disk. */
    firewallFile: string
    exposedFile: string
    etcd: { endpoints: string[]; ca?: string; cert?: string; key?: string }
    accelerator: 'kvm' | 'tcg'
    importFolders: string[]
    /** Networks that images are never fetched from, as `10.1.0.0/16`. */
    refusedNetworks: string[]
    /** Folder of the storage pool that is made when libvirt has none; empty: none is made. */
    poolFolder: string
    logLevel: string
}

const OPTIONS = {
    state: { type: 'string', default: '/var/lib/debvisor' },
    audit: { type: 'string', default: '/var/log/debvisor' },
    pki: { type: 'string', default: '/etc/debvisor/pki' },
    panel: { type: 'string', default: '/usr/lib/debvisor/panel' },
    listen: { type: 'string', default: '127.0.0.1:8443' },
    socket: { type: 'string', default: '/run/debvisor/rpcd.sock' },
    libvirt: { type: 'string', default: '/run/libvirt/libvirt-sock' },
    docker: { type: 'string', default: '/run/docker.sock' },
    secrets: { type: 'string', default: '/etc/debvisor/secrets' },
    compose: { type: 'string', default: '/usr/bin/docker-compose' },
    catalogue: { type: 'string', default: '/usr/share/debvisor/compose' },
    'challenge-port': { type: 'string', default: '80' },
    rootd: { type: 'string', default: '/run/debvisor-rootd.sock' },
    firewall: { type: 'string', default: RULES_FILE },
    exposed: { type: 'string', default: EXPOSED_FILE },
    etcd: { type: 'string', multiple: true, default: ['https://127.0.0.1:12379'] as string[] },
    'etcd-ca': { type: 'string' },
    'etcd-cert': { type: 'string' },
    'etcd-key': { type: 'string' },
    accel: { type: 'string', default: 'kvm' },
    'import-folder': { type: 'string', multiple: true, default: [] as string[] },
    'refuse-network': { type: 'string', multiple: true, default: [] as string[] },
    pool: { type: 'string', default: '' },
    'log-level': { type: 'string', default: 'info' },
} as const

/** @throws Fault `invalid` for what is not an option, with the ones there are */
export function settingsOf(argv: readonly string[]): Settings {
    const values = parse(argv)
    if (values.accel !== 'kvm' && values.accel !== 'tcg') {
        throw new Fault('invalid', {
            summary: 'That is not an accelerator',
            detail: values.accel,
            at: '--accel',
            fix: 'Use kvm or tcg.',
        })
    }
    const challengePort = Number(values['challenge-port'])
    if (!Number.isInteger(challengePort) || challengePort < 1 || challengePort > 65535) {
        throw new Fault('invalid', {
            summary: 'That is not a port',
            detail: values['challenge-port'],
            at: '--challenge-port',
            fix: 'Use 1 to 65535.',
        })
    }
    return {
        stateFolder: values.state,
        auditFolder: values.audit,
        pkiFolder: values.pki,
        panelFolder: values.panel,
        listen: values.listen,
        socketPath: values.socket,
        libvirtSocket: values.libvirt,
        dockerSocket: values.docker,
        secretsFolder: values.secrets,
        composeProgram: values.compose,
        catalogueFolder: values.catalogue,
        challengePort,
        rootSocket: values.rootd,
        firewallFile: values.firewall,
        exposedFile: values.exposed,
        etcd: { endpoints: values.etcd, ca: values['etcd-ca'], cert: values['etcd-cert'], key: values['etcd-key'] },
        accelerator: values.accel,
        importFolders: values['import-folder'],
        refusedNetworks: values['refuse-network'],
        poolFolder: values.pool,
        logLevel: values['log-level'],
    }
}

function parse(argv: readonly string[]) {
    try {
        return parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values
    } catch (cause) {
        throw new Fault('invalid', {
            summary: 'The command line of debvisor-rpcd is wrong',
            detail: cause instanceof Error ? cause.message : String(cause),
            fix: `It takes --${Object.keys(OPTIONS).join(', --')}.`,
            cause,
        })
    }
}
