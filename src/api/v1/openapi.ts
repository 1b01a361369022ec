// The OpenAPI document of /api/v1: what the routes declare, finished with what all of them have alike: a name for each
// operation, the scopes that open it, and the meaning of every field.
import { fieldWords, schemaWords } from './field-words.ts'
import { personRoutes, routeScopes } from './route-scopes.ts'

type Schema = {
  $ref?: string
  description?: string
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}
type Body = { content?: Record<string, { schema?: Schema }> }
type Operation = {
  operationId?: string
  tags?: string[]
  summary?: string
  description?: string
  parameters?: { name: string; in: string; description?: string; schema?: Schema }[]
  requestBody?: Body
  responses?: Record<string, Body>
}
export type OpenApi = {
  paths?: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

/** Changes the document that it is given, and gives it back. */
export function finished<Document extends object>(given: Document): Document {
  const document = given as OpenApi
  for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
    schema.description ??= schemaWords[name] ?? ''
    describe(schema, name)
  }
  for (const [path, operations] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(operations)) finish(operation, method, path)
  return given
}

function finish(operation: Operation, method: string, path: string): void {
  operation.operationId ??= operationIdOf(method, path)
  operation.tags ??= ['Integration guide']
  const { description } = operation
  operation.summary ??= description?.split(/(?<=\.) /)[0]?.replace(/\.$/, '') ?? ''
  const scopes = scopesInWords(`${method} ${path}`)
  operation.description = [description, scopes].filter((words) => words !== undefined).join(' ')
  for (const parameter of operation.parameters ?? []) {
    const words =
      parameter.description ?? parameter.schema?.description ?? fieldWords[parameter.name]
    if (words !== undefined) parameter.description = words
  }
  for (const body of [operation.requestBody, ...Object.values(operation.responses ?? {})])
    for (const { schema } of Object.values(body?.content ?? {}))
      if (schema !== undefined) describe(schema, '')
}

function describe(schema: Schema, name: string): void {
  for (const [field, inner] of Object.entries(schema.properties ?? {})) {
    const words = fieldWords[`${name}.${field}`] ?? fieldWords[field]
    // What a reference leads to has words of its own.
    if (inner.$ref === undefined && inner.description === undefined && words !== undefined)
      inner.description = words
    describe(inner, name)
  }
  const { items, anyOf = [], oneOf = [], allOf = [] } = schema
  for (const inner of [...(items ? [items] : []), ...anyOf, ...oneOf, ...allOf])
    describe(inner, name)
}

/** `get /cases/{id}`: getCasesById. */
function operationIdOf(method: string, path: string): string {
  const words = path.split(/[/_.-]/).filter((word) => word !== '')
  return words.reduce((id, word) => {
    const bare = word.replaceAll(/[{}]/g, '')
    return `${id}${word.startsWith('{') ? 'By' : ''}${bare.charAt(0).toUpperCase()}${bare.slice(1)}`
  }, method)
}

function scopesInWords(operation: string): string | undefined {
  const needed = routeScopes[operation]
  if (needed === undefined) return undefined
  if (needed.length === 0) return 'Opens to any key.'
  const words = needed.map((some) => some.map((scope) => `\`${scope}\``).join(' or '))
  const who = personRoutes.has(operation) ? ', and a key of a person' : ''
  return `Needs the scope ${words.join(' and ')}${who}.`
}
