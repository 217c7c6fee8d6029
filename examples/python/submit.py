"""Submits a document, waits for its end and prints the result as JSON.

    EXTRACTQ_SERVER=http://127.0.0.1:8080 \
        python3 examples/python/submit.py tax_forms examples/tax_form.pdf

The Idempotency-Key is made of what is asked: the same command again, after whatever
has happened, gives the same extraction and never a second one.
"""

import hashlib
import json
import pathlib
import sys

import extractq


def main():
    document_type, path = sys.argv[1:3]
    document = pathlib.Path(path).read_bytes()
    key = hashlib.sha256(document_type.encode() + b"\n" + document).hexdigest()
    extraction = extractq.submit(document, pathlib.Path(path).name, key, type=document_type)
    print("submitted:", extraction["id"], file=sys.stderr)

    extraction = extractq.wait(extraction)
    if extraction["status"] != "SUCCESS":
        error = extraction["error"]
        sys.exit(f"{extraction['status']}: {error['code']}: {error['message']}")
    print(json.dumps(extraction["result"], indent=2))


if __name__ == "__main__":
    main()
