# SPDX-License-Identifier: ISC
"""Event lines of which every second one is bad, for whk-send.t.

usage: bad_lines.py

Lines with an even number are good: their ids are good-1, good-2, ... The last
line is good and has no line feed.
"""

import sys

STORED = (
    b'{"id":"late","time":"2020-01-01T00:00:00Z","attempt":1,"to":[1],'
    b'"body":"late","lease":"2020-01-01T00:05:00Z"}'
)
BAD = [
    b"not JSON",
    b"[1]",
    b'"a string"',
    b"",
    b'{"type":"t"}',
    b'{"body":1',
    b'{"body":1} x',
    b'{"body":1,"type":7}',
    b'{"body":1,"to":"1"}',
    b'{"body":1,"to":[1,1]}',
    b'{"body":1,"to":[]}',
    b'{"body":1,"attempt":0}',
    b'{"body":1,"time":"yesterday"}',
    b'{"body":1,"lease":"2020-01-01T00:00:00Z"}',
    b'{"body":"\xff"}',
    b'{"body":"a\x00b"}',
    b'{"body":"a\\u0000b","type":"\\u0000"}',
    b'{"body":' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"body":1,"to":[99]}',
    b'{"body":1,"to":[1000,1001]}',
    b'{"body":1,"id":"a b"}',
    b'{"body":1,"id":""}',
    b'{"body":1,"id":"' + b"x" * 129 + b'"}',
    b'{"body":1,"content_type":"a\\nb"}',
    b'{"body":"' + b"x" * (8 * 1024 * 1024 - 10) + b'"}',
    STORED,
]

out = sys.stdout.buffer
for n, line in enumerate(BAD, 1):
    out.write(line + b"\n")
    good = b'{"id":"good-%d","body":"%d"}' % (n, n)
    out.write(good + (b"\n" if n < len(BAD) else b""))
