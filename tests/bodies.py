# SPDX-License-Identifier: ISC
"""Sends bodies that are awkward in one way or another to a queue, as they are.

usage: bodies.py QUEUE-URL LARGEST-BYTES

Prints the SHA-256 of each; they are all different.
"""
import hashlib
import sys
from urllib.parse import urlsplit

import boto3

BODIES = [
    # numbers that no double holds, and ways to write them
    '{"n": 123456789012345678901234567890, "m": -0, "o": 1E+2}',
    '[0.1000000000000000055511151231257827, 1e400, -1.0e-400, 0.0]',
    "42", "-0", "1.10",
    # escapes, among them those of NUL and of half a surrogate pair
    r'{"a": "\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\u0000"}',
    r'"\ud83d\ude00"', r'"\ud800"', r'"\udc00\ud800"', r'{"\u0000": 1}',
    r'"\n is a backslash and an n"', '"\\\\u0041"', "\\", '"', "'", "%s%n%x",
    # what UTF-8 has to offer, DEL and C1 included
    "héllo wörld", "\U0001F600", "e\u0301", "\u202Eabc", "\u2028\u2029",
    "\uFEFF{}", "\uFFFD", "\u007F\u0080\u009F", "\u0800\uD7FF\uE000",
    "\U00010000\U0010FFFD",
    # space, and what ends a line
    ' { "a" : [ 1 , 2 ] } ', "\t{}", '{"a":1}\n', '\n{"a":1}', "{}\r\n",
    '{"a":\n\t1}', " ", "\n", "\t", "a\nb\r\nc\rd\n\n",
    # members that are there twice, order, types
    '{"a":1,"a":2}', '{"b":1,"a":2}', "null", "true", '""', "[]", "{}",
    '{"type":"order.paid"}', '{"type":7}', '{"type":null}', '{"type":""}',
    '{"type":"order.paid","type":"order.lost"}',
    '{"body":"x","lease":"y","to":[1],"id":"z"}',
    # not JSON, or not quite
    "Hello webhooks world", "<order><paid/></order>", "a=b&c=d%20e+f", "{",
    '{"a":}', "{'a':1}", "[1,]", "nul", "1 2", '{"a":1}{"b":2}', "NaN",
    # deep, long, and large
    "[" * 50 + "]" * 50, "[" * 5000 + "]" * 5000, '{"a":' * 500 + "1" + "}" * 500,
    '"' + "\\\\" * 1000 + '"', "9" * 5000, '{"' + "k" * 70000 + '":1}',
    "x" * 65535, "y" * 65536, "z" * 65537, "é" * 100000,
    '"' * 200000, "\n" * 200000, "\U0001F600" * 60000,
    "a" * 262144, "b" * 1048575, '"' * 1048576, "\t" * 1048576,
]

queue, largest = sys.argv[1], int(sys.argv[2])
url = urlsplit(queue)
sqs = boto3.client(
    "sqs", endpoint_url=f"{url.scheme}://{url.netloc}", region_name="local",
    aws_access_key_id="x", aws_secret_access_key="x")
for body in BODIES:
    data = body.encode()
    if len(data) <= largest:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
        print(hashlib.sha256(data).hexdigest())
