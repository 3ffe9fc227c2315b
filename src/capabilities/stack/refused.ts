// Keys of Compose that are not taken, each with why and what to write instead: most of them read files of the node.

export interface Refusal {
    why: string
    fix: string
}

const FILES = 'it reads files, and a stack is one file that is checked as a whole'

/** By the last key of the path. */
export const REFUSED: Readonly<Record<string, Refusal>> = {
    build: { why: 'images are not built here', fix: 'Build and push the image elsewhere, and name it with image.' },
    develop: { why: 'it is for building images', fix: 'Leave it out.' },
    env_file: { why: FILES, fix: 'Write the names under environment, and the values into the variables of the stack.' },
    label_file: { why: FILES, fix: 'Write the labels under labels.' },
    include: { why: FILES, fix: 'Write what it includes into this file, or make another stack.' },
    extends: { why: FILES, fix: 'Use an anchor of YAML: x-base: &base, then <<: *base.' },
    file: { why: FILES, fix: 'Use content for a config; for a secret environment, and a variable of the stack.' },
    credential_spec: { why: FILES, fix: 'Leave it out.' },
    profiles: { why: 'a stack is brought up as a whole', fix: 'Make a stack of its own of what is not always wanted.' },
    volumes_from: { why: 'what it mounts is not told by the file', fix: 'Name the volumes under volumes.' },
    external_links: { why: 'it reaches containers of others', fix: 'Put both on a network that is external.' },
    provider: { why: 'it runs programs of the node', fix: 'Leave it out.' },
    post_start: { why: 'it is newer than the Compose of this node', fix: 'Put it into the command of the image.' },
    pre_stop: { why: 'it is newer than the Compose of this node', fix: 'Put it into the command of the image.' },
    models: { why: 'it is newer than the Compose of this node', fix: 'Leave it out.' },
    storage_opt: { why: "it belongs to Docker's own storage", fix: 'Leave it out.' },
}
