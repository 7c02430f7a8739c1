# SPDX-License-Identifier: ISC
"""Receives webhooks and verifies them with another's library.

usage: receiver.py SECRET-FILE

Prints its URL, and then for each request the SHA-256 of the body, "verified"
or what is wrong, and webhook-id.
"""
import hashlib
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

with open(sys.argv[1], encoding="ascii") as f:
    webhook = Webhook(f.read().strip())


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            webhook.verify(body, dict(self.headers), json_parse=False)
            word = "verified"
        except (WebhookVerificationError, ValueError) as e:
            word = repr(e)
        digest = hashlib.sha256(body).hexdigest()
        line = f"{digest} {word} {self.headers['webhook-id']}\n"
        os.write(1, line.encode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
