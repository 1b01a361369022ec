// A worker thread that builds, one job after the other. Killing it at any moment harms nobody: what it writes is seen only
// once it has handed it over.
import { parentPort } from 'node:worker_threads'
import { openBase } from './pdq-base.ts'
import { buildBase } from './pdq-build.ts'
import { copyLiveRows } from './pdq-snapshot.ts'
import type { RebuildAnswer, RebuildJob } from './rebuild.ts'

parentPort?.on('message', (job: RebuildJob) => parentPort?.postMessage(answer(job)))

function answer(job: RebuildJob): RebuildAnswer {
  try {
    const base = openBase(job.memory, job.module)
    const built = job.kind === 'in-place' ? base : copyLiveRows(base, job.pending, job.spare)
    buildBase(built)
    return { kind: 'built', memory: built.memory }
  } catch (error) {
    return { kind: 'failed', error }
  }
}
