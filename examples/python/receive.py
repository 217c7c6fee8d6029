"""Is called back when extractions end, and prints each.

    EXTRACTQ_CALLBACK_SECRET=whsec_… python3 examples/python/receive.py 8081

Submit with callback_url=http://HOST:8081/, where HOST is how extractq reaches this
machine; an internal address must be in its callbacks.allow_hosts.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import sys
import time

# The key is what comes after whsec_, decoded.
KEY = base64.b64decode(os.environ["EXTRACTQ_CALLBACK_SECRET"].removeprefix("whsec_"))
MOST = 4 << 20  # A result comes along up to 256 KiB.


def verify(headers, body, now):
    """Raises ValueError unless the request is from extractq and new.

    This is https://www.standardwebhooks.com, which has a library for Python too.
    """
    identity, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not identity or not timestamp or abs(now - int(timestamp)) > 300:
        raise ValueError("not signed, or an old request that is sent again")
    signed = f"{identity}.{timestamp}.".encode() + body  # The bytes as they came.
    want = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    # While the secret changes there is a signature for each of the two.
    for signature in (headers["webhook-signature"] or "").split():
        version, _, got = signature.partition(",")
        if version == "v1" and hmac.compare_digest(got.encode(), want.encode()):
            return
    raise ValueError("the signature is not ours")


class Receiver(http.server.BaseHTTPRequestHandler):
    timeout = 15  # For a sender that stops in the middle.
    seen = set()  # The same event may come twice. Keep the ids of a few days in a database.

    def do_POST(self):
        try:
            length = int(self.headers["Content-Length"] or "none")
            if not 0 <= length <= MOST:
                return self.answer(413)
            body = self.rfile.read(length)
            verify(self.headers, body, time.time())
        except ValueError as e:
            print("refused:", e, flush=True)
            return self.answer(400)
        event = json.loads(body)
        if event["id"] not in self.seen:
            # First keep it, then answer: after the answer it is not sent again.
            extraction = event["data"]
            print(extraction["status"], extraction["id"], extraction["document"]["name"], flush=True)
            self.seen.add(event["id"])
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass  # The lines above are enough.


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening at http://127.0.0.1:{server.server_port}/", file=sys.stderr, flush=True)
    server.serve_forever()
