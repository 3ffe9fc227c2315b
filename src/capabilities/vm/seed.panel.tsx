// What cloud-init is told at the guest's first boot: looked at, given anew for the next boot, taken away.
import { Button, Radio } from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type SeedText, VmService } from '../../gen/proto/capabilities/vm/vm_pb.js'
import { openDialog } from '../act.panel.tsx'
import { clientOf, troubleOf } from '../client.panel.tsx'
import { TextField } from '../fields.panel.tsx'
import { useAskAgain } from '../fresh.panel.tsx'
import { useMay } from '../me.panel.tsx'
import { CopyBlock, EmptyHint, Loading, Quiet, Section, TroubleNote } from '../parts.panel.tsx'
import { PlanDialog } from '../plan.panel.tsx'
import { fill } from '../words.panel.tsx'
import type { VmTabProps } from './detail.panel.tsx'
import { hashed } from './draft.panel.tsx'
import { LoginFields, NoLogin } from './login-fields.panel.tsx'
import { words } from './words.panel.tsx'

const api = clientOf(VmService)
const s = words.seeds
const _n = words.new

export default function Seed({ vm, detail }: VmTabProps) {
    const change = useMay()('vm.hardware', vm)
    const askAgain = useAskAgain()
    const query = useQuery({
        queryKey: ['vm', vm.uuid, 'seed', detail.hasSeed],
        queryFn: ({ signal }) => api.getSeed({ vm: vm.uuid }, { signal }),
        enabled: detail.hasSeed && change,
    })
    const give = () =>
        openDialog(close => (
            <GiveSeed vm={vm.uuid} name={vm.name} close={close} done={() => askAgain(['vm', vm.uuid])} />
        ))
    if (!detail.hasSeed)
        return (
            <EmptyHint title={s.none} body={s.noneHelp}>
                {change && (
                    <Button data-action="set-seed" onClick={give}>
                        {s.give}
                    </Button>
                )}
            </EmptyHint>
        )
    return (
        <Section
            title={s.title}
            actions={
                change && (
                    <>
                        <Button variant="secondary" data-action="set-seed" onClick={give}>
                            {s.change}
                        </Button>
                        <Button
                            variant="link"
                            isDanger
                            data-action="remove-seed"
                            onClick={() =>
                                openDialog(close => (
                                    <PlanDialog
                                        title={words.hw.removeSeedTitle}
                                        submit={words.hw.removeSeed}
                                        close={close}
                                        ask={dryRun => api.removeSeed({ vm: vm.uuid, dryRun })}
                                    />
                                ))
                            }
                        >
                            {words.hw.removeSeed}
                        </Button>
                    </>
                )
            }
        >
            <p className="dv-gap">{s.about}</p>
            {!change && <Quiet>{s.notShown}</Quiet>}
            {query.isError && <TroubleNote trouble={troubleOf(query.error)} retry={() => void query.refetch()} />}
            {query.isLoading && <Loading />}
            {query.data && (
                <div data-seed={query.data.volume}>
                    <p className="dv-quiet dv-gap">{fill(s.where, { volume: query.data.volume })}</p>
                    {query.data.files.map(file => (
                        <Part key={file.name} file={file} />
                    ))}
                </div>
            )}
        </Section>
    )
}

function Part({ file }: { file: SeedText }) {
    return (
        <div className="dv-gap" data-seed-file={file.name}>
            <CopyBlock label={file.name} text={file.text.trimEnd()} />
            {file.hidden && <Quiet>{s.hidden}</Quiet>}
        </div>
    )
}

interface Draft {
    whole: boolean
    user: string
    sshKeys: string
    password: string
    userData: string
}

const EMPTY: Draft = { whole: false, user: '', sshKeys: '', password: '', userData: '' }

function GiveSeed(props: { vm: string; name: string; close: () => void; done: () => void }) {
    const [draft, setDraft] = useState(EMPTY)
    /** Made once for a password: the plan that is read and the one that is carried out are of the same seed. */
    const [made] = useState(() => new Map<string, Promise<string>>())
    const set = (part: Partial<Draft>) => setDraft(before => ({ ...before, ...part }))
    const hashOf = (password: string): Promise<string> => {
        const hash = made.get(password) ?? hashed(password)
        made.set(password, hash)
        return hash
    }
    const { whole } = draft
    const cloudInit = async () =>
        whole
            ? { userData: draft.userData }
            : {
                  user: draft.user,
                  sshKeys: draft.sshKeys
                      .split(/\r?\n/)
                      .map(line => line.trim())
                      .filter(Boolean),
                  passwordHash: await hashOf(draft.password),
              }
    const isEmpty = whole ? draft.userData.trim() === '' : draft.sshKeys.trim() === '' && draft.password === ''
    return (
        <PlanDialog
            title={fill(s.giveTitle, { name: props.name })}
            submit={s.submit}
            close={props.close}
            done={props.done}
            calm
            basis={JSON.stringify(draft)}
            ask={async dryRun => api.setSeed({ vm: props.vm, cloudInit: await cloudInit(), dryRun })}
        >
            <Radio
                id="seed-login"
                name="seed-kind"
                label={s.login}
                isChecked={!whole}
                onChange={() => set({ whole: false })}
            />
            <Radio
                id="seed-whole"
                name="seed-kind"
                label={s.whole}
                data-field="whole"
                isChecked={whole}
                onChange={() => set({ whole: true })}
            />
            {whole ? (
                <TextField
                    name="userData"
                    label={s.userData}
                    help={s.userDataHelp}
                    long
                    rows={8}
                    value={draft.userData}
                    change={userData => set({ userData })}
                />
            ) : (
                <LoginFields draft={draft} change={set} />
            )}
            {isEmpty && <NoLogin />}
        </PlanDialog>
    )
}
