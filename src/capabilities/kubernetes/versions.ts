// What comes from outside: versions, names, addresses and paths of Kubernetes and all that belongs to it. Nowhere else.

/** The last one whose kubelet takes containerd 1.7, which is Debian 13's (decision page: docs/decisions/kubernetes.md). */
export const MINOR = '1.35'

/** All from one place: Debian's kubectl is too old for the API server. */
export const PACKAGES = ['kubeadm', 'kubelet', 'kubectl', 'cri-tools', 'kubernetes-cni']

/** The archive of the project, with the key that signs it; its fingerprint is checked before the key is believed. */
export const ARCHIVE = {
    uri: `https://pkgs.k8s.io/core:/stable:/v${MINOR}/deb/`,
    keyUri: `https://pkgs.k8s.io/core:/stable:/v${MINOR}/deb/Release.key`,
    fingerprint: 'DE15B14486CD377B9E876E1A234654DA9A296436',
}

/** What the ISO may bring: a flat archive of packages, images as tar files, the manifest of Calico. */
export const POOL = '/usr/share/debvisor/pool'
export const POOL_IMAGES = `${POOL}/images`
/** Which of them were taken. */
export const IMPORTED = '/var/lib/debvisor/kubernetes/imported'

/** What kubeadm of this version takes; containerd must know the same. */
export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.10.1'
export const REGISTRY = 'https://registry.k8s.io/v2/'

const CALICO_VERSION = 'v3.31.5'
export const CALICO = {
    version: CALICO_VERSION,
    uri: `https://raw.githubusercontent.com/projectcalico/calico/${CALICO_VERSION}/manifests/calico-vxlan.yaml`,
    pool: `${POOL}/calico-vxlan-${CALICO_VERSION}.yaml`,
    fetched: `/var/lib/debvisor/kubernetes/calico-vxlan-${CALICO_VERSION}.yaml`,
    rendered: '/etc/debvisor/kubernetes/calico.yaml',
}

export const PROVISIONER = {
    image: 'docker.io/rancher/local-path-provisioner:v0.0.32',
    helperImage: 'docker.io/library/busybox:1.37.0',
    rendered: '/etc/debvisor/kubernetes/storage.yaml',
}

/** The first that collides with nothing is taken. 10.244 is what the design names; 192.168 is full of other people. */
export const POD_NETWORKS = ['10.244.0.0/16', '10.245.0.0/16', '10.246.0.0/16', '172.27.0.0/16', '100.96.0.0/16']
export const SERVICE_NETWORKS = ['10.96.0.0/16', '10.97.0.0/16', '10.98.0.0/16', '172.26.0.0/16', '100.97.0.0/16']

export const PORTS = { api: 6443, kubelet: 10250, vxlan: 4789 }

export const SOURCE_FILE = '/etc/apt/sources.list.d/debvisor-kubernetes.sources'
export const PIN_FILE = '/etc/apt/preferences.d/debvisor-kubernetes'
export const KEY_FILE = '/etc/apt/keyrings/debvisor-kubernetes.asc'
export const CONTAINERD_FILE = '/etc/containerd/config.toml'
export const CONTAINERD_SOCKET = 'unix:///run/containerd/containerd.sock'
export const KUBEADM_FILE = '/etc/debvisor/kubernetes/kubeadm.yaml'
export const ADMIN_CONF = '/etc/kubernetes/admin.conf'
/** What kubeadm leaves behind: where one of these is, a control plane was at least begun. */
export const TRACES = [
    ...[ADMIN_CONF, '/etc/kubernetes/kubelet.conf', '/etc/kubernetes/manifests/kube-apiserver.yaml'],
    '/var/lib/etcd/member',
]
/** That an init was begun, and that it ended well. */
export const RECORD = '/var/lib/debvisor/kubernetes/init.json'
/** All of it runs: nothing is tried again by itself. */
export const READY = '/var/lib/debvisor/kubernetes/ready'
export const RETRY = 'debvisor-kubernetes'
export const KUBELET = 'kubelet.service'
/** For people: what takes a cluster away. It is never run by a plan. */
export const RESET = `kubeadm reset --force --cri-socket ${CONTAINERD_SOCKET}`
