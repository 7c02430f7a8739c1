# SPDX-License-Identifier: ISC
"""A server with bad manners, for the tests of what sends to it.

usage: rude.py

Prints its URL, then those of three more ports: one that resets a connection
before a request was read, one that reads a TLS greeting and sends half of its
own, and one that takes no connections off its queue. Then, for each request
that came in whole, a JSON line: how it was asked to behave (the last part of
the path), the webhook-id, the number of the attempt, the milliseconds, how
many requests of that behaviour were under way, and what was answered.

How to behave is a function below, after its name: /hang, /drip, /flood ...
"""
import json
import os
import socket
import struct
import sys
import threading
import time
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit

lock = threading.Lock()
state = {"now": {}, "seen": {}}


def say(**line):
    os.write(1, (json.dumps(line) + "\n").encode())


class Request:
    def __init__(self, head, body, number):
        first, *lines = head.decode("latin-1").split("\r\n")
        url = urlsplit(first.split(" ")[1])
        self.how = url.path.rsplit("/", 1)[-1] or "fine"
        self.query = {k: v[0] for k, v in parse_qs(url.query).items()}
        self.headers = {
            k.lower(): v for k, v in (h.split(": ", 1) for h in lines if h)
        }
        self.body = body
        self.number = number  # on its connection, from 1
        self.id = self.headers.get("webhook-id")
        self.attempt = int(self.headers.get("webhook-attempt", 0))


def answer(c, status=200, headers=(), body=b"", reason="As Told"):
    head = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
    c.sendall("\r\n".join([*head, *headers, "", ""]).encode("latin-1") + body)
    return status


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def wait_gone(c):
    """Until the other end has closed."""
    try:
        while c.recv(65536):
            pass
    except OSError:
        pass


# --- behaviours: each gets the connection and the request ------------------


def fine(c, r):
    return answer(c, int(r.query.get("status", 200)))


def slow(c, r):
    time.sleep(float(r.query["s"]))
    return answer(c)


def fails(c, r):
    """The first so many attempts of each event fail."""
    with lock:
        n = state["seen"][r.id] = state["seen"].get(r.id, 0) + 1
    wanted = sum(r.id.encode()) % int(r.query["most"])
    time.sleep(0.002)
    return answer(c, 200 if n > wanted else 500)


def hang(c, r):
    wait_gone(c)


def drip(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\n")
    for n in range(10000):
        c.sendall(b"x" if n else b"X-Drip: ")
        time.sleep(1)


def dripbody(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    for _ in range(10000):
        c.sendall(b"x")
        time.sleep(1)


def flood(c, r):
    size = 1 << 30
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    sent = 0
    try:
        while sent < size:
            sent += c.send(b"f" * 65536)
    finally:
        say(flooded=sent)


def floodheader(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\nX-Flood: ")
    while True:
        c.sendall(b"f" * 65536)


def headers(c, r):
    lines = [f"X-Header-{n}: {n}" for n in range(10000)]
    return answer(c, headers=lines)


def short(c, r):
    """Less body than Content-Length says, and the end."""
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    c.close()


def long(c, r):
    """More body than Content-Length says."""
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlonger by far")
    c.close()


def badlength(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")
    c.close()


def twolengths(c, r):
    c.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody"
    )
    c.close()


def badchunk(c, r):
    c.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n"
    )
    c.close()


def cutchunk(c, r):
    c.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nbody"
    )
    c.close()


def cuthead(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    c.close()


def old(c, r):
    """HTTP/0.9: nothing but a body."""
    c.sendall(b"welcome to 1991\n")
    c.close()


def garbage(c, r):
    c.sendall(bytes(range(256)) * 4)
    c.close()


def another(c, r):
    """A status that is no number."""
    c.sendall(b"HTTP/1.1 two hundred\r\n\r\n")
    c.close()


def http2(c, r):
    c.sendall(b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n")
    c.close()


def endless100(c, r):
    while True:
        c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        time.sleep(0.01)


def few100(c, r):
    c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
    c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    return answer(c)


def switch(c, r):
    c.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
        b"Connection: upgrade\r\n\r\n"
    )
    c.close()


def resetafter(c, r):
    reset(c)


def closeafter(c, r):
    c.close()


def redirect(c, r):
    status = int(r.query.get("status", 302))
    where = "http://" + r.headers["host"] + "/followed"
    return answer(c, status, [f"Location: {where}"])


def wait(c, r):
    """A status with Retry-After, as it stands or as a date so far ahead."""
    value = r.query["after"]
    if value.startswith("date"):
        value = formatdate(time.time() + int(value[4:]), usegmt=True)
    return answer(c, int(r.query.get("status", 500)), [f"Retry-After: {value}"])


def dirty(c, r):
    """What no database takes as text, in headers and body."""
    c.sendall(
        b"HTTP/1.1 500 \xff\xfe\x1b[31m\r\n"
        b"X-Dirty: a\xff\xc3(\x01\x1b]0;x\x07b\r\n"
        b"Content-Length: 8\r\n\r\n\x00\xff\xc3(\x1b[1m"
    )
    c.close()


def nulheader(c, r):
    c.sendall(b"HTTP/1.1 200 OK\r\nX-Nul: a\x00b\r\nContent-Length: 0\r\n\r\n")
    c.close()


def gone(c, r):
    return answer(c, 410)


def lastone(c, r):
    """Answers, and closes the connection without having said so."""
    answer(c)
    c.close()
    return 200


def second(c, r):
    """Closes without an answer as the second request has come."""
    if r.number < 2:
        return answer(c)
    reset(c)
    return None


# --- the server ------------------------------------------------------------


def read_request(c, rest, number):
    """The next request and what came behind it; None at the end."""
    while b"\r\n\r\n" not in rest:
        more = c.recv(65536)
        if not more:
            return None, b""
        rest += more
    head, rest = rest.split(b"\r\n\r\n", 1)
    r = Request(head, b"", number)
    size = int(r.headers.get("content-length", 0))
    while len(rest) < size:
        more = c.recv(65536)
        if not more:
            return None, b""
        rest += more
    r.body = rest[:size]
    return r, rest[size:]


def behave(c, r):
    with lock:
        now = state["now"][r.how] = state["now"].get(r.how, 0) + 1
    came = time.time()
    status = None
    try:
        status = globals()[r.how](c, r)
    except OSError:
        pass
    finally:
        with lock:
            state["now"][r.how] -= 1
    say(
        how=r.how,
        id=r.id,
        attempt=r.attempt,
        at=round(came * 1000),
        now=now,
        status=status,
        body=r.body.decode("latin-1"),
        query=unquote(r.query.get("note", "")),
    )
    return status


def converse(c):
    rest = b""
    number = 1
    try:
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            r, rest = read_request(c, rest, number)
            if r is None or behave(c, r) is None:
                break
            number += 1
    except OSError:
        pass
    try:
        c.close()
    except OSError:
        pass


def half_tls(c):
    """A record that says it is longer than it is."""
    try:
        c.recv(65536)
        c.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + b"r" * 20)
        wait_gone(c)
        c.close()
    except OSError:
        pass


def listen(scheme, what):
    s = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"{scheme}://127.0.0.1:{s.getsockname()[1]}", flush=True)

    def accept():
        while True:
            c, _ = s.accept()
            threading.Thread(target=what, args=(c,), daemon=True).start()

    if what is not None:
        threading.Thread(target=accept, daemon=True).start()
    return s


threading.stack_size(256 << 10)
sockets = [
    listen("http", converse),
    listen("http", reset),
    listen("https", half_tls),
    listen("http", None),
]
sys.stdin.read() if sys.stdin.isatty() else threading.Event().wait()
