// How places, blobs and sealed rows are written for people.
import { uriOf } from '../cases/for-machines.ts'
import { blobCidOf } from '../domain/cid.ts'
import type { ActionRow, DecisionRow, MatchRow, SightingRow, SubjectRow } from '../cases/about.ts'
import type { BlobRow } from '../cases/case-file.ts'
import type { Column } from './output.ts'
import { shortTime } from './output.ts'

export const blobColumns: Column<BlobRow>[] = [
  { head: 'blob', cell: (row) => blobCidOf(row.cid) },
  { head: 'verdict', cell: (row) => row.verdict ?? 'not scanned yet' },
  { head: 'kind', cell: (row) => row.kind ?? '' },
  { head: 'bytes', cell: (row) => row.bytes ?? '', align: 'right' },
]

export const sightingColumns: Column<SightingRow>[] = [
  { head: 'seen', cell: (row) => shortTime(row.at) },
  { head: 'place', cell: uriOf },
  { head: 'blob', cell: (row) => blobCidOf(row.cid) },
  { head: 'source', cell: (row) => row.source },
]

export const matchColumns: Column<MatchRow>[] = [
  { head: 'bank', cell: (row) => row.bank },
  { head: 'content', cell: (row) => row.content, align: 'right' },
  { head: 'type', cell: (row) => row.type },
  { head: 'distance', cell: (row) => row.distance, align: 'right' },
  { head: 'seen as', cell: (row) => row.variant },
  {
    head: '',
    cell: (row) => (row.setAside === null ? '' : `set aside: ${row.setAside}`),
  },
  { head: 'blob', cell: (row) => blobCidOf(row.cid) },
]

export const decisionColumns: Column<DecisionRow>[] = [
  { head: 'decided', cell: (row) => shortTime(row.at) },
  { head: 'outcome', cell: (row) => row.outcome },
  { head: 'why', cell: (row) => row.reason },
  { head: 'bank', cell: (row) => row.bank },
  { head: 'type', cell: (row) => row.type },
  { head: 'distance', cell: (row) => row.distance, align: 'right' },
  { head: 'wants', cell: (row) => row.wants.join(', ') },
  { head: 'place', cell: uriOf },
]

export const actionColumns: Column<ActionRow>[] = [
  { head: 'action', cell: (row) => row.id, align: 'right' },
  { head: 'what', cell: (row) => (row.applied ? row.kind : `undo ${row.kind}`) },
  { head: 'state', cell: (row) => row.state },
  { head: 'why', cell: (row) => row.waiting ?? row.lastError ?? '' },
  { head: 'by', cell: (row) => (row.byPerson ? 'person' : 'policy') },
  { head: 'ended', cell: (row) => shortTime(row.endedAt) },
  { head: 'subject', cell: uriOf },
]

export const subjectColumns: Column<SubjectRow>[] = [
  { head: 'subject', cell: (row) => (row.cid === null ? uriOf(row) : blobCidOf(row.cid)) },
  { head: 'standing', cell: (row) => row.standing },
  { head: 'wanted', cell: (row) => row.wanted },
  { head: 'the host says', cell: (row) => row.observed ?? 'not asked' },
]
