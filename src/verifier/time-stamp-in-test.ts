// A time stamp's DER with an imprint and a time, and without what a verifier here does not read.
const oid = (...bytes: number[]) => der(0x06, Uint8Array.from(bytes))
const sha256 = oid(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01)
const signedData = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02)
const tstInfo = oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04)
const integer = (value: number) => der(0x02, Uint8Array.of(value))

export function makeTimeStamp(imprint: Uint8Array, genTime: string): Uint8Array {
  const algorithm = der(0x30, sha256, der(0x05))
  const info = der(
    0x30,
    integer(1),
    oid(0x2a, 0x03),
    der(0x30, algorithm, der(0x04, imprint)),
    integer(7),
    der(0x18, Buffer.from(genTime)),
  )
  const content = der(0x30, tstInfo, der(0xa0, der(0x04, info)))
  const signed = der(0x30, integer(3), der(0x31, algorithm), content, der(0x31))
  return der(0x30, der(0x30, integer(0)), der(0x30, signedData, der(0xa0, signed)))
}

function der(tag: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const { length: size } = body
  const long = size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  const length = size < 128 ? [size] : long
  return new Uint8Array(Buffer.concat([Uint8Array.of(tag, ...length), body]))
}
