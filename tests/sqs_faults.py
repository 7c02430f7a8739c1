# SPDX-License-Identifier: ISC
"""A queue's server that goes wrong as told, for whk-emit.t.

Each argument is how one request is answered, in turn; later ones are "ok".
The bodies that it took are lines on standard output, after the one with its
URL.

    ok        all entries are taken
    internal  of each request's entries the second fails, by the server's fault
    sender    the same, by the sender's fault
    silent    the same, but the answer does not speak of it
    throttle  the request as a whole is throttled
    500, 404  this status, with a page that is not JSON
    html      status 200 with a page that is not JSON
    shape     JSON of another shape
    half      the answer is cut off
    reset     the connection is closed without an answer
    denied    the request is not allowed
"""

import http.server
import json
import sys

ERRORS = {
    "throttle": (400, "RequestThrottled", "Rate exceeded."),
    "denied": (403, "AccessDeniedException", "Not allowed."),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        faults = self.server.faults
        fault = faults.pop(0) if faults else "ok"
        if fault == "reset":
            self.close_connection = True
        elif fault in ERRORS:
            status, code, message = ERRORS[fault]
            error = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
            self.say(status, json.dumps(error))
        elif fault.isdigit():
            self.say(int(fault), "<html>no</html>")
        elif fault == "html":
            self.say(200, "<html>yes</html>")
        elif fault == "shape":
            self.say(200, '["Successful"]')
        else:
            text = json.dumps(self.take(json.loads(body), fault))
            self.say(200, text, cut=10 if fault == "half" else 0)

    def take(self, request, fault):
        good, failed = [], []
        for i, entry in enumerate(request["Entries"]):
            if i == 1 and fault in ("internal", "sender"):
                failed.append(
                    {
                        "Id": entry["Id"],
                        "SenderFault": fault == "sender",
                        "Code": "InternalError" if fault == "internal"
                        else "InvalidMessageContents",
                        "Message": "so it was told",
                    }
                )
            elif i != 1 or fault != "silent":
                good.append({"Id": entry["Id"], "MessageId": "m"})
                sys.stdout.write(entry["MessageBody"] + "\n")
        sys.stdout.flush()
        return {"Successful": good, "Failed": failed}

    def say(self, status, text, cut=0):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) - cut])
        self.close_connection = cut > 0

    def log_message(self, format, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.faults = sys.argv[1:]
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
