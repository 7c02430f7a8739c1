-- SPDX-License-Identifier: ISC
-- record(): what an outcome moves. Each part begins with nothing.

-- Delivered.
SELECT t.hook() \g /dev/null
SELECT t.accept('e', type => 'a'), t.accept('f') \g /dev/null
SELECT t.is(t.record(1, '{e}', 204, now => 1), 'delivered', 'a 204');
SELECT t.is(t.pending(1), 'f 300', 'it is no longer pending');
SELECT t.is(t.attempts(1), 'e delivered 204', 'it is on record');
SELECT t.is(ROW(attempt, t.s(time), t.s(at), next_at, type, error),
	'(1,0,1,,a,)', 'with all there is') FROM whk.attempt;
SELECT t.is(t.of(1, 'ROW(delivered, retried, failed, cancelled,
	t.s(last_at), last_status, last_error, failures)'),
	'(1,0,0,0,1,204,,0)', 'and counted');
SELECT t.is(whk.verdict(s, NULL, 1, '{1}'), v, 'the verdict of ' || s)
FROM (VALUES (199, 'retry'), (200, 'delivered'), (299, 'delivered'),
	(300, 'retry'), (301, 'retry'), (400, 'retry'), (404, 'retry'),
	(410, 'failed'), (429, 'retry'), (500, 'retry'), (599, 'retry'))
	AS x(s, v);
SELECT t.is(whk.verdict(NULL, e, 1, '{1}'), v, 'the verdict of ' || e)
FROM (VALUES ('timeout', 'retry'), ('dns', 'retry'), ('blocked', 'retry'),
	('deferred', 'deferred'), ('cancelled', 'cancelled')) AS x(e, v);
SELECT t.clear();

-- One line given twice: the same row, twice in a batch, with the same end.
SELECT t.hook(), t.hook() \g /dev/null
SELECT t.accept('e'), t.accept('f') \g /dev/null
SELECT t.is(t.record(1, '{e,e}', 500), 'retry 5, retry 5', 'twice a failure');
SELECT t.is(t.record(2, '{e,e}', error => 'cancelled'), 'cancelled, cancelled',
	'twice cancelled');
SELECT t.is(t.record(1, '{f,f}', 200), 'delivered, delivered',
	'twice a success');
SELECT t.is(string_agg(a.event || a.webhook || ' ' || a.outcome, ', '
	ORDER BY a.event, a.webhook),
	'e1 retry, e2 cancelled, f1 delivered', 'each is on record once')
	FROM whk.attempt a;
SELECT t.is(t.of(1, 'ROW(delivered, retried)'), '(1,1)', 'and counted once');
SELECT t.clear();

-- The schedule, to its end: each attempt when it is due.
SELECT t.hook() \g /dev/null
SELECT t.accept('e') \g /dev/null
CREATE TABLE t.seen (attempt int, at numeric, got text);
DO $$
DECLARE
	at numeric := 0;
	got text;
BEGIN
	FOR i IN 1 .. 11 LOOP
		got := t.record(1, '{e}', 500, now => at);
		INSERT INTO t.seen VALUES (i, at, got);
		EXIT WHEN got = 'failed';
		-- Of the breaker this is no test.
		UPDATE whk.webhook SET failures = 0, failing_since = NULL;
		at := split_part(got, ' ', 2)::numeric;
	END LOOP;
END
$$;
SELECT t.is(string_agg(coalesce((nullif(split_part(got, ' ', 2), '')::numeric
		- at)::text, got), ' ' ORDER BY attempt),
	'5 300 1800 7200 18000 36000 50400 72000 86400 failed', 'the schedule')
	FROM t.seen;
SELECT t.is(t.pending(1), NULL, 'at its end nothing is pending');
SELECT t.is(t.of(1, 'ROW(retried, failed)'), '(9,1)', 'all are counted');
SELECT t.is(string_agg(a.attempt || ' ' || a.outcome, ', ' ORDER BY a.at),
	'1 retry, 2 retry, 3 retry, 4 retry, 5 retry, 6 retry, 7 retry, 8 retry, '
	'9 retry, 10 failed', 'and on record') FROM whk.attempt a;
SELECT t.clear();

-- A webhook's own schedule, and jitter.
SELECT t.hook('{"schedule_ms": [1000, 2500]}'),
	t.hook('{"schedule_ms": []}') \g /dev/null
SELECT t.accept('e') \g /dev/null
SELECT t.is(t.record(1, '{e}', 500), 'retry 1', 'a schedule of its own');
SELECT t.is(t.pending(1), 'e #2 1', 'it is pending for the next attempt');
SELECT t.is(t.leased(), 'e>2', 'which nobody holds');
SELECT t.is(t.claim(10, 1), 'e>1', 'until it is claimed');
SELECT t.is(t.leased(), 'e>1 e>2', 'then somebody does');
SELECT t.is(t.record(1, '{e}', error => 'deferred', now => 1), 'deferred',
	'it may be deferred');
SELECT t.is(t.leased(), 'e>2', 'to be nobody''s');
UPDATE whk.pending SET next_at = t.at(1) WHERE webhook = 1;
SELECT t.is(t.record(1, '{e}', error => 'timeout', now => 1), 'retry 3.5',
	'its second wait');
SELECT t.is(t.record(1, '{e}', 500, now => 4), 'failed', 'its end');
SELECT t.is(t.record(2, '{e}', 500), 'failed', 'once is once');
SELECT t.is(t.attempts(1), 'e retry 500, e #2 retry timeout, e #3 failed 500',
	'errors are on record too');
SELECT t.clear();
SELECT t.hook() \g /dev/null
SELECT t.batch(array_agg('j' || i)) FROM generate_series(1, 50) i \g /dev/null
SELECT t.record(1, array_agg('j' || i), 500, spread => 0.1)
	FROM generate_series(1, 50) i \g /dev/null
SELECT t.is(min(s) >= 4.5 AND max(s) <= 5.5 AND max(s) - min(s) > 0.3, 'true',
	'a jitter of a tenth')
	FROM (SELECT t.s(next_at)::numeric AS s FROM whk.pending) x;
SELECT t.clear();

-- Retry-After.
SELECT t.hook() \g /dev/null
SELECT t.accept(i) FROM unnest('{a,b,c,d}'::text[]) i \g /dev/null
SELECT t.is(t.record(1, '{a}', 500, retry_after => 60000), 'retry 60',
	'a failure that says when');
SELECT t.is(t.of(1, 'blocked_until'), NULL, 'blocks nothing');
SELECT t.is(t.record(1, '{b}', 500, retry_after => 1000), 'retry 5',
	'sooner than the schedule is not taken');
SELECT t.is(t.record(1, '{c}', 500, retry_after => 999999999999), 'retry 86400',
	'more than a day is a day');
SELECT t.is(t.record(1, '{d}', 500, retry_after => 9223372036854775807),
	'retry 86400', 'whatever it says');
SELECT t.clear();

-- Throttling.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c,d,e,f,g,h}') \g /dev/null
SELECT t.is(t.record(1, '{a}', 429, retry_after => 60000), 'retry 60',
	'a 429 that says when');
SELECT t.is(t.of(1, 't.s(blocked_until)'), '60', 'blocks the webhook until then');
SELECT t.is(t.accept('late', 1), 'fresh {}', 'what comes in meanwhile');
SELECT t.is(right(t.pending(1), 11), 'late parked', 'is parked');
SELECT t.is(t.record(1, '{b}', 503, retry_after => 900000, now => 1),
	'retry 901', 'another one meanwhile');
SELECT t.is(t.of(1, 't.s(blocked_until)'), '60', 'does not block it for longer');
SELECT t.is(t.record(1, '{c}', 200, now => 2), 'delivered', 'a success');
SELECT t.is(t.of(1, 'ROW(blocked_until, blocks)'), '(,0)', 'opens it');
SELECT t.is(t.record(1, ARRAY[e], s, now => n), 'retry ' || n + 5,
	'a ' || s || ' at ' || n)
FROM (VALUES ('d', 502, 10), ('e', 503, 16), ('f', 504, 100)) AS x(e, s, n)
ORDER BY n;
SELECT t.is(t.of(1, 'ROW(t.s(blocked_until), blocks)'), '(120,3)',
	'each block that follows is twice as long: 5, 10, 20');
SELECT t.is(t.record(1, '{g}', 500, now => 130), 'retry 135', 'a plain failure');
SELECT t.is(t.of(1, 'blocks'), '3', 'does not block');
SELECT t.clear();

-- 410: the webhook is gone.
SELECT t.hook(), t.hook() \g /dev/null
SELECT t.batch('{a,b,c,d}') \g /dev/null
UPDATE whk.pending SET leased = false, next_at = CASE event WHEN 'c' THEN next_at END
	WHERE webhook = 1 AND event > 'b';
SELECT t.is(t.record(1, '{a}', 410, now => 1), 'failed', 'a 410');
SELECT t.is(t.of(1, 'ROW(t.s(disabled_at), disabled_why)'), '(1,"410 Gone")',
	'disables the webhook');
SELECT t.is(t.pending(1), 'b 300', 'only what is in flight is pending for it');
SELECT t.is(t.attempts(1), 'a failed 410, c cancelled, d cancelled',
	'what was is cancelled, on record');
SELECT t.is(t.of(1, 'ROW(failed, cancelled)'), '(1,2)', 'and counted');
SELECT t.is(t.pending(2), 'a 300, b 300, c 300, d 300',
	'the other one is as before');
SELECT t.is(t.record(1, '{b}', 200, now => 2), 'delivered',
	'what was in flight came through');
SELECT t.is(t.attempts(1),
	'a failed 410, c cancelled, d cancelled, b delivered 200',
	'is on record too');
SELECT t.is(t.pending(1), NULL, 'nothing is pending');
SELECT t.clear();

-- A lease that was lost.
SELECT t.hook() \g /dev/null
SELECT t.accept('e'), t.accept('f') \g /dev/null
SELECT t.is(t.record(1, '{e}', 500, now => 400, lease => t.at(299)), 'retry',
	'an outcome under another lease');
SELECT t.is(t.pending(1), 'e 300, f 300', 'moves nothing');
SELECT t.is(t.attempts(1), 'e retry 500', 'but is on record');
SELECT t.is(t.record(1, '{f}', 200, now => 400, lease => t.at(299)),
	'delivered', 'a success under another lease');
SELECT t.is(t.pending(1), 'e 300, f 300', 'moves nothing either');
SELECT t.is(t.record(1, '{e}', 500, now => 401, attempt => 2), 'retry',
	'an attempt of another number');
SELECT t.is(t.pending(1), 'e 300, f 300', 'moves nothing');
SELECT t.is(t.record(1, '{e}', 200, now => 402), 'delivered', 'the holder''s');
SELECT t.is(t.pending(1), 'f 300', 'does');
SELECT t.clear();

-- The same outcome again.
SELECT t.hook() \g /dev/null
SELECT t.accept('e') \g /dev/null
SELECT t.is(t.record(1, '{e}', 500, now => 1, lease => t.at(300)), 'retry 6',
	'an outcome');
SELECT t.is(t.record(1, '{e}', 500, now => 9, lease => t.at(300), attempt => 1,
	began => 1), 'retry 6', 'reported again, it says the same');
SELECT t.is(t.pending(1), 'e #2 6', 'moves nothing');
SELECT t.is(t.attempts(1), 'e retry 500', 'is on record once');
SELECT t.is(t.of(1, 'ROW(retried, failures)'), '(1,1)', 'and counted once');
SELECT t.is(t.record(1, '{e}', 200, now => 10, lease => t.at(6)), 'delivered',
	'a success');
SELECT t.is(t.record(1, '{e}', 200, now => 11, lease => t.at(6), attempt => 2,
	began => 10), 'delivered', 'again');
SELECT t.is(t.of(1, 'delivered'), '1', 'is counted once');
SELECT t.accept('f') \g /dev/null
SELECT t.is(t.record(1, '{f,f}', 200, now => 20), 'delivered, delivered',
	'twice in a batch');
SELECT t.is(t.of(1, 'delivered'), '2', 'is counted once');
SELECT t.clear();

-- Deferred, and cancelled.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c}') \g /dev/null
SELECT t.is(t.record(1, '{a}', error => 'deferred', now => 1), 'deferred',
	'deferred');
SELECT t.is(t.pending(1), 'a parked, b 300, c 300',
	'is parked, and costs no attempt');
SELECT t.is(t.attempts(1), NULL, 'nothing is on record');
SELECT t.is(t.of(1, 'ROW(backlog, t.s(probe_at), retried)'), '(t,2,0)',
	'the webhook has a backlog');
SELECT t.is(t.record(1, '{b}', error => 'cancelled', now => 2), 'cancelled',
	'cancelled');
SELECT t.is(t.attempts(1), 'b cancelled', 'is on record');
SELECT t.is(t.of(1, 'ROW(cancelled, last_at)'), '(1,)',
	'counted, and no attempt that was made');
SELECT t.is(t.record(1, '{c}', error => 'cancelled', now => 3,
	lease => t.at(1)), 'cancelled', 'cancelled under another lease');
SELECT t.is(t.attempts(1), 'b cancelled', 'is not');
SELECT t.is(t.of(1, 'cancelled'), '1', 'nor counted');
SELECT t.is(sum(cancelled), '1', 'in the sum of all either') FROM whk.total;
SELECT t.is(t.pending(1), 'a parked, c 300', 'and moves nothing');
SELECT t.clear();

-- A webhook that is not there any more.
SELECT t.hook() \g /dev/null
SELECT t.accept('e') \g /dev/null
DELETE FROM whk.webhook;
SELECT t.is(t.record(1, '{e}', 200), 'delivered', 'of a webhook that is gone');
SELECT t.is(t.attempts(1), 'e delivered 200', 'it is on record');
SELECT t.is(t.pending(1), NULL, 'and nothing is pending');
SELECT t.clear();

-- The breaker.
SELECT t.hook() \g /dev/null
SELECT t.batch(array_agg('e' || lpad(i::text, 2, '0') ORDER BY i))
	FROM generate_series(1, 30) i \g /dev/null
SELECT t.record(1, array_agg('e0' || i), 500, now => 1)
	FROM generate_series(1, 9) i \g /dev/null
SELECT t.is(t.of(1, 'ROW(failures, t.s(failing_since), blocked_until)'),
	'(9,1,)', 'nine failures');
SELECT t.is(t.record(1, '{e10}', 500, now => 2), 'retry 7', 'the tenth');
SELECT t.is(t.of(1, 'ROW(failures, t.s(failing_since),
	t.s(blocked_until), blocks)'), '(10,1,32,1)', 'blocks for 30 s');
SELECT t.is(t.record(1, '{e11}', 500, now => 3), 'retry 8', 'one in flight');
SELECT t.is(t.of(1, 'ROW(failures, t.s(blocked_until))'), '(11,32)',
	'does not block for longer');
SELECT t.is(t.record(1, ARRAY['e' || e], 500, now => n), 'retry ' || n + 5,
	'a probe at ' || n)
	FROM (VALUES (12, 33), (13, 94)) AS x(e, n) ORDER BY n;
SELECT t.is(t.of(1, 'ROW(t.s(blocked_until), blocks)'), '(214,3)',
	'the third block is 120 s');
SELECT t.is(whk.block_time('30 s', n), w, 'after ' || n || ' blocks')
FROM (VALUES (0, '00:00:30'), (1, '00:01:00'), (6, '00:32:00'),
	(7, '01:00:00'), (1000, '01:00:00')) AS x(n, w);
SELECT t.is(t.record(1, '{e14}', 200, now => 300), 'delivered', 'a success');
SELECT t.is(t.of(1, 'ROW(failures, failing_since, blocked_until, blocks)'),
	'(0,,,0)', 'forgives all');
SELECT t.record(1, '{e15}', 500, now => 301) \g /dev/null
SELECT t.is(t.of(1, 'ROW(failures, t.s(failing_since))'), '(1,301)',
	'and it begins anew');
SELECT t.clear();

-- Within a batch, what comes after the last success counts.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c,d}') \g /dev/null
UPDATE whk.webhook SET failures = 9, failing_since = t.at(-60);
SELECT t.is(string_agg(r.outcome, ' ' ORDER BY r.n), 'retry delivered retry',
	'bad, good, bad')
FROM whk.record('{a,b,c}', array_fill(t.at(), '{3}'), '{NULL,NULL,NULL}',
	'{NULL,NULL,NULL}', '{1,1,1}', '{1,1,1}', array_fill(t.at(300), '{3}'),
	ARRAY[t.at(1), t.at(2), t.at(3)], '{500,200,500}', '{NULL,NULL,NULL}',
	'{NULL,NULL,NULL}', '{1,1,1}', '{1,1,1}', '{1,1,1}', '{1,1,1}',
	'{1,1,1}', '{x,x,x}', '{x,x,x}', '{x,x,x}', 0, t.at(4)) r;
SELECT t.is(t.of(1, 'ROW(failures, t.s(failing_since), blocked_until)'),
	'(1,3,)', 'one failure');
UPDATE whk.webhook SET blocked_until = t.at(60);
SELECT t.is(string_agg(r.outcome, ' ' ORDER BY r.n), 'delivered retry',
	'good, bad, of one that is blocked')
FROM whk.record('{d,c}', array_fill(t.at(), '{2}'), '{NULL,NULL}',
	'{NULL,NULL}', '{1,1}', '{1,2}', array_fill(t.at(300), '{2}'),
	ARRAY[t.at(5), t.at(6)], '{200,500}', '{NULL,NULL}', '{NULL,NULL}',
	'{1,1}', '{1,1}', '{1,1}', '{1,1}', '{1,1}', '{x,x}', '{x,x}', '{x,x}', 0,
	t.at(7)) r;
SELECT t.is(t.of(1, 't.s(blocked_until)'), '60', 'it stays so');
SELECT t.is(ROW(dns_us, connect_us, tls_us, wait_us, total_us, address, headers,
	answer), '(1,1,1,1,1,x,x,"\\x78")', 'phases and answer are on record')
	FROM whk.attempt WHERE event = 'a';
SELECT t.clear();

-- Five days of nothing but failure.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c}') \g /dev/null
UPDATE whk.webhook SET failures = 20, failing_since = t.at(-432000);
SELECT t.record(1, '{a}', 500) \g /dev/null
SELECT t.is(t.of(1, 'disabled_at'), NULL, 'five days are not enough');
SELECT t.record(1, '{b}', 500, now => 1) \g /dev/null
SELECT t.is(t.of(1, 'ROW(t.s(disabled_at), disabled_why)'),
	'(1,"nothing but failures for 5 days")', 'more are');
SELECT t.is(t.pending(1) LIKE '%c 300%', 'true',
	'what is pending stays, should it be resumed');
SELECT t.is(count(*), '0', 'it gets nothing new') FROM whk.route;
SELECT t.clear();

-- A backlog: a success lets out two, a failure none.
SELECT t.hook('{"max_in_flight": 1}') \g /dev/null
SELECT t.batch(array_agg('e' || lpad(i::text, 2, '0') ORDER BY i))
	FROM generate_series(1, 12) i \g /dev/null
UPDATE whk.pending SET next_at = NULL, leased = false WHERE event > 'e02';
UPDATE whk.webhook SET backlog = true, probe_at = t.at(100);
SELECT t.is(t.record(1, '{e01}', 500, now => 1), 'retry 6', 'a failure');
SELECT t.is(count(*), '10', 'lets out none')
	FROM whk.pending WHERE next_at IS NULL;
SELECT t.record(1, '{e02}', 200, now => 2) \g /dev/null
SELECT t.is(left(t.pending(1), 31), 'e01 #2 6, e03 2, e04 2, e05 par',
	'a success lets out two, the oldest');
SELECT t.is(t.of(1, 'ROW(unparked, backlog)'), '(2,t)', 'they are counted');
SELECT t.record(1, '{e03,e04}', 200, now => 3) \g /dev/null
SELECT t.is(left(t.pending(1), 43),
	'e01 #2 6, e05 3, e06 3, e07 3, e08 3, e09 p', 'two let out four');
SELECT t.is(t.of(1, 'unparked'), '4', 'which is four times those in flight');
SELECT t.record(1, '{e05}', 200, now => 4) \g /dev/null
SELECT t.is(t.of(1, 'unparked'), '4', 'no more are out at once');
SELECT t.record(1, '{e06,e07,e08,e09}', 200, now => 5) \g /dev/null
SELECT t.is(t.pending(1), 'e01 #2 6, e10 5, e11 5, e12 5', 'the last ones');
SELECT t.is(t.of(1, 'backlog'), 'false', 'no backlog is left');
SELECT t.is(t.accept('new', 6), 'fresh {1}', 'what is new goes out at once');
SELECT t.clear();

-- A backlog at a limited rate takes its slots.
SELECT t.hook('{"rate": 2}') \g /dev/null
SELECT t.batch('{a}') \g /dev/null
UPDATE whk.webhook SET backlog = true, probe_at = t.at(100);
SELECT t.batch('{b,c,d}', now => 1) \g /dev/null
SELECT t.record(1, '{a}', 200, now => 10) \g /dev/null
SELECT t.is(t.pending(1), 'b 10, c 10.5, d parked', 'spaced');
SELECT t.is(t.of(1, 't.s(next_slot)'), '11', 'the next slot');
SELECT t.clear();

-- Order: the next of a key when the one before is done.
SELECT t.hook('{"ordered": true, "schedule_ms": [1000]}') \g /dev/null
SELECT t.batch('{a,b,c,d}', '{k,k,k,l}') \g /dev/null
SELECT t.is(t.record(1, '{a}', 500, now => 1), 'retry 2', 'a failure');
SELECT t.is(t.pending(1), 'a #2 2, b behind, c behind, d 300',
	'the others of its key wait');
SELECT t.is(t.record(1, '{a}', 500, now => 2), 'failed', 'for good');
SELECT t.is(t.pending(1), 'b 2, c behind, d 300', 'the next is due');
SELECT t.record(1, '{b}', 200, now => 3) \g /dev/null
SELECT t.is(t.pending(1), 'c 3, d 300', 'after a success as well');
UPDATE whk.webhook SET paused_at = t.at(3);
SELECT t.batch('{e}', '{k}', 4) \g /dev/null
SELECT t.record(1, '{c}', 200, now => 5) \g /dev/null
SELECT t.is(t.pending(1), 'd 300, e parked',
	'of a paused one the next is parked, no longer behind');
SELECT t.is(t.of(1, 'backlog'), 'true', 'as a backlog');
