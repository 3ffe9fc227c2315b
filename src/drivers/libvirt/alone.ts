// Which calls may take long, or hang with a guest, and so are made on a connection of their own.
import type { Calls } from '../../gen/libvirt/protocol.ts'

/**
 * Each of them waits for QEMU, for the guest or for storage. Four that hang would take every place of the shared
 * connection: nobody could even look any more. A connection of their own costs about 1.5 ms.
 */
const ALONE: ReadonlySet<string> = new Set<keyof Calls>([
    'domainAttachDeviceFlags',
    'domainDetachDeviceFlags',
    'domainUpdateDeviceFlags',
    'domainSetMemoryFlags',
    'domainSetVcpusFlags',
    'domainSetBlockIoTune',
    'domainBlockResize',
    'domainGetBlockInfo',
    'domainReset',
    'domainSuspend',
    'domainResume',
    'domainPMWakeup',
    'domainDestroyFlags',
    'domainUndefineFlags',
    'domainShutdownFlags',
    'domainReboot',
    'domainCreateWithFlags',
    'domainBlockCopy',
    'domainBlockJobAbort',
    'domainGetBlockJobInfo',
    'domainGetJobInfo',
    'domainSnapshotCreateXML',
    'domainRevertToSnapshot',
    'domainSnapshotDelete',
    'domainInterfaceAddresses',
    'domainGetGuestInfo',
    'storageVolCreateXML',
    'storageVolCreateXMLFrom',
    'storageVolDelete',
    'storageVolResize',
    'storagePoolCreate',
    'storagePoolRefresh',
    'networkCreate',
])

/** True for a procedure that is never made on a connection which others share. */
export const isAlone = (name: string): boolean => ALONE.has(name)
