"""Keys, policies, signed notes."""

import re

from ed25519 import ed25519
from values import Bad, Usage, from_base64, sha256

MAX_SIGNATURES = 64
# Unicode White_Space and U+FEFF; and plus, which divides the parts of a verifier key.
NOT_IN_NAME = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff+]")


def is_key_name(name):
    return isinstance(name, str) and name != "" and NOT_IN_NAME.search(name) is None


def key_id(name, kind, key):
    return sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + key)[:4]


def parse_vkey(text, *kinds):
    """NAME+ID+BASE64 -> (kind, name, key); whatever is wrong is (1)."""
    parts = text.split("+", 2)
    try:
        data = from_base64(parts[2])
    except (IndexError, Bad):
        raise Usage("a key that cannot be read") from None
    if not is_key_name(parts[0]) or len(data) != 33 or data[0] not in kinds:
        raise Usage("a key of another kind")
    if key_id(parts[0], data[0], data[1:]).hex() != parts[1]:
        raise Usage("a key that does not fit its ID")
    return data[0], parts[0], data[1:]


class Policy:
    """C2SP tlog-policy, or nothing but keys: then no quorum is asked for."""

    def __init__(self):
        self.logs = []  # (name, key)
        self.witnesses = {}  # name in the policy -> (key name, key)
        self.groups = {}  # name -> (threshold, members)
        self.quorum = "none"

    def read(self, data):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Usage("the policy is not UTF-8") from None
        if re.search("[\x00-\x08\x0b-\x1f\x7f]", text):
            raise Usage("the policy has control characters")
        member_of, quorums, keys = set(), 0, {"log": set(), "witness": set()}
        for line in text.split("\n"):
            words = [word for word in re.split("[ \t]+", line) if word]
            if not words or words[0].startswith("#"):
                continue
            word, rest = words[0], words[1:]
            if word == "log" and len(rest) in (1, 2):
                self.logs.append(parse_vkey(rest[0], 1)[1:])
                key = self.logs[-1][1]
            elif word == "witness" and len(rest) in (2, 3):
                self.define(rest[0])
                self.witnesses[rest[0]] = parse_vkey(rest[1], 4)[1:]
                key = self.witnesses[rest[0]][1]
            elif word == "group" and len(rest) >= 3:
                members = rest[2:]
                self.define(rest[0])
                for member in members:
                    if not self.knows(member) or member in member_of:
                        raise Usage("a group's member is unknown or in a group already")
                    member_of.add(member)
                least = {"any": "1", "all": str(len(members))}.get(rest[1], rest[1])
                if not re.fullmatch("[1-9][0-9]{0,8}", least) or int(least) > len(members):
                    raise Usage("a group's number fits not")
                self.groups[rest[0]] = (int(least), members)
            elif word == "quorum" and len(rest) == 1:
                if rest[0] != "none" and not self.knows(rest[0]):
                    raise Usage("the quorum's name is unknown")
                self.quorum = rest[0]
                quorums += 1
            else:
                raise Usage("a line of the policy cannot be read")
            if word in keys:
                if key in keys[word]:
                    raise Usage("the policy has a key twice")
                keys[word].add(key)
        if quorums != 1:
            raise Usage("not exactly one quorum line")

    def add_key(self, text):
        """A key of a log or a witness that was given by itself: no quorum asks for it."""
        kind, name, key = parse_vkey(text.strip(), 1, 4)
        if kind == 1:
            self.logs.append((name, key))
        else:
            self.witnesses[" %d" % len(self.witnesses)] = (name, key)

    def knows(self, name):
        return name in self.witnesses or name in self.groups

    def define(self, name):
        if name == "none" or self.knows(name):
            raise Usage("a name twice in the policy")

    def met(self, signed, name):
        if name in self.witnesses:
            return name in signed
        least, members = self.groups[name]
        return sum(self.met(signed, member) for member in members) >= least

    def quorum_time(self, times):
        """times: name of a witness -> T. The largest T at which the quorum is met, or None."""
        for t in sorted(set(times.values()), reverse=True):
            if self.met({name for name, own in times.items() if own >= t}, self.quorum):
                return t
        return None

    def log_key(self, name, id_, origin):
        for base, key in self.logs:
            after = name[len(base) :] if name.startswith(base) else None
            goes_on = after and name == origin
            fits = after == "" or (goes_on and re.fullmatch(r"/recovered-([2-9]|[1-9][0-9]+)", after))
            if fits and key_id(name, 1, key) == id_:
                return key
        return None


class Note:
    """A signed note whose text is a checkpoint."""

    def __init__(self, data):
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Bad("no UTF-8") from None
        if re.search("[\x00-\x09\x0b-\x1f]", whole):
            raise Bad("a control character")
        text, divider, rest = whole.rpartition("\n\n")
        if not divider or not rest.endswith("\n"):
            raise Bad("no signed note")
        self.text, self.signatures = text + "\n", []
        self.lines = rest[:-1].split("\n")
        if len(self.lines) > MAX_SIGNATURES:
            raise Bad("too many signatures")
        for line in self.lines:
            parts = line.split(" ")
            if len(parts) != 3 or parts[0] != "\u2014" or not is_key_name(parts[1]):
                raise Bad("no signature line")
            signature = from_base64(parts[2])
            if len(signature) < 5:
                raise Bad("no signature line")
            self.signatures.append((parts[1], signature[:4], signature[4:]))
        head = self.text.split("\n")
        if len(head) < 4 or "" in head[:-1] or not is_key_name(head[0]) or not re.fullmatch("0|[1-9][0-9]{0,18}", head[1]):
            raise Bad("no checkpoint")
        self.name, self.size, self.root = head[0], int(head[1]), from_base64(head[2])
        if len(self.root) != 32:
            raise Bad("no checkpoint")

    def check(self, policy):
        """-> (wrong, signed by the log, times of witnesses)"""
        wrong, by_log, times, seen = False, False, {}, set()
        body = self.text.encode("utf-8")
        for name, id_, signature in self.signatures:
            if (name, id_) in seen:
                continue
            key = policy.log_key(name, id_, self.name)
            if key:
                seen.add((name, id_))
                right = ed25519(key, body, signature)
                wrong, by_log = wrong or not right, by_log or (right and name == self.name)
            for witness, (own, key) in policy.witnesses.items():
                if name != own or key_id(own, 4, key) != id_:
                    continue
                seen.add((name, id_))
                t = int.from_bytes(signature[:8], "big")
                head = "cosignature/v1\ntime %d\n" % t
                if len(signature) == 72 and ed25519(key, head.encode() + body, signature[8:]):
                    times[witness] = t
                else:
                    wrong = True
        return wrong, by_log, times
