-- SPDX-License-Identifier: ISC
-- claim(): what is due goes out again, each webhook by its share.

SELECT t.hook(), t.hook() \g /dev/null
SELECT t.accept('a', type => 'x', tenant => 'acme', key => 'k', body => 'b'),
	t.accept('b', 1), t.accept('c', 100) \g /dev/null
SELECT t.is(t.claim(10, 299), NULL, 'nothing is due before its lease is over');
SELECT t.is(t.claim(10, 300), 'a>1 a>2', 'then it is');
SELECT t.is(t.pending(1), 'a 600, b 301, c 400', 'with another lease');
SELECT t.is(t.claim(10, 300), NULL, 'for one claim only');
SELECT t.is(t.claim(1, 301), 'b>1', 'as many as are wanted');
SELECT t.is(t.claim(10, 10000), 'a>1 a>2 b>1 b>2 c>1 c>2',
	'the oldest event first');
SELECT t.is(ROW(c.id, c.time_ms = whk.ms(t.at()), c.type, c.tenant, c.key,
	c.content_type, c.body, c.attempt, c.webhook,
	c.lease_ms = whk.ms(t.at(20300))), '(a,t,x,acme,k,,b,1,1,t)',
	'with all of the event')
	FROM whk.claim(9, '300 s', t.at(20000)) c WHERE id = 'a' AND webhook = 1;
SELECT t.is(whk.next_due(), whk.ms(t.at(20300))::text, 'when there is more');
SELECT t.clear();
SELECT t.is(whk.next_due(), NULL, 'nothing is waiting');

-- Shares: four times those in flight; the rest is parked.
SELECT t.hook('{"max_in_flight": 1}'), t.hook() \g /dev/null
SELECT t.accept('e' || lpad(i::text, 3, '0'), "to" => '{1}')
	FROM generate_series(1, 100) i \g /dev/null
SELECT t.accept('z', 1, "to" => '{2}') \g /dev/null
SELECT t.is(t.claim(50, 1000), 'e001>1 e002>1 e003>1 e004>1 z>2',
	'a hundred of one are no hindrance to another');
SELECT t.is(count(*) FILTER (WHERE next_at IS NULL), '96', 'the rest is parked')
	FROM whk.pending;
SELECT t.is(t.of(1, 'ROW(backlog, t.s(probe_at))'), '(t,1001)',
	'and looked at again');
SELECT t.is(t.claim(50, 1000), NULL, 'nothing more is due');
SELECT t.is(whk.draining(t.at(1000)), 'true', 'but there will be');
SELECT t.is(whk.next_due(), whk.ms(t.at(1001))::text, 'soon');
SELECT t.is(t.claim(50, 1001), 'e005>1', 'the sweep lets out one, as a probe');
SELECT t.is(t.claim(50, 1002), NULL, 'and then none for a while');
SELECT t.clear();

-- What is due for a webhook that is shut is parked.
SELECT t.hook() AS paused, t.hook() AS blocked, t.hook() AS disabled,
	t.hook() AS gone, t.hook() AS deleted, t.hook() AS open \gset
SELECT t.accept('e') \g /dev/null
UPDATE whk.webhook SET paused_at = t.at() WHERE id = :paused;
UPDATE whk.webhook SET blocked_until = t.at(2000) WHERE id = :blocked;
UPDATE whk.webhook SET disabled_at = t.at(), disabled_why = 'x'
	WHERE id = :disabled;
UPDATE whk.webhook SET disabled_at = t.at(), disabled_why = 'removed'
	WHERE id = :gone;
DELETE FROM whk.webhook WHERE id = :deleted;
SELECT t.is(t.claim(50, 1000), 'e>6', 'only the open one''s goes out');
SELECT t.is(t.pending(:paused), 'e parked', 'paused: parked');
SELECT t.is(t.pending(:blocked), 'e parked', 'blocked: parked');
SELECT t.is(t.pending(:disabled), 'e parked', 'disabled: parked');
SELECT t.is(t.attempts(:gone), 'e cancelled', 'gone: cancelled');
SELECT t.is(t.attempts(:deleted), 'e cancelled', 'deleted: cancelled');
SELECT t.is(t.pending(:deleted), NULL, 'nothing is pending for it');
SELECT t.is(whk.next_due(), whk.ms(t.at(1300))::text,
	'next: the lease of the open one');
DELETE FROM whk.pending WHERE webhook = :open;
SELECT t.is(whk.next_due(), whk.ms(t.at(2000))::text,
	'then: the end of the block');
SELECT t.is(whk.draining(t.at(1000)), 'false', 'none of them by itself');
SELECT t.is(t.claim(50, 1999), NULL, 'while it is blocked nothing');
SELECT t.is(t.claim(50, 2000), 'e>2', 'after it one probe');
SELECT t.clear();

-- Too many failures: single probes.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c}') \g /dev/null
UPDATE whk.webhook SET failures = 10, blocks = 1, blocked_until = t.at(400);
SELECT t.is(t.claim(50, 500), 'a>1', 'of three that are due one goes out');
SELECT t.is(t.pending(1), 'a 800, b parked, c parked', 'the others are parked');
SELECT t.is(t.accept('d', 501), 'fresh {}', 'and so is what comes in');
SELECT t.is(t.record(1, '{a}', 200, now => 502), 'delivered', 'a success');
SELECT t.is(t.pending(1), 'b 502, c 502, d parked', 'lets go more');
SELECT t.clear();

-- The sweep cancels what is left for a webhook that is gone.
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b}') \g /dev/null
UPDATE whk.pending SET next_at = NULL, leased = false;
UPDATE whk.webhook SET disabled_at = t.at(), disabled_why = 'removed',
	backlog = true, probe_at = t.at();
SELECT t.is(t.claim(50, 1), NULL, 'nothing goes out');
SELECT t.is(t.attempts(1), 'a cancelled, b cancelled', 'it is cancelled');
SELECT t.is(t.of(1, 'ROW(backlog, cancelled)'), '(f,2)', 'all of it');
SELECT t.clear();

-- Order is kept by claim() too: only the first of a key is ever due.
SELECT t.hook('{"ordered": true}') \g /dev/null
SELECT t.batch('{a,b,c}', '{k,k,l}') \g /dev/null
SELECT t.is(t.claim(50, 1000), 'a>1 c>1', 'the first of each key');
UPDATE whk.webhook SET paused_at = t.at();
SELECT t.is(t.claim(50, 2000), NULL, 'paused');
SELECT t.is(t.pending(1), 'a parked, b behind, c parked', 'all wait');
SELECT whk.resume('{1}', t.at(3000)) \g /dev/null
SELECT t.is(t.claim(50, 3000), 'a>1', 'resumed, a probe');
SELECT t.is(t.record(1, '{a}', 200, now => 3001), 'delivered', 'delivered');
SELECT t.is(t.pending(1), 'b 3001, c 3001', 'both keys go on');
