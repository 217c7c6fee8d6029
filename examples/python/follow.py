"""Submits documents as one batch and prints each as it ends.

    EXTRACTQ_SERVER=http://127.0.0.1:8080 \
        python3 examples/python/follow.py tax_forms monday examples/*.pdf

It listens to the events of the batch. A stream that breaks is resumed behind the
last event that was received; before there was one, a listing tells what was missed.
"""

import hashlib
import http.client
import json
import pathlib
import sys
import time
import urllib.error

import extractq


def events(batch):
    """Yields the batch's extractions as they change, forever."""
    last = None
    while True:
        headers = {"Last-Event-ID": last} if last else {}
        try:
            # The server says something every 15 s: 60 s of silence are a dead connection.
            with extractq.open_("GET", "/v1/events", {"batch": batch}, headers=headers, timeout=60) as stream:
                if last is None:
                    yield from listing(batch)
                for line in stream:
                    field, _, value = line.decode().rstrip("\n").partition(": ")
                    if field == "id":
                        last = value
                    elif field == "data" and value != "{}":
                        yield json.loads(value)
        except urllib.error.HTTPError as e:
            if e.code < 500 and e.code != 429:
                raise extractq.Problem(e.code, e.read()) from None
        except (OSError, http.client.HTTPException):
            pass  # The server is away, or stopping.
        time.sleep(1)


def listing(batch):
    """Yields the batch's extractions as they are now."""
    cursor = None
    while True:
        page = extractq.call("GET", "/v1/extractions", {"batch": batch, "limit": 1000, "cursor": cursor})
        yield from page["extractions"]
        cursor = page["next_cursor"]
        if not cursor:
            return


def main():
    document_type, batch, *paths = sys.argv[1:]
    waiting = set()
    for path in paths:
        document = pathlib.Path(path).read_bytes()
        key = hashlib.sha256(f"{document_type}\n{batch}\n{path}\n".encode() + document).hexdigest()
        extraction = extractq.submit(document, path, key, type=document_type, batch=batch)
        waiting.add(extraction["id"])

    failed = False
    stream = events(batch)
    while waiting:
        extraction = next(stream)
        if extraction["id"] in waiting and extraction["status"] in extractq.FINAL:
            waiting.remove(extraction["id"])
            failed = failed or extraction["status"] != "SUCCESS"
            print(extraction["status"], extraction["id"], extraction["document"]["name"], flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
