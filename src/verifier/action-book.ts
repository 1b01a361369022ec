// Which actions have an intent, and which a result: two bits an action, in pages, for many millions of them.

export type ActionBook = {
  /** In words what is wrong with it; `too-scattered`: there is no room to tell. */
  intent(action: number): string | undefined
  /** `stopped`: it ended before there was an intent, as what waits for a person may. */
  result(action: number, stopped: boolean): string | undefined
  open(): number
}

export const tooScattered = 'the numbers of actions are too far apart to be checked here'
const pageActions = 4096
/** 64 MB: actions are numbered one by one, so this holds 268 million. */
const pagesMax = 65_536

export function createActionBook(): ActionBook {
  const pages = new Map<number, Uint8Array>()
  let open = 0
  const pageOf = (action: number): Uint8Array | undefined => {
    const number = Math.floor(action / pageActions)
    let page = pages.get(number)
    if (page === undefined && pages.size < pagesMax) {
      page = new Uint8Array(pageActions / 4)
      pages.set(number, page)
    }
    return page
  }
  return {
    intent(action) {
      const page = pageOf(action)
      if (page === undefined) return tooScattered
      const [at, shift] = placeOf(action)
      const bits = ((page[at] as number) >> shift) & 3
      if ((bits & 1) !== 0) return `action ${action} has a second intent`
      if (bits !== 0) return `action ${action} has an intent after its result`
      page[at] = (page[at] as number) | (1 << shift)
      open += 1
      return undefined
    },
    result(action, stopped) {
      const page = pageOf(action)
      if (page === undefined) return tooScattered
      const [at, shift] = placeOf(action)
      const bits = ((page[at] as number) >> shift) & 3
      if (bits === 0 && !stopped) return `action ${action} has a result without an intent before it`
      if ((bits & 2) !== 0) return `action ${action} has a second result`
      page[at] = (page[at] as number) | (2 << shift)
      if ((bits & 1) !== 0) open -= 1
      return undefined
    },
    open: () => open,
  }
}

function placeOf(action: number): [number, number] {
  const within = action % pageActions
  return [within >> 2, (within & 3) * 2]
}
