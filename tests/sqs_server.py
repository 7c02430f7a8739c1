# SPDX-License-Identifier: ISC
"""A queue's server that takes signed requests only, for sigv4.t.

It computes each signature anew, with botocore, from the request as it came,
and answers as SQS does; what it thinks of each is a line on standard output,
after the line with its URL: the action, "good" or "bad", the region, the path.

usage: sqs_server.py KEY SECRET [TOKEN]
"""

import hashlib
import http.server
import json
import re
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,"
    r" *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})"
)


def wrong(request, body, credentials):
    """What is wrong with a request's signature, or None, and its region."""
    headers = request.headers
    match = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    if match is None:
        return "no signature", "-"
    key, date, region, service, names, signature = match.groups()
    names = names.split(";")
    needed = {n.lower() for n in headers if n.lower().startswith("x-amz-")}
    needed |= {"host", "content-type"}
    if not needed <= set(names):
        return f"not signed: {needed - set(names)}", region
    if headers.get("X-Amz-Security-Token") != credentials.token:
        return "another token", region
    if headers["X-Amz-Date"][:8] != date or key != credentials.access_key:
        return "another date or key", region
    again = botocore.awsrequest.AWSRequest(
        method=request.command,
        url=f"http://{headers['Host']}{request.path}",
        data=body,
        headers={n: headers[n] for n in names if n != "host"},
    )
    again.context["timestamp"] = headers["X-Amz-Date"]
    auth = botocore.auth.SigV4Auth(credentials, service, region)
    text = auth.string_to_sign(again, auth.canonical_request(again))
    if auth.signature(text, again) != signature:
        return "another signature", region
    return None, region


def answer(action, request):
    """What SQS would say."""
    if action == "GetQueueUrl":
        name = request["QueueName"]
        return {"QueueUrl": f"http://127.0.0.1/000000000000/{name}"}
    if action == "ReceiveMessage":
        body = '{"event": "signed"}'
        return {
            "Messages": [
                {
                    "MessageId": "1",
                    "ReceiptHandle": "r1",
                    "Body": body,
                    "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),
                    "Attributes": {
                        "SentTimestamp": "1795474463226",
                        "ApproximateReceiveCount": "1",
                    },
                }
            ]
        }
    return {
        "Successful": [
            {"Id": entry["Id"], "MessageId": f"m{entry['Id']}"}
            for entry in request["Entries"]
        ]
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers["X-Amz-Target"].removeprefix("AmazonSQS.")
        why, region = wrong(self, body, self.server.credentials)
        state = "good" if why is None else f"bad: {why}"
        sys.stdout.write(f"{action} {state} {region} {self.path}\n")
        sys.stdout.flush()
        if why is None:
            self.say(200, answer(action, json.loads(body)))
            return
        self.say(
            403,
            {
                "__type": "com.amazon.coral.service#InvalidSignatureException",
                "message": f"The request signature is wrong: {why}.",
            },
        )

    def say(self, status, answer):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.credentials = botocore.credentials.Credentials(*sys.argv[1:4])
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
