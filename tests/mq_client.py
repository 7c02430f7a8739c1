# SPDX-License-Identifier: ISC
"""whk-mq as boto3 sees it, for whk-mq.t.

usage: mq_client.py URL

URL is that of a whk-mq that nobody else uses. Prints a line for each check,
"ok WHAT" or "not ok WHAT", the latter followed by why, on lines with a "#".
"""

import hashlib
import json
import struct
import sys
import threading
import time
import traceback
import uuid

import boto3
import botocore.config

ENDPOINT = sys.argv[1]
LIMIT = 1024 * 1024
CHECKS = []


def make_client(**config):
    return boto3.client(
        "sqs",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id="anyone",
        aws_secret_access_key="anything",
        config=botocore.config.Config(**config),
    )


sqs = make_client()


def check(function):
    """A function whose docstring says what holds if it raises nothing."""
    CHECKS.append(function)
    return function


def new_queue(**attributes):
    name = "q-" + uuid.uuid4().hex
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def fails(wanted, call, **arguments):
    """Expects the typed exception of that name; returns its answer."""
    try:
        call(**arguments)
    except sqs.exceptions.ClientError as e:
        assert type(e).__name__ in (wanted, "ClientError"), type(e).__name__
        code = e.response["Error"]["Code"]
        if type(e).__name__ == "ClientError":
            assert code == wanted, code
        assert e.response["Error"]["Type"] in ("Sender", "Receiver")
        assert e.response["Error"]["Message"]
        return e.response
    raise AssertionError(f"no {wanted}")


def receive(queue, **more):
    more.setdefault("MaxNumberOfMessages", 10)
    return sqs.receive_message(QueueUrl=queue, **more).get("Messages", [])


def counts(queue):
    names = ["", "NotVisible", "Delayed"]
    got = sqs.get_queue_attributes(
        QueueUrl=queue,
        AttributeNames=["ApproximateNumberOfMessages" + n for n in names],
    )["Attributes"]
    return tuple(int(got["ApproximateNumberOfMessages" + n]) for n in names)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def md5_of_attributes(attributes):
    digest = hashlib.md5()

    def add(data):
        digest.update(struct.pack(">I", len(data)) + data)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        if "BinaryValue" in value:
            digest.update(b"\2")
            add(value["BinaryValue"])
        else:
            digest.update(b"\1")
            add(value["StringValue"].encode())
    return digest.hexdigest()


ATTRIBUTES = {
    "type": {"DataType": "String", "StringValue": "order.paid"},
    "Type": {"DataType": "String.word", "StringValue": "ünï \"x\" \\ 🎉"},
    "n.int": {"DataType": "Number.int", "StringValue": "-12.50e3"},
    "n.float": {"DataType": "Number", "StringValue": ".5"},
    "bin": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    "bin.png": {"DataType": "Binary.png", "BinaryValue": b"\0"},
}


@check
def create():
    """CreateQueue is idempotent, and refuses other attributes"""
    name = "create-" + uuid.uuid4().hex
    one = sqs.create_queue(
        QueueName=name, Attributes={"VisibilityTimeout": "7"}
    )["QueueUrl"]
    assert one == f"{ENDPOINT}/000000000000/{name}", one
    same = {"VisibilityTimeout": "7", "DelaySeconds": "0"}
    for attributes in ({}, same):
        again = sqs.create_queue(QueueName=name, Attributes=attributes)
        assert again["QueueUrl"] == one
    answer = fails(
        "QueueNameExists",
        sqs.create_queue,
        QueueName=name,
        Attributes={"VisibilityTimeout": "8"},
    )
    assert answer["Error"]["Code"] == "QueueAlreadyExists"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == one


@check
def names():
    """A queue's name has 1 to 80 letters, digits, hyphens, underscores"""
    sqs.create_queue(QueueName="aZ09-_" + "x" * 74)
    for name in ("x" * 81, "a b", "ä", "a/b", "a.b"):
        fails("InvalidParameterValue", sqs.create_queue, QueueName=name)
    fails("MissingParameter", sqs.create_queue, QueueName="")


@check
def not_supported():
    """FIFO and dead-letter queues are refused with a word of why"""
    queue = new_queue()
    policy = json.dumps({"deadLetterTargetArn": "x", "maxReceiveCount": 1})
    for call, arguments in (
        (sqs.create_queue, {"QueueName": "a.fifo"}),
        (
            sqs.create_queue,
            {"QueueName": "b", "Attributes": {"FifoQueue": "true"}},
        ),
        (
            sqs.set_queue_attributes,
            {"QueueUrl": queue, "Attributes": {"RedrivePolicy": policy}},
        ),
        (sqs.list_dead_letter_source_queues, {"QueueUrl": queue}),
        (sqs.remove_permission, {"QueueUrl": queue, "Label": "x"}),
    ):
        answer = fails("UnsupportedOperation", call, **arguments)
        assert "does not have" in answer["Error"]["Message"]
    fails("QueueDoesNotExist", sqs.get_queue_url, QueueName="b")


@check
def no_queue():
    """Every operation on a queue says if there is none"""
    url = ENDPOINT + "/000000000000/none"
    other = new_queue().replace("000000000000", "111111111111")
    entry = {"Id": "a", "ReceiptHandle": "x"}
    for call, arguments in (
        (sqs.send_message, {"MessageBody": "x"}),
        (
            sqs.send_message_batch,
            {"Entries": [{"Id": "a", "MessageBody": "x"}]},
        ),
        (sqs.receive_message, {}),
        (sqs.delete_message, {"ReceiptHandle": "x"}),
        (sqs.delete_message_batch, {"Entries": [entry]}),
        (
            sqs.change_message_visibility,
            {"ReceiptHandle": "x", "VisibilityTimeout": 1},
        ),
        (
            sqs.change_message_visibility_batch,
            {"Entries": [{**entry, "VisibilityTimeout": 1}]},
        ),
        (sqs.purge_queue, {}),
        (sqs.delete_queue, {}),
        (sqs.get_queue_attributes, {"AttributeNames": ["All"]}),
        (sqs.set_queue_attributes, {"Attributes": {}}),
        (sqs.list_queue_tags, {}),
    ):
        for wrong in (url, other, "none", "/none", ENDPOINT):
            answer = fails(
                "QueueDoesNotExist", call, QueueUrl=wrong, **arguments
            )
            code = answer["Error"]["Code"]
            assert code == "AWS.SimpleQueueService.NonExistentQueue", code
    fails("QueueDoesNotExist", sqs.get_queue_url, QueueName="none")


@check
def list_queues():
    """ListQueues knows prefixes and pages"""
    prefix = "list-" + uuid.uuid4().hex
    urls = [
        sqs.create_queue(QueueName=f"{prefix}-{i}")["QueueUrl"]
        for i in range(5)
    ]
    got = sqs.list_queues(QueueNamePrefix=prefix)
    assert got["QueueUrls"] == urls and "NextToken" not in got
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}
    )
    assert [p["QueueUrls"] for p in pages] == [urls[:2], urls[2:4], urls[4:]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=prefix + "x")
    sqs.delete_queue(QueueUrl=urls[0])
    assert sqs.list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls[1:]
    fails("InvalidParameterValue", sqs.list_queues, MaxResults=1001)


@check
def attributes():
    """Queue attributes are set, bounded and shown"""
    queue = new_queue(DelaySeconds="3", Policy='{"a":"\\"b\\""}')
    read = lambda *names: sqs.get_queue_attributes(
        QueueUrl=queue, AttributeNames=names
    ).get("Attributes")
    everything = read("All")
    name = queue.rsplit("/", 1)[1]
    assert abs(int(everything.pop("CreatedTimestamp")) - time.time()) < 60
    assert abs(int(everything.pop("LastModifiedTimestamp")) - time.time()) < 60
    assert everything == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{name}",
        "DelaySeconds": "3",
        "MaximumMessageSize": str(LIMIT),
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "Policy": '{"a":"\\"b\\""}',
    }, everything
    assert sqs.get_queue_attributes(QueueUrl=queue).get("Attributes") is None
    assert read("VisibilityTimeout", "VisibilityTimeout") == {
        "VisibilityTimeout": "30"
    }
    assert read("RedrivePolicy") is None
    fails(
        "InvalidAttributeName",
        sqs.get_queue_attributes,
        QueueUrl=queue,
        AttributeNames=["Colour"],
    )
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={"VisibilityTimeout": "43200", "RedrivePolicy": ""},
    )
    for name, value, low in (
        ("DelaySeconds", "901", "-1"),
        ("MaximumMessageSize", str(LIMIT + 1), "1023"),
        ("MessageRetentionPeriod", "1209601", "59"),
        ("ReceiveMessageWaitTimeSeconds", "21", "x"),
        ("VisibilityTimeout", "43201", ""),
    ):
        for bad in (value, low):
            fails(
                "InvalidAttributeValue",
                sqs.set_queue_attributes,
                QueueUrl=queue,
                Attributes={"VisibilityTimeout": "1", name: bad},
            )
    fails(
        "InvalidAttributeName",
        sqs.set_queue_attributes,
        QueueUrl=queue,
        Attributes={"VisibilityTimeout": "1", "Colour": "red"},
    )
    assert read("VisibilityTimeout") == {"VisibilityTimeout": "43200"}


@check
def tags():
    """Tags are kept, changed and taken away"""
    name = "tags-" + uuid.uuid4().hex
    queue = sqs.create_queue(QueueName=name, tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=queue, Tags={"a": "2", "b": 'x"y'})
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"a": "2", "b": 'x"y'}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["a", "none"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": 'x"y'}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["b"])
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)
    many = {str(i): "x" for i in range(51)}
    fails("InvalidParameterValue", sqs.tag_queue, QueueUrl=queue, Tags=many)


@check
def round_trip():
    """A message comes back as it went, with its system attributes"""
    queue = new_queue()
    body = "{\"n\": 1e400}\t\n\r \x7f\u00e9\u20ac\ud7ff\ue000\ufffd🎉\\\"/"
    before = int(time.time() * 1000)
    sent = sqs.send_message(
        QueueUrl=queue, MessageBody=body, MessageGroupId="g!"
    )
    assert sent["MD5OfMessageBody"] == md5(body)
    assert "MD5OfMessageAttributes" not in sent
    assert str(uuid.UUID(sent["MessageId"])) == sent["MessageId"]
    (got,) = receive(queue, AttributeNames=["All"], VisibilityTimeout=0)
    after = int(time.time() * 1000)
    assert got["Body"] == body and got["MD5OfBody"] == md5(body)
    assert got["MessageId"] == sent["MessageId"]
    system = got["Attributes"]
    assert before <= int(system["SentTimestamp"]) <= after
    first = system["ApproximateFirstReceiveTimestamp"]
    assert before <= int(first) <= after
    assert system["ApproximateReceiveCount"] == "1"
    assert system["MessageGroupId"] == "g!" and system["SenderId"]
    (again,) = receive(
        queue,
        MessageSystemAttributeNames=[
            "ApproximateReceiveCount",
            "ApproximateFirstReceiveTimestamp",
        ],
    )
    assert again["Attributes"] == {
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": first,
    }
    assert again["ReceiptHandle"] != got["ReceiptHandle"]


@check
def trace_header():
    """AWSTraceHeader is taken and given back"""
    queue = new_queue()
    system = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
    sent = sqs.send_message(
        QueueUrl=queue, MessageBody="x", MessageSystemAttributes=system
    )
    assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(system)
    (got,) = receive(queue, AttributeNames=["AWSTraceHeader"])
    assert got["Attributes"] == {"AWSTraceHeader": "Root=1"}


@check
def message_attributes():
    """Message attributes come back, as asked for, with the right MD5"""
    queue = new_queue()
    sent = sqs.send_message(
        QueueUrl=queue, MessageBody="x", MessageAttributes=ATTRIBUTES
    )
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(ATTRIBUTES)
    for names, wanted in (
        ([], []),
        (["None"], []),
        (["All"], list(ATTRIBUTES)),
        ([".*"], list(ATTRIBUTES)),
        (["type"], ["type"]),
        (["type", "none", "type"], ["type"]),
        (["n.*"], ["n.int", "n.float"]),
        (["bin.*", "Type"], ["bin", "bin.png", "Type"]),
        (["bi"], []),
    ):
        (got,) = receive(
            queue, MessageAttributeNames=names, VisibilityTimeout=0
        )
        some = {name: ATTRIBUTES[name] for name in wanted}
        assert got.get("MessageAttributes", {}) == some, names
        digest = got.get("MD5OfMessageAttributes")
        assert digest == (md5_of_attributes(some) if some else None), names


@check
def bad_messages():
    """What is no message is refused, each for its reason"""
    queue = new_queue()
    text = {"DataType": "String", "StringValue": "x"}
    for wanted, arguments in (
        ("MissingParameter", {"MessageBody": ""}),
        ("InvalidMessageContents", {"MessageBody": "a\x08"}),
        ("InvalidMessageContents", {"MessageBody": "a\x1f"}),
        ("InvalidMessageContents", {"MessageBody": "a\ufffe"}),
        ("InvalidMessageContents", {"MessageBody": "a\uffff"}),
        ("InvalidParameterValue", {"DelaySeconds": 901}),
        ("InvalidParameterValue", {"DelaySeconds": -1}),
        ("InvalidParameterValue", {"MessageGroupId": "a b"}),
        ("InvalidParameterValue", {"MessageGroupId": "ä"}),
        ("InvalidParameterValue", {"MessageGroupId": "x" * 129}),
        ("InvalidParameterValue", {"MessageDeduplicationId": "x"}),
    ):
        arguments.setdefault("MessageBody", "x")
        fails(wanted, sqs.send_message, QueueUrl=queue, **arguments)
    for wanted, attribute in (
        ("InvalidParameterValue", {".a": text}),
        ("InvalidParameterValue", {"a.": text}),
        ("InvalidParameterValue", {"a..b": text}),
        ("InvalidParameterValue", {"a b": text}),
        ("InvalidParameterValue", {"x" * 257: text}),
        ("InvalidParameterValue", {"": text}),
        ("InvalidParameterValue", {"aWs.x": text}),
        ("InvalidParameterValue", {"AMAZON.x": text}),
        ("InvalidParameterValue", {"a": {**text, "DataType": "string"}}),
        ("InvalidParameterValue", {"a": {**text, "DataType": "Stringy"}}),
        ("InvalidParameterValue", {"a": {**text, "DataType": ""}}),
        ("InvalidParameterValue", {"a": {**text, "DataType": "String." * 40}}),
        ("InvalidParameterValue", {"a": {**text, "DataType": "Number"}}),
        ("InvalidParameterValue", {"a": {**text, "DataType": "Binary"}}),
        ("InvalidParameterValue", {"a": {**text, "StringValue": ""}}),
        ("InvalidMessageContents", {"a": {**text, "StringValue": "\x01"}}),
        ("InvalidParameterValue", {f"a{i}": text for i in range(11)}),
        (
            "UnsupportedOperation",
            {"a": {**text, "StringListValues": ["x"]}},
        ),
    ):
        fails(
            wanted,
            sqs.send_message,
            QueueUrl=queue,
            MessageBody="x",
            MessageAttributes=attribute,
        )
    for number in ("", "-", ".", "1.", "e3", "1e", "0x1", "1 ", "1.5E-7", "+1"):
        value = {"n": {"DataType": "Number", "StringValue": number}}
        arguments = {"MessageBody": "x", "MessageAttributes": value}
        if number in ("1.", "1.5E-7", "+1"):
            sqs.send_message(QueueUrl=queue, **arguments)
        else:
            fails(
                "InvalidParameterValue",
                sqs.send_message,
                QueueUrl=queue,
                **arguments,
            )
    assert counts(queue) == (3, 0, 0)


@check
def message_size():
    """A message has at most 1 MiB, or what the queue says"""
    queue = new_queue()
    sqs.send_message(QueueUrl=queue, MessageBody="é" * (LIMIT // 2))
    (got,) = receive(queue)
    assert got["Body"] == "é" * (LIMIT // 2)
    fails(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x" * (LIMIT - 8),
        MessageAttributes={"ab": {"DataType": "String", "StringValue": "x"}},
    )
    sqs.set_queue_attributes(
        QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"}
    )
    sqs.send_message(QueueUrl=queue, MessageBody="x" * 1024)
    fails(
        "InvalidParameterValue",
        sqs.send_message,
        QueueUrl=queue,
        MessageBody="x" * 1025,
    )


@check
def batches():
    """Ten messages go, come and are deleted in one request each"""
    queue = new_queue()
    entries = [
        {"Id": f"id-{i}_", "MessageBody": f"body {i}", "DelaySeconds": 0}
        for i in range(10)
    ]
    entries[3]["MessageAttributes"] = ATTRIBUTES
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert answer["Failed"] == []
    assert [e["Id"] for e in answer["Successful"]] == [e["Id"] for e in entries]
    for entry, sent in zip(entries, answer["Successful"]):
        assert sent["MD5OfMessageBody"] == md5(entry["MessageBody"])
    digest = answer["Successful"][3]["MD5OfMessageAttributes"]
    assert digest == md5_of_attributes(ATTRIBUTES)
    assert counts(queue) == (10, 0, 0)
    got = receive(queue, MessageAttributeNames=["All"])
    assert [m["Body"] for m in got] == [e["MessageBody"] for e in entries]
    assert got[3]["MessageAttributes"] == ATTRIBUTES
    assert counts(queue) == (0, 10, 0)
    answer = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]}
            for i, m in enumerate(got)
        ],
    )
    assert len(answer["Successful"]) == 10 and answer["Failed"] == []
    assert counts(queue) == (0, 0, 0)


@check
def partial_batches():
    """The bad entries of a batch fail, and the good ones do not"""
    queue = new_queue()
    answer = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "MessageBody": "1"},
            {"Id": "bad", "MessageBody": "\x01"},
            {"Id": "empty", "MessageBody": ""},
            {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
            {"Id": "fine", "MessageBody": "2"},
        ],
    )
    assert [e["Id"] for e in answer["Successful"]] == ["good", "fine"]
    failed = {e["Id"]: e["Code"] for e in answer["Failed"]}
    assert failed == {
        "bad": "InvalidMessageContents",
        "empty": "MissingParameter",
        "late": "InvalidParameterValue",
    }, failed
    assert all(e["SenderFault"] and e["Message"] for e in answer["Failed"])
    one, two = receive(queue)
    assert [one["Body"], two["Body"]] == ["1", "2"]
    answer = sqs.delete_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "a", "ReceiptHandle": one["ReceiptHandle"]},
            {"Id": "b", "ReceiptHandle": "nonsense"},
        ],
    )
    assert [e["Id"] for e in answer["Successful"]] == ["a"]
    assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    answer = sqs.change_message_visibility_batch(
        QueueUrl=queue,
        Entries=[
            {
                "Id": "gone",
                "ReceiptHandle": one["ReceiptHandle"],
                "VisibilityTimeout": 1,
            },
            {
                "Id": "now",
                "ReceiptHandle": two["ReceiptHandle"],
                "VisibilityTimeout": 0,
            },
            {"Id": "none", "ReceiptHandle": two["ReceiptHandle"]},
        ],
    )
    assert [e["Id"] for e in answer["Successful"]] == ["now"]
    failed = {e["Id"]: e["Code"] for e in answer["Failed"]}
    assert failed == {
        "gone": "InvalidParameterValue",
        "none": "MissingParameter",
    }
    assert counts(queue) == (1, 0, 0)


@check
def bad_batches():
    """A batch that breaks the rules is refused as a whole"""
    queue = new_queue()

    def batch(*ids, body="x"):
        return [{"Id": i, "MessageBody": body} for i in ids]

    for wanted, entries in (
        ("EmptyBatchRequest", []),
        ("TooManyEntriesInBatchRequest", batch(*map(str, range(11)))),
        ("BatchEntryIdsNotDistinct", batch("a", "b", "a")),
        ("InvalidBatchEntryId", batch("a", "a.b")),
        ("InvalidBatchEntryId", batch("x" * 81)),
        ("BatchRequestTooLong", batch("a", "b", body="x" * (LIMIT // 2 + 1))),
    ):
        answer = fails(
            wanted, sqs.send_message_batch, QueueUrl=queue, Entries=entries
        )
        code = answer["Error"]["Code"]
        assert code == "AWS.SimpleQueueService." + wanted, code
    assert counts(queue) == (0, 0, 0)
    whole = batch("a", "b", body="x" * (LIMIT // 2))
    sqs.send_message_batch(QueueUrl=queue, Entries=whole)
    assert counts(queue) == (2, 0, 0)


@check
def receive_bounds():
    """The numbers of a receive are bounded"""
    queue = new_queue()
    for arguments in (
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": -1},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": -1},
        {"VisibilityTimeout": 43201},
    ):
        fails(
            "InvalidParameterValue",
            sqs.receive_message,
            QueueUrl=queue,
            **arguments,
        )
    sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": str(i), "MessageBody": "x"} for i in range(3)],
    )
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1
    assert len(receive(queue, MaxNumberOfMessages=10)) == 2
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


@check
def visibility():
    """A message that is not deleted in time comes again"""
    queue = new_queue(VisibilityTimeout="1")
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    begin = time.monotonic()
    (first,) = receive(queue)
    assert receive(queue) == []
    (second,) = receive(queue, WaitTimeSeconds=20)
    assert 0.9 < time.monotonic() - begin < 5
    assert second["MessageId"] == first["MessageId"]
    # The old handle deletes nothing; the new one does, in time or not.
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    assert counts(queue) == (0, 1, 0)
    sqs.change_message_visibility(
        QueueUrl=queue,
        ReceiptHandle=second["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    assert counts(queue) == (1, 0, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])
    assert counts(queue) == (0, 0, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])


@check
def handles():
    """A receipt handle belongs to its queue and is taken whole or not"""
    queue, other = new_queue(), new_queue()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.send_message(QueueUrl=other, MessageBody="x")
    (got,) = receive(queue)
    (theirs,) = receive(other)
    handle = got["ReceiptHandle"]
    changed = handle[:20] + ("0" if handle[20] != "0" else "1") + handle[21:]
    theirs = theirs["ReceiptHandle"]
    for bad in (theirs, handle[1:], handle + "0", changed, "é"):
        answer = fails(
            "ReceiptHandleIsInvalid",
            sqs.delete_message,
            QueueUrl=queue,
            ReceiptHandle=bad,
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert counts(queue) == (0, 1, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
    fails(
        "InvalidParameterValue",
        sqs.change_message_visibility,
        QueueUrl=queue,
        ReceiptHandle=handle,
        VisibilityTimeout=1,
    )
    fails(
        "MissingParameter",
        sqs.delete_message,
        QueueUrl=queue,
        ReceiptHandle="",
    )


@check
def change_visibility():
    """ChangeMessageVisibility counts from now, up to 12 hours in all"""
    queue = new_queue()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (got,) = receive(queue)
    change = lambda seconds: sqs.change_message_visibility(
        QueueUrl=queue,
        ReceiptHandle=got["ReceiptHandle"],
        VisibilityTimeout=seconds,
    )
    begin = time.monotonic()
    change(43100)
    change(1)
    (again,) = receive(queue, WaitTimeSeconds=20)
    assert 0.9 < time.monotonic() - begin < 5
    time.sleep(0.01)
    got = again
    fails("InvalidParameterValue", lambda: change(43200))
    fails("InvalidParameterValue", lambda: change(43201))
    assert counts(queue) == (0, 1, 0)


@check
def delays():
    """Delays of messages and queues are kept, and end on time"""
    queue = new_queue(DelaySeconds="900")
    begin = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="late")
    sqs.send_message(QueueUrl=queue, MessageBody="soon", DelaySeconds=1)
    assert counts(queue) == (0, 0, 2)
    (got,) = receive(queue, WaitTimeSeconds=20)
    assert got["Body"] == "soon"
    assert 0.9 < time.monotonic() - begin < 5
    sqs.send_message(QueueUrl=queue, MessageBody="now", DelaySeconds=0)
    (got,) = receive(queue)
    assert got["Body"] == "now"
    assert counts(queue) == (0, 2, 1)


class Later(threading.Thread):
    """Does something on the side, with a client of its own."""

    def __init__(self, what):
        super().__init__()
        self.client, self.what = make_client(), what
        self.result = self.error = self.ended = None
        self.start()

    def run(self):
        try:
            self.result = self.what(self.client)
        except Exception as e:
            self.error = e
        self.ended = time.monotonic()

    def get(self):
        self.join()
        if self.error is not None:
            raise self.error
        return self.result


def waiting(queue, **more):
    """A long poll that is under way: nothing has been sent for it yet."""
    more.setdefault("WaitTimeSeconds", 20)
    later = Later(lambda c: c.receive_message(QueueUrl=queue, **more))
    # That a request waits cannot be seen from outside: this only makes it
    # likely. If it came too late, it would find the message all the same.
    time.sleep(0.2)
    return later


@check
def long_poll():
    """A long poll ends at once when a message comes"""
    queue = new_queue()
    poll = waiting(queue)
    begin = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert poll.get()["Messages"][0]["Body"] == "x"
    assert poll.ended - begin < 2, poll.ended - begin
    begin = time.monotonic()
    poll = waiting(new_queue(), WaitTimeSeconds=1)
    assert "Messages" not in poll.get()
    assert 0.9 < poll.ended - begin < 5
    queue = new_queue(ReceiveMessageWaitTimeSeconds="1")
    begin = time.monotonic()
    assert receive(queue) == []
    assert time.monotonic() - begin > 0.9
    begin = time.monotonic()
    assert receive(queue, WaitTimeSeconds=0) == []
    assert time.monotonic() - begin < 0.9


@check
def long_polls_in_turn():
    """Of many long polls each gets its message, once"""
    queue = new_queue()
    polls = [waiting(queue, MaxNumberOfMessages=1) for _ in range(5)]
    sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(5)],
    )
    bodies = [p.get()["Messages"][0]["Body"] for p in polls]
    assert sorted(bodies) == list("01234"), bodies


@check
def long_poll_and_visibility():
    """A long poll ends when a message is given back"""
    queue = new_queue()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (got,) = receive(queue)
    poll = waiting(queue)
    begin = time.monotonic()
    sqs.change_message_visibility(
        QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0
    )
    assert poll.get()["Messages"][0]["MessageId"] == got["MessageId"]
    assert poll.ended - begin < 2


@check
def long_poll_and_removal():
    """A long poll on a queue that is deleted ends with an error"""
    queue = new_queue()
    poll = waiting(queue)
    sqs.delete_queue(QueueUrl=queue)
    fails("QueueDoesNotExist", poll.get)
    fails("QueueDoesNotExist", sqs.receive_message, QueueUrl=queue)


@check
def purge():
    """PurgeQueue takes all, the delayed and those in flight too"""
    queue = new_queue()
    for seconds in (0, 0, 900):
        sqs.send_message(
            QueueUrl=queue, MessageBody="x", DelaySeconds=seconds
        )
    (got,) = receive(queue, MaxNumberOfMessages=1)
    assert counts(queue) == (1, 1, 1)
    sqs.purge_queue(QueueUrl=queue)
    assert counts(queue) == (0, 0, 0)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got["ReceiptHandle"])


@check
def many_connections():
    """Many clients at once lose nothing and get nothing twice"""
    queue = new_queue(VisibilityTimeout="600")

    def produce(client):
        for i in range(20):
            client.send_message_batch(
                QueueUrl=queue,
                Entries=[
                    {"Id": str(j), "MessageBody": uuid.uuid4().hex}
                    for j in range(10)
                ],
            )

    def consume(client):
        got = []
        while messages := client.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages"):
            got += [m["Body"] for m in messages]
            client.delete_message_batch(
                QueueUrl=queue,
                Entries=[
                    {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]}
                    for i, m in enumerate(messages)
                ],
            )
        return got

    consumers = [Later(consume) for _ in range(5)]
    producers = [Later(produce) for _ in range(5)]
    for producer in producers:
        producer.get()
    bodies = sum((c.get() for c in consumers), [])
    assert len(bodies) == len(set(bodies)) == 1000
    assert counts(queue) == (0, 0, 0)


def main():
    for function in CHECKS:
        what = function.__doc__
        try:
            function()
            print("ok", what)
        except Exception:
            print("not ok", what)
            for line in traceback.format_exc().splitlines():
                print("#", line)
        sys.stdout.flush()


main()
