// What NetworkManager leaves alone: interfaces that libvirt, Docker, Kubernetes and tunnels make for themselves. Pure.

export const UNMANAGED_FILE = '/etc/NetworkManager/conf.d/debvisor.conf'

const LEFT_ALONE = [
    'vnet*',
    'veth*',
    'cali*',
    'docker*',
    'br-*',
    'virbr*',
    'cni*',
    'flannel*',
    'tunl*',
    'vxlan*',
].concat(['wireguard.cali', 'gre*', 'gretap*', 'sit*', 'ip6tnl*', 'tap*'])

export const unmanagedText = `# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.
# Interfaces that libvirt, Docker, Kubernetes and tunnels make for themselves.
[keyfile]
unmanaged-devices+=${LEFT_ALONE.map(name => `interface-name:${name}`).join(';')}
`
