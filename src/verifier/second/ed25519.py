"""Ed25519, RFC 8032 section 5.1.7: strict and without the cofactor."""

import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    """Adds two points in extended coordinates (X, Y, Z, T)."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c = 2 * a[3] * b[3] * D % P
    d = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def decode_point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=100_000)
def ed25519(key, message, signature):
    """Whether S*B - k*A is R, by one walk over the bits of S and k."""
    if len(signature) != 64 or len(key) != 32:
        return False
    point = decode_point(key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    table = (IDENTITY, BASE, minus, add(BASE, minus))
    sum_ = IDENTITY
    for bit in range(252, -1, -1):
        sum_ = add(sum_, sum_)
        choice = (s >> bit & 1) | (k >> bit & 1) << 1
        if choice:
            sum_ = add(sum_, table[choice])
    return encode_point(sum_) == signature[:32]


if __name__ == "__main__":
    import json
    import sys

    # [[key, message, signature], ...] in hex -> [true, false, ...]
    print(json.dumps([ed25519(*map(bytes.fromhex, one)) for one in json.load(sys.stdin)]))
