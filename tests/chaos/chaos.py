# SPDX-License-Identifier: ISC
"""Breaks whk on purpose, and counts what became of each event.

usage: chaos.py [-s SEED] [-n FAULTS] [-k KIND ...]

It runs two pipelines of each kind (whk-poll | whk-send, whk-due -f |
whk-send) over one queue, one PostgreSQL and one receiver, puts events on the
queue all the while, and injects one fault after another, each of a kind drawn
by the seed. In the end it mends everything, waits until nothing is left to be
done, and compares three ledgers: what was emitted, what the receiver saw, and
what the record says.

Its environment is that of tests/lib.sh: PGHOST and so on, CHAOS_PG, a command
that restarts PostgreSQL (its arguments: stop or start, and a signal), and
WHK_BUILD. Standard output is a summary; exit status 1 if anything was lost,
is wrong on record, or did not end.
"""

import argparse
import collections
import http.server
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

LEASE = 3  # seconds; the webhooks' timeout is a third of it
HOOKS = 3


def log(*words):
    print(f"{time.time() - START:8.2f}", *words, file=sys.stderr, flush=True)


START = time.time()


class Receiver(http.server.BaseHTTPRequestHandler):
    """A subscriber whose manners are as the fault of the moment says."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    seen = collections.Counter()  # (webhook, id)
    accepted = collections.Counter()  # ... answered with 200
    times = []  # (webhook, id, attempt)
    mood = "well"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        key = (int(self.path[1:]), self.headers["webhook-id"])
        mood = Receiver.mood
        with Receiver.lock:
            Receiver.seen[key] += 1
        if mood == "reset":
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )
            self.close_connection = True
        elif mood == "hang":
            self.close_connection = True
            self.connection.settimeout(LEASE)
            try:
                self.connection.recv(1)
            except OSError:
                pass
        elif mood == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")
            self.close_connection = True
        elif mood == "500":
            self.answer(500)
        else:
            time.sleep(random.uniform(0, 0.04))  # to be killed meanwhile
            with Receiver.lock:
                Receiver.accepted[key] += 1
            self.answer(200)

    def answer(self, status):
        self.wfile.write(
            b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
        )

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1000

    def handle_error(self, request, client_address):
        pass


class Program:
    """A program that goes on for ever, in a pipeline of its own."""

    def __init__(self, name, arguments, stdin, stdout):
        self.name = name
        self.process = subprocess.Popen(
            [name] + arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=open(f"{name}.err", "ab"),
        )

    def kill(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def ended(self):
        return self.process.poll() is not None


class Pipeline:
    """Two programs and a pipe; begun anew whenever one of them ended."""

    def __init__(self, first, *arguments):
        self.command = [first, *arguments]
        self.restarts = -1
        self.statuses = collections.Counter()
        self.start()

    def start(self):
        r, w = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        self.first = Program(self.command[0], self.command[1:], null, w)
        self.last = Program("whk-send", [], r, null)
        for fd in (r, w, null):
            os.close(fd)
        self.restarts += 1

    def look(self):
        if not (self.first.ended() or self.last.ended()):
            return
        for program in (self.first, self.last):
            program.kill(signal.SIGCONT)
            program.kill(signal.SIGTERM)
            try:
                program.process.wait(30)
            except subprocess.TimeoutExpired:
                self.statuses["hung"] += 1
                program.kill(signal.SIGKILL)
            self.statuses[program.process.wait()] += 1
        self.start()

    def end(self):
        self.first.kill(signal.SIGCONT)
        self.last.kill(signal.SIGCONT)
        self.first.kill(signal.SIGTERM)
        self.last.kill(signal.SIGTERM)
        for program in (self.first, self.last):
            try:
                program.process.wait(30)
            except subprocess.TimeoutExpired:
                log(f"{program.name} does not end")
                self.statuses["hung"] += 1
                program.kill(signal.SIGKILL)


def sql(query, tries=100):
    """The rows of an answer, as lists of strings; waits for the database."""
    for _ in range(tries):
        p = subprocess.run(
            ["psql", "-XAtq", "-F\t", "-v", "ON_ERROR_STOP=1", "-c", query],
            capture_output=True,
            text=True,
            check=False,
        )
        if p.returncode == 0:
            return [line.split("\t") for line in p.stdout.splitlines()]
        time.sleep(0.1)
    raise RuntimeError(p.stderr)


class Chaos:
    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.options = options
        self.emitted = {}  # id: what became of it ("sent", "unknown")
        self.emitting = threading.Event()
        self.next = 0
        self.port = None
        self.faults = collections.Counter()
        self.mq = None

    # --- the parts ---------------------------------------------------------

    def start_mq(self):
        self.mq = subprocess.Popen(
            ["whk-mq", "-p", str(self.port or 0), "-q", "events"],
            stdout=subprocess.PIPE,
            stderr=open("whk-mq.err", "ab"),
            text=True,
        )
        endpoint = self.mq.stdout.readline().strip()
        self.queue = self.mq.stdout.readline().strip()
        self.port = urllib.parse.urlsplit(endpoint).port
        self.sqs(
            "SetQueueAttributes", {"Attributes": {"VisibilityTimeout": "3"}}
        )

    def sqs(self, action, request):
        request["QueueUrl"] = self.queue
        rq = urllib.request.Request(
            self.queue,
            json.dumps(request).encode(),
            {
                "X-Amz-Target": f"AmazonSQS.{action}",
                "Content-Type": "application/x-amz-json-1.0",
            },
        )
        with urllib.request.urlopen(rq, timeout=10) as answer:
            return json.load(answer)

    def left(self):
        a = self.sqs("GetQueueAttributes", {"AttributeNames": ["All"]})
        return sum(
            int(v)
            for k, v in a["Attributes"].items()
            if re.fullmatch("ApproximateNumberOfMessages(NotVisible)?", k)
        )

    def setup(self):
        server = Server(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for n in range(1, HOOKS + 1):
            # retried soon, and for long enough to outlive every fault
            subprocess.run(
                ["whk-add", "-t", "1s", "--schedule", ",".join(["1s"] * 100),
                 f"{url}/{n}"],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        # The breaker and the throttle would make it wait for minutes.
        sql("CREATE OR REPLACE FUNCTION whk.block_time(first interval, "
            "blocks int) RETURNS interval LANGUAGE sql IMMUTABLE AS "
            "$$SELECT interval '1 second'$$")
        self.start_mq()
        os.environ["WHK_QUEUE_URL"] = self.queue
        os.environ["WHK_LEASE"] = str(LEASE)
        self.pipelines = [
            Pipeline("whk-poll"),
            Pipeline("whk-poll"),
            Pipeline("whk-due", "-f"),
            Pipeline("whk-due", "-f"),
        ]
        threading.Thread(target=self.emit_on, daemon=True).start()
        self.emitting.set()

    def emit_on(self):
        """Some events many times a second, while it is not told to wait."""
        while True:
            self.emitting.wait()
            count = 1 + self.next % 7
            entries = []
            for i in range(count):
                event = f"e-{self.next + i}"
                entries.append({
                    "Id": str(i),
                    "MessageBody": json.dumps({"n": self.next + i}),
                    "MessageAttributes": {"id": {
                        "DataType": "String", "StringValue": event}},
                })
                self.emitted[event] = "unknown"
            self.next += count
            try:
                answer = self.sqs("SendMessageBatch", {"Entries": entries})
                for good in answer["Successful"]:
                    n = self.next - count + int(good["Id"])
                    self.emitted[f"e-{n}"] = "sent"
            except OSError:
                pass
            time.sleep(0.04)

    # --- the faults --------------------------------------------------------

    def some(self, name):
        """One of the running programs of that name."""
        programs = [q for p in self.pipelines for q in (p.first, p.last)
                    if q.name == name and not q.ended()]
        return self.random.choice(programs) if programs else None

    def hit(self, name, number):
        program = self.some(name)
        if program is not None:
            program.kill(number)

    def kill_poll(self):
        self.hit("whk-poll", signal.SIGKILL)

    def kill_send(self):
        self.hit("whk-send", signal.SIGKILL)

    def kill_due(self):
        self.hit("whk-due", signal.SIGKILL)

    def kill_all(self):
        for p in self.pipelines:
            p.first.kill(signal.SIGKILL)
            p.last.kill(signal.SIGKILL)

    def term(self):
        self.hit(self.random.choice(["whk-poll", "whk-send", "whk-due"]),
                 signal.SIGTERM)

    def stop_cont(self):
        """Stopped for longer than a lease."""
        program = self.some(self.random.choice(
            ["whk-poll", "whk-send", "whk-send", "whk-due"]))
        if program is not None:
            program.kill(signal.SIGSTOP)
            self.sleep(LEASE + 0.5)
            program.kill(signal.SIGCONT)

    def postgres(self, how, wait):
        command = os.environ["CHAOS_PG"]
        subprocess.run([command, "stop", how], check=True)
        self.sleep(wait)
        subprocess.run([command, "start"], check=True)

    def pg_fast(self):
        self.postgres("INT", 0)

    def pg_immediate(self):
        self.postgres("QUIT", 0)

    def pg_away(self):
        self.postgres("INT", self.random.uniform(1, 3))

    def connections(self):
        for _ in range(3):
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'whk%'")
            self.sleep(0.1)

    def mq_stopped(self):
        self.mq.send_signal(signal.SIGSTOP)
        self.sleep(1)
        self.mq.send_signal(signal.SIGCONT)

    def mq_restart(self):
        """Its messages are gone: only what was accepted counts then."""
        self.emitting.clear()
        self.sleep(0.2)
        self.mq.kill()
        self.mq.wait()
        self.mq.stdout.close()
        for event, state in self.emitted.items():
            if state == "sent":
                self.emitted[event] = "perhaps"
        self.start_mq()

    def receiver(self, mood):
        Receiver.mood = mood
        self.sleep(0.5)
        Receiver.mood = "well"

    def receiver_resets(self):
        self.receiver("reset")

    def receiver_hangs(self):
        self.receiver("hang")

    def receiver_cuts(self):
        self.receiver("cut")

    def receiver_500(self):
        self.receiver("500")

    KINDS = ["kill_poll", "kill_send", "kill_due", "kill_all", "term",
             "stop_cont", "pg_fast", "pg_immediate", "pg_away", "connections",
             "mq_stopped", "mq_restart", "receiver_resets", "receiver_hangs",
             "receiver_cuts", "receiver_500"]

    def sleep(self, seconds):
        end = time.time() + seconds
        while time.time() < end:
            for p in self.pipelines:
                p.look()
            time.sleep(min(0.05, max(0, end - time.time())))

    # --- the run -----------------------------------------------------------

    def run(self):
        self.setup()
        self.sleep(0.5)
        kinds = self.options.kind or self.KINDS
        todo = [kinds[i % len(kinds)] for i in range(self.options.number)]
        self.random.shuffle(todo)
        for kind in todo:
            self.emitting.set()
            log(kind)
            getattr(self, kind)()
            self.faults[kind] += 1
            self.sleep(self.random.uniform(0.05, 0.3))
        self.emitting.clear()
        log("mends")
        ended = self.drain()
        for p in self.pipelines:
            p.end()
        self.mq.kill()
        return self.compare(ended)

    def drain(self):
        for _ in range(1200):
            self.sleep(0.1)
            if self.left() == 0 and sql("SELECT count(*) FROM whk.pending "
                                        "WHERE true")[0][0] == "0":
                return True
        return False

    def compare(self, ended):
        accepted = {row[0] for row in sql("SELECT id FROM whk.event")}
        attempts = collections.Counter()
        delivered = collections.Counter()
        for event, webhook, outcome, count in sql(
            "SELECT event, webhook, outcome, count(*) FROM whk.attempt "
            "GROUP BY 1, 2, 3"
        ):
            attempts[int(webhook), event] += int(count)
            if outcome == "delivered":
                delivered[int(webhook), event] += int(count)
        pairs = [(w, e) for e in accepted for w in range(1, HOOKS + 1)]
        sent = {e for e, state in self.emitted.items() if state == "sent"}
        seen, good = Receiver.seen, Receiver.accepted
        lost = len(sent - accepted) + sum(good[p] == 0 for p in pairs)
        # Wrong: a delivery that was none, or that is not there although the
        # receiver has it; more attempts than requests, but for those that
        # ended before they were sent.
        wrong = sum(delivered[p] > good[p] or delivered[p] == 0 for p in pairs)
        unsent = int(sql("SELECT count(*) FROM whk.attempt WHERE status IS "
                         "NULL AND error IN ('connect', 'timeout')")[0][0])
        # What a kill left uncounted is counted; then the counters are true.
        sql("SELECT whk.count_up()")
        miscounted = int(sql(
            "SELECT count(*) FROM whk.webhook w WHERE (SELECT count(*) FROM "
            "whk.attempt a WHERE a.webhook = w.id AND a.outcome = "
            "'delivered') <> w.delivered OR (SELECT count(*) FROM whk.attempt "
            "a WHERE a.webhook = w.id AND a.outcome = 'retry') <> w.retried"
        )[0][0])
        total, requests = sum(attempts.values()), sum(seen.values())
        hung = sum(p.statuses["hung"] for p in self.pipelines)
        print(f"seed {self.options.seed}: {sum(self.faults.values())} faults "
              f"in {time.time() - START:.0f} s")
        for kind, count in sorted(self.faults.items()):
            print(f"  {kind:<16} {count:6}")
        print(f"events: {len(self.emitted)} emitted, {len(accepted)} accepted,"
              f" {len(self.emitted) - len(accepted)} gone with the queue")
        print(f"deliveries: {len(pairs)} due, "
              f"{sum(good[p] > 0 for p in pairs)} made, {lost} lost, "
              f"{sum(max(0, good[p] - 1) for p in pairs)} repeated")
        print(f"record: {total} attempts for {requests} requests, "
              f"{wrong} wrong on record, {max(0, requests - total)} requests "
              "whose end a kill kept from the record")
        print(f"counters: wrong at {miscounted} webhooks")
        print(f"programs: {sum(p.restarts for p in self.pipelines)} "
              f"restarts, {hung} did not end")
        bad = (lost + wrong + hung + miscounted
               + max(0, total - unsent - requests))
        if not ended:
            print("something is left to be done after two minutes")
        return 1 if bad or not ended else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("-s", "--seed", type=int, default=1)
    parser.add_argument("-n", "--number", type=int, default=32)
    parser.add_argument("-k", "--kind", action="append")
    sys.exit(Chaos(parser.parse_args()).run())


if __name__ == "__main__":
    main()
