// Names that pure files may see in the types of others; nothing pure can make or use one.
interface AbortSignal {
    readonly aborted: boolean
}
