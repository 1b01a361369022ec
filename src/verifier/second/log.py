"""The entries of a bundle, its tree and its tiles: checks (4) to (13), (20)."""

import os

from values import Bad, is_count, is_hex64, parse_entry, sha256


def tile_path(index, width):
    groups = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        groups.insert(0, "x%03d" % (index % 1000))
    return "/".join(groups) + ("" if width == 256 else ".p/%d" % width)


class Log:
    def __init__(self, folder):
        self.folder = folder
        self.tampered, self.incomplete = [], []
        self.log, self.n = None, 0  # name and size, as read_manifest found them
        self.entries, self.leaves = [], []  # an entry that cannot be read is None
        self.names, self.in_force, self.recoveries = set(), None, []
        self.erased = set()

    def t(self, where, what):
        self.tampered.append({"kind": "T", "where": where, "what": what})

    def i(self, where, what):
        self.incomplete.append({"kind": "I", "where": where, "what": what})

    def read(self, path):
        try:
            with open(os.path.join(self.folder, path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_entries(self):
        """(4)"""
        self.idems, self.last_t, self.intents, self.results = set(), "", set(), set()
        for first in range(0, self.n, 256):
            width = min(256, self.n - first)
            path = "tile/entries/" + tile_path(first // 256, width)
            data, at, found = self.read(path), 0, []
            if data is None:
                self.i(path, "it is missing")
                break
            while at + 2 <= len(data):
                length = int.from_bytes(data[at : at + 2], "big")
                found.append(data[at + 2 : at + 2 + length])
                at += 2 + length
            if at != len(data):
                self.t(path, "it does not end where an entry ends")
                break
            if len(found) != width:
                self.t(path, "it has another number of entries than its place says")
            for entry in found[:width]:
                self.take(entry)
            if len(found) < width:
                break
        self.all_read = len(self.leaves) == self.n
        if self.all_read and self.n > 0 and self.in_force != self.log:
            self.t("bundle.json", "another log than that of the last entry")
        if self.n == 0:
            self.names.add(self.log)
        self.build_tree()

    def take(self, data):
        """(5) to (12)"""
        i = len(self.leaves)
        where = "entry %d" % i
        prev = self.leaves[-1].hex() if self.leaves else "0" * 64
        self.leaves.append(sha256(b"\0" + data))
        try:
            entry = parse_entry(data)
        except Bad as problem:
            self.t(where, str(problem))
            self.entries.append(None)
            return
        self.entries.append(entry)
        if entry["seq"] != i:
            self.t(where, "seq is not its place")
        if entry["prev"] != prev:
            self.t(where, "prev is not the hash of the entry before")
        if entry["t"] < self.last_t:
            self.t(where, "t is before that of the entry before")
        self.last_t = entry["t"]
        if entry["idem"] in self.idems:
            self.t(where, "idem is that of an earlier entry")
        self.idems.add(entry["idem"])
        self.take_name(i, where, entry)
        if entry["type"] in ("action.intent", "action.result"):
            self.take_action(where, entry)
        if entry["type"] == "account.erased":
            self.take_erasure(i, where, entry)

    def take_name(self, i, where, entry):
        """(9) and "When entries are lost"."""
        pub, log = entry["pub"], entry["log"]
        if entry["type"] != "log.recovered":
            if self.in_force not in (None, log):
                self.t(where, "another log than the entry before")
                return
            self.in_force = log
            self.names.add(log)
            return
        before, first, last, root = (pub.get(n) for n in ("previousLog", "size", "previousSize", "previousRoot"))
        shape = isinstance(before, str) and is_count(first) and is_count(last) and is_hex64(root)
        right = before == self.in_force if self.in_force is not None else before != log
        if not shape or first != i or not right or log in self.names:
            self.t(where, "a recovery that does not hold")
            return
        self.names |= {before, log}
        self.in_force = log
        self.recoveries.append((i, before, first, last, root))

    def take_action(self, where, entry):
        """(11)"""
        action = entry["pub"].get("action")
        if not is_count(action):
            self.t(where, "no number of an action")
        elif entry["type"] == "action.intent":
            if action in self.intents or action in self.results:
                self.t(where, "a second intent, or one after its result")
            else:
                self.intents.add(action)
        else:
            stopped = entry["pub"].get("outcome") == "superseded"
            if (action not in self.intents and not stopped) or action in self.results:
                self.t(where, "a result without an intent, or a second one")
            else:
                self.results.add(action)

    def take_erasure(self, i, where, entry):
        """(12)"""
        ranges = entry["pub"].get("erased", [])
        if not isinstance(ranges, list):
            ranges = [None]
        for pair in ranges:
            if not (isinstance(pair, list) and len(pair) == 2 and all(is_count(end) for end in pair)
                    and pair[0] <= pair[1] < i):  # fmt: skip
                self.t(where, "erased is not a list of ranges before it")
                return
        for start, end in ranges:
            self.erased.update(range(start, min(end + 1, len(self.leaves))))

    def build_tree(self):
        """levels[k][j] is the root over the leaves from j * 2^k to (j + 1) * 2^k."""
        self.levels = [self.leaves]
        while len(self.levels[-1]) > 1:
            row = self.levels[-1]
            self.levels.append([sha256(b"\1" + row[j] + row[j + 1]) for j in range(0, len(row) - 1, 2)])

    def root(self, size):
        whole, at, parts = sha256(b""), 0, []
        for k in range(size.bit_length() - 1, -1, -1):
            if size >> k & 1:
                parts.append(self.levels[k][at >> k])
                at += 1 << k
        for position, part in enumerate(reversed(parts)):
            whole = part if position == 0 else sha256(b"\1" + part + whole)
        return whole

    def check_tiles(self):
        """(13)"""
        level = 0
        while self.n >> 8 * level:
            count = self.n >> 8 * level
            row = self.levels[8 * level] if 8 * level < len(self.levels) else []
            for first in range(0, count, 256):
                width = min(256, count - first)
                path = "tile/%d/%s" % (level, tile_path(first // 256, width))
                if first + width > len(row):
                    continue
                data = self.read(path)
                if data is None:
                    self.i(path, "it is missing")
                elif data != b"".join(row[first : first + width]):
                    self.t(path, "its bytes are others")
            level += 1
