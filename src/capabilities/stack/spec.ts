// The Compose files that are taken: what the editor completes, and all that may stand in one. Pure.
import { z } from 'zod'

/** Anything may be put in by a variable, so Compose itself judges the kind of a plain value. */
const plain = z.union([z.string(), z.number(), z.boolean()])
const text = z.union([z.string(), z.number()])
const words = z.union([text, z.array(text)])
const texts = z.array(text)
const yesNo = z.union([z.boolean(), z.string()])
/** A list of NAME=VALUE, or names with values. */
const pairs = z.union([z.array(text), z.record(z.string(), plain.nullable())])

const exposeSpec = z
    .enum(['node', 'lan'])
    .describe('Who reaches the published ports: node (this machine alone), or lan (other machines too).')

const portSpec = z.strictObject({
    target: text.describe('Port in the container.'),
    published: text.optional().describe('Port on the node.'),
    host_ip: z.string().optional().describe('Address on the node.'),
    protocol: z.string().optional().describe('tcp or udp.'),
    mode: z.string().optional().describe('host or ingress.'),
    name: z.string().optional().describe('What it is called.'),
    app_protocol: z.string().optional().describe('Protocol of the application, such as http.'),
})

const mountSpec = z.strictObject({
    type: z.enum(['volume', 'bind', 'tmpfs']).describe('volume, bind (a path of the node) or tmpfs (memory).'),
    source: z.string().optional().describe('Name of the volume, or absolute path on the node.'),
    target: z.string().describe('Path in the container.'),
    read_only: yesNo.optional().describe('true: it cannot be written.'),
    consistency: z.string().optional().describe('Is passed over.'),
    bind: z
        .strictObject({
            propagation: z.string().optional(),
            create_host_path: yesNo.optional(),
            selinux: z.string().optional(),
        })
        .optional()
        .describe('How a path of the node is mounted.'),
    volume: z
        .strictObject({ nocopy: yesNo.optional(), subpath: z.string().optional() })
        .optional()
        .describe('How a volume is mounted.'),
    tmpfs: z.strictObject({ size: text.optional(), mode: text.optional() }).optional().describe('Size of the memory.'),
})

const fileRef = z.union([
    z.string(),
    z.strictObject({
        source: z.string().describe('Its name at the top level.'),
        target: z.string().optional().describe('Path in the container.'),
        uid: text.optional().describe('Who owns it.'),
        gid: text.optional().describe('Group that owns it.'),
        mode: text.optional().describe('Its mode, such as 0440.'),
    }),
])

const healthSpec = z.strictObject({
    test: words.optional().describe('Command that ends well while the service is.'),
    interval: z.string().optional().describe('How often, such as 30s.'),
    timeout: z.string().optional().describe('How long it may take.'),
    retries: text.optional().describe('So many failures in a row make it unhealthy.'),
    start_period: z.string().optional().describe('Failures count only after it.'),
    start_interval: z.string().optional().describe('How often during the start.'),
    disable: yesNo.optional().describe('true: none, also where the image has one.'),
})

const limitsSpec = z.strictObject({
    cpus: text.optional().describe('Cores, such as 0.5.'),
    memory: text.optional().describe('Memory, such as 512M.'),
    pids: text.optional().describe('Processes.'),
    devices: z
        .array(
            z.strictObject({
                capabilities: z.array(z.string()).optional(),
                driver: z.string().optional(),
                count: text.optional(),
                device_ids: z.array(text).optional(),
                options: pairs.optional(),
            }),
        )
        .optional()
        .describe('Devices of the node.'),
})

const deploySpec = z.strictObject({
    replicas: text.optional().describe('How many containers.'),
    resources: z
        .strictObject({
            limits: limitsSpec.optional().describe('The most that it may use.'),
            reservations: limitsSpec.optional().describe('What is kept for it.'),
        })
        .optional()
        .describe('What it may use.'),
    restart_policy: z
        .strictObject({
            condition: z.string().optional(),
            delay: z.string().optional(),
            max_attempts: text.optional(),
            window: z.string().optional(),
        })
        .optional()
        .describe('What happens when it ends.'),
    labels: pairs.optional().describe('Labels of the service.'),
    mode: z.string().optional().describe('replicated.'),
})

const networkOfService = z
    .strictObject({
        aliases: z.array(z.string()).optional().describe('Further names on it.'),
        ipv4_address: z.string().optional().describe('Its address on it.'),
        ipv6_address: z.string().optional().describe('Its IPv6 address on it.'),
        mac_address: z.string().optional().describe('Its MAC address on it.'),
        priority: text.optional().describe('The highest is joined first.'),
    })
    .nullable()

const dependency = z.strictObject({
    condition: z
        .enum(['service_started', 'service_healthy', 'service_completed_successfully'])
        .optional()
        .describe('What is waited for.'),
    restart: yesNo.optional().describe('true: restarted with it.'),
    required: yesNo.optional().describe('false: it may be missing.'),
})

const serviceSpec = z
    .strictObject({
        image: z.string().optional().describe('What it is made of, such as nginx:1.27.'),
        ports: z
            .array(z.union([text, portSpec]))
            .optional()
            .describe('Ports to publish, such as "8080:80"; from this node only unless it is exposed.'),
        environment: pairs.optional().describe('Variables of its programs.'),
        volumes: z
            .array(z.union([z.string(), mountSpec]))
            .optional()
            .describe('What is mounted, such as data:/var/lib/data.'),
        'x-debvisor': z
            .strictObject({ expose: exposeSpec.optional() })
            .optional()
            .describe('What DebVisor is told of this service.'),
        depends_on: z
            .union([z.array(z.string()), z.record(z.string(), dependency)])
            .optional()
            .describe('Services that start before it.'),
        networks: z
            .union([z.array(z.string()), z.record(z.string(), networkOfService)])
            .optional()
            .describe('Networks that it is on; default unless told.'),
        restart: z.string().optional().describe('no, always, unless-stopped or on-failure.'),
        command: words.nullable().optional().describe("What to run instead of the image's own command."),
        entrypoint: words.nullable().optional().describe("What to run instead of the image's own entry point."),
        healthcheck: healthSpec.optional().describe('How one sees that it is well.'),
        secrets: z.array(fileRef).optional().describe('Secrets, as files below /run/secrets.'),
        configs: z.array(fileRef).optional().describe('Files with settings.'),
        deploy: deploySpec.optional().describe('How many, and what they may use.'),
        scale: text.optional().describe('How many containers.'),
        labels: pairs.optional().describe('Labels of Docker.'),
        container_name: z.string().optional().describe('Name of its one container.'),
        user: text.optional().describe('Who runs in it.'),
        group_add: texts.optional().describe('Further groups of that user.'),
        working_dir: z.string().optional().describe('Where the command begins.'),
        hostname: z.string().optional().describe('Its host name.'),
        domainname: z.string().optional().describe('Its domain.'),
        init: yesNo.optional().describe('true: a small init runs as its first process.'),
        read_only: yesNo.optional().describe('true: its own file system cannot be written.'),
        tty: yesNo.optional().describe('true: it has a terminal.'),
        stdin_open: yesNo.optional().describe('true: its input stays open.'),
        stop_signal: z.string().optional().describe('Signal that asks it to end.'),
        stop_grace_period: z.string().optional().describe('So long it may take to end, such as 30s.'),
        tmpfs: words.optional().describe('Paths in memory.'),
        shm_size: text.optional().describe('Size of /dev/shm, such as 64M.'),
        ulimits: z
            .record(z.string(), z.union([text, z.strictObject({ soft: text, hard: text })]))
            .optional()
            .describe('Limits of its processes.'),
        sysctls: pairs.optional().describe('Kernel settings of its own namespaces.'),
        expose: texts.optional().describe('Ports for other services; nothing is published.'),
        extra_hosts: pairs.optional().describe('Further names and addresses, in its /etc/hosts.'),
        dns: words.optional().describe('Name servers.'),
        dns_search: words.optional().describe('Domains that are tried.'),
        dns_opt: z.array(z.string()).optional().describe('Options of the resolver.'),
        links: z.array(z.string()).optional().describe('Further names of other services.'),
        logging: z
            .strictObject({ driver: z.string().optional(), options: z.record(z.string(), plain.nullable()).optional() })
            .optional()
            .describe('Where its log goes.'),
        cpus: text.optional().describe('Most cores, such as 1.5.'),
        cpu_shares: text.optional().describe('Its weight when cores are short.'),
        cpuset: text.optional().describe('Which cores.'),
        mem_limit: text.optional().describe('Most memory, such as 512M.'),
        mem_reservation: text.optional().describe('Memory that is kept for it.'),
        memswap_limit: text.optional().describe('Most memory and swap together.'),
        pids_limit: text.optional().describe('Most processes.'),
        platform: z.string().optional().describe('Of the image, such as linux/amd64.'),
        pull_policy: z.string().optional().describe('Is passed over: DebVisor pulls what is not here.'),
        mac_address: z.string().optional().describe('Its MAC address.'),
        annotations: pairs.optional().describe('Annotations of its container.'),
        attach: yesNo.optional().describe('Is passed over.'),
        cap_drop: z.array(z.string()).optional().describe('Capabilities of Linux to take away.'),
        cap_add: z.array(z.string()).optional().describe('Capabilities of Linux to add; reaches into the node.'),
        privileged: yesNo.optional().describe('true: it may do whatever root may; reaches into the node.'),
        network_mode: z.string().optional().describe('host or service:NAME; host reaches into the node.'),
        pid: z.string().optional().describe('host reaches into the node.'),
        ipc: z.string().optional().describe('host reaches into the node.'),
        uts: z.string().optional().describe('host reaches into the node.'),
        userns_mode: z.string().optional().describe('host reaches into the node.'),
        cgroup: z.string().optional().describe('host reaches into the node.'),
        cgroup_parent: z.string().optional().describe('Reaches into the node.'),
        devices: z.array(z.string()).optional().describe('Devices of the node; reaches into the node.'),
        device_cgroup_rules: z.array(z.string()).optional().describe('Reaches into the node.'),
        security_opt: z.array(z.string()).optional().describe('Such as no-new-privileges:true.'),
        runtime: z.string().optional().describe('Another runtime of containers; reaches into the node.'),
    })
    .describe('A program with its own file system and network, in one container or several.')

const networkSpec = z
    .strictObject({
        driver: z.string().optional().describe('bridge; others reach into the node.'),
        driver_opts: z.record(z.string(), plain).optional().describe('Options of the driver; reach into the node.'),
        internal: yesNo.optional().describe('true: no way outside.'),
        attachable: yesNo.optional().describe('Is passed over.'),
        enable_ipv6: yesNo.optional().describe('true: IPv6 too.'),
        ipam: z
            .strictObject({
                driver: z.string().optional(),
                config: z
                    .array(
                        z.strictObject({
                            subnet: z.string().optional(),
                            gateway: z.string().optional(),
                            ip_range: z.string().optional(),
                            aux_addresses: z.record(z.string(), z.string()).optional(),
                        }),
                    )
                    .optional(),
            })
            .optional()
            .describe('Its addresses.'),
        labels: pairs.optional().describe('Labels of Docker.'),
        external: yesNo.optional().describe("true: it is there already, and not the stack's."),
        name: z.string().optional().describe('Its name in Docker, unless that of the stack and its own.'),
    })
    .nullable()

const volumeSpec = z
    .strictObject({
        driver: z.string().optional().describe('local; others reach into the node.'),
        driver_opts: z.record(z.string(), plain).optional().describe('Options of the driver; reach into the node.'),
        labels: pairs.optional().describe('Labels of Docker.'),
        external: yesNo.optional().describe("true: it is there already, and not the stack's."),
        name: z.string().optional().describe('Its name in Docker, unless that of the stack and its own.'),
    })
    .nullable()

const secretSpec = z.strictObject({
    environment: z.string().describe('The variable of the stack that has its value.'),
    name: z.string().optional().describe('Is passed over.'),
})

const configSpec = z.strictObject({
    content: z.string().optional().describe('What stands in the file.'),
    environment: z.string().optional().describe('The variable of the stack that has its content.'),
    name: z.string().optional().describe('Is passed over.'),
})

export const composeSpec = z
    .strictObject({
        name: z.string().optional().describe('Is passed over: a stack has the name that it was made with.'),
        version: text.optional().describe('Is passed over.'),
        'x-debvisor': z
            .strictObject({
                expose: exposeSpec.optional(),
                tags: z
                    .array(
                        z.string().regex(/^(?!stack:)[^\s,]{1,63}$/, 'Use 1 to 63 characters without spaces or commas'),
                    )
                    .optional()
                    .describe('Tags of the stack and its containers, for finding and granting.'),
            })
            .optional()
            .describe('What DebVisor is told of the stack.'),
        services: z
            .record(
                z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/, 'Use letters, digits, dots and dashes'),
                serviceSpec,
            )
            .describe('What runs, by name.'),
        networks: z.record(z.string(), networkSpec).optional().describe('Networks of the stack, by name.'),
        volumes: z.record(z.string(), volumeSpec).optional().describe('Volumes of the stack, by name.'),
        secrets: z.record(z.string(), secretSpec).optional().describe('Secrets, by name; their values are variables.'),
        configs: z.record(z.string(), configSpec).optional().describe('Files with settings, by name.'),
    })
    .describe('A Compose file.')

export type ComposeFile = z.infer<typeof composeSpec>

/** For editors. */
export const composeSchema = (): object => z.toJSONSchema(composeSpec, { io: 'input', unrepresentable: 'any' })
