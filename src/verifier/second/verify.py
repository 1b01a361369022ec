"""A second verifier of ledger bundles, for tests only.

It was written from docs/ledger.md alone, without looking at our own verifier,
in another language and with nothing but Python's standard library (3.9 or
newer). src/verifier/second.test.ts runs both on the same bundles, true and
tampered: where they disagree, one of them or the page is wrong. Numbers like
"(14)" are those of the page's section "Every check".

    python3 verify.py BUNDLE --policy FILE | --key VKEY ... [--max-age 24h]
                      [--now TIME] [--pin FILE] ...
    python3 verify.py --serve    one JSON array of arguments per line of stdin

It writes one line of JSON, {"exit": .., "problems": [{"kind", "where", "what"}]}, what
decided the verdict first, and exits with 0 true, 1 tampered, 2 incomplete, 3 usage.
"""

import datetime
import json
import re
import sys

# Nothing is written beside the source when a test runs this.
sys.dont_write_bytecode = True

from log import Log
from notes import Note, Policy, is_key_name
from stamps import imprint
from values import Bad, Usage, from_base64, is_count, is_hex64, is_text, parse_json, sha256

MAX_LINE = 2_000_000
MAX_ENTRIES = 400_000_000


class Bundle(Log):
    def __init__(self, folder, policy, pins):
        super().__init__(folder)
        self.policy, self.pins = policy, pins
        self.notes = []  # (name, size, note) of checkpoints.jsonl
        self.good = []  # (size, times of witnesses) of heads that were compared and are right

    def verify(self, max_age, now):
        self.read_manifest()
        self.read_entries()
        self.check_tiles()
        self.check_checkpoints()
        self.check_anchors()
        self.check_opened()
        self.check_quorum(max_age, now)
        for at, _, first, last, _ in self.recoveries:
            if last > first:
                self.i("entry %d" % at, "entries %d to %d of the log before are lost" % (first, last - 1))

    def read_manifest(self):
        """(2), (3)"""
        data, self.newest = self.read("bundle.json"), self.read("checkpoint")
        if data is None and self.newest is None:
            raise Usage("neither bundle.json nor checkpoint is there")
        manifest = None
        if data is None:
            self.i("bundle.json", "it is missing")
        else:
            try:
                manifest = self.parse_manifest(data)
            except Bad as problem:
                self.t("bundle.json", str(problem))
        if manifest is None:
            try:
                note = Note(self.newest or b"")
                manifest = {"log": note.name, "size": note.size}
            except Bad:
                manifest = {"log": None, "size": 0}
        self.log, self.n = manifest["log"], manifest["size"]
        self.opened = manifest.get("opened", "none")
        self.counts = [manifest.get(name, 0) for name in ("checkpoints", "anchors", "openedValues")]
        if self.n > MAX_ENTRIES:
            raise Usage("a bundle of too many entries")

    def parse_manifest(self, data):
        manifest = parse_json(data)
        if not isinstance(manifest, dict) or manifest.get("format") != "blobwatch-ledger-bundle":
            raise Usage("another format")
        version = manifest.get("version")
        if isinstance(version, bool) or not isinstance(version, (int, float)) or version < 1:
            raise Bad("no version")
        if version > 1:
            raise Usage("a later version")
        counts = ("size", "checkpoints", "anchors", "openedValues")
        if not is_key_name(manifest.get("log")) or not all(is_count(manifest.get(c)) for c in counts):
            raise Bad("no name of a log, or a count that is none")
        if manifest.get("opened") not in ("none", "some", "all"):
            raise Bad("another word in opened")
        return manifest

    def lines(self, path, count):
        """The lines of a JSON Lines file as (where, object); None if it is missing."""
        data = self.read(path)
        if data is None:
            return None
        lines = data.split(b"\n")
        if lines.pop() != b"":
            self.t("%s line %d" % (path, len(lines) + 1), "the last line does not end")
        if len(lines) < count:
            self.i(path, "fewer lines than bundle.json says")
        found = []
        for number, line in enumerate(lines, 1):
            where = "%s line %d" % (path, number)
            try:
                value = parse_json(line) if len(line) <= MAX_LINE else None
            except Bad:
                value = None
            if isinstance(value, dict):
                found.append((where, value))
            else:
                self.t(where, "no JSON object, or too long")
        return found

    def check_checkpoints(self):
        """(14) to (19), (21)"""
        lines, last = self.lines("checkpoints.jsonl", self.counts[0]), 0
        if lines is None and self.counts[0] > 0:
            self.i("checkpoints.jsonl", "it is missing")
        for where, line in lines or []:
            size, text = line.get("size"), line.get("note")
            if not is_count(size) or not isinstance(text, str) or size < last:
                self.t(where, "no size or note, or out of order")
                continue
            last = size
            note = self.check_note(where, text.encode("utf-8", "surrogatepass"))
            if note and note.size != size:
                self.t(where, "the note has another size")
            if note:
                self.notes.append((note.name, size, note))
        if self.newest is None:
            self.i("checkpoint", "it is missing")
        else:
            note = self.check_note("checkpoint", self.newest)
            if note and note.name != self.log:
                self.t("checkpoint", "another log than that of bundle.json")
            if note and note.size < self.n:
                self.i("checkpoint", "entries after it are not signed")
        for where, note in self.pins:
            self.check_head(where, note.name, note.size, note.root)

    def check_note(self, where, data):
        try:
            note = Note(data)
        except Bad as problem:
            self.t(where, str(problem))
            return None
        right = self.check_head(where, note.name, note.size, note.root)
        wrong, by_log, times = note.check(self.policy)  # (18)
        if wrong:
            self.t(where, "a wrong signature")
        elif not by_log:
            self.i(where, "no known key of the log has signed it")
        elif right:
            self.good.append((note.size, times))
        return note

    def check_head(self, where, name, size, root):
        """(15) to (17); whether it was compared with the tree and is right."""
        if not self.all_read and size > len(self.leaves):
            self.i(where, "it cannot be compared")
            return False
        if name not in self.names:
            self.t(where, "none of the log's names")
            return False
        for _, before, first, last, last_root in self.recoveries:
            if name == before and size > first:
                if size > last or (size == last and root.hex() != last_root):
                    self.t(where, "what was lost is not what was admitted")
                return False
        if size > self.n:
            self.t(where, "more entries than there are")
            return False
        if root != self.root(size):
            self.t(where, "another root")
            return False
        return True

    def check_anchors(self):
        """(22) to (24)"""
        lines, last = self.lines("anchors.jsonl", self.counts[1]), 0
        if lines is None and self.counts[1] > 0:
            self.i("anchors.jsonl", "it is missing")
        for where, line in lines or []:
            size = line.get("size")
            texts = [line.get(name) for name in ("origin", "kind", "who", "body", "at")]
            try:
                if not is_count(size) or not all(isinstance(text, str) for text in texts) or size < last:
                    raise Bad("lacks a field, or out of order")
                last = size
                body = from_base64(texts[3])
                if texts[1] == "timestamp":
                    self.check_time_stamp(where, texts[0], size, body)
                if texts[1] == "record":
                    self.check_record(where, texts[0], size, body)
            except Bad as problem:
                self.t(where, str(problem))

    def check_time_stamp(self, where, origin, size, body):
        stamped = imprint(body)
        note = next((note for name, at, note in self.notes if (name, at) == (origin, size)), None)
        if note is None:
            self.i(where, "no checkpoint of its size and name")
            return
        form = note.text + "\n"
        for line in note.lines:
            form += line + "\n"
            if sha256(form.encode("utf-8")) == stamped:
                return
        self.t(where, "its imprint fits no form of the note")

    def check_record(self, where, origin, size, body):
        record = parse_json(body)
        if not isinstance(record, dict):
            raise Bad("no record")
        heads = []
        if "note" in record:
            if not isinstance(record["note"], str):
                raise Bad("its note is none")
            note = Note(record["note"].encode("utf-8", "surrogatepass"))
            heads.append((note.name, note.size, note.root))
        if any(name in record for name in ("origin", "size", "root")):
            root = record.get("root")
            if not isinstance(root, str):
                raise Bad("its head lacks a field")
            heads.append((record.get("origin"), record.get("size"), from_base64(root)))
        if not heads or heads[0] != heads[-1]:
            raise Bad("it names no head, or two")
        if heads[0][:2] != (origin, size):
            raise Bad("it names another head than the line")
        self.check_head(where, *heads[0])

    def check_opened(self):
        """(25) to (27)"""
        if self.opened == "none":
            return
        lines, opened, last = self.lines("opened.jsonl", self.counts[2]), set(), 0
        if lines is None:
            self.i("opened.jsonl", "it is missing")
            return
        for where, line in lines:
            seq, field, salt, value = (line.get(name) for name in ("seq", "field", "salt", "value"))
            texts = isinstance(field, str) and is_text(value)
            if is_count(seq) and seq >= len(self.leaves) and not self.all_read:
                break
            if not is_count(seq) or not texts or not is_hex64(salt):
                self.t(where, "no opened value")
                continue
            if seq < last or (seq, field) in opened:
                self.t(where, "out of order, or a second time")
            last = max(seq, last)
            opened.add((seq, field))
            if seq >= len(self.leaves):
                self.t(where, "there is no such entry")
                continue
            entry = self.entries[seq]
            if entry is None:
                continue
            if field not in entry["com"]:
                self.t("entry %d" % seq, "it has no field that %s opens" % where)
                continue
            parts = [b"modlog/commit/v1", field.encode("utf-8", "surrogatepass")]
            data = b"\0".join(parts) + b"\0" + bytes.fromhex(salt) + value.encode("utf-8")
            if sha256(data).hex() != entry["com"][field]:
                self.t("entry %d" % seq, "its commitment is not what %s opens" % where)
        if self.opened != "all":
            return
        for seq, entry in enumerate(self.entries):
            for field in entry["com"] if entry else ():
                if (seq, field) not in opened and seq not in self.erased:
                    (self.t if self.all_read else self.i)("entry %d" % seq, "not opened, and not erased by any entry")

    def check_quorum(self, max_age, now):
        """(28), (29)"""
        if self.policy.quorum == "none":
            if max_age is not None:
                known = [entry["t"] for entry in self.entries if entry]
                newest = parse_time(known[-1]) if known else None
                self.check_age(newest, max_age, now)
            return
        met = [(size, self.policy.quorum_time(times)) for size, times in self.good]
        best = max(((size, t) for size, t in met if t is not None), default=None)
        if best is None or best[0] < self.n:
            self.i("checkpoint", "no checkpoint of all entries meets the quorum")
        if max_age is not None:
            self.check_age(best and best[1], max_age, now)

    def check_age(self, newest, max_age, now):
        if newest is None or newest < now - max_age:
            self.i("checkpoint", "it is too old")


def parse_time(text):
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.(\d+))?Z", text, re.ASCII)
    try:
        moment = datetime.datetime.fromisoformat(match[1] + (match[2] or ":00") + "+00:00")
        return moment.timestamp() + float("0." + (match[3] or "0"))
    except (ValueError, TypeError):
        raise Usage("no time: " + text) from None


def parse_age(text):
    match = re.fullmatch("([0-9]{1,6})([smhd])", text)
    if match is None:
        raise Usage("no age: " + text)
    return int(match.group(1)) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)]


def read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as problem:
        raise Usage(str(problem)) from None


def run(arguments):
    policy, folder, pins = Policy(), None, []
    options = {"--policy": None, "--max-age": None, "--now": None}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") and folder is None:
            folder = word
        elif not rest:
            raise Usage("cannot be understood: " + word)
        elif word == "--key":
            policy.add_key(rest.pop(0))
        elif word == "--pin":
            pins.append(rest.pop(0))
        elif word in options and options[word] is None:
            options[word] = rest.pop(0)
        else:
            raise Usage("cannot be understood: " + word)
    if options["--policy"] is not None:
        policy.read(read_file(options["--policy"]))
    if folder is None or not policy.logs:
        raise Usage("no bundle, or no key of a log")
    age, now = options["--max-age"], options["--now"]
    age = None if age is None else parse_age(age)
    now = datetime.datetime.now().timestamp() if now is None else parse_time(now)
    pinned = []
    for path in pins:
        try:
            note = Note(read_file(path))
        except Bad as problem:
            raise Usage("%s is no checkpoint: %s" % (path, problem)) from None
        if note.check(policy)[0]:
            raise Usage("a wrong signature in " + path)
        pinned.append(("pinned " + path, note))
    bundle = Bundle(folder, policy, pinned)
    bundle.verify(age, now)
    code = 1 if bundle.tampered else 2 if bundle.incomplete else 0
    return {"exit": code, "problems": bundle.tampered + bundle.incomplete}


def answer(arguments):
    try:
        return run(arguments)
    except Usage as problem:
        return {"exit": 3, "problems": [{"kind": "U", "where": "command line", "what": str(problem)}]}


def main():
    if sys.argv[1:] == ["--serve"]:
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
        return 0
    result = answer(sys.argv[1:])
    print(json.dumps(result))
    return result["exit"]


if __name__ == "__main__":
    sys.exit(main())
