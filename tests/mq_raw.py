# SPDX-License-Identifier: ISC
"""What no SDK would send to whk-mq, for whk-mq.t.

usage: mq_raw.py URL [PID]

Prints lines as mq_client.py does. With PID, only what happens to clients when
that process, which serves URL, is told to end.
"""

import http.client
import json
import os
import signal
import socket
import sys
import time
import traceback
import urllib.parse
import uuid

URL = sys.argv[1]
HOST = urllib.parse.urlsplit(URL).hostname
PORT = urllib.parse.urlsplit(URL).port
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class Connection(socket.socket):
    """A socket that reads ahead once only."""

    def __init__(self):
        super().__init__()
        self.settimeout(30)
        self.connect((HOST, PORT))
        self.file = self.makefile("rb")

    def close(self):
        self.file.close()
        super().close()


def connect():
    return Connection()


def request(target, body, host="x", extra=""):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: {host}\r\n{extra}"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    if target:
        head += f"X-Amz-Target: {target}\r\n"
    return head.encode() + b"\r\n" + body


def answer(s):
    """Reads one answer: status, headers, JSON or bytes."""
    line = s.file.readline()
    if not line:
        raise EOFError("the connection ended before an answer")
    status = int(line.split()[1])
    headers = http.client.parse_headers(s.file)
    body = s.file.read(int(headers.get("Content-Length", -1)))
    try:
        body = json.loads(body)
    except ValueError:
        pass
    return status, headers, body


def call(operation, body, **more):
    with connect() as s:
        s.sendall(request("AmazonSQS." + operation, body, **more))
        return answer(s)


def new_queue():
    name = "q-" + uuid.uuid4().hex
    return call("CreateQueue", {"QueueName": name})[2]["QueueUrl"]


def refused(got, kind, code, status=400):
    assert got[0] == status, got
    assert got[2]["__type"].split("#")[1] == kind, got
    assert got[1]["x-amzn-query-error"] == code + ";Sender", got[1]
    assert got[1]["Content-Type"] == "application/x-amz-json-1.0"
    assert uuid.UUID(got[1]["x-amzn-RequestId"])
    assert got[2]["message"], got


def settle():
    """Returns when what was sent before it has been read by the server.

    It serves all connections from one loop: after some round trips it has
    been around more than once.
    """
    with connect() as s:
        for _ in range(5):
            s.sendall(request("AmazonSQS.ListQueues", {"MaxResults": 1}))
            assert answer(s)[0] == 200


def start_poll(queue, seconds=20):
    s = connect()
    body = {"QueueUrl": queue, "WaitTimeSeconds": seconds}
    s.sendall(request("AmazonSQS.ReceiveMessage", body))
    settle()
    return s


@check
def greeting():
    """A GET is answered for people and health checks"""
    with connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, body = answer(s)
    assert status == 200 and body.startswith(b"whk-mq "), body


@check
def malformed():
    """What is no JSON object is refused"""
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}{}",
        b'{"QueueName":}',
        b'{"QueueName":"\xff"}',
        b'{"QueueName":01}',
        b"[" * 100000,
        b'{"a":' * 100000,
        b"\0",
        b"{" + b" " * 1000000,
    ):
        got = call("CreateQueue", body)
        refused(got, "SerializationException", "MalformedInput")


@check
def wrong_types():
    """Parameters of a wrong type are refused"""
    queue = new_queue()
    for operation, more in (
        ("SendMessage", {"MessageBody": 5}),
        ("SendMessage", {"MessageBody": ["x"]}),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": "1"}),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": 1.5}),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": 10**30}),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": []}),
        ("SendMessage", {"MessageBody": "x", "MessageGroupId": 1}),
        ("SendMessageBatch", {"Entries": {}}),
        ("SendMessageBatch", {"Entries": ["x"]}),
        ("SendMessageBatch", {"Entries": [{"Id": 1, "MessageBody": "x"}]}),
        ("ReceiveMessage", {"MaxNumberOfMessages": "10"}),
        ("ReceiveMessage", {"MaxNumberOfMessages": True}),
        ("ReceiveMessage", {"AttributeNames": "All"}),
        ("ReceiveMessage", {"AttributeNames": [1]}),
        ("ReceiveMessage", {"MessageAttributeNames": [None]}),
        ("DeleteMessage", {"ReceiptHandle": 1}),
        ("GetQueueAttributes", {"AttributeNames": [1]}),
        ("SetQueueAttributes", {"Attributes": {"DelaySeconds": 1}}),
        ("TagQueue", {"Tags": {"a": 1}}),
        ("TagQueue", {"Tags": []}),
        ("UntagQueue", {"TagKeys": {}}),
        ("CreateQueue", {"QueueName": "x", "tags": {"a": None}}),
    ):
        got = call(operation, {"QueueUrl": queue, **more})
        refused(got, "SerializationException", "MalformedInput")
    got = call("SendMessage", {"QueueUrl": queue, "MessageBody": None})
    refused(got, "MissingRequiredParameterException", "MissingParameter")
    got = call("GetQueueUrl", {"QueueName": "x"})
    refused(
        got, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"
    )


@check
def forbidden_characters():
    """NULs and halves of surrogate pairs are not allowed in a body"""
    queue = new_queue()
    for body in ("a\0b", "\ud800", "\udc00x", "\ud800\ud800"):
        got = call("SendMessage", {"QueueUrl": queue, "MessageBody": body})
        refused(got, "InvalidMessageContents", "InvalidMessageContents")
    got = call("ReceiveMessage", {"QueueUrl": queue})
    assert got[2] == {}, got


@check
def nulls():
    """A parameter that is null is one that is not there"""
    queue = new_queue()
    got = call(
        "SendMessage",
        {
            "QueueUrl": queue,
            "MessageBody": "x",
            "DelaySeconds": None,
            "MessageAttributes": None,
            "MessageGroupId": None,
            "Unknown": {"a": [1, {"b": None}]},
        },
    )
    assert got[0] == 200, got
    got = call(
        "ReceiveMessage",
        {"QueueUrl": queue, "AttributeNames": None, "WaitTimeSeconds": None},
    )
    assert got[2]["Messages"][0]["Body"] == "x", got


@check
def keys():
    """Keys may be escaped; a message attribute comes once"""
    queue = new_queue()
    one = '{"DataType":"String","StringValue":"x"}'
    body = '{"\\u0051ueueUrl":"%s","MessageBody":"x","MessageAttributes":{%s}}'
    data = body % (queue, '"\\u0061":' + one)
    assert call("SendMessage", data.encode())[0] == 200
    data = body % (queue, f'"\\u0061":{one},"a":{one}')
    refused(
        call("SendMessage", data.encode()),
        "InvalidParameterValueException",
        "InvalidParameterValue",
    )
    got = call(
        "ReceiveMessage", {"QueueUrl": queue, "MessageAttributeNames": ["a"]}
    )
    attributes = got[2]["Messages"][0]["MessageAttributes"]
    assert attributes == {"a": json.loads(one)}, got


@check
def values():
    """A body of very many values is refused, and costs no more than that"""
    data = b'{"a":[' + b"1," * 1000000 + b"1]}"
    refused(
        call("ListQueues", data), "SerializationException", "MalformedInput"
    )


@check
def targets():
    """Unknown operations and other protocols are named as such"""
    with connect() as s:
        for target in (
            "AmazonSQS.Nothing",
            "AmazonSQS.",
            "AmazonSQS",
            "AmazonSNS.SendMessage",
            "x",
        ):
            s.sendall(request(target, {}))
            refused(
                answer(s), "UnknownOperationException", "InvalidAction"
            )
    query = "AWS.SimpleQueueService.UnsupportedOperation"
    with connect() as s:
        s.sendall(request(None, b"Action=ListQueues&Version=2012-11-05"))
        got = answer(s)
        refused(got, "UnsupportedOperation", query)
        assert "Query protocol" in got[2]["message"]
        s.sendall(b"GET /?Action=ListQueues HTTP/1.1\r\nHost: x\r\n\r\n")
        refused(answer(s), "UnsupportedOperation", query)


@check
def methods():
    """Other methods are refused"""
    for method in ("PUT", "DELETE", "PATCH"):
        with connect() as s:
            head = f"{method} / HTTP/1.1\r\nHost: x\r\n"
            s.sendall(head.encode() + b"Content-Length: 0\r\n\r\n")
            assert answer(s)[0] >= 400


@check
def hosts():
    """URLs of queues have the host that the client used, if it is sane"""
    body = {"QueueName": "hosts"}
    for host, wanted in (
        ("mq:9324", "http://mq:9324"),
        ("[::1]:80", "http://[::1]:80"),
        ("localhost", "http://localhost"),
        ('a"b', URL),
        ("a/b", URL),
        ("x" * 300, URL),
        ("", URL),
    ):
        got = call("CreateQueue", body, host=host)
        assert got[2]["QueueUrl"] == wanted + "/000000000000/hosts", got
    with connect() as s:
        data = request("AmazonSQS.GetQueueUrl", body)
        s.sendall(data.replace(b"Host: x\r\n", b"").replace(b"1.1", b"1.0"))
        assert answer(s)[2]["QueueUrl"] == URL + "/000000000000/hosts"


@check
def big_body():
    """A body over 8 MiB is refused before it is read"""
    with connect() as s:
        s.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\n"
            b"X-Amz-Target: AmazonSQS.ListQueues\r\n"
            b"Content-Length: 8388609\r\n\r\n{"
        )
        assert answer(s)[0] == 413
    body = b"{}" + b" " * (8388608 - 2)
    assert call("ListQueues", body)[0] == 200


@check
def chunks():
    """A body may come in chunks, and an endless one is cut off"""
    head = (
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with connect() as s:
        s.sendall(head + b'9\r\n{"QueueNa\r\nd\r\nme":"chunks"}\r\n0\r\n\r\n')
        assert answer(s)[2]["QueueUrl"].endswith("/chunks")
    with connect() as s:
        s.sendall(head)
        sent = 0
        try:
            while sent < 64 << 20:
                s.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                sent += 0x100000
        except OSError:
            pass
        assert sent < 64 << 20


@check
def big_headers():
    """Endless headers are cut off"""
    with connect() as s:
        sent = 0
        try:
            s.sendall(b"POST / HTTP/1.1\r\n")
            while sent < 64 << 20:
                s.sendall(b"X: " + b"x" * 10000 + b"\r\n")
                sent += 10000
        except OSError:
            pass
        assert sent < 64 << 20
    assert call("ListQueues", {"MaxResults": 1})[0] == 200


@check
def rubbish():
    """What is no HTTP hurts nobody"""
    for data in (
        b"\r\n\r\n\r\n",
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"POST\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST http://[ HTTP/1.1\r\n\r\n",
    ):
        with connect() as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except OSError:
                pass
        assert call("ListQueues", {"MaxResults": 1})[0] == 200, data


@check
def half_written():
    """Requests that never end hold up nobody"""
    queue = new_queue()
    body = {"QueueUrl": queue, "MessageBody": "x"}
    whole = request("AmazonSQS.SendMessage", body)
    halves = []
    for i in range(100):
        s = connect()
        s.sendall(whole[: 1 + i * (len(whole) - 2) // 99])
        halves.append((s, i))
    settle()
    assert call("ReceiveMessage", {"QueueUrl": queue})[2] == {}
    s, i = halves[50]
    s.sendall(whole[1 + i * (len(whole) - 2) // 99 :])
    assert answer(s)[0] == 200
    for s, _ in halves:
        s.close()
    got = call("ReceiveMessage", {"QueueUrl": queue, "MaxNumberOfMessages": 10})
    assert len(got[2]["Messages"]) == 1


@check
def byte_by_byte():
    """A request may come one byte at a time"""
    with connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("AmazonSQS.ListQueues", {"MaxResults": 1}):
            s.sendall(bytes([byte]))
        assert answer(s)[0] == 200


@check
def pipelined():
    """Requests may be sent without waiting for answers"""
    queue = new_queue()
    with connect() as s:
        one = {"QueueUrl": queue, "MessageBody": "x"}
        s.sendall(request("AmazonSQS.SendMessage", one) * 20)
        for _ in range(20):
            assert answer(s)[0] == 200
    queue = new_queue()
    with start_poll(queue) as s:
        one = {"QueueUrl": queue, "MessageBody": "x"}
        s.sendall(request("AmazonSQS.SendMessage", one))
        assert answer(s)[2] == {}
        assert "MessageId" in answer(s)[2]


def gone(close):
    queue = new_queue()
    first, second = start_poll(queue), start_poll(queue)
    close(first)
    settle()
    call("SendMessage", {"QueueUrl": queue, "MessageBody": "x"})
    with second:
        assert answer(second)[2]["Messages"][0]["Body"] == "x"


@check
def client_gone():
    """A client that went away during a long poll gets no message"""
    gone(lambda s: s.close())


@check
def client_reset():
    """... nor one that reset the connection"""

    def reset(s):
        linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        s.close()

    gone(reset)


@check
def no_reader():
    """A client that reads no answers holds up nobody"""
    queue = new_queue()
    body = {"QueueUrl": queue, "MessageBody": "x" * 1000000}
    assert call("SendMessage", body)[0] == 200
    body = {"QueueUrl": queue, "VisibilityTimeout": 0}
    deaf = []
    for _ in range(20):
        s = connect()
        s.sendall(request("AmazonSQS.ReceiveMessage", body))
        deaf.append(s)
    settle()
    assert len(call("ReceiveMessage", body)[2]["Messages"]) == 1
    for s in deaf:
        s.close()


@check
def connections():
    """Hundreds of long polls may wait at once, and each ends"""
    queue = new_queue()
    polls = [connect() for _ in range(400)]
    body = {"QueueUrl": queue, "WaitTimeSeconds": 20}
    for s in polls:
        s.sendall(request("AmazonSQS.ReceiveMessage", body))
    settle()
    for i in range(0, 400, 10):
        entries = [{"Id": str(j), "MessageBody": str(i + j)} for j in range(10)]
        got = call("SendMessageBatch", {"QueueUrl": queue, "Entries": entries})
        assert got[0] == 200, got
    bodies = []
    for s in polls:
        bodies += [m["Body"] for m in answer(s)[2]["Messages"]]
        s.close()
    assert sorted(map(int, bodies)) == list(range(400))


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    """With no descriptors left it waits, and goes on when there are some"""
    conns = [connect() for _ in range(100)]
    before, begin = cpu(pid), time.monotonic()
    while time.monotonic() - begin < 0.5:
        time.sleep(0.05)
    used = cpu(pid) - before
    for s in conns:
        s.close()
    assert call("ListQueues", {})[0] == 200
    assert used < 0.2, f"{used} s of CPU in half a second"


def terminated(pid):
    """On SIGTERM long polls end with nothing, and others are served"""
    queue = new_queue()
    polls = [start_poll(queue) for _ in range(3)]
    half = connect()
    half.sendall(b"POST / HT")
    idle = connect()
    settle()
    os.kill(pid, signal.SIGTERM)
    for s in polls:
        status, headers, body = answer(s)
        assert (status, body) == (200, {}), (status, body)
        assert s.recv(1) == b""
        s.close()
    for s in (half, idle):
        try:
            assert s.recv(1) == b""
        except ConnectionResetError:
            pass


def run(function, *arguments):
    what = function.__doc__
    try:
        function(*arguments)
        print("ok", what)
    except Exception:
        print("not ok", what)
        for line in traceback.format_exc().splitlines():
            print("#", line)
    sys.stdout.flush()


if len(sys.argv) > 3:
    run(descriptors, int(sys.argv[2]))
elif len(sys.argv) > 2:
    run(terminated, int(sys.argv[2]))
else:
    for each in CHECKS:
        run(each)
