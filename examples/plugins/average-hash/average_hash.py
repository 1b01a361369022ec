"""A signal type for Blobwatch: the average hash of a grey picture, 64 bits. Python's standard library only.

It reads binary PGM (P5, 8 bits): `magick picture.jpg -colorspace Gray picture.pgm` makes one. Anything else has no value.
The protocol is docs/extending.md: a JSON line in, a JSON line out; the bytes of a file follow their line.
"""

import json
import re
import sys

SIDE = 8
PIXELS_MAX = 100_000_000
# Below this spread of grey the picture says nothing: noise would decide the bits.
SPREAD_MIN = 8

HEADER = re.compile(rb"P5(?:\s+#[^\n]*)*\s+(\d{1,5})(?:\s+#[^\n]*)*\s+(\d{1,5})(?:\s+#[^\n]*)*\s+(\d{1,5})\s")


def read_pgm(data):
    """Width, height and pixels row by row; None when it is anything else."""
    header = HEADER.match(data)
    if header is None:
        return None
    width, height, white = (int(number) for number in header.groups())
    pixels = data[header.end() : header.end() + width * height]
    if white != 255 or width < SIDE or height < SIDE or width * height > PIXELS_MAX:
        return None
    return (width, height, pixels) if len(pixels) == width * height else None


def average_hash(width, height, pixels):
    """Sixteen hex digits and the quality: the spread of the means, 0 to 100."""
    means = []
    for row in range(SIDE):
        top, bottom = row * height // SIDE, (row + 1) * height // SIDE
        for column in range(SIDE):
            left, right = column * width // SIDE, (column + 1) * width // SIDE
            total = sum(sum(pixels[y * width + left : y * width + right]) for y in range(top, bottom))
            means.append(total / ((bottom - top) * (right - left)))
    middle = sum(means) / len(means)
    bits = 0
    for mean in means:
        bits = bits << 1 | (mean > middle)
    spread = max(means) - min(means)
    return (f"{bits:016x}", min(100, round(spread / 2.55))) if spread >= SPREAD_MIN else None


def answer(request, data):
    if request["op"] == "hello":
        return {"protocol": 1, "name": "average_hash"}
    if request["op"] == "hash":
        picture = read_pgm(data)
        found = average_hash(*picture) if picture else None
        return {"value": found[0], "quality": found[1]} if found else {"value": None}
    return {"error": "unknown op"}


def main():
    source = sys.stdin.buffer
    # Ends with the pipe: Blobwatch closed it, or is gone.
    for line in iter(source.readline, b""):
        request = json.loads(line)
        data = source.read(request.get("bytes", 0))
        print(json.dumps({"id": request["id"], **answer(request, data)}), flush=True)


main()
