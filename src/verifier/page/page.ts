// The page: files and a key in, a verdict out. Everything that decides is in ../verify-bundle.ts.
import { openCheckpoint } from '../../ledger/note/checkpoint.ts'
import { factLines, proofSentence, verdictSentence, verdictWords } from '../report-text.ts'
import type { Finding } from '../findings.ts'
import { keysFor, makeTrust, originOf } from '../trust.ts'
import type { Trust } from '../trust.ts'
import { verifyBundle } from '../verify-bundle.ts'
import type { Pin } from '../verify-bundle.ts'
import { verifyProofFile } from '../verify-proof-file.ts'
import { receiptLines, receiptSentence, verifyReceiptFile } from '../verify-receipt-file.ts'
import { parseAge } from '../parse-age.ts'
import { bundleFilesOf, chosenList, droppedFiles } from './chosen-files.ts'
import type { Chosen } from './chosen-files.ts'

type Shown = {
  kind: 'true' | 'tampered' | 'incomplete' | 'usage'
  word: string
  sentence: string
  findings: Finding[]
  facts: string[]
}

let chosen: Chosen = new Map()

const form = find('form')
const drop = find('drop')
choose(find('folder') as HTMLInputElement)
choose(find('files') as HTMLInputElement)
drop.addEventListener('dragover', (event) => {
  event.preventDefault()
  drop.classList.add('over')
})
drop.addEventListener('dragleave', () => drop.classList.remove('over'))
drop.addEventListener('drop', (event) => {
  event.preventDefault()
  drop.classList.remove('over')
  const { dataTransfer } = event
  if (dataTransfer === null) return
  droppedFiles(dataTransfer.items).then(take, (error: unknown) => show(failed(error)))
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  const button = find('verify') as HTMLButtonElement
  button.disabled = true
  verify()
    .catch(failed)
    .then((shown) => {
      show(shown)
      button.disabled = false
      find('progress-line').hidden = true
    })
    .catch(() => undefined)
})

function choose(input: HTMLInputElement): void {
  input.addEventListener('change', () => take(chosenList(input.files)))
}

function take(files: Chosen): void {
  chosen = files
  const first = [...files.keys()][0] ?? ''
  const folder = first.includes('/') ? ` in ${first.slice(0, first.indexOf('/'))}` : ''
  find('chosen').textContent =
    files.size === 0
      ? 'Nothing is chosen yet.'
      : `${files.size} ${files.size === 1 ? 'file' : 'files'}${folder}.`
}

async function verify(): Promise<Shown> {
  if (chosen.size === 0)
    return usage('choose a bundle’s folder, a proof and its entry, or a receipt')
  const trust = readTrust((find('trust') as HTMLTextAreaElement).value)
  if (typeof trust === 'string') return usage(trust)
  const [only] = chosen.values()
  if (chosen.size === 1 && only?.name.endsWith('.json') === true)
    return await verifyReceipt(trust, only)
  const proofName = [...chosen.keys()].find((name) => name.endsWith('.tlog-proof'))
  return proofName === undefined ? await verifyFolder(trust) : await verifyOne(trust, proofName)
}

async function verifyReceipt(trust: Trust, file: File): Promise<Shown> {
  const report = verifyReceiptFile({ receipt: new Uint8Array(await file.arrayBuffer()), trust })
  if ('usage' in report) return usage(report.usage)
  return {
    ...{
      kind: report.verdict,
      word: verdictWords[report.verdict],
      sentence: receiptSentence(report),
    },
    ...{ findings: [], facts: receiptLines(report) },
  }
}

async function verifyFolder(trust: Trust): Promise<Shown> {
  const ageText = (find('max-age') as HTMLInputElement).value.trim()
  const maxAgeMs = ageText === '' ? undefined : parseAge(ageText)
  if (ageText !== '' && maxAgeMs === undefined)
    return usage('an age is a number with s, m, h or d, as 24h')
  const pins: Pin[] = []
  for (const file of (find('pins') as HTMLInputElement).files ?? []) {
    const note = await file.text()
    const opened = openCheckpoint(note, keysFor(trust, originOf(note)))
    if (typeof opened === 'string') return usage(`${file.name} is no signed checkpoint: ${opened}`)
    if (opened.verdict.kind === 'wrong')
      return usage(`${file.name}: the signature of ${opened.verdict.name} is wrong`)
    pins.push({ name: file.name, checkpoint: opened.checkpoint })
  }
  const report = await verifyBundle({
    ...{ files: bundleFilesOf(chosen), trust, pins, maxAgeMs },
    nowMs: Date.now(),
    seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
    onProgress(done, of) {
      find('progress-line').hidden = false
      const bar = find('progress') as HTMLProgressElement
      bar.value = of === 0 ? 1 : done / of
      find('progress-text').textContent = `${done} of ${of} entries`
    },
  })
  if ('usage' in report) return usage(report.usage)
  return {
    ...{
      kind: report.verdict,
      word: verdictWords[report.verdict],
      sentence: verdictSentence(report),
    },
    ...{ findings: report.findings, facts: factLines(report) },
  }
}

async function verifyOne(trust: Trust, proofName: string): Promise<Shown> {
  const others = [...chosen].filter(([name]) => name !== proofName)
  const [entry] = others
  if (entry === undefined || others.length > 1)
    return usage('choose the proof and the one entry that it is of')
  const bytesOf = async (file: File) => new Uint8Array(await file.arrayBuffer())
  const proof = await bytesOf(chosen.get(proofName) as File)
  const report = verifyProofFile({ proof, entry: await bytesOf(entry[1]), trust })
  if ('usage' in report) return usage(report.usage)
  return {
    ...{
      kind: report.verdict,
      word: verdictWords[report.verdict],
      sentence: proofSentence(report),
    },
    ...{ findings: report.findings, facts: [`leaf hash    ${report.leafHash}`] },
  }
}

function readTrust(text: string): Trust | string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const isPolicy = lines.some((line) => /^\s*(log|witness|group|quorum)\s/.test(line))
  return makeTrust(isPolicy ? { policy: text, keys: [] } : { keys: lines })
}

function usage(sentence: string): Shown {
  return { kind: 'usage', word: 'NOT VERIFIED', sentence, findings: [], facts: [] }
}

function failed(error: unknown): Shown {
  return usage(
    `the files could not be read: ${error instanceof Error ? error.message : String(error)}`,
  )
}

function show({ kind, word, sentence, findings, facts }: Shown): void {
  const result = find('result')
  const verdict = make('p', '')
  verdict.className = `verdict ${kind}`
  verdict.append(make('strong', word), sentence)
  result.replaceChildren(verdict)
  if (findings.length > 0) {
    const list = make('ol', '')
    list.className = 'findings'
    list.append(
      ...findings.map((finding) =>
        make('li', `${finding.kind}: ${finding.where}: ${finding.problem}`),
      ),
    )
    result.append(make('h2', 'Where'), list)
  }
  if (facts.length > 0)
    result.append(make('h2', 'What was looked at'), make('pre', facts.join('\n')))
  result.focus()
}

function make(tag: string, text: string): HTMLElement {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}

function find(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement
}
