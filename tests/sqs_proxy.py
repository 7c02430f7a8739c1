# SPDX-License-Identifier: ISC
"""Stands before a queue and goes wrong as told, for whk-poll.t and promise.t.

usage: fake-sqs.py UPSTREAM [ACTION:FAULT ...]

Requests go on to the queue's server at the URL UPSTREAM, and its answers back.
Each further argument changes what becomes of one receive or delete, in turn;
"ACTION:FAULT*N" of N of them, without N of all further ones. When they are
used up, all goes through. A line on standard output tells of each receive or
delete, after the one with its URL: the action, the fault or "ok", the number
of entries or messages.

Of either action:

    500       this status, with a page that is not JSON
    throttle  the request is throttled
    denied    access is denied
    gone      there is no such queue
    html      status 200 with a page that is not JSON
    shape     JSON of another shape
    reset     the connection is closed without an answer
    hang      no answer ever comes
    half      the answer is cut off (the queue has done its part)

Of a receive:

    twice     each message is listed twice
    again     what the last receive brought comes once more, as it was
    odd       one message more, whose body's MD5 is wrong
    bare      one message more, without a body
    id        the last message's attribute id is none

Of a delete:

    entry     the second entry fails by the server's fault, after all
    entries   all fail so, none is deleted
    expired   all fail as the receipt handles have expired; none is deleted
    silent    the answer speaks of no entry
    lie       all are well, but none is deleted
"""

import http.client
import http.server
import json
import sys
import threading
import urllib.parse

ERRORS = {
    "throttle": (400, "RequestThrottled", "Rate exceeded."),
    "denied": (403, "AccessDeniedException", "Not allowed."),
    "gone": (
        400,
        "QueueDoesNotExist",
        "The specified queue does not exist.",
    ),
}
ACTIONS = {"ReceiveMessage": "receive", "DeleteMessageBatch": "delete"}


class Plan:
    """The faults to come, for each action."""

    def __init__(self, words):
        self.lock = threading.Lock()
        self.faults = {"receive": [], "delete": []}
        self.last = None  # what the last receive brought
        for word in words:
            action, fault = word.split(":")
            fault, star, count = fault.partition("*")
            count = int(count) if count else -1 if star else 1
            self.faults[action].append([fault, count])

    def next(self, action):
        with self.lock:
            todo = self.faults.get(action)
            if not todo:
                return "ok"
            fault = todo[0][0]
            todo[0][1] -= 1
            if todo[0][1] == 0:
                todo.pop(0)
            return fault


def failed(entry, code, sender):
    return {
        "Id": entry["Id"],
        "SenderFault": sender,
        "Code": code,
        "Message": "so it was told",
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers["X-Amz-Target"].partition(".")[2]
        action = ACTIONS.get(target, target)
        fault = self.server.plan.next(action)
        if fault in ERRORS:
            status, code, message = ERRORS[fault]
            error = {"__type": f"com.amazonaws.sqs#{code}", "message": message}
            self.tell(action, fault, 0)
            self.say(status, json.dumps(error).encode())
        elif fault == "500":
            self.tell(action, fault, 0)
            self.say(500, b"<html>no</html>")
        elif fault == "html":
            self.tell(action, fault, 0)
            self.say(200, b"<html>yes</html>")
        elif fault == "shape":
            self.tell(action, fault, 0)
            self.say(200, b'{"Messages":"none","Successful":7}')
        elif fault == "reset":
            self.close_connection = True
            self.tell(action, fault, 0)
        elif fault == "hang":
            self.close_connection = True
            self.tell(action, fault, len(json.loads(body).get("Entries", [])))
            self.rfile.read(1)
        elif action == "receive":
            self.receive(body, fault)
        elif action == "delete":
            self.delete(body, fault)
        else:
            self.say(*self.upstream(body))

    def upstream(self, body):
        c = http.client.HTTPConnection(self.server.upstream, timeout=60)
        c.request("POST", "/", body, {
            "Content-Type": self.headers["Content-Type"],
            "X-Amz-Target": self.headers["X-Amz-Target"],
        })
        answer = c.getresponse()
        data = answer.read()
        c.close()
        return answer.status, data

    def receive(self, body, fault):
        plan = self.server.plan
        if fault == "again" and plan.last is not None:
            status, data = 200, plan.last
        else:
            status, data = self.upstream(body)
        answer = json.loads(data)
        messages = answer.get("Messages", [])
        if messages and fault in ("ok", "twice"):
            plan.last = data
        if fault == "twice":
            answer["Messages"] = [m for m in messages for _ in (1, 2)]
        elif fault in ("odd", "bare"):
            extra = {"MessageId": fault, "ReceiptHandle": fault}
            extra["Attributes"] = {"SentTimestamp": "1795474463226"}
            if fault == "odd":
                extra |= {"Body": "x", "MD5OfBody": "0" * 32}
            answer["Messages"] = messages + [extra]
        elif fault == "id":
            messages[-1]["MessageAttributes"] = {
                "id": {"DataType": "String", "StringValue": "no id"}
            }
        if fault not in ("ok", "half"):
            data = json.dumps(answer).encode()
        self.tell("receive", fault, len(answer.get("Messages", [])))
        self.say(status, data, cut=len(data) // 2 if fault == "half" else 0)

    def delete(self, body, fault):
        entries = json.loads(body)["Entries"]
        good = [{"Id": e["Id"]} for e in entries]
        bad = []
        if fault == "entries":
            good, bad = [], [failed(e, "InternalError", False) for e in entries]
        elif fault == "expired":
            good = []
            bad = [failed(e, "ReceiptHandleIsInvalid", True) for e in entries]
        elif fault != "lie":
            status, data = self.upstream(body)
            if fault == "silent":
                good = []
            elif fault == "entry" and len(entries) > 1:
                good.pop(1)
                bad = [failed(entries[1], "InternalError", False)]
        self.tell("delete", fault, len(entries))
        if fault not in ("ok", "half"):
            status = 200
            data = json.dumps({"Successful": good, "Failed": bad}).encode()
        self.say(status, data, cut=len(data) // 2 if fault == "half" else 0)

    def tell(self, action, fault, count):
        with self.server.plan.lock:
            sys.stdout.write(f"{action} {fault} {count}\n")
            sys.stdout.flush()

    def say(self, status, data, cut=0):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) - cut])
        if cut > 0:
            self.close_connection = True

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    server.upstream = urllib.parse.urlsplit(sys.argv[1]).netloc
    server.plan = Plan(sys.argv[2:])
    path = urllib.parse.urlsplit(sys.argv[1]).path
    print(f"http://127.0.0.1:{server.server_port}{path}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
