#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Puts one event on the queue. usage: producer.py [http://127.0.0.1:9324]"""
import json
import sys

import boto3

endpoint = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:9324"
sqs = boto3.client("sqs", endpoint_url=endpoint, region_name="local",
                   aws_access_key_id="x", aws_secret_access_key="x")
queue = sqs.create_queue(QueueName="events")["QueueUrl"]
event = json.dumps({"event": "Hello webhooks world"})
sqs.send_message(QueueUrl=queue, MessageBody=event)
print(queue)
