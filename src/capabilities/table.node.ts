// What exists on the side of the node: every service of the API. (The pages are in table.panel.ts.)
import type { DescService } from '@bufbuild/protobuf'
import { AuditService } from '../gen/proto/capabilities/audit/audit_pb.js'
import { CertificateService } from '../gen/proto/capabilities/certificate/certificate_pb.js'
import { ConsoleService } from '../gen/proto/capabilities/console/console_pb.js'
import { ContainerService } from '../gen/proto/capabilities/container/container_pb.js'
import {
    ContainerImageService,
    ContainerNetworkService,
    ContainerRegistryService,
    ContainerVolumeService,
} from '../gen/proto/capabilities/container/stores_pb.js'
import { IdentityService } from '../gen/proto/capabilities/identity/identity_pb.js'
import { ImageService } from '../gen/proto/capabilities/image/image_pb.js'
import { NetworkService } from '../gen/proto/capabilities/network/network_pb.js'
import { InspectService } from '../gen/proto/capabilities/node/inspect_pb.js'
import { NodeService } from '../gen/proto/capabilities/node/node_pb.js'
import { ProvisionService } from '../gen/proto/capabilities/node/provision_pb.js'
import { ShellService } from '../gen/proto/capabilities/shell/shell_pb.js'
import { StackService } from '../gen/proto/capabilities/stack/stack_pb.js'
import { TaskService } from '../gen/proto/capabilities/task/task_pb.js'
import { VmService } from '../gen/proto/capabilities/vm/vm_pb.js'

export const services: readonly DescService[] = [
    VmService,
    ConsoleService,
    ContainerService,
    ContainerImageService,
    ContainerVolumeService,
    ContainerNetworkService,
    ContainerRegistryService,
    StackService,
    ImageService,
    NetworkService,
    NodeService,
    ProvisionService,
    InspectService,
    CertificateService,
    ShellService,
    TaskService,
    AuditService,
    IdentityService,
]
