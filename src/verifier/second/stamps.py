"""RFC 3161 time stamps, as far as their imprint."""

from values import Bad


def der(data):
    """The elements of a run of DER: [(tag, content)]."""
    found, at = [], 0
    while at < len(data):
        if len(data) < at + 2 or data[at] & 0x1F == 0x1F:
            raise Bad("no DER")
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            if not 1 <= count <= 4 or length < 0x80 or length >> 8 * (count - 1) == 0:
                raise Bad("no DER")
            at += count
        if at + length > len(data):
            raise Bad("no DER")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def imprint(body):
    """The SHA-256 imprint of an RFC 3161 TimeStampResp or token."""
    signed_data = bytes.fromhex("2a864886f70d010702")
    tst_info = bytes.fromhex("2a864886f70d0109100104")
    try:
        ((tag, content),) = der(body)
        outer = der(content)
        if outer[0][0] == 0x30:
            outer = der(outer[1][1])
        if tag != 0x30 or outer[0] != (6, signed_data) or outer[1][0] != 0xA0:
            raise Bad("no time stamp")
        ((signed_tag, signed),) = der(outer[1][1])
        inner = der(der(signed)[2][1])
        if inner[0] != (6, tst_info) or inner[1][0] != 0xA0:
            raise Bad("no time stamp")
        ((tag, info),) = der(inner[1][1])
        ((info_tag, info),) = der(info)
        _, _, stamp, _, (time_tag, _) = der(info)[:5]
        algorithm, (hash_tag, value) = der(stamp[1])[:2]
        if (tag, info_tag, signed_tag, stamp[0], time_tag) != (4, 0x30, 0x30, 0x30, 0x18):
            raise Bad("no time stamp")
        if hash_tag != 4 or len(value) != 32:
            raise Bad("no time stamp")
        if der(algorithm[1])[0] != (6, bytes.fromhex("608648016503040201")):
            raise Bad("another hash")
        return value
    except (IndexError, ValueError):
        raise Bad("no time stamp") from None
