// The networks that libvirt has on the disk of this machine, whether they are up or not.
import type { Probe } from '../../ports/ports.ts'
import { formatAddress, type Subnet } from './cidr.ts'
import { readNetworkXml } from './xml.ts'

const FOLDER = '/etc/libvirt/qemu/networks'

/** IPv4 networks in CIDR, with the name of the network. A file that cannot be read is left out. */
export async function definedNetworks(root: Probe): Promise<{ network: string; name: string }[]> {
    const files = (await root.list(FOLDER)).filter(name => name.endsWith('.xml'))
    const texts = await Promise.all(files.map(name => root.readText(`${FOLDER}/${name}`)))
    return texts.flatMap(text => {
        try {
            const { name, subnets } = readNetworkXml(text ?? '')
            return subnets.filter(({ version }) => version === 4).map(one => ({ network: cidrOf(one), name }))
        } catch {
            return []
        }
    })
}

const cidrOf = ({ version, first, prefix }: Subnet) => `${formatAddress(version, first)}/${prefix}`
