#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Prints the webhooks that come. usage: consumer.py [PORT]"""
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Consumer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(body.decode(), flush=True)
        self.send_response(200)
        self.end_headers()


port = int(sys.argv[1]) if len(sys.argv) > 1 else 7777
HTTPServer(("", port), Consumer).serve_forever()
