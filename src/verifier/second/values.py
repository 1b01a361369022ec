"""Base64, strict JSON, and the form of an entry."""

import base64
import binascii
import hashlib
import json
import re

MAX_DEPTH = 64
SAFE = 2**53 - 1
HEX64 = re.compile(r"[0-9a-f]{64}")
TYPE = re.compile(r"[a-z](?:[a-zA-Z0-9-]|\.(?!\.|\Z))*")
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.\d{3}Z", re.ASCII)
FIELDS = {"actor", "com", "idem", "log", "prev", "pub", "seq", "t", "type", "v"}


class Usage(Exception):
    """Exit 3."""


class Bad(Exception):
    """Bytes that are not what they should be."""


def sha256(data):
    return hashlib.sha256(data).digest()


def from_base64(text):
    """RFC 4648 section 4, only in the one form that the bytes have."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Bad("no base64") from None
    if base64.b64encode(data).decode() != text:
        raise Bad("base64 in another form")
    return data


def no(_):
    raise ValueError("a number that is not allowed")


def whole(text):
    """40.0 is 40."""
    number = float(text)
    return int(number) if number.is_integer() else number


def parse_json(data, parse_float=whole):
    try:
        return json.loads(data.decode("utf-8"), parse_constant=no, parse_float=parse_float)
    except (ValueError, RecursionError):
        raise Bad("no JSON") from None


def is_count(value, most=SAFE):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_text(value):
    """No lone surrogates: it can be written as UTF-8."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_hex64(value):
    return isinstance(value, str) and HEX64.fullmatch(value) is not None


def canonical(value, depth=1):
    """RFC 8785 for the restricted profile. No fraction gets here, nor -0: it is written 0."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) > SAFE:
            raise Bad("a number out of range")
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if depth > MAX_DEPTH:
        raise Bad("too deep")
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(canonical(k) + ":" + canonical(value[k], depth + 1) for k in keys) + "}"


def is_moment(text):
    match = TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return False
    year, month, day, hour, minute, second = map(int, match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return 1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60 and second < 60


def parse_entry(data):
    """(5)"""
    # A key that stands twice is lost here, and then the bytes differ.
    entry = parse_json(data, parse_float=no)
    try:
        if canonical(entry).encode("utf-8") != data:
            raise Bad("not in canonical form")
    except UnicodeEncodeError:
        raise Bad("a lone surrogate") from None
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise Bad("not exactly the ten fields")
    right = (
        all(isinstance(entry[name], dict) for name in ("actor", "com", "pub"))
        and all(is_hex64(value) for value in entry["com"].values())
        and is_hex64(entry["idem"])
        and is_hex64(entry["prev"])
        and isinstance(entry["log"], str)
        and entry["log"] != ""
        and is_count(entry["seq"])
        and is_moment(entry["t"])
        and isinstance(entry["type"], str)
        and len(entry["type"]) <= 64
        and TYPE.fullmatch(entry["type"])
        and entry["v"] == 1
        and not isinstance(entry["v"], bool)
    )
    if not right:
        raise Bad("a field has another shape")
    return entry
