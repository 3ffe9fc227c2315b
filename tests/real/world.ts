// The real world of the tests: an isolated libvirtd, an etcd, a tiny guest and a Debian image, each made on its own.
export { type EtcdWorld, freePorts, startEtcd } from './world-etcd.ts'
export { type TinyGuest, tinyGuest } from './world-guest.ts'
export { debianImage } from './world-image.ts'
export { answers, type LibvirtOptions, type LibvirtWorld, startLibvirt, until } from './world-libvirt.ts'
