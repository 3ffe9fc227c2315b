// The certificate as the server tells it, and what of it needs attention.
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { CertificateService } from '../../gen/proto/capabilities/certificate/certificate_pb.js'
import { clientOf } from '../client.panel.tsx'
import { useMay } from '../me.panel.tsx'
import type { Warning } from '../pages.panel.tsx'

const FRESH_MS = 60_000

export const useCertificate = (enabled = true) =>
    useQuery({
        queryKey: ['certificate'],
        queryFn: ({ signal }) => clientOf(CertificateService).get({}, { signal }),
        enabled,
        staleTime: FRESH_MS,
    })

export function useCertificateWarnings(): Warning[] {
    const may = useMay()
    const { data } = useCertificate(may('certificate.view'))
    return useMemo(
        () =>
            (data?.findings ?? []).map(({ code, severity, summary, detail, fix }) => ({
                ...{ key: `certificate ${code}`, title: summary, detail, fix, to: '/node/certificate' },
                severity: severity === 'error' ? 'danger' : 'warning',
            })),
        [data],
    )
}
