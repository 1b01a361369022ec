// The routes as OpenAPI, under the title that HMA's has. Pure.
import type { HmaRoute } from './route.ts'

const parameterPattern = /<(?:(int):)?(\w+)>/g

export function openApiOf(routes: readonly HmaRoute[]) {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.rule.replaceAll(parameterPattern, '{$2}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Open Media Match API', version: '1.1.7' },
    paths,
  }
}

function operationOf({ rule, about, query = [], body }: HmaRoute) {
  const parameters = [
    ...[...rule.matchAll(parameterPattern)].map(([, kind, name]) => ({
      ...{ name, in: 'path', required: true },
      schema: { type: kind === 'int' ? 'integer' : 'string' },
    })),
    ...query.map((name) => ({ name, in: 'query', required: false, schema: { type: 'string' } })),
  ]
  const media = body === 'form' ? 'multipart/form-data' : 'application/json'
  return {
    summary: about,
    parameters,
    ...(body !== undefined && {
      requestBody: { content: { [media]: { schema: { type: 'object' } } } },
    }),
    responses: { default: { description: 'JSON; refusals as {"message": …}' } },
  }
}
