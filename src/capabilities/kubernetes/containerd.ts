// containerd's configuration (version 2 of it, which containerd 1.7 and 2 read), and ctr for images that came as files.
import type { Tool } from '../../engine/kit.ts'
import { PAUSE_IMAGE } from './versions.ts'

export const ctrTool: Tool = { name: 'ctr', program: '/usr/bin/ctr', half: 'machine' }

/**
 * As Debian ships it, with the cgroups of systemd, the pause image of kubeadm, and the folder that Calico puts its
 * plugin into. Docker has its own section of containerd and reads none of this.
 */
export const containerdText = (): string =>
    `${[
        '# Written by DebVisor from /etc/debvisor/node.yaml: a change made here is overwritten.',
        'version = 2',
        '',
        '[plugins."io.containerd.grpc.v1.cri"]',
        `  sandbox_image = "${PAUSE_IMAGE}"`,
        '',
        '[plugins."io.containerd.grpc.v1.cri".cni]',
        '  bin_dir = "/opt/cni/bin"',
        '  conf_dir = "/etc/cni/net.d"',
        '',
        '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
        '  runtime_type = "io.containerd.runc.v2"',
        '',
        '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]',
        '  SystemdCgroup = true',
        '',
        '[plugins."io.containerd.internal.v1.opt"]',
        '  path = "/var/lib/containerd/opt"',
    ].join('\n')}\n`

/** Kubernetes has a namespace of its own in containerd. */
export const importArgs = (file: string): string[] => ['--namespace', 'k8s.io', 'images', 'import', file]
