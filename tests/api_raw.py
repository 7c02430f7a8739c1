# SPDX-License-Identifier: ISC
"""What a server of HTTP must bear: api_raw.py HOST:PORT [few].

Prints "ok WHAT" or "not ok WHAT" for each. The server refuses requests that
take longer than a second to come; few: it has few descriptors.
"""
import resource
import socket
import sys
import time

HOST, PORT = sys.argv[1].rsplit(":", 1)
FEW = len(sys.argv) > 2
QUICK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connect():
    return socket.create_connection((HOST, int(PORT)), 30)


def answer(sock):
    """The status and the whole of what comes until the end or a second."""
    data = b""
    sock.settimeout(30)
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            break
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        part = sock.recv(65536)
        if not part:
            break
        body += part
    status = head.split(b" ")[1].decode() if b" " in head else ""
    return status, head, body


def check(good, what):
    print(("ok " if good else "not ok ") + what, flush=True)


def refused(data, status, what):
    with connect() as sock:
        try:
            sock.sendall(data)
        except OSError:
            pass
        got, _, body = answer(sock)
    check(got == status and body.startswith(b'{"error": "'),
          f"{what}: {status}, not {got or 'nothing'}")


def is_well():
    begin = time.monotonic()
    try:
        with connect() as sock:
            sock.sendall(QUICK)
            good = answer(sock)[0] == "200"
        return good and time.monotonic() - begin < 1
    except OSError:
        return False


def is_well_soon():
    """One that has to give way itself, as others come in, comes again."""
    for _ in range(20):
        if is_well():
            return True
        time.sleep(0.1)
    return False


if FEW:
    idle = [connect() for n in range(400)]
    check(is_well_soon(), "idle connections give way where descriptors are few")
    for s in idle[:200]:
        try:
            s.sendall(b"GET ")
        except OSError:
            pass
    idle = idle[200:] + [connect() for n in range(400)]
    check(is_well_soon(), "and half a request does too")
    sys.exit()

host = b"Host: localhost\r\n"
post = b"POST /webhooks/ HTTP/1.1\r\n" + host
json = b"Content-Type: application/json\r\n"
refused(b"hello\r\n\r\n", "400", "no request")
refused(b"GET / HTTP/1.1\r\n\r\n", "400", "no Host")
refused(b"GET /healthz HTTP/2.0\r\n" + host + b"\r\n", "505", "a version")
refused(b"GET /healthz HTTP/1.1\r\n" + host + b"a b: c\r\n\r\n", "400",
        "a malformed header")
refused(b"GET /healthz HTTP/1.1\r\n" + host + b"a: b\r\n c\r\n\r\n", "400",
        "a folded header")
refused(b"GET /healthz HTTP/1.1\r\n" + host + b"a: b\0c\r\n\r\n", "400",
        "a NUL in a header")
refused(b"GET /healthz HTTP/1.1\r\n" + host + b"a: " + b"x" * 100000 +
        b"\r\n\r\n", "431", "a huge header")
refused(b"GET /healthz HTTP/1.1\r\n" + host + b"a: b\r\n" * 200 + b"\r\n",
        "431", "two hundred headers")
refused(post + json + b"Content-Length: x\r\n\r\n", "400", "a bad length")
refused(post + json + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        "400", "two lengths")
refused(post + json + b"Content-Length: 1048577\r\n\r\n", "413",
        "a body over 1 MiB")
refused(post + json + b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", "413",
        "a chunk over 1 MiB")
refused(post + json + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "400",
        "a chunk that is none")
refused(post + json + b"Transfer-Encoding: gzip\r\n\r\n", "501", "a coding")
refused(post + json + b"Expect: tea\r\nContent-Length: 2\r\n\r\n", "417",
        "an expectation")
refused(post + json + b"Content-Length: 2\r\n\r\n\xff\xfe", "400", "no UTF-8")

body = b'{"url": "http://127.0.0.1:7777"}'
with connect() as s:
    s.sendall(post + json + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" %
              len(body) + body + b"\r\n0\r\n\r\n")
    check(answer(s)[0] == "200", "a body in chunks")
    s.sendall(post + json + b"Expect: 100-continue\r\nContent-Length: %d\r\n"
              b"\r\n" % len(body))
    check(s.recv(1000).startswith(b"HTTP/1.1 100 "), "a 100 is given")
    s.sendall(body)
    check(answer(s)[0] == "200", "and what follows is taken")
    s.sendall(QUICK * 3)
    got = b""
    while got.count(b'{"status": "ok"}') < 3:
        got += s.recv(65536)
    check(got.count(b"HTTP/1.1 200 OK") == 3, "three requests in a pipeline")
    s.sendall(b"HEAD /healthz HTTP/1.1\r\n" + host + b"\r\n")
    got = s.recv(65536)
    check(b"Content-Length: 17\r\n" in got and got.endswith(b"\r\n\r\n"),
          "HEAD gets a length and no body")
    s.sendall(b"GET http://localhost/healthz HTTP/1.1\r\n" + host + b"\r\n")
    check(answer(s)[0] == "200", "a whole URL for a target")
    s.sendall(b"GET /healthz HTTP/1.1\r\n" + host + b"Connection: close\r\n"
              b"\r\n")
    check(b"Connection: close" in answer(s)[1] and s.recv(1) == b"",
          "the connection ends when it shall")
with connect() as s:
    s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    check(answer(s)[0] == "200" and s.recv(1) == b"", "HTTP/1.0")
with connect() as s:
    old = b"GET /healthz HTTP/1.0\r\nConnection: %s\r\n\r\n"
    for n in range(2):
        s.sendall(old % b"Keep-Alive")
        status, head, _ = answer(s)
        check(status == "200" and b"Connection: keep-alive" in head,
              "HTTP/1.0 with keep-alive")
    s.sendall(old % b"keep-alive, close")
    check(b"Connection: close" in answer(s)[1] and s.recv(1) == b"",
          "until it is to close")
with connect() as s:
    s.sendall(b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n")
    status, head, _ = answer(s)
    check(status == "204" and b"PATCH" in head, "OPTIONS of the server")
    s.sendall(b"GET /healthz HTTP/1.9\r\n" + host + b"Connection: a\r\n"
              b"Connection: close\r\n\r\n")
    check(answer(s)[0] == "200" and s.recv(1) == b"",
          "a later HTTP/1, and two headers Connection")

# Clients that leave in the middle.
for n in range(50):
    with connect() as s:
        s.sendall((QUICK if n % 2 else b"GET /metrics HTTP/1.1\r\n" + host +
                   b"\r\n") + b"POST /events/ HTTP/1.1\r\n")
check(is_well(), "clients that leave do no harm")

# Slow senders: a byte now and then, each by itself in time.
slow = [connect() for n in range(100)]
begin = time.monotonic()
for byte in (b"G", b"E", b"T"):
    for s in slow:
        s.sendall(byte)
    check(is_well(), "slow senders hold up nobody")
    time.sleep(0.2)
check(answer(slow[0])[0] == "408" and time.monotonic() - begin < 20,
      "a slow sender gets 408")
check(answer(slow[-1])[0] == "408", "and each other")
for s in slow:
    s.close()

# One that does not read what it asked for.
deaf = connect()
deaf.settimeout(0.5)
try:
    while True:
        deaf.sendall(b"GET /openapi.json HTTP/1.1\r\n" + host + b"\r\n")
except OSError:
    pass
check(is_well(), "one that does not read holds up nobody")
deaf.close()

# Idle connections: 10,000 where the limits allow them.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
count = min(10000, most - 100)
idle = []
for n in range(count):
    idle.append(connect())
    if n % 1000 == 999:
        idle[-1].sendall(QUICK)
        if answer(idle[-1])[0] != "200":
            break
check(len(idle) == count and is_well(), f"{count} idle connections")
idle[0].sendall(QUICK)
try:
    check(answer(idle[0])[0] in ("200", ""), "the first of them is as before")
except OSError:
    check(True, "the first of them gave way")
for s in idle:
    s.close()
check(is_well(), "and when they have gone")
print("done")
