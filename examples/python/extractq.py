"""What the other examples call the HTTP API with: copy it and change it.

EXTRACTQ_SERVER is where the API is, EXTRACTQ_API_KEY the API key, where it wants
one. Python 3.9 or newer, and its standard library.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER = os.environ.get("EXTRACTQ_SERVER", "http://127.0.0.1:8080").rstrip("/")
FINAL = {"SUCCESS", "ERROR", "EXPIRED", "CANCELED"}


class Problem(Exception):
    """An answer other than a success. code is stable, detail is for people."""

    def __init__(self, status, body):
        self.status = status
        try:
            problem = json.loads(body)
            self.code, detail = problem.get("code"), problem.get("detail")
        except ValueError:  # Not from the API: a proxy, perhaps.
            self.code, detail = None, body[:200].decode(errors="replace")
        super().__init__(f"{status} {self.code}: {detail}")


def open_(method, path, query=None, body=None, headers=None, timeout=120):
    """Makes one call and returns the answer, unread."""
    url = SERVER + path
    if query:
        url += "?" + urllib.parse.urlencode({k: v for k, v in query.items() if v})
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if os.environ.get("EXTRACTQ_API_KEY"):
        request.add_header("Authorization", "Bearer " + os.environ["EXTRACTQ_API_KEY"])
    return urllib.request.urlopen(request, timeout=timeout)


def call(method, path, query=None, body=None, headers=None, attempts=6):
    """Makes a call and returns the JSON of its answer.

    It is repeated when there is no answer, and when the answer says so by
    Retry-After, as 429 and 503 do. So it must be one that may be repeated: GET and
    DELETE, an acknowledgement, a submission with an Idempotency-Key.
    """
    for attempt in range(attempts):
        wait = 2**attempt
        try:
            with open_(method, path, query, body, headers) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as e:
            problem = Problem(e.code, e.read())
            if "Retry-After" not in e.headers or attempt == attempts - 1:
                raise problem from None
            wait = int(e.headers["Retry-After"])
        except (OSError, http.client.HTTPException):  # Away, or gone in the middle.
            if attempt == attempts - 1:
                raise
        time.sleep(wait)
    return None


def submit(document, name, key, **fields):
    """Submits the bytes of a document and returns its extraction."""
    headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key}
    return call("POST", "/v1/extractions", dict(fields, name=name), document, headers)


def wait(extraction):
    """Waits until the extraction is final and returns it."""
    while extraction["status"] not in FINAL:
        extraction = call("GET", "/v1/extractions/" + extraction["id"], {"wait": "60s"})
    return extraction
