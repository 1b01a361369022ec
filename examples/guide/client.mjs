// The few calls that the integration guide's examples make. Plain Node, no packages.
//
//   const client = createClient({ url: 'http://127.0.0.1:2596', key: 'mk_...' })

/** `url` without a slash at the end; `key` as `blobwatch key create` prints it. */
export function createClient({ url, key }) {
  const call = async (path, init) => {
    const headers = { authorization: `Bearer ${key}`, ...init?.headers }
    const response = await fetch(`${url}/api/v1${path}`, { ...init, headers })
    const body = await response.json()
    // A problem document says what is wrong in `detail`.
    if (!response.ok) throw new Error(`${path}: ${response.status} ${body.detail ?? body.title}`)
    return body
  }
  const post = (path, body) =>
    call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return {
    hashImage(bytes) {
      const form = new FormData()
      form.set('file', new Blob([bytes]), 'image')
      return call('/hash', { method: 'POST', body: form })
    },
    hashUrl: (address) => post('/hash/url', { url: address }),
    matchHash: (hash_value, hash_type, options = {}) =>
      post('/match', { hash_value, hash_type, ...options }),
    takeAction: (action) => post('/action', action),
    actionState: (id) => call(`/action/${encodeURIComponent(id)}`),
    report: (report) => post('/report', report),
  }
}
