"""An exchange for Blobwatch: a list of changes in a CSV file that only grows. Python's standard library only.

A line is a change, in order: `put,ID,TYPE,VALUE,TAGS` or `delete,ID`. A `put` of an id that was there before replaces it; lines of
one id that follow each other are one item with several hashes. TAGS may be empty, or several with spaces between them.
The checkpoint is how far the file was read, so nothing is kept here between two runs.
The protocol is docs/extending.md: a JSON line in, a JSON line out.
"""

import csv
import json
import sys

# An answer has 5,000 updates and 8 MB at most, an item 64 hashes.
UPDATES_MAX = 1000
SIGNALS_MAX = 64
LINE_BYTES_MAX = 4096


class Refused(Exception):
    """What the file is not. Blobwatch asks again later; the text is shown to nobody but whoever runs `plugin check`."""


def changes(file):
    """The changes from where the file stands: each with the place behind it. A line without its end is still being written."""
    for line in iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""):
        if len(line) > LINE_BYTES_MAX:
            raise Refused("a line is too long")
        if not line.endswith(b"\n"):
            return
        row = next(csv.reader([line.decode("utf-8")]), [])
        if row and not row[0].startswith("#"):
            yield row, file.tell()


def update_of(row):
    if row[0] == "delete" and len(row) >= 2:
        return {"op": "delete", "id": row[1]}
    if row[0] == "put" and len(row) >= 4:
        signals = [{"type": row[2], "value": row[3].strip().lower()}]
        return {"op": "put", "id": row[1], "signals": signals, "tags": row[4].split() if len(row) > 4 else []}
    raise Refused("a line is no change")


def fetch(path, checkpoint):
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        start = int(checkpoint or 0)
        if start > size:
            raise Refused("the file is shorter than it was: it may only grow")
        file.seek(start)
        updates, end = [], start
        for row, behind in changes(file):
            update = update_of(row)
            last = updates[-1] if updates else None
            joins = last is not None and last["op"] == update["op"] == "put" and last["id"] == update["id"]
            if joins and len(last["signals"]) < SIGNALS_MAX:
                last["signals"] += update["signals"]
                last["tags"] = sorted({*last["tags"], *update["tags"]})
            elif len(updates) == UPDATES_MAX:
                return {"updates": updates, "checkpoint": str(end), "more": True}
            else:
                updates.append(update)
            end = behind
        return {"updates": updates, "checkpoint": str(end), "more": False}


def main():
    path = ""
    # Ends with the pipe: Blobwatch closed it, or is gone.
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        try:
            if request["op"] == "hello":
                path = request["config"]["path"]
                answer = {"protocol": 1, "name": "change_list"}
            elif request["op"] == "fetch":
                answer = fetch(path, request["checkpoint"])
            else:
                answer = {"error": "unknown op"}
        except (OSError, ValueError, Refused) as problem:
            print(problem, file=sys.stderr)
            answer = {"error": "see standard error"}
        print(json.dumps({"id": request["id"], **answer}), flush=True)


main()
