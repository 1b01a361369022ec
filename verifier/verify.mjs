// Verifies ledger bundles of Blobwatch: node verify.mjs --help. Needs Node 20.12 or newer and nothing else.
// Made by `npm run verifier` from src/verifier: change it there.
// src/verifier/main.ts
import { randomInt } from "node:crypto";

// src/verifier/cli.ts
import { readFileSync as readFileSync2, statSync as statSync2 } from "node:fs";
import { parseArgs } from "node:util";

// src/ledger/bytes.ts
var encoder = new TextEncoder();
function utf8(text) {
  return encoder.encode(text);
}
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return void 0;
  }
}
function join(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}
var hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += hexPairs[byte];
  return text;
}
function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) return void 0;
  return Uint8Array.from(
    { length: text.length / 2 },
    (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  );
}
function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
function fromBase64(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
    return void 0;
  const binary = atob(text);
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : void 0;
}
function parseDecimal(text) {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return void 0;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : void 0;
}

// src/ledger/platform.ts
import { createPublicKey, hash, verify } from "node:crypto";
var hashBytes = 32;
function sha256(data) {
  const digest = hash("sha256", data, "buffer");
  return new Uint8Array(digest.buffer, digest.byteOffset, hashBytes);
}
function verifyEd25519(input) {
  if (input.publicKey.length !== 32 || input.signature.length !== 64) return false;
  return verify(null, input.message, publicKeyOf(input.publicKey), input.signature);
}
var spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");
function publicKeyOf(raw) {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
}

// src/ledger/note/key.ts
var keyTypes = { log: 1, witness: 4 };
function makeVerifierKey(name, type, publicKey) {
  if (!isKeyName(name)) throw new TypeError("a key name has no spaces and no plus");
  if (publicKey.length !== 32) throw new TypeError("an Ed25519 key has 32 bytes");
  return { name, type, publicKey, keyId: keyIdOf(name, type, publicKey) };
}
function parseVerifierKey(text) {
  const parts = splitKey(text.trim());
  if (parts === void 0) return "a verifier key looks like NAME+8 HEX DIGITS+BASE64";
  const { name, id, bytes } = parts;
  const type = typeOf(bytes[0]);
  if (type === void 0) return `this type of key (${bytes[0]}) is not known here`;
  if (bytes.length !== 33) return "an Ed25519 key has 32 bytes";
  const key = makeVerifierKey(name, type, bytes.subarray(1));
  return key.keyId === id ? key : "the key does not fit its own id: a character was changed";
}
function splitKey(text) {
  const [, name, id, base64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = base64 === void 0 ? void 0 : fromBase64(base64);
  if (name === void 0 || id === void 0 || bytes === void 0 || bytes.length === 0)
    return void 0;
  return isKeyName(name) ? { name, id: Number.parseInt(id, 16), bytes } : void 0;
}
function keyIdOf(name, type, publicKey) {
  const digest = sha256(join(utf8(`${name}
`), Uint8Array.of(keyTypes[type]), publicKey));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0);
}
function typeOf(byte) {
  return byte === keyTypes.log ? "log" : byte === keyTypes.witness ? "witness" : void 0;
}
function cosignedMessage(text, atSeconds) {
  return join(utf8(`cosignature/v1
time ${atSeconds}
`), text);
}
function verifyKeySignature({ type, publicKey }, { text, signature }) {
  switch (type) {
    case "log":
      return { holds: verifyEd25519({ publicKey, message: text, signature }) };
    case "witness": {
      if (signature.length !== 72) return { holds: false };
      const at = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
      if (at > BigInt(Number.MAX_SAFE_INTEGER)) return { holds: false };
      const atSeconds = Number(at);
      const message = cosignedMessage(text, atSeconds);
      return {
        holds: verifyEd25519({ publicKey, message, signature: signature.subarray(8) }),
        atSeconds
      };
    }
    default:
      throw new TypeError(`unknown type of key ${String(type)}`);
  }
}
function isKeyName(name) {
  return name !== "" && name.isWellFormed() && !/[\s\u0085+]/u.test(name);
}

// src/ledger/note/note.ts
var noteLimits = { bytes: 1e6, signatures: 64 };
var separator = "\n\n";
function parseNote(source) {
  const whole = typeof source === "string" ? source : textOf(source);
  if (whole === void 0 || whole.length > noteLimits.bytes || !whole.isWellFormed())
    return void 0;
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole) || !whole.endsWith("\n")) return void 0;
  const split = whole.lastIndexOf(separator);
  if (split < 0) return void 0;
  const lines = whole.slice(split + separator.length, -1).split("\n");
  if (lines.length > noteLimits.signatures) return void 0;
  const signatures = lines.map(parseSignature);
  if (signatures.some((signature) => signature === void 0)) return void 0;
  return { text: whole.slice(0, split + 1), signatures };
}
function parseSignature(line) {
  const [, name, base64] = /^\u2014 ([^ \n]+) ([^ \n]+)\n?$/u.exec(line) ?? [];
  if (name === void 0 || base64 === void 0 || !isKeyName(name)) return void 0;
  const bytes = fromBase64(base64);
  if (bytes === void 0 || bytes.length < 5) return void 0;
  return {
    name,
    keyId: new DataView(bytes.buffer).getUint32(0),
    signature: bytes.subarray(4)
  };
}
function verifyNote(note, keys) {
  const by = /* @__PURE__ */ new Map();
  for (const signature of note.signatures) {
    const key = keys.find((one) => one.name === signature.name && one.keyId === signature.keyId);
    if (key === void 0 || by.has(key)) continue;
    const checked = verifyKeySignature(key, {
      text: utf8(note.text),
      signature: signature.signature
    });
    if (!checked.holds) return { kind: "wrong", name: key.name };
    by.set(key, checked.atSeconds);
  }
  if (by.size === 0) return { kind: "unsigned" };
  return {
    kind: "verified",
    by: [...by].map(([key, atSeconds]) => ({ key, ...atSeconds !== void 0 && { atSeconds } }))
  };
}

// src/ledger/note/checkpoint.ts
function parseCheckpoint(text) {
  if (!text.endsWith("\n")) return void 0;
  const [origin, sizeText, rootText, ...extensions] = text.slice(0, -1).split("\n");
  const size = parseDecimal(sizeText ?? "");
  const root = fromBase64(rootText ?? "");
  if (origin === void 0 || origin === "" || size === void 0) return void 0;
  if (root === void 0 || root.length !== hashBytes) return void 0;
  if (extensions.some((line) => line === "")) return void 0;
  return { origin, size, root, extensions };
}
function openCheckpoint(source, keys) {
  const note = parseNote(source);
  if (note === void 0) return "this is not a signed note";
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint === void 0) return "the note is not a checkpoint";
  return { checkpoint, note, verdict: verifyNote(note, keys) };
}
function signedByLog({ checkpoint, verdict }) {
  return verdict.kind === "verified" && verdict.by.some(({ key }) => key.type === "log" && key.name === checkpoint.origin);
}

// src/verifier/folder-files.ts
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join as join2 } from "node:path";

// src/verifier/bundle-files.ts
var fileBytesMax = 256 * 65537;
var lineBytesMax = 2e6;
var newline = 10;
async function* readJsonLines(parts) {
  let number = 0;
  let rest = [];
  let restBytes = 0;
  for await (const part of parts) {
    let from = 0;
    for (; ; ) {
      const end2 = part.indexOf(newline, from);
      if (end2 < 0) break;
      number += 1;
      yield parseLine(number, concat(rest, restBytes, part.subarray(from, end2)));
      rest = [];
      restBytes = 0;
      from = end2 + 1;
    }
    if (from < part.length && restBytes <= lineBytesMax) rest.push(part.slice(from));
    restBytes += part.length - from;
  }
  if (restBytes > 0) yield { number: number + 1, problem: "the last line does not end" };
}
function queueLines(lines) {
  const iterator = lines?.[Symbol.asyncIterator]();
  let ahead;
  let isOver = iterator === void 0;
  const peek = async () => {
    if (ahead === void 0 && !isOver) {
      const next = await iterator?.next();
      if (next === void 0 || next.done === true) isOver = true;
      else ahead = next.value;
    }
    return ahead;
  };
  return {
    peek,
    async take() {
      const line = await peek();
      ahead = void 0;
      return line;
    }
  };
}
function parseLine(number, bytes) {
  if (bytes.length > lineBytesMax) return { number, problem: "it is too long" };
  try {
    const value = JSON.parse(textOf(bytes) ?? "");
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return { number, value };
  } catch {
  }
  return { number, problem: "it is not a JSON object" };
}
function concat(rest, restBytes, last) {
  if (rest.length === 0) return last;
  const all = new Uint8Array(Math.min(restBytes, 2 * lineBytesMax) + last.length);
  let at = 0;
  for (const part of [...rest, last]) {
    if (at + part.length > all.length) return new Uint8Array(lineBytesMax + 1);
    all.set(part, at);
    at += part.length;
  }
  return all;
}

// src/verifier/folder-files.ts
function folderFiles(folder) {
  return {
    read(path) {
      const file = join2(folder, path);
      try {
        if (statSync(file).size > fileBytesMax)
          return Promise.resolve(new Uint8Array(fileBytesMax + 1));
        return Promise.resolve(new Uint8Array(readFileSync(file)));
      } catch (error) {
        if (isMissing(error)) return Promise.resolve(void 0);
        return Promise.reject(error);
      }
    },
    parts(path) {
      const file = join2(folder, path);
      return Promise.resolve(existsSync(file) ? createReadStream(file) : void 0);
    }
  };
}
function isMissing(error) {
  const code = error.code;
  return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
}

// src/verifier/parse-age.ts
var unitMs = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
function parseAge(text) {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return count === void 0 || unit === void 0 ? void 0 : Number(count) * unitMs[unit];
}

// src/verifier/report-text.ts
var verdictWords = {
  true: "TRUE",
  tampered: "TAMPERED",
  incomplete: "INCOMPLETE"
};
var exitCodeOf = { true: 0, tampered: 1, incomplete: 2 };
function verdictSentence(report) {
  const entries = `${amount(report.entries, "entry", "entries")} of ${report.log}`;
  switch (report.verdict) {
    case "true":
      return `${entries} are what was signed${report.anchored === void 0 ? "" : " and witnessed"}.`;
    case "tampered":
      return `This is not what was signed: ${amount(report.tampered, "finding")} of tampering in ${entries}.`;
    case "incomplete":
      return `Nothing was found to be changed, but not everything could be shown: ${amount(report.incomplete, "reason")}.`;
    default:
      throw new TypeError(`unknown verdict ${String(report.verdict)}`);
  }
}
function findingLines(report) {
  return report.findings.map((finding) => `${finding.kind}: ${finding.where}: ${finding.problem}`);
}
function factLines(report) {
  const { opened, anchored } = report;
  const lines = [
    `entries      ${report.entries}${report.firstTime === void 0 ? "" : `, ${report.firstTime} to ${report.lastTime}`}`,
    `root         ${report.root}`,
    `checkpoints  ${report.checkpoints}, pinned ${report.pins}${report.lostCheckpoints > 0 ? `, of lost entries ${report.lostCheckpoints}` : ""}`,
    `quorum       ${report.quorum}${anchored === void 0 ? "" : `: met for ${anchored.size} entries at ${anchored.at}`}`,
    `records      ${report.records} in repositories, ${amount(report.stamps.length, "time stamp")}`,
    `actions      ${amount(report.openIntents, "intent")} without a result yet`,
    opened.mode === "none" ? "values       none are in this bundle" : `values       ${opened.opened} opened, ${amount(opened.erased, "entry", "entries")} erased by record (${opened.mode} claimed)`
  ];
  return [...lines, ...stampLines(report)];
}
function stampLines({ stamps }) {
  return stamps.flatMap(({ size, who, says, digest, isToken, line }) => [
    `time stamp   ${size} entries, by ${who}: says ${says}; its signature is checked with`,
    `  sed -n ${line}p anchors.jsonl | sed 's/.*"body":"\\([^"]*\\)".*/\\1/' | base64 -d > stamp.tsr`,
    `  openssl ts -verify ${isToken ? "-token_in " : ""}-in stamp.tsr -digest ${digest} -CAfile AUTHORITY.pem`
  ]);
}
function proofSentence(report) {
  const place = `entry ${report.index} of ${report.size} in ${report.log}`;
  const seen = report.anchoredAt === void 0 ? "" : `, witnessed at ${report.anchoredAt}`;
  if (report.verdict === "true") return `This is ${place}${seen}.`;
  return report.verdict === "tampered" ? `This is not shown to be ${place}.` : `This is ${place}, as far as this can be shown.`;
}
function amount(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

// src/ledger/log-name.ts
var recovered = /^(.*)\/recovered-([2-9]|[1-9][0-9]{1,5})$/;
function baseLogName(log) {
  return recovered.exec(log)?.[1] ?? log;
}

// src/ledger/note/policy.ts
var policyLimits = { bytes: 1e6, lines: 1e3, depth: 32 };
function parsePolicy(text) {
  const state = { logs: [], witnesses: [] };
  const members = /* @__PURE__ */ new Map();
  const grouped = /* @__PURE__ */ new Set();
  const problems = [];
  let quorum;
  const define = (name, member) => {
    if (name === void 0 || name === "none") return "this name cannot be given";
    if (members.has(name)) return `${name} is defined twice`;
    members.set(name, member);
    return void 0;
  };
  const readKey = (word2, type) => {
    const key = parseVerifierKey(word2 ?? "");
    if (typeof key === "string") return key;
    if (key.type !== type) return `this is a key of a ${key.type}, not of a ${type}`;
    const known = [...state.logs, ...state.witnesses].filter((one) => one.key.type === type);
    const text2 = key.publicKey.join();
    return known.some((one) => one.key.publicKey.join() === text2) ? "this key is given twice" : key;
  };
  const readLine = (words) => {
    const [verb, first, second, ...rest] = words;
    if (verb === "log") {
      const key = readKey(first, "log");
      if (typeof key === "string") return key;
      state.logs.push({ key, ...second !== void 0 && { url: second } });
      return rest.length > 0 ? "there is more on this line than a key and an address" : void 0;
    }
    if (verb === "witness") {
      const key = readKey(second, "witness");
      if (typeof key === "string") return key;
      const [url, ...more] = rest;
      if (more.length > 0) return "there is more on this line than a name, a key and an address";
      state.witnesses.push({ name: first ?? "", key, ...url !== void 0 && { url } });
      return define(first, { key });
    }
    if (verb === "group") {
      const unknown = rest.find((name) => !members.has(name));
      if (rest.length === 0) return "a group has at least one member";
      if (unknown !== void 0) return `${unknown} is not defined above`;
      const again = rest.find((name, i) => grouped.has(name) || rest.indexOf(name) !== i);
      if (again !== void 0) return `${again} is a member twice`;
      const needs = second === "all" ? rest.length : second === "any" ? 1 : Number(second);
      if (!/^(all|any|[1-9]\d*)$/.test(second ?? "") || needs > rest.length)
        return `a group needs all, any, or a number from 1 to ${rest.length} of its members`;
      for (const name of rest) grouped.add(name);
      return define(first, { needs, of: rest });
    }
    if (verb === "quorum") {
      if (quorum !== void 0) return "there is one quorum line";
      if (first === void 0 || second !== void 0)
        return "a quorum line names one witness or group";
      if (first !== "none" && !members.has(first)) return `${first} is not defined above`;
      quorum = first;
      return void 0;
    }
    return `a line begins with log, witness, group or quorum, not with ${verb}`;
  };
  if (text.length > policyLimits.bytes || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text))
    return { problems: ["this is not a policy file: it is too long or has control characters"] };
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.split(/[ \t]+/).filter((word2) => word2 !== "");
    if (words.length === 0 || words[0]?.startsWith("#") === true) continue;
    const problem = i >= policyLimits.lines ? "there are too many lines" : readLine(words);
    if (problem !== void 0) problems.push(`line ${i + 1}: ${problem}`);
  }
  if (quorum === void 0) problems.push("there is no quorum line");
  if (problems.length > 0) return { problems };
  const root = quorum;
  return {
    ...state,
    isQuorum: (cosigners) => root === "none" || isMet(root, members, cosigners),
    quorum: root === "none" ? "none" : inWords(root, members)
  };
}
function isMet(name, members, cosigners) {
  const member = members.get(name);
  if (member === void 0) return false;
  if ("key" in member) return cosigners.has(member.key);
  return member.of.filter((one) => isMet(one, members, cosigners)).length >= member.needs;
}
function inWords(name, members) {
  const member = members.get(name);
  if (member === void 0 || "key" in member) return name;
  const of = member.of.map((one) => {
    const words = inWords(one, members);
    return words.includes(" ") ? `(${words})` : words;
  });
  return of.length === 1 ? of[0] : `${member.needs} of ${of.join(", ")}`;
}

// src/verifier/trust.ts
function makeTrust(given) {
  const keys = [];
  for (const text of given.keys) {
    const key = parseVerifierKey(text);
    if (typeof key === "string") return `the key ${shorten(text)} cannot be used: ${key}`;
    keys.push(key);
  }
  if (given.policy === void 0) {
    if (!keys.some((key) => key.type === "log"))
      return "give the key of the log, or a policy: without one nothing can be believed";
    return { keys, isQuorum: () => true, quorum: "none" };
  }
  const policy = parsePolicy(given.policy);
  if ("problems" in policy) return `the policy cannot be used: ${policy.problems.join("; ")}`;
  for (const { key } of [...policy.logs, ...policy.witnesses]) keys.push(key);
  if (!keys.some((key) => key.type === "log")) return "the policy names no log: it needs a log line";
  return { keys, isQuorum: (cosigners) => policy.isQuorum(cosigners), quorum: policy.quorum };
}
function keysFor(trust, origin) {
  const base = baseLogName(origin);
  if (base === origin || !isKeyName(origin)) return trust.keys;
  const derived = trust.keys.filter((key) => key.type === "log" && key.name === base).map((key) => makeVerifierKey(origin, "log", key.publicKey));
  return [...trust.keys, ...derived];
}
function originOf(note) {
  return note.slice(0, Math.max(0, note.indexOf("\n")));
}
function quorumTime(trust, by) {
  const enough = /* @__PURE__ */ new Set();
  const times = by.filter((one) => one.atSeconds !== void 0).toSorted((a, b) => b.atSeconds - a.atSeconds);
  for (const { key, atSeconds } of times) {
    enough.add(key);
    if (trust.isQuorum(enough)) return atSeconds;
  }
  return void 0;
}
function shorten(text) {
  const trimmed = text.trim();
  return trimmed.length > 60 ? `${trimmed.slice(0, 57)}…` : trimmed;
}

// src/ledger/tree/hash.ts
var leafPrefix = 0;
var nodePrefix = 1;
var emptyRoot = sha256(new Uint8Array(0));
function leafHashOf(entry) {
  const input = new Uint8Array(1 + entry.length);
  input[0] = leafPrefix;
  input.set(entry, 1);
  return sha256(input);
}
function nodeHash(left, right) {
  const input = new Uint8Array(1 + left.length + right.length);
  input[0] = nodePrefix;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return sha256(input);
}

// src/verifier/action-book.ts
var tooScattered = "the numbers of actions are too far apart to be checked here";
var pageActions = 4096;
var pagesMax = 65536;
function createActionBook() {
  const pages = /* @__PURE__ */ new Map();
  let open = 0;
  const pageOf = (action) => {
    const number = Math.floor(action / pageActions);
    let page = pages.get(number);
    if (page === void 0 && pages.size < pagesMax) {
      page = new Uint8Array(pageActions / 4);
      pages.set(number, page);
    }
    return page;
  };
  return {
    intent(action) {
      const page = pageOf(action);
      if (page === void 0) return tooScattered;
      const [at, shift] = placeOf(action);
      const bits = page[at] >> shift & 3;
      if ((bits & 1) !== 0) return `action ${action} has a second intent`;
      if (bits !== 0) return `action ${action} has an intent after its result`;
      page[at] = page[at] | 1 << shift;
      open += 1;
      return void 0;
    },
    result(action, stopped) {
      const page = pageOf(action);
      if (page === void 0) return tooScattered;
      const [at, shift] = placeOf(action);
      const bits = page[at] >> shift & 3;
      if (bits === 0 && !stopped) return `action ${action} has a result without an intent before it`;
      if ((bits & 2) !== 0) return `action ${action} has a second result`;
      page[at] = page[at] | 2 << shift;
      if ((bits & 1) !== 0) open -= 1;
      return void 0;
    },
    open: () => open
  };
}
function placeOf(action) {
  const within = action % pageActions;
  return [within >> 2, (within & 3) * 2];
}

// src/ledger/tree/frontier.ts
var tileHeight = 8;
var tileWidth = 256;
function createFrontier(from) {
  let size = from?.size ?? 0;
  const roots = from === void 0 ? [] : splitRoots(from.bytes);
  if (roots.length !== onesOf(size)) throw new TypeError(`not the frontier of ${size} leaves`);
  return {
    size: () => size,
    push(leafHash, onTile) {
      if (leafHash.length !== hashBytes) throw new TypeError("a leaf hash has 32 bytes");
      let hash2 = leafHash;
      let rest = size;
      for (let height = 1; rest % 2 === 1; height += 1) {
        hash2 = nodeHash(roots.pop(), hash2);
        rest = (rest - 1) / 2;
        if (height % tileHeight === 0)
          onTile?.({ level: height / tileHeight - 1, index: rest, root: hash2 });
      }
      roots.push(hash2);
      size += 1;
    },
    root: () => foldRoots(roots),
    bytes() {
      const bytes = new Uint8Array(roots.length * hashBytes);
      roots.forEach((root, i) => bytes.set(root, i * hashBytes));
      return bytes;
    }
  };
}
function foldRoots(roots) {
  const last = roots.at(-1);
  if (last === void 0) return emptyRoot;
  return roots.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}
function splitRoots(bytes) {
  if (bytes.length % hashBytes !== 0) throw new TypeError("a frontier is whole hashes");
  return Array.from(
    { length: bytes.length / hashBytes },
    (_, i) => bytes.slice(i * hashBytes, (i + 1) * hashBytes)
  );
}
function onesOf(size) {
  let ones = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

// src/ledger/tree/tiles.ts
var entryBytesMax = 65535;
function tilePath(level, { index, width }) {
  const digits2 = String(index).padStart(Math.ceil(String(index).length / 3) * 3, "0");
  const groups = digits2.match(/.{3}/g) ?? [];
  const path = groups.map((group, i) => i < groups.length - 1 ? `x${group}` : group).join("/");
  return `tile/${level}/${path}${width < tileWidth ? `.p/${width}` : ""}`;
}
function* tilesOf(level, size) {
  const hashes = Math.floor(size / tileWidth ** level);
  for (let index = 0; index * tileWidth < hashes; index += 1)
    yield { index, width: Math.min(tileWidth, hashes - index * tileWidth) };
}
function parseBundle(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) return void 0;
    const end2 = at + 2 + view.getUint16(at);
    if (end2 > bytes.length) return void 0;
    entries.push(bytes.subarray(at + 2, end2));
    at = end2;
  }
  return entries;
}

// src/verifier/canonical.ts
var depthMax = 64;
var quote = 34;
var backslash = 92;
var comma = 44;
var colon = 58;
var minus = 45;
var zero = 48;
var nine = 57;
function isCanonical(bytes) {
  return skipValue(bytes, 0, 0) === bytes.length;
}
function skipValue(bytes, at, depth) {
  switch (bytes[at] ?? 0) {
    case quote:
      return skipString(bytes, at);
    case 123:
      return depth < depthMax ? skipObject(bytes, at, depth + 1) : -1;
    case 91:
      return depth < depthMax ? skipArray(bytes, at, depth + 1) : -1;
    case 116:
      return skipWord(bytes, at, "true");
    case 102:
      return skipWord(bytes, at, "false");
    case 110:
      return skipWord(bytes, at, "null");
    default:
      return skipInteger(bytes, at);
  }
}
function skipObject(bytes, at, depth, onField) {
  if (bytes[at] !== 123) return -1;
  if (bytes[at + 1] === 125) return at + 2;
  let next = at + 1;
  let lastKey = -1;
  let lastKeyEnd = -1;
  for (; ; ) {
    const key = next;
    const keyEnd = skipString(bytes, key);
    if (keyEnd < 0 || bytes[keyEnd] !== colon) return -1;
    if (lastKey >= 0 && !isBefore(bytes, lastKey, lastKeyEnd, key, keyEnd)) return -1;
    const end2 = skipValue(bytes, keyEnd + 1, depth);
    if (end2 < 0) return -1;
    onField?.({ key: key + 1, keyEnd: keyEnd - 1, value: keyEnd + 1, end: end2 });
    if (bytes[end2] === 125) return end2 + 1;
    if (bytes[end2] !== comma) return -1;
    lastKey = key;
    lastKeyEnd = keyEnd;
    next = end2 + 1;
  }
}
function skipArray(bytes, at, depth) {
  if (bytes[at + 1] === 93) return at + 2;
  let next = at + 1;
  for (; ; ) {
    const end2 = skipValue(bytes, next, depth);
    if (end2 < 0) return -1;
    if (bytes[end2] === 93) return end2 + 1;
    if (bytes[end2] !== comma) return -1;
    next = end2 + 1;
  }
}
function skipString(bytes, at) {
  if (bytes[at] !== quote) return -1;
  let next = at + 1;
  while (next < bytes.length) {
    const byte = bytes[next];
    if (byte === quote) return next + 1;
    if (byte < 32) return -1;
    if (byte === backslash) next = skipEscape(bytes, next);
    else if (byte < 128) next += 1;
    else next = skipCharacter(bytes, next);
    if (next < 0) return -1;
  }
  return -1;
}
function skipEscape(bytes, at) {
  switch (bytes[at + 1] ?? 0) {
    case quote:
    case backslash:
    case 98:
    case 102:
    case 110:
    case 114:
    case 116:
      return at + 2;
    case 117: {
      const [tens, ones] = [bytes[at + 4], bytes[at + 5]];
      if (bytes[at + 2] !== zero || bytes[at + 3] !== zero || ones === void 0) return -1;
      if (tens !== zero && tens !== 49) return -1;
      const isDigit2 = ones >= zero && ones <= nine;
      if (!isDigit2 && !(ones >= 97 && ones <= 102)) return -1;
      const code = (tens - zero) * 16 + (isDigit2 ? ones - zero : ones - 97 + 10);
      const isShort = code === 8 || code === 9 || code === 10 || code === 12 || code === 13;
      return isShort ? -1 : at + 6;
    }
    default:
      return -1;
  }
}
function skipCharacter(bytes, at) {
  const first = bytes[at];
  const second = bytes[at + 1] ?? 0;
  if (first >= 194 && first <= 223) return isTail(second) ? at + 2 : -1;
  if (first >= 224 && first <= 239) {
    const least = first === 224 ? 160 : 128;
    const most = first === 237 ? 159 : 191;
    return second >= least && second <= most && isTail(bytes[at + 2]) ? at + 3 : -1;
  }
  if (first >= 240 && first <= 244) {
    const least = first === 240 ? 144 : 128;
    const most = first === 244 ? 143 : 191;
    const holds = second >= least && second <= most && isTail(bytes[at + 2]) && isTail(bytes[at + 3]);
    return holds ? at + 4 : -1;
  }
  return -1;
}
function isTail(byte) {
  return byte !== void 0 && byte >= 128 && byte <= 191;
}
function skipWord(bytes, at, word2) {
  for (let i = 0; i < word2.length; i += 1) if (bytes[at + i] !== word2.charCodeAt(i)) return -1;
  return at + word2.length;
}
function skipInteger(bytes, at) {
  const from = bytes[at] === minus ? at + 1 : at;
  let next = from;
  let value = 0;
  while (isDigit(bytes[next])) {
    value = value * 10 + (bytes[next] - zero);
    next += 1;
    if (next - from > 16) return -1;
  }
  if (next === from || !Number.isSafeInteger(value)) return -1;
  if (bytes[from] === zero && (next - from > 1 || from > at)) return -1;
  return next;
}
function isDigit(byte) {
  return byte !== void 0 && byte >= zero && byte <= nine;
}
function isBefore(bytes, one, oneEnd, two, twoEnd) {
  for (let i = 1; ; i += 1) {
    const a = bytes[one + i];
    const b = bytes[two + i];
    const isEndA = one + i === oneEnd - 1;
    const isEndB = two + i === twoEnd - 1;
    if (a === backslash || b === backslash || a >= 128 || b >= 128)
      return keyOf(bytes, one, oneEnd) < keyOf(bytes, two, twoEnd);
    if (isEndA) return !isEndB;
    if (isEndB) return false;
    if (a !== b) return a < b;
  }
}
function keyOf(bytes, from, end2) {
  return JSON.parse(textOf(bytes.subarray(from, end2)) ?? '""');
}

// src/verifier/scan-entry.ts
var hexLength = 64;
var timeLength = 24;
var typeLengthMax = 64;
var [beforeActor, beforeCom, beforeIdem, beforeLog, beforePrev] = [
  '{"actor":',
  ',"com":',
  ',"idem":"',
  '","log":"',
  '","prev":"'
].map(ascii);
var [beforePub, beforeSeq, beforeTime, beforeType, end] = [
  '","pub":',
  ',"seq":',
  ',"t":"',
  '","type":"',
  '","v":1}'
].map(ascii);
function scanEntry(bytes, into) {
  if (bytes.length > entryBytesMax) return false;
  let at = after(bytes, 0, beforeActor);
  if (at >= 0) at = skipObject(bytes, at, 2);
  if (at >= 0) at = after(bytes, at, beforeCom);
  into.com = at;
  if (at >= 0) at = skipCommitments(bytes, at);
  into.comEnd = at;
  if (at >= 0) at = after(bytes, at, beforeIdem);
  into.idem = at;
  if (at >= 0) at = skipHex(bytes, at);
  if (at >= 0) at = after(bytes, at, beforeLog);
  into.log = at;
  if (at >= 0) at = skipString(bytes, at - 1) - 1;
  into.logEnd = at;
  if (at >= 0) at = after(bytes, at, beforePrev);
  into.prev = at;
  if (at >= 0) at = skipHex(bytes, at);
  if (at >= 0) at = after(bytes, at, beforePub);
  into.pub = at;
  if (at >= 0) at = skipObject(bytes, at, 2);
  into.pubEnd = at;
  if (at >= 0) at = after(bytes, at, beforeSeq);
  const seq = at;
  if (at >= 0) at = skipInteger(bytes, at);
  if (at < 0 || bytes[seq] === 45) return false;
  into.seq = numberOf(bytes, seq, at);
  at = after(bytes, at, beforeTime);
  into.time = at;
  if (at < 0 || !isTime(bytes, at)) return false;
  at = after(bytes, at + timeLength, beforeType);
  into.type = at;
  if (at >= 0) at = skipType(bytes, at);
  into.typeEnd = at;
  if (at < 0 || into.logEnd === into.log) return false;
  return after(bytes, at, end) === bytes.length;
}
function entryProblem(bytes) {
  if (bytes.length > entryBytesMax) return "the entry is longer than 65,535 bytes";
  const text = textOf(bytes);
  if (text === void 0) return "the bytes are not UTF-8";
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return "the bytes are not a JSON document";
  }
  if (!isCanonical(bytes)) return "the bytes are not in canonical form";
  const version = document?.v;
  if (typeof version === "number" && version !== 1)
    return `the entry has the format ${version}, which is not known here`;
  return "the entry lacks a field, or has one too many or one of another shape";
}
function skipCommitments(bytes, at) {
  let holds = true;
  const ends = skipObject(bytes, at, 2, (field) => {
    const from = field.value;
    const isText = bytes[from] === 34 && field.end === from + hexLength + 2;
    if (!isText || skipHex(bytes, from + 1) < 0) holds = false;
  });
  return holds ? ends : -1;
}
function skipHex(bytes, at) {
  for (let i = at; i < at + hexLength; i += 1) if (isHexDigit[bytes[i]] !== 1) return -1;
  return at + hexLength;
}
var isHexDigit = new Uint8Array(256);
for (const digit of ascii("0123456789abcdef")) isHexDigit[digit] = 1;
function skipType(bytes, at) {
  let next = at;
  let wasDot = true;
  for (; next < at + typeLengthMax; next += 1) {
    const byte = bytes[next] ?? 0;
    const isLower = byte >= 97 && byte <= 122;
    const isOther = byte >= 65 && byte <= 90 || byte >= 48 && byte <= 57 || byte === 45;
    if (next === at && !isLower) return -1;
    if (byte === 46) {
      if (wasDot) return -1;
      wasDot = true;
    } else if (isLower || isOther) wasDot = false;
    else break;
  }
  return wasDot ? -1 : next;
}
var monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
function isTime(bytes, at) {
  const year = digits(bytes, at, 4);
  const month = digits(bytes, at + 5, 2);
  const day = digits(bytes, at + 8, 2);
  const parts = [year, month, day, digits(bytes, at + 20, 3)];
  if (parts.some((part) => part < 0)) return false;
  const hour = digits(bytes, at + 11, 2);
  const minute = digits(bytes, at + 14, 2);
  const second = digits(bytes, at + 17, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  const isMarked = bytes[at + 4] === 45 && bytes[at + 7] === 45 && bytes[at + 10] === 84 && bytes[at + 13] === 58 && bytes[at + 16] === 58 && bytes[at + 19] === 46 && bytes[at + 23] === 90;
  if (!isMarked || month < 1 || month > 12 || day < 1) return false;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 && !isLeap ? 28 : monthDays[month - 1]);
}
function digits(bytes, at, count) {
  let value = 0;
  for (let i = at; i < at + count; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte < 48 || byte > 57) return -1;
    value = value * 10 + byte - 48;
  }
  return value;
}
function numberOf(bytes, from, to) {
  let value = 0;
  for (let i = from; i < to; i += 1) value = value * 10 + bytes[i] - 48;
  return value;
}
function after(bytes, at, expected) {
  for (let i = 0; i < expected.length; i += 1) if (bytes[at + i] !== expected[i]) return -1;
  return at + expected.length;
}
function ascii(text) {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

// src/verifier/seen-facts.ts
var loadMax = 0.7;
function createSeenFacts(capacity, seed) {
  let slots = 64;
  while (slots * loadMax < capacity) slots *= 2;
  const marks = new Uint32Array(slots);
  const mask = slots - 1;
  return {
    add(bytes, at) {
      const mark = mix(word(bytes, at) ^ seed) || 1;
      let slot = mix(word(bytes, at + 8) ^ mix(seed + word(bytes, at + 16))) & mask;
      for (; ; ) {
        const there = marks[slot];
        if (there === mark) return true;
        if (there === 0) break;
        slot = slot + 1 & mask;
      }
      marks[slot] = mark;
      return false;
    }
  };
}
function word(bytes, at) {
  let value = 0;
  for (let i = at; i < at + 8; i += 1) {
    const byte = bytes[i];
    value = value << 4 | (byte < 58 ? byte - 48 : byte - 87);
  }
  return value;
}
function mix(input) {
  let value = input;
  value = Math.imul(value ^ value >>> 16, 2246822507);
  value = Math.imul(value ^ value >>> 13, 3266489909);
  return (value ^ value >>> 16) >>> 0;
}

// src/verifier/check-facts.ts
var alikeMax = 1e4;
function createFactChecks(options) {
  const seen = createSeenFacts(options.exact ? 0 : options.entries, options.seed);
  const firsts = /* @__PURE__ */ new Map();
  const look = (idem, seq) => {
    const first = firsts.get(idem);
    if (first === void 0) firsts.set(idem, seq);
    else options.findings.tampered(seq, `it tells a fact that entry ${first} tells already`);
  };
  return {
    add(bytes, at, seq) {
      if (options.exact) look(hexAt(bytes, at), seq);
      else if (seen.add(bytes, at) && firsts.size < alikeMax)
        firsts.set(hexAt(bytes, at), void 0);
    },
    needsSecondLook: () => !options.exact && firsts.size > 0,
    lookAgain(bytes, at, seq) {
      const idem = hexAt(bytes, at);
      if (firsts.has(idem)) look(idem, seq);
    }
  };
}
function hexAt(bytes, at) {
  return textOf(bytes.subarray(at, at + hexLength)) ?? "";
}

// src/verifier/eras.ts
function parseRecovery(pub) {
  const { previousLog, previousSize, previousRoot, size } = pub;
  const root = typeof previousRoot === "string" && previousRoot.length === 64 ? fromHex(previousRoot) : void 0;
  const holds = typeof previousLog === "string" && isCount(previousSize) && isCount(size) && root !== void 0;
  return holds ? { previousLog, previousSize, root, size } : void 0;
}
function admittedLosses(eras) {
  return eras.flatMap(({ recovery, from }) => {
    if (recovery === void 0 || recovery.previousSize <= recovery.size) return [];
    const { previousLog, size, previousSize } = recovery;
    return [{ log: previousLog, from: size, to: previousSize - 1, at: from }];
  });
}
function lossSentence({ log, from, to }) {
  return `the log admits that entries ${from} to ${to} of ${log} are lost`;
}
function judgeHead(eras, head, root) {
  const at = eras.findIndex((era) => era.log === head.origin);
  if (at < 0) return { kind: "unknown-log" };
  const recovery = eras[at + 1]?.recovery;
  if (recovery !== void 0 && head.size > recovery.size) {
    if (head.size > recovery.previousSize) {
      const admitted = `the log admits that it lost entries up to ${recovery.previousSize - 1} only`;
      return {
        kind: "wrong",
        problem: `a checkpoint of ${head.size} entries is kept, and ${admitted}`
      };
    }
    if (head.size === recovery.previousSize && !sameBytes(head.root, recovery.root))
      return { kind: "wrong", problem: `the lost log of ${head.size} entries had another root` };
    return { kind: "lost" };
  }
  if (root === void 0)
    return { kind: "wrong", problem: `the log had ${head.size} entries and is shorter now` };
  if (sameBytes(root, head.root)) return { kind: "holds" };
  const roots = `${toHex(head.root)}, not ${toHex(root)}`;
  return { kind: "wrong", problem: `the root over ${head.size} entries was ${roots}` };
}
function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

// src/verifier/check-entries.ts
var noPlaces = () => ({
  com: 0,
  comEnd: 0,
  idem: 0,
  log: 0,
  logEnd: 0,
  prev: 0,
  pub: 0,
  pubEnd: 0,
  seq: 0,
  time: 0,
  type: 0,
  typeEnd: 0
});
function createEntryChecks(options) {
  const { findings, from } = options;
  const places = noPlaces();
  const facts = createFactChecks({ ...options, exact: options.exact === true });
  const actions = createActionChecks(findings, from !== void 0);
  const names = createNames(options.log, from !== void 0, findings);
  const erasures = [];
  let next = from?.seq ?? 0;
  let prev = from?.prev ?? new Uint8Array(32);
  let isEntry = false;
  let time;
  let firstTime;
  const checkMeaning = (bytes, seq) => {
    const type = knownType(bytes, places);
    if (type === void 0) return names.look(bytes, places, seq, void 0);
    const pub = parsePub(bytes, places);
    if (type === "action.intent") actions.check(seq, "intent", pub);
    if (type === "action.result") actions.check(seq, "result", pub);
    if (type === "account.erased" && "erased" in pub) {
      const ranges = parseRanges(pub["erased"], seq);
      if (ranges === void 0) findings.tampered(seq, "what it says of erased entries cannot be");
      else erasures.push({ seq, ranges });
    }
    return names.look(bytes, places, seq, type === "log.recovered" ? pub : void 0);
  };
  return {
    add(bytes) {
      const hash2 = leafHashOf(bytes);
      const seq = next;
      isEntry = scanEntry(bytes, places);
      if (isEntry) {
        if (places.seq !== seq) findings.tampered(seq, `it says that it is entry ${places.seq}`);
        if (!isHexOf(bytes, places.prev, prev))
          findings.tampered(seq, "its link to the entry before does not hold");
        if (time !== void 0 && isEarlier(bytes, places.time, time))
          findings.tampered(seq, "its time is before that of the entry before");
        time = bytes.slice(places.time, places.time + timeLength);
        firstTime ??= textOf(time);
        facts.add(bytes, places.idem, seq);
        checkMeaning(bytes, seq);
      } else findings.tampered(seq, entryProblem(bytes));
      prev = hash2;
      next += 1;
      return hash2;
    },
    places: () => isEntry ? places : void 0,
    eras: names.eras,
    erasures: () => erasures,
    needsSecondLook: () => facts.needsSecondLook(),
    lookAgain(bytes, seq) {
      if (scanEntry(bytes, places)) facts.lookAgain(bytes, places.idem, seq);
    },
    end: () => ({
      openIntents: actions.open(),
      firstTime,
      lastTime: time === void 0 ? void 0 : textOf(time)
    })
  };
}
function createActionChecks(findings, isTail2) {
  const actions = createActionBook();
  let isScattered = false;
  return {
    open: () => actions.open(),
    check(seq, verb, pub) {
      const action = pub["action"];
      if (!Number.isSafeInteger(action) || action < 0)
        return findings.tampered(seq, "it names no action");
      const problem = verb === "intent" ? actions.intent(action) : actions.result(action, pub["outcome"] === "superseded");
      if (problem === void 0) return void 0;
      if (problem === tooScattered) {
        if (!isScattered) findings.incomplete(seq, problem);
        isScattered = true;
        return void 0;
      }
      if (isTail2 && problem.includes("without an intent")) return void 0;
      return findings.tampered(seq, problem);
    }
  };
}
function createNames(expected, isTail2, findings) {
  const eras = expected === void 0 ? [] : [{ log: expected, from: 0 }];
  let current = expected === void 0 ? void 0 : jsonBytes(expected);
  return {
    eras: () => eras,
    look(bytes, places, seq, recovered2) {
      const isSame = current !== void 0 && isAt(bytes, places.log, places.logEnd, current);
      if (isSame && recovered2 === void 0) return;
      const log = JSON.parse(
        textOf(bytes.subarray(places.log - 1, places.logEnd + 1)) ?? ""
      );
      if (current === void 0 && (recovered2 === void 0 || isTail2)) {
        eras.push({ log, from: seq });
        current = bytes.slice(places.log, places.logEnd);
        return;
      }
      if (recovered2 === void 0)
        return findings.tampered(seq, `it belongs to another log, ${log}`);
      const recovery = parseRecovery(recovered2);
      const before = eras.at(-1)?.log ?? (seq === 0 ? recovery?.previousLog : void 0);
      const isNew = log !== recovery?.previousLog && eras.every((era) => era.log !== log);
      if (recovery === void 0 || recovery.size !== seq || recovery.previousLog !== before || !isNew)
        return findings.tampered(seq, "what it says of the log before it cannot be");
      if (eras.length === 0) eras.push({ log: recovery.previousLog, from: 0 });
      eras.push({ log, from: seq, recovery });
      current = bytes.slice(places.log, places.logEnd);
    }
  };
}
var meaning = ["action.intent", "action.result", "account.erased", "log.recovered"];
var meaningBytes = meaning.map(jsonBytes);
function knownType(bytes, places) {
  if (places.typeEnd - places.type < 13 || places.typeEnd - places.type > 14) return void 0;
  return meaning.find(
    (_, i) => isAt(bytes, places.type, places.typeEnd, meaningBytes[i])
  );
}
function parsePub(bytes, places) {
  return JSON.parse(textOf(bytes.subarray(places.pub, places.pubEnd)) ?? "{}");
}
function parseRanges(value, seq) {
  if (!Array.isArray(value)) return void 0;
  const isRange = (range) => Array.isArray(range) && range.length === 2 && range.every((end2) => Number.isSafeInteger(end2)) && range[0] >= 0 && range[0] <= range[1] && range[1] < seq;
  return value.every(isRange) ? value : void 0;
}
function isHexOf(bytes, at, hash2) {
  for (let i = 0; i < hash2.length; i += 1) {
    const byte = hash2[i];
    if (bytes[at + 2 * i] !== hexDigit(byte >> 4)) return false;
    if (bytes[at + 2 * i + 1] !== hexDigit(byte & 15)) return false;
  }
  return true;
}
function hexDigit(value) {
  return value < 10 ? 48 + value : 87 + value;
}
function isEarlier(bytes, at, than) {
  for (let i = 0; i < than.length; i += 1) {
    const byte = bytes[at + i];
    if (byte !== than[i]) return byte < than[i];
  }
  return false;
}
function isAt(bytes, from, to, expected) {
  return to - from === expected.length && sameBytes(bytes.subarray(from, to), expected);
}
function jsonBytes(text) {
  return new TextEncoder().encode(JSON.stringify(text).slice(1, -1));
}

// src/verifier/time-stamp.ts
var sequence = 48;
var octets = 4;
var objectId = 6;
var context0 = 160;
var generalizedTime = 24;
var sha256Oid = Uint8Array.of(96, 134, 72, 1, 101, 3, 4, 2, 1);
var signedDataOid = Uint8Array.of(42, 134, 72, 134, 247, 13, 1, 7, 2);
var tstInfoOid = Uint8Array.of(
  ...[42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 4]
);
function parseTimeStamp(der) {
  const whole = only(der, sequence);
  const parts = whole && readAll(whole);
  const isResponse = parts?.[0]?.tag === sequence;
  const content = isResponse ? parts?.[1] && readAll(parts[1].body) : parts;
  const [type, wrapped] = content ?? [];
  if (!isOid(type, signedDataOid) || wrapped?.tag !== context0) return void 0;
  const signedData = only(wrapped.body, sequence);
  const encapsulated = signedData && readAll(signedData)?.[2];
  const [infoType, infoWrapped] = (encapsulated && readAll(encapsulated.body)) ?? [];
  if (!isOid(infoType, tstInfoOid) || infoWrapped?.tag !== context0) return void 0;
  const text = only(infoWrapped.body, octets);
  const info = text && only(text, sequence);
  const [, , imprintPart, , time] = (info && readAll(info)) ?? [];
  if (imprintPart?.tag !== sequence || time?.tag !== generalizedTime) return void 0;
  const [algorithm, imprint] = readAll(imprintPart.body) ?? [];
  const isSha256 = algorithm !== void 0 && isOid(readAll(algorithm.body)?.[0], sha256Oid);
  if (!isSha256 || imprint?.tag !== octets || imprint.body.length !== 32) return void 0;
  return {
    imprint: imprint.body,
    genTime: String.fromCharCode(...time.body.subarray(0, 32)),
    isResponse
  };
}
function isOid(node, oid) {
  return node?.tag === objectId && sameBytes(node.body, oid);
}
function only(bytes, tag) {
  const all = readAll(bytes);
  return all?.length === 1 && all[0]?.tag === tag ? all[0].body : void 0;
}
function readAll(bytes) {
  const nodes = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    let from = at + 2;
    if (length === void 0) return void 0;
    if (length > 132 || length === 128) return void 0;
    if (length > 128) {
      const count = length - 128;
      length = 0;
      for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[from + i] ?? 0);
      if (length < 128 || length < 256 ** (count - 1)) return void 0;
      from += count;
    }
    if (from + length > bytes.length) return void 0;
    nodes.push({ tag, body: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return nodes;
}

// src/verifier/check-heads.ts
var deferredMax = 1e3;
var stampsMax = 1e3;
function createHeadChecks(options) {
  const { findings, trust } = options;
  const deferred = [];
  const stamps = [];
  let [checkpoints, lost, records] = [0, 0, 0];
  let anchored;
  const judge = (judged, isLast = false) => {
    const { where, head, root, atSeconds } = judged;
    if (root === "unread")
      return findings.incomplete(where, "it cannot be compared: entries are missing");
    const verdict = judgeHead(options.eras(), head, root === "short" ? void 0 : root);
    if (verdict.kind === "wrong") findings.tampered(where, verdict.problem);
    else if (verdict.kind === "lost") lost += 1;
    else if (verdict.kind === "unknown-log") {
      if (!isLast && deferred.length < deferredMax) deferred.push(judged);
      else findings.tampered(where, `it is a checkpoint of another log, ${head.origin}`);
    } else if (atSeconds !== void 0 && isNewer({ size: head.size, atSeconds }, anchored))
      anchored = { size: head.size, atSeconds };
    return void 0;
  };
  return {
    checkpoint(where, note, root) {
      const opened = openCheckpoint(note, trust === void 0 ? [] : keysFor(trust, originOf(note)));
      if (typeof opened === "string") {
        findings.tampered(where, opened);
        return void 0;
      }
      const { checkpoint: head, verdict } = opened;
      checkpoints += 1;
      const isSigned = signedByLog(opened);
      const atSeconds = trust !== void 0 && trust.quorum !== "none" && isSigned && verdict.kind === "verified" ? quorumTime(trust, verdict.by) : void 0;
      judge({ where, head, root: root(head.size), atSeconds });
      if (verdict.kind === "wrong")
        findings.tampered(where, `the signature of ${verdict.name} is wrong`);
      else if (!isSigned && trust !== void 0)
        findings.incomplete(where, `none of the keys given for ${head.origin} signed it`);
      return opened;
    },
    pin: (where, head, root) => judge({ where, head, root: root(head.size) }),
    anchor({ line }, anchor, notes, root) {
      const where = `anchors.jsonl line ${line}`;
      if (anchor.kind === "timestamp") {
        const stamp = checkStamp(findings, where, { anchor, notes, line });
        if (stamp !== void 0 && stamps.length < stampsMax) stamps.push(stamp);
      }
      if (anchor.kind !== "record") return;
      records += 1;
      const head = parseRecord(anchor.body);
      if (head === void 0) findings.tampered(where, "the record names no head");
      else if (head.origin !== anchor.origin || head.size !== anchor.size)
        findings.tampered(where, "the record names another log or size than its line");
      else judge({ where, head, root: root(head.size) });
    },
    end() {
      for (const judged of deferred.splice(0)) judge(judged, true);
      return { checkpoints, lost, records, stamps, anchored };
    }
  };
}
function checkStamp(findings, where, given) {
  const { anchor, notes, line } = given;
  const stamp = parseTimeStamp(anchor.body);
  const note = notes.find((one) => parseOrigin(one) === anchor.origin);
  if (stamp === void 0) findings.tampered(where, "this is not an RFC 3161 time stamp");
  else if (note === void 0)
    findings.incomplete(where, "the checkpoint that it stamps is not in the bundle");
  else if (!noteForms(note).some((form) => sameBytes(sha256(utf8(form)), stamp.imprint)))
    findings.tampered(where, "it stamps something else than its checkpoint");
  else
    return {
      ...{ size: anchor.size, who: anchor.who, says: stamp.genTime, line },
      digest: toHex(stamp.imprint),
      isToken: !stamp.isResponse
    };
  return void 0;
}
function isNewer(one, than) {
  if (than === void 0 || one.size !== than.size) return one.size > (than?.size ?? -1);
  return one.atSeconds > than.atSeconds;
}
function noteForms(note) {
  const split = note.lastIndexOf("\n\n") + 2;
  const lines = note.slice(split, -1).split("\n");
  return lines.map((_, i) => `${note.slice(0, split)}${lines.slice(0, i + 1).join("\n")}
`);
}
function parseOrigin(note) {
  const text = parseNote(note)?.text;
  return text === void 0 ? void 0 : parseCheckpoint(text)?.origin;
}
function parseRecord(body) {
  let record;
  try {
    record = JSON.parse(textOf(body) ?? "");
  } catch {
    return void 0;
  }
  const { note, origin, size, root } = record ?? {};
  if (note === void 0) return headOf(origin, size, root);
  const text = typeof note === "string" ? parseNote(note)?.text : void 0;
  const noted = text === void 0 ? void 0 : parseCheckpoint(text);
  if (noted === void 0) return void 0;
  const named = headOf(origin ?? noted.origin, size ?? noted.size, root ?? toBase64(noted.root));
  const isSame = named !== void 0 && named.origin === noted.origin && named.size === noted.size && sameBytes(named.root, noted.root);
  return isSame ? noted : void 0;
}
function headOf(origin, size, root) {
  const bytes = typeof root === "string" ? fromBase64(root) : void 0;
  if (typeof origin !== "string" || !Number.isSafeInteger(size) || bytes?.length !== 32)
    return void 0;
  return { origin, size, root: bytes };
}

// src/ledger/commitment.ts
var saltBytes = 32;
function commitmentOf(input) {
  if (input.salt.length !== saltBytes) throw new TypeError("a salt has 32 bytes");
  return sha256(join(utf8(`modlog/commit/v1\0${input.field}\0`), input.salt, utf8(input.value)));
}

// src/verifier/check-opened.ts
function createOpenedChecks(findings, mode) {
  const missing = [];
  let opened = 0;
  let unopened = 0;
  return {
    add(seq, bytes, places, valueOf, fields = []) {
      const text = textOf(bytes.subarray(places.com, places.comEnd)) ?? "{}";
      const committed = new Map(Object.entries(JSON.parse(text)));
      let lacks = 0;
      for (const [field, hex] of committed) {
        const value = valueOf(field);
        if (value === void 0) lacks += 1;
        else if (toHex(commitmentOf({ field, ...value })) === hex) opened += 1;
        else findings.tampered(seq, `the opened value of "${field}" is not the one committed to`);
      }
      for (const field of fields)
        if (!committed.has(field)) findings.tampered(seq, `it commits to no "${field}"`);
      unopened += lacks;
      if (lacks === 0 || mode !== "all") return;
      if (missing.at(-1) === seq - 1) missing[missing.length - 1] = seq;
      else missing.push(seq, seq);
    },
    end(erasures, read) {
      const ranges = mergeRanges(erasures.flatMap((erasure) => erasure.ranges));
      let erased = 0;
      let at = 0;
      for (let i = 0; i < missing.length; i += 2) {
        for (let seq = missing[i]; seq <= missing[i + 1]; seq += 1) {
          while (at < ranges.length && ranges[at][1] < seq) at += 1;
          const range = ranges[at];
          if (range !== void 0 && range[0] <= seq) erased += 1;
          else if (read === "whole")
            findings.tampered(seq, "a value is missing, and no entry says that it was erased");
          else if (read === "partly")
            findings.incomplete(seq, "a value is missing, and what says so may be missing too");
        }
      }
      return { opened, erased, unopened };
    }
  };
}
function parseOpened(value) {
  const salt = typeof value["salt"] === "string" ? fromHex(value["salt"]) : void 0;
  const { seq, field, value: text } = value;
  if (!Number.isSafeInteger(seq) || typeof field !== "string" || typeof text !== "string")
    return void 0;
  if (salt?.length !== saltBytes || !text.isWellFormed()) return void 0;
  return { seq, field, salt, value: text };
}
function mergeRanges(ranges) {
  const merged = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== void 0 && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

// src/verifier/findings.ts
var findingsMax = 100;
function createFindings() {
  const found = { tampered: [], incomplete: [] };
  const counts = { tampered: 0, incomplete: 0 };
  const add = (kind, where, problem) => {
    counts[kind] += 1;
    if (found[kind].length >= findingsMax) return;
    const place = typeof where === "number" ? { where: `entry ${where}`, seq: where } : { where };
    found[kind].push({ kind, ...place, problem });
  };
  return {
    tampered: (where, problem) => add("tampered", where, problem),
    incomplete: (where, problem) => add("incomplete", where, problem),
    list: () => [...found.tampered, ...found.incomplete],
    count: (kind) => counts[kind]
  };
}

// src/verifier/head-lines.ts
async function createHeadLines(options) {
  const { files, findings, heads } = options;
  const waiting = /* @__PURE__ */ new Map();
  const at = (size) => {
    const known = waiting.get(size) ?? { notes: [], anchors: [] };
    waiting.set(size, known);
    return known;
  };
  const checkpoints = await openLines({
    path: "checkpoints.jsonl",
    files,
    findings,
    take(size, line, value) {
      if (typeof value["note"] !== "string") return false;
      at(size).notes.push({ line, note: value["note"] });
      return true;
    }
  });
  const anchors = await openLines({
    path: "anchors.jsonl",
    files,
    findings,
    take(size, line, value) {
      const { origin, kind, who, body, at: when } = value;
      const bytes = typeof body === "string" ? fromBase64(body) : void 0;
      if (bytes === void 0 || ![origin, kind, who, when].every((one) => typeof one === "string"))
        return false;
      const anchor = { origin, kind, who, body: bytes, size };
      at(size).anchors.push({ line, anchor });
      return true;
    }
  });
  const check = (size, root) => {
    const { notes, anchors: anchors2 } = waiting.get(size) ?? { notes: [], anchors: [] };
    waiting.delete(size);
    for (const { line, note } of notes) {
      const where = `checkpoints.jsonl line ${line}`;
      const signed = heads.checkpoint(where, note, root);
      if (signed !== void 0 && signed.checkpoint.size !== size)
        findings.tampered(
          where,
          `the line says ${size} entries, its note ${signed.checkpoint.size}`
        );
    }
    const texts = notes.map(({ note }) => note);
    for (const { line, anchor } of anchors2) heads.anchor({ line }, anchor, texts, root);
  };
  return {
    async sizesUpTo(size) {
      await checkpoints.readTo(size);
      await anchors.readTo(size);
      return [...waiting.keys()].toSorted((a, b) => a - b);
    },
    check,
    async end(expected, root) {
      for (; ; ) {
        const next = Math.min(await checkpoints.next(), await anchors.next());
        if (next === Infinity) break;
        await checkpoints.readTo(next);
        await anchors.readTo(next);
        for (const size of waiting.keys()) check(size, root);
      }
      checkpoints.expect(expected.checkpoints);
      anchors.expect(expected.anchors);
    }
  };
}
async function openLines(options) {
  const { path, findings } = options;
  const parts = await options.files.parts(path);
  const queue = queueLines(parts && readJsonLines(parts));
  let [count, last] = [0, 0];
  const sizeOf = (line) => {
    const size = "value" in line ? line.value["size"] : void 0;
    return Number.isSafeInteger(size) && size >= last ? size : last;
  };
  return {
    async next() {
      const line = await queue.peek();
      return line === void 0 ? Infinity : sizeOf(line);
    },
    async readTo(size) {
      for (; ; ) {
        const line = await queue.peek();
        if (line === void 0 || sizeOf(line) > size) return;
        await queue.take();
        count += 1;
        const where = `${path} line ${line.number}`;
        if ("problem" in line) findings.tampered(where, line.problem);
        else if (line.value["size"] !== sizeOf(line))
          findings.tampered(where, "it has no size, or a smaller one than the line before");
        else if (!options.take(sizeOf(line), line.number, line.value))
          findings.tampered(where, "it lacks a field, or has one of another kind");
        last = sizeOf(line);
      }
    },
    expect(expected) {
      if (parts === void 0 && expected > 0) findings.incomplete(path, "the file is missing");
      else if (count < expected)
        findings.incomplete(path, `there are ${count} lines, bundle.json says ${expected}`);
    }
  };
}

// src/ledger/bundle/format.ts
var bundleFormat = "blobwatch-ledger-bundle";
var bundleVersion = 1;

// src/verifier/manifest.ts
var bundleEntriesMax = 4e8;
function parseManifest(bytes) {
  let value;
  try {
    value = JSON.parse(textOf(bytes) ?? "");
  } catch {
    return { problem: "it is not JSON" };
  }
  const manifest = value ?? {};
  const { format, version } = manifest;
  if (format !== bundleFormat)
    return { usage: `this is no ledger bundle: its format is ${String(format).slice(0, 60)}` };
  if (typeof version !== "number" || version < 1) return { problem: "it has no version" };
  if (version > bundleVersion)
    return {
      usage: `the bundle has the format ${version}, this verifier knows ${bundleVersion}: use a newer one`
    };
  const counts = [manifest.size, manifest.checkpoints, manifest.anchors, manifest.openedValues];
  const holds = typeof manifest.log === "string" && isKeyName(manifest.log) && counts.every((count) => Number.isSafeInteger(count) && count >= 0) && ["none", "some", "all"].includes(manifest.opened);
  if (!holds) return { problem: "it lacks a field, or has one of another kind" };
  if (manifest.size > bundleEntriesMax) return { usage: tooManyEntries(manifest.size) };
  return manifest;
}
function tooManyEntries(size) {
  return `the bundle has ${size} entries, this verifier reads ${bundleEntriesMax}`;
}
function manifestOf(head) {
  return {
    format: bundleFormat,
    version: bundleVersion,
    log: head?.origin ?? "",
    size: head?.size ?? 0,
    madeAt: "",
    opened: "none",
    checkpoints: 0,
    anchors: 0,
    openedValues: 0,
    product: ""
  };
}

// src/verifier/read-entries.ts
var progressTiles = 100;
async function readEntries(run) {
  const { manifest, findings, files, tree } = run;
  const values = await openValues(run);
  let seq = 0;
  await lookAtHeads(run, 0);
  for (const name of tilesOf(0, manifest.size)) {
    const bundle = await readEntryBundle(run, name);
    const sizes = new Set(await run.lines.sizesUpTo(seq + (bundle?.length ?? 0)));
    const opened = await values.upTo(seq + (bundle?.length ?? 0));
    for (const bytes of bundle ?? []) {
      tree.push(run.entries.add(bytes));
      const places = run.entries.places();
      if (places !== void 0 && manifest.opened !== "none")
        addOpened(run, { seq, bytes, places, values: opened.get(seq) });
      seq += 1;
      if (sizes.has(seq) || run.roots.has(seq)) await lookAtHeads(run, seq);
    }
    if (bundle?.length !== name.width) return seq;
    await compareTiles(files, tree, findings);
    if (name.index % progressTiles === 0) run.onProgress?.(seq, manifest.size);
  }
  tree.end();
  await compareTiles(files, tree, findings);
  await values.end();
  run.onProgress?.(seq, manifest.size);
  return seq;
}
async function readAgain(run, read) {
  let seq = 0;
  for (const name of tilesOf(0, run.manifest.size)) {
    if (seq >= read) return;
    const bytes = await run.files.read(tilePath("entries", name));
    for (const entry of (bytes && parseBundle(bytes)) ?? []) run.entries.lookAgain(entry, seq++);
  }
}
async function lookAtHeads(run, size) {
  const root = run.tree.root();
  if (run.roots.has(size)) run.roots.set(size, root);
  await run.lines.sizesUpTo(size);
  run.lines.check(size, (asked) => asked === size ? root : "unread");
}
async function readEntryBundle(run, name) {
  const path = tilePath("entries", name);
  const bytes = await run.files.read(path);
  if (bytes === void 0) {
    run.findings.incomplete(path, "the file is missing: what comes after it was not checked");
    return void 0;
  }
  const bundle = bytes.length > fileBytesMax ? void 0 : parseBundle(bytes);
  if (bundle === void 0) run.findings.tampered(path, "the file does not end with an entry");
  else if (bundle.length !== name.width)
    run.findings.tampered(path, `the file has ${bundle.length} entries, not ${name.width}`);
  return bundle?.slice(0, name.width);
}
async function compareTiles(files, tree, findings) {
  for (const { level, name, hashes } of tree.takeTiles()) {
    const path = tilePath(level, name);
    const bytes = await files.read(path);
    if (bytes === void 0) findings.incomplete(path, "the file is missing");
    else if (!sameBytes(bytes, hashes)) findings.tampered(path, tileProblem(level, bytes, hashes));
  }
}
function tileProblem(level, bytes, hashes) {
  if (bytes.length !== hashes.length)
    return `the tile has ${bytes.length} bytes, not ${hashes.length}`;
  const at = Math.floor(hashes.findIndex((byte, i) => byte !== bytes[i]) / 32);
  return `hash ${at} of the tile is not that of the ${level === 0 ? "entry" : "tile below"}`;
}
function addOpened(run, entry) {
  const { seq, bytes, places, values } = entry;
  run.opened.add(seq, bytes, places, (field) => values?.get(field), values?.keys());
}
async function openValues(run) {
  const { files, manifest, findings } = run;
  const path = "opened.jsonl";
  const parts = manifest.opened === "none" ? void 0 : await files.parts(path);
  run.lacksOpened = manifest.opened !== "none" && parts === void 0;
  if (run.lacksOpened) findings.incomplete(path, "the file is missing");
  const queue = queueLines(parts && readJsonLines(parts));
  let [count, last] = [0, 0];
  const upTo = async (size) => {
    const values = /* @__PURE__ */ new Map();
    for (; ; ) {
      const line = await queue.peek();
      const opened = line !== void 0 && "value" in line ? parseOpened(line.value) : void 0;
      if (line === void 0 || opened !== void 0 && opened.seq >= size) return values;
      await queue.take();
      count += 1;
      const where = `${path} line ${line.number}`;
      if (opened === void 0) {
        findings.tampered(where, "problem" in line ? line.problem : "it is no opened value");
        continue;
      }
      const here = values.get(opened.seq) ?? /* @__PURE__ */ new Map();
      if (opened.seq < last || here.has(opened.field))
        findings.tampered(where, "it is out of order, or there twice");
      last = Math.max(last, opened.seq);
      values.set(opened.seq, here.set(opened.field, { salt: opened.salt, value: opened.value }));
    }
  };
  return {
    upTo,
    async end() {
      for (const seq of (await upTo(Infinity)).keys())
        findings.tampered(path, `it opens a value of entry ${seq}, which is not there`);
      if (parts !== void 0 && count < manifest.openedValues)
        findings.incomplete(
          path,
          `there are ${count} lines, bundle.json says ${manifest.openedValues}`
        );
    }
  };
}

// src/ledger/tree/tile-builder.ts
function createTileBuilder() {
  const frontier = createFrontier();
  const rows = [];
  let tiles = [];
  const put = (level, hash2) => {
    const row = rows[level] ??= {
      hashes: new Uint8Array(tileWidth * hashBytes),
      length: 0,
      index: 0
    };
    row.hashes.set(hash2, row.length * hashBytes);
    row.length += 1;
    if (row.length < tileWidth) return;
    tiles.push({ level, name: { index: row.index, width: tileWidth }, hashes: row.hashes });
    rows[level] = { hashes: new Uint8Array(tileWidth * hashBytes), length: 0, index: row.index + 1 };
  };
  return {
    push(leafHash) {
      put(0, leafHash);
      frontier.push(leafHash, ({ level, root }) => put(level + 1, root));
    },
    root: () => frontier.root(),
    takeTiles() {
      const taken = tiles;
      tiles = [];
      return taken;
    },
    end() {
      for (const [level, row] of rows.entries()) {
        if (row.length === 0) continue;
        const hashes = row.hashes.subarray(0, row.length * hashBytes);
        tiles.push({ level, name: { index: row.index, width: row.length }, hashes });
      }
    }
  };
}

// src/verifier/verify-bundle.ts
async function verifyBundle(options) {
  const { files, trust } = options;
  const findings = createFindings();
  const note = await files.read("checkpoint");
  const manifest = await readManifest(files, note, findings);
  if ("usage" in manifest) return manifest;
  const entries = createEntryChecks({ findings, entries: manifest.size, seed: options.seed });
  const heads = createHeadChecks({
    findings,
    trust,
    eras: () => {
      const eras = entries.eras();
      return eras.length === 0 ? [{ log: manifest.log, from: 0 }] : eras;
    }
  });
  const run = {
    files,
    manifest,
    findings,
    entries,
    opened: createOpenedChecks(findings, manifest.opened),
    tree: createTileBuilder(),
    lines: await createHeadLines({ files, findings, heads }),
    roots: new Map(
      [...options.pins.map(({ checkpoint }) => checkpoint), ...signedHead(note)].map(({ size }) => [
        size,
        void 0
      ])
    ),
    lacksOpened: false,
    onProgress: options.onProgress
  };
  const read = await readEntries(run);
  if (entries.needsSecondLook()) await readAgain(run, read);
  await checkHeads(run, { heads, note, read, pins: options.pins });
  return conclude(options, run, { heads, read });
}
async function readManifest(files, note, findings) {
  const bytes = await files.read("bundle.json");
  if (bytes === void 0 && note === void 0)
    return { usage: "there is no ledger bundle here: bundle.json is missing" };
  const manifest = bytes === void 0 ? void 0 : parseManifest(bytes);
  if (manifest !== void 0 && !("problem" in manifest)) return manifest;
  if (manifest === void 0)
    findings.incomplete("bundle.json", "it is missing: the bundle was not written to its end");
  else findings.tampered("bundle.json", manifest.problem);
  const [head] = signedHead(note);
  return head !== void 0 && head.size > bundleEntriesMax ? { usage: tooManyEntries(head.size) } : manifestOf(head);
}
async function checkHeads({ manifest, findings, tree, lines, roots }, given) {
  const { heads, note, read, pins } = given;
  const beyond = read === manifest.size ? "short" : "unread";
  const rootAt = (size) => size === read ? tree.root() : size < read ? roots.get(size) ?? "unread" : beyond;
  const text = note === void 0 ? void 0 : textOf(note) ?? "";
  if (text === void 0) findings.incomplete("checkpoint", "the file is missing");
  await lines.end(manifest, () => beyond);
  const signed = text === void 0 ? void 0 : heads.checkpoint("checkpoint", text, rootAt);
  if (signed !== void 0) {
    const { origin, size } = signed.checkpoint;
    if (origin !== manifest.log)
      findings.tampered("checkpoint", `it is of ${origin}, bundle.json says ${manifest.log}`);
    if (size < manifest.size)
      findings.incomplete("checkpoint", `${manifest.size - size} entries after it are not signed`);
  }
  for (const { name, checkpoint } of pins) heads.pin(`pinned ${name}`, checkpoint, rootAt);
}
function conclude(options, run, { heads, read }) {
  const { manifest, findings, entries, opened, tree } = run;
  const ended = heads.end();
  const times = entries.end();
  const values = opened.end(
    entries.erasures(),
    run.lacksOpened ? "unread" : read === manifest.size ? "whole" : "partly"
  );
  const losses = admittedLosses(entries.eras());
  for (const loss of losses) findings.incomplete(loss.at, lossSentence(loss));
  const log = entries.eras().at(-1)?.log;
  if (read > 0 && read === manifest.size && log !== manifest.log)
    findings.tampered("bundle.json", `the last entries are of ${log}, not of ${manifest.log}`);
  checkAge(options, {
    findings,
    anchored: ended.anchored,
    size: manifest.size,
    lastTime: times.lastTime
  });
  const [tampered, incomplete] = [findings.count("tampered"), findings.count("incomplete")];
  return {
    verdict: tampered > 0 ? "tampered" : incomplete > 0 ? "incomplete" : "true",
    findings: findings.list(),
    tampered,
    incomplete,
    log: manifest.log,
    entries: read,
    root: toHex(tree.root()),
    ...times,
    checkpoints: ended.checkpoints,
    lostCheckpoints: ended.lost,
    losses,
    pins: options.pins.length,
    records: ended.records,
    stamps: ended.stamps,
    quorum: options.trust.quorum,
    anchored: ended.anchored && {
      size: ended.anchored.size,
      at: new Date(ended.anchored.atSeconds * 1e3).toISOString()
    },
    opened: { mode: manifest.opened, ...values }
  };
}
function checkAge({ trust, maxAgeMs, nowMs }, found) {
  const { findings, anchored, size } = found;
  if (trust.quorum !== "none" && (anchored === void 0 || anchored.size < size)) {
    const newest = anchored === void 0 ? "none does" : `the newest that does has ${anchored.size} entries`;
    findings.incomplete("checkpoint", `it does not meet the quorum (${trust.quorum}); ${newest}`);
  }
  if (maxAgeMs === void 0) return;
  const atMs = trust.quorum === "none" ? Date.parse(found.lastTime ?? "") : (anchored?.atSeconds ?? Number.NaN) * 1e3;
  if (nowMs - atMs <= maxAgeMs) return;
  const at = Number.isNaN(atMs) ? "there is none" : `it is of ${new Date(atMs).toISOString()}`;
  findings.incomplete("checkpoint", `the newest anchored checkpoint is too old: ${at}`);
}
function signedHead(note) {
  const text = note === void 0 ? void 0 : parseNote(note)?.text;
  const head = text === void 0 ? void 0 : parseCheckpoint(text);
  return head === void 0 ? [] : [head];
}

// src/ledger/note/tlog-proof.ts
var proofLinesMax = 63;
var header = "c2sp.org/tlog-proof@v1";
function parseTlogProof(text) {
  const split = text.indexOf("\n\n");
  if (split < 0) return "the proof ends before its checkpoint";
  const [first, ...lines] = text.slice(0, split).split("\n");
  if (first !== header) return `the first line is not ${header}`;
  const extraLine = lines[0]?.startsWith("extra ") === true ? lines.shift() : void 0;
  const extra = extraLine === void 0 ? void 0 : fromBase64(extraLine.slice("extra ".length));
  if (extraLine !== void 0 && extra === void 0) return "the extra line is not base64";
  const index = parseDecimal(/^index (.*)$/.exec(lines.shift() ?? "")?.[1] ?? "");
  if (index === void 0) return "the index line is missing";
  if (lines.length > proofLinesMax) return "the proof has too many lines";
  const proof = lines.map(fromBase64);
  if (proof.some((hash2) => hash2?.length !== hashBytes)) return "a line of the proof is not a hash";
  return {
    ...extra !== void 0 && { extra },
    index,
    proof,
    note: text.slice(split + 2)
  };
}

// src/ledger/tree/verify-proof.ts
var isHash = (value) => value.length === hashBytes;
var isSize = (value) => Number.isSafeInteger(value) && value >= 0;
var halved = (value) => Math.floor(value / 2);
function verifyInclusion(input) {
  const { index, size, leafHash, root, proof } = input;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (![leafHash, root, ...proof].every(isHash)) return false;
  let at = index;
  let last = size - 1;
  let hash2 = leafHash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash2 = nodeHash(sibling, hash2);
      while (at % 2 === 0 && at !== 0) {
        at = halved(at);
        last = halved(last);
      }
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    at = halved(at);
    last = halved(last);
  }
  return last === 0 && sameBytes(hash2, root);
}

// src/verifier/verify-proof-file.ts
function verifyProofFile(input) {
  const { trust, entry } = input;
  const proof = parseTlogProof(textOf(input.proof) ?? "");
  if (typeof proof === "string") return { usage: `this is no proof: ${proof}` };
  const { note } = proof;
  const signed = openCheckpoint(note, keysFor(trust, originOf(note)));
  if (typeof signed === "string") return { usage: `this is no proof: ${signed}` };
  const findings = createFindings();
  const { checkpoint, verdict } = signed;
  if (verdict.kind === "wrong")
    findings.tampered("checkpoint", `the signature of ${verdict.name} is wrong`);
  else if (!signedByLog(signed))
    findings.incomplete("checkpoint", `none of the keys given for ${checkpoint.origin} signed it`);
  const atSeconds = verdict.kind === "verified" ? quorumTime(trust, verdict.by) : void 0;
  if (trust.quorum !== "none" && atSeconds === void 0)
    findings.incomplete("checkpoint", `it does not meet the quorum (${trust.quorum})`);
  const leafHash = leafHashOf(entry);
  const { index } = proof;
  const { size, root } = checkpoint;
  if (!verifyInclusion({ index, size, root, leafHash, proof: proof.proof }))
    findings.tampered("proof", `it does not show that this is entry ${index} of the ${size}`);
  checkEntry(entry, index).forEach(({ problem }) => findings.tampered(index, problem));
  return {
    verdict: findings.count("tampered") > 0 ? "tampered" : findings.count("incomplete") > 0 ? "incomplete" : "true",
    findings: findings.list(),
    index,
    log: checkpoint.origin,
    size,
    leafHash: toHex(leafHash),
    anchoredAt: atSeconds === void 0 ? void 0 : new Date(atSeconds * 1e3).toISOString()
  };
}
function checkEntry(entry, index) {
  const findings = createFindings();
  const checks = createEntryChecks({
    findings,
    entries: 1,
    seed: 0,
    from: { seq: index, prev: new Uint8Array(0) }
  });
  checks.add(entry);
  return findings.list();
}

// src/ledger/receipt.ts
var receiptFormat = "blobwatch-receipt/1";
function checkReceipt(source, keysFor2) {
  const parsed = parseReceipt(source);
  if (typeof parsed === "string") return { kind: "unreadable", problem: parsed };
  const signed = openCheckpoint(parsed.note, keysFor2(parsed.note));
  if (typeof signed === "string") return { kind: "unreadable", problem: signed };
  const { checkpoint, verdict } = signed;
  if (verdict.kind === "wrong")
    return {
      kind: "false",
      problem: `the signature of ${verdict.name} is not over this checkpoint`
    };
  if (!signedByLog(signed))
    return { kind: "unsigned", problem: "the checkpoint is not signed by a log key that you gave" };
  for (const name of ["intent", "result"]) {
    const { index, proof, text } = parsed[name];
    const { size, root } = checkpoint;
    const leafHash = leafHashOf(utf8(text));
    if (!verifyInclusion({ index, size, root, leafHash, proof }))
      return { kind: "false", problem: `the ${name} is not entry ${index} of that ledger` };
  }
  const facts = readFacts(parsed, checkpoint);
  return typeof facts === "string" ? { kind: "false", problem: facts } : { kind: "holds", facts, signed };
}
function readFacts({ intent, result, opened }, checkpoint) {
  const [first, last] = [intent, result].map(({ text }) => JSON.parse(text));
  if (first?.type !== "action.intent" || last?.type !== "action.result")
    return "the entries are not the intent and the result of an action";
  if (first.pub?.["action"] !== last.pub?.["action"]) return "intent and result are of two actions";
  if (first.seq !== intent.index || last.seq !== result.index)
    return "an entry stands in another place than it says";
  for (const [field, { salt, value }] of Object.entries(opened)) {
    if (first.com?.[field] !== toHex(commitmentOf({ field, salt, value })))
      return `the ${field} is not the one that the entry commits to`;
  }
  if (opened["account"] === void 0) return "the receipt does not open whose account it was";
  return {
    log: checkpoint.origin,
    size: checkpoint.size,
    kind: wordOf(first.pub?.["kind"]),
    applied: first.pub?.["applied"] === true,
    class: wordOf(first.pub?.["class"]),
    byPerson: first.pub?.["byPerson"] === true,
    intendedAt: wordOf(first.t),
    doneAt: wordOf(last.t),
    outcome: wordOf(last.pub?.["outcome"]),
    account: opened["account"].value,
    opened: Object.fromEntries(Object.entries(opened).map(([field, { value }]) => [field, value]))
  };
}
function wordOf(value) {
  return typeof value === "string" ? value : "not said";
}
function parseReceipt(source) {
  let document;
  try {
    document = JSON.parse(source);
  } catch {
    return "this is not a receipt: it is not JSON";
  }
  const { format, hashes, checkpoint, opened, text } = document ?? {};
  if (format !== receiptFormat)
    return typeof format === "string" && format.startsWith("blobwatch-receipt/") ? `this receipt has the format ${format}; this verifier knows ${receiptFormat}: get a newer one` : "this is not a receipt";
  const known = Array.isArray(hashes) ? hashes.map(parseHash) : [];
  const [intent, result] = [document["intent"], document["result"]].map(
    (entry) => parseEntry(entry, known)
  );
  const fields = parseOpened2(opened);
  if (intent === void 0 || result === void 0 || fields === void 0 || typeof checkpoint !== "string")
    return "a part of the receipt is missing or damaged";
  const lines = Array.isArray(text) ? text.filter((line) => typeof line === "string") : [];
  return { text: lines, intent, result, opened: fields, note: checkpoint };
}
function parseHash(text) {
  const bytes = typeof text === "string" ? fromBase64(text) : void 0;
  return bytes?.length === hashBytes ? bytes : void 0;
}
function parseEntry(value, hashes) {
  const { entry, index, path } = value ?? {};
  if (typeof entry !== "string" || !Number.isSafeInteger(index) || !Array.isArray(path))
    return void 0;
  const proof = path.map((at) => typeof at === "number" ? hashes[at] : void 0);
  if (proof.some((hash2) => hash2 === void 0)) return void 0;
  try {
    JSON.parse(entry);
  } catch {
    return void 0;
  }
  return { text: entry, index, proof };
}
function parseOpened2(value) {
  if (typeof value !== "object" || value === null) return void 0;
  const fields = {};
  for (const [field, pair] of Object.entries(value)) {
    const [saltHex, text] = Array.isArray(pair) ? pair : [];
    const salt = typeof saltHex === "string" ? fromHex(saltHex) : void 0;
    if (salt?.length !== saltBytes || typeof text !== "string") return void 0;
    fields[field] = { salt, value: text };
  }
  return fields;
}

// src/verifier/verify-receipt-file.ts
function verifyReceiptFile(input) {
  const { trust } = input;
  const checked = checkReceipt(
    textOf(input.receipt) ?? "",
    (note) => keysFor(trust, originOf(note))
  );
  if (checked.kind === "unreadable") return { usage: checked.problem };
  if (checked.kind !== "holds")
    return {
      verdict: checked.kind === "false" ? "tampered" : "incomplete",
      problem: checked.problem,
      facts: void 0,
      anchoredAt: void 0
    };
  const { verdict } = checked.signed;
  const atSeconds = verdict.kind === "verified" ? quorumTime(trust, verdict.by) : void 0;
  const isShort = trust.quorum !== "none" && atSeconds === void 0;
  return {
    verdict: isShort ? "incomplete" : "true",
    problem: isShort ? `its checkpoint does not meet the quorum (${trust.quorum})` : void 0,
    facts: checked.facts,
    anchoredAt: atSeconds === void 0 ? void 0 : new Date(atSeconds * 1e3).toISOString()
  };
}
function receiptSentence({ verdict, problem, facts }) {
  if (facts === void 0 || verdict === "tampered") return problem ?? "the receipt does not hold";
  const { kind, applied, outcome, doneAt, log, size } = facts;
  const what = `${applied ? "" : "the taking back of "}${kind}: ${outcome} at ${doneAt}, in the first ${size} entries of ${log}`;
  return problem === void 0 ? what : `${problem}; ${what}`;
}
function receiptLines({ facts, anchoredAt }) {
  if (facts === void 0) return [];
  const opened = Object.entries(facts.opened).map(([field, value]) => `  ${field}: ${value}`);
  return [
    "",
    ...opened,
    `  intended: ${facts.intendedAt}, ${facts.byPerson ? "decided by a person" : "by the policy"}`,
    `  class of the rule: ${facts.class}`,
    ...anchoredAt === void 0 ? [] : [`  witnessed: ${anchoredAt}`]
  ];
}

// src/verifier/cli.ts
var usageCode = 3;
var help = `Verifies a ledger bundle of Blobwatch from its files and the keys you trust. Needs no network and no database.

  node verify.mjs BUNDLE --key VKEY [--key VKEY …]     the log's key, and its witnesses' if you have them
  node verify.mjs BUNDLE --policy FILE                 a C2SP tlog-policy: logs, witnesses, quorum
  node verify.mjs proof FILE.tlog-proof --entry FILE --key VKEY
  node verify.mjs receipt FILE --key VKEY              what was done to an account, by one receipt

  --max-age 24h     how old the newest anchored checkpoint may be (s, m, h, d)
  --now TIME        what time it is, as 2026-11-21T03:20:00Z (default: this machine's clock)
  --pin FILE        an older checkpoint that somebody kept; the bundle must contain it. May be repeated
  --json            the report as JSON

Exit codes: 0 true, 1 tampered (it says where), 2 incomplete or stale, 3 used in a wrong way.`;
var UsageProblem = class extends Error {
};
async function runCli(args, io) {
  try {
    const { values, positionals } = parse(args);
    if (values.help === true || args.length === 0) {
      io.out(help);
      return args.length === 0 ? usageCode : 0;
    }
    const trust = makeTrust({
      policy: values.policy === void 0 ? void 0 : readText(values.policy, "--policy"),
      keys: values.key ?? []
    });
    if (typeof trust === "string") throw new UsageProblem(trust);
    const [first, file, ...more] = positionals;
    if (first === void 0 || more.length > 0)
      throw new UsageProblem("name one bundle, or proof or receipt and one file");
    if (file === void 0) return await verifyOne(values, { folder: first, trust }, io);
    if (first === "proof") return proveOne(values, { file, trust }, io);
    if (first === "receipt") return checkOneReceipt(values, { file, trust }, io);
    throw new UsageProblem("name one bundle, or proof or receipt and one file");
  } catch (error) {
    if (!(error instanceof UsageProblem) && !isFileError(error)) throw error;
    io.err(`${error.message}
(--help shows how it is used)`);
    return usageCode;
  }
}
function parse(args) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        key: { type: "string", multiple: true },
        policy: { type: "string" },
        "max-age": { type: "string" },
        now: { type: "string" },
        pin: { type: "string", multiple: true },
        entry: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    });
  } catch (error) {
    throw new UsageProblem(error.message);
  }
}
async function verifyOne(values, { folder, trust }, io) {
  if (values.entry !== void 0) throw new UsageProblem("--entry goes with proof");
  if (!statSync2(folder).isDirectory()) throw new UsageProblem(`${folder} is not a folder`);
  const report = await verifyBundle({
    files: folderFiles(folder),
    trust,
    nowMs: values.now === void 0 ? io.nowMs : parseTime(values.now),
    maxAgeMs: values["max-age"] === void 0 ? void 0 : readAge(values["max-age"]),
    pins: (values.pin ?? []).map((file) => readPin(file, trust)),
    seed: io.seed,
    onProgress: (done, of) => io.err(`${done} of ${of} entries`)
  });
  if ("usage" in report) throw new UsageProblem(report.usage);
  if (values.json === true) io.out(JSON.stringify(report, null, 2));
  else
    io.out(
      [
        `${verdictWords[report.verdict]}: ${verdictSentence(report)}`,
        ...findingLines(report).map((line) => `  ${line}`),
        "",
        ...factLines(report)
      ].join("\n")
    );
  return exitCodeOf[report.verdict];
}
function proveOne(values, { file, trust }, io) {
  if (values.entry === void 0)
    throw new UsageProblem("--entry FILE names the entry that is proved");
  for (const name of ["pin", "max-age", "now"])
    if (values[name] !== void 0) throw new UsageProblem(`--${name} does not go with proof`);
  const report = verifyProofFile({
    proof: new Uint8Array(readFileSync2(file)),
    entry: new Uint8Array(readFileSync2(values.entry)),
    trust
  });
  if ("usage" in report) throw new UsageProblem(report.usage);
  if (values.json === true) io.out(JSON.stringify(report, null, 2));
  else
    io.out(
      [
        `${verdictWords[report.verdict]}: ${proofSentence(report)}`,
        ...findingLines(report).map((line) => `  ${line}`)
      ].join("\n")
    );
  return exitCodeOf[report.verdict];
}
function checkOneReceipt(values, { file, trust }, io) {
  for (const name of ["entry", "pin", "max-age", "now"])
    if (values[name] !== void 0) throw new UsageProblem(`--${name} does not go with receipt`);
  const report = verifyReceiptFile({ receipt: new Uint8Array(readFileSync2(file)), trust });
  if ("usage" in report) throw new UsageProblem(report.usage);
  if (values.json === true) io.out(JSON.stringify(report, null, 2));
  else
    io.out(
      [`${verdictWords[report.verdict]}: ${receiptSentence(report)}`, ...receiptLines(report)].join(
        "\n"
      )
    );
  return exitCodeOf[report.verdict];
}
function readPin(file, trust) {
  const note = readText(file, "--pin");
  const opened = openCheckpoint(note, keysFor(trust, originOf(note)));
  if (typeof opened === "string")
    throw new UsageProblem(`--pin ${file} is no signed checkpoint: ${opened}`);
  if (opened.verdict.kind === "wrong")
    throw new UsageProblem(`--pin ${file}: the signature of ${opened.verdict.name} is wrong`);
  return { name: file, checkpoint: opened.checkpoint };
}
function readText(file, option) {
  const text = textOf(readFileSync2(file));
  if (text === void 0) throw new UsageProblem(`${option} ${file} is not a text file`);
  return text;
}
function readAge(text) {
  const ageMs = parseAge(text);
  if (ageMs === void 0) throw new UsageProblem("--max-age is a number with s, m, h or d, as 24h");
  return ageMs;
}
function parseTime(text) {
  const [, minute, second = ":00"] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.\d+)?Z$/.exec(text) ?? [];
  const atMs = minute === void 0 ? Number.NaN : Date.parse(text);
  if (Number.isNaN(atMs) || !new Date(atMs).toISOString().startsWith(`${minute}${second}`))
    throw new UsageProblem("--now is a time as 2026-11-21T03:20:00Z");
  return atMs;
}
function isFileError(error) {
  return error instanceof Error && "code" in error && "syscall" in error;
}

// src/verifier/main.ts
process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}
`),
  err: (text) => void process.stderr.write(`${text}
`),
  nowMs: Date.now(),
  seed: randomInt(2 ** 32)
});
