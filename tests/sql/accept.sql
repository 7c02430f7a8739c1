-- SPDX-License-Identifier: ISC
-- accept(): what is stored, what is a repeat, and who holds what.

-- Two webhooks without conditions.
SELECT t.hook(), t.hook() \g /dev/null
SELECT t.is(t.accept('e1', type => 'a', tenant => 'acme', key => 'k',
	body => '{"n": 1.50}'), 'fresh {1,2}', 'an event');
SELECT t.is(ROW(type, tenant, key, content_type, webhooks, t.s(accepted_at),
	t.s(time), body), '(a,acme,k,,"{1,2}",0,0,"{""n"": 1.50}")',
	'it is stored as it is') FROM whk.event;
SELECT t.is(t.pending(1), 'e1 300', 'its row is leased');
SELECT t.is(t.leased(), 'e1>1 e1>2', 'to the caller');
SELECT t.is(a.lease_ms, whk.ms(t.at(300))::text, 'the lease is said')
FROM whk.accept('{e2}', ARRAY[t.at()], '{NULL}', '{NULL}', '{NULL}', '{NULL}',
	'{b}', '{NULL}', '{f}', '300 s', t.at()) a;

-- Repeats.
SELECT t.is(t.accept('e1', 10, "time" => 0), 'known', 'the same again');
SELECT t.is(count(*), '2', 'nothing is stored') FROM whk.event;
SELECT t.is(t.pending(1), 'e1 300, e2 300', 'nor due');
SELECT t.is(t.accept('e1', 10), 'fresh {1,2}',
	'the queue''s id at another time is another event');

SELECT t.is(t.accept('c', 20, chosen => true), 'fresh {1,2}', 'a chosen id');
SELECT t.is(t.accept('c', 30, chosen => true), 'known',
	'again, at another time');
SELECT t.is(t.accept('c', 30, chosen => true, "time" => 20), 'known',
	'again, at the same time');
SELECT t.is(t.accept('c', 86419, chosen => true), 'known', 'for a day');
SELECT t.is(t.accept('c', 86421, chosen => true), 'fresh {1,2}', 'not longer');
SELECT t.is(t.accept('c', 172820, chosen => true), 'known', 'and for a day more');
SELECT t.clear();

-- Batches.
SELECT t.hook() \g /dev/null
SELECT t.is(t.batch('{a,b,a,c,b}'), 'fresh {1}, fresh {1}, known, fresh {1}, known',
	'of an id twice in a batch the first counts');
SELECT t.is(t.batch('{c,d}'), 'known, fresh {1}', 'a batch of old and new');
SELECT t.is(t.batch('{x,x,y}', chosen => true), 'fresh {1}, known, fresh {1}',
	'a chosen id twice in a batch');
SELECT t.is(t.batch('{y,z}', now => 5, chosen => true), 'known, fresh {1}',
	'a chosen id again, in a batch');
SELECT t.is(t.pending(1), 'a 300, b 300, c 300, d 300, x 300, y 300, z 305',
	'each is pending once');
SELECT t.clear();

-- To whom it is said.
SELECT t.hook('{"events": ["never"]}'), t.hook(), t.hook() \g /dev/null
SELECT t.is(t.accept('e1', "to" => '{1,3}'), 'fresh {1,3}',
	'those named, whether they match or not');
SELECT t.is(t.pending(2), NULL, 'and no other');
SELECT t.is(t.accept('e2', "to" => '{2,99,98}'), 'fresh {2} missing {98,99}',
	'those that are no webhooks are said');
SELECT t.is(t.accept('e3', "to" => '{99}'), 'known missing {99}',
	'where none is, it is said');
SELECT t.is(count(*), '0', 'and nothing stored') FROM whk.event WHERE id = 'e3';
SELECT t.is(t.accept('e3', "to" => '{1}', chosen => true), 'fresh {1}',
	'it can still be accepted');
SELECT t.is(t.accept('e4', "to" => '{2,2}'), 'fresh {2}', 'one named twice');
DELETE FROM whk.webhook;
SELECT t.is(t.accept('e5', type => 'a'), 'fresh {}', 'for nobody');
SELECT t.is(webhooks, '{}', 'it is stored all the same')
	FROM whk.event WHERE id = 'e5';
SELECT t.clear();

-- Webhooks that are shut: the rows are parked.
SELECT t.hook() AS open, t.hook() AS paused, t.hook() AS blocked,
	t.hook() AS was_blocked, t.hook() AS behind, t.hook() AS disabled \gset
UPDATE whk.webhook SET paused_at = t.at() WHERE id = :paused;
UPDATE whk.webhook SET blocked_until = t.at(60) WHERE id = :blocked;
UPDATE whk.webhook SET blocked_until = t.at(-60) WHERE id = :was_blocked;
UPDATE whk.webhook SET backlog = true, probe_at = t.at(7) WHERE id = :behind;
UPDATE whk.webhook SET disabled_at = t.at() WHERE id = :disabled;
SELECT t.is(t.accept('e1'), 'fresh {1,4}', 'the open ones are leased');
SELECT t.is(t.pending(:paused), 'e1 parked', 'paused: parked');
SELECT t.is(t.of(:paused, 'ROW(backlog, probe_at)'), '(t,infinity)',
	'nobody looks at it');
SELECT t.is(t.pending(:blocked), 'e1 parked', 'blocked: parked');
SELECT t.is(t.of(:blocked, 'ROW(backlog, t.s(probe_at))'), '(t,60)',
	'it is looked at when the block is over');
SELECT t.is(t.pending(:was_blocked), 'e1 300', 'blocked before: leased');
SELECT t.is(t.pending(:behind), 'e1 parked', 'with a backlog: parked');
SELECT t.is(t.of(:behind, 't.s(probe_at)'), '7', 'it is looked at as before');
SELECT t.is(t.pending(:disabled), NULL, 'disabled: nothing');
SELECT t.is(t.accept('e2', "to" => '{6}'), 'fresh {}', 'disabled, but named');
SELECT t.is(t.pending(:disabled), 'e2 parked', 'parked');
SELECT t.clear();

-- Rates: each row takes a slot.
SELECT t.hook('{"rate": 2}') \g /dev/null
SELECT t.is(t.batch('{a,b,c,d}'), 'fresh {1}, fresh {}, fresh {}, fresh {}',
	'two a second: one is held');
SELECT t.is(t.pending(1), 'a 300, b 0.5, c 1, d 1.5', 'the others have slots');
SELECT t.is(t.batch('{e}', now => 1), 'fresh {}', 'later');
SELECT t.is(t.pending(1), 'a 300, b 0.5, c 1, d 1.5, e 2', 'the next slot');
SELECT t.is(t.batch('{f,g}', now => 10), 'fresh {1}, fresh {}', 'much later');
SELECT t.is(right(t.pending(1), 13), 'f 310, g 10.5',
	'slots that nobody took are lost');
SELECT t.is(t.of(1, 't.s(next_slot)'), '11', 'where the next one is');
SELECT t.clear();

-- Order: one of each key in front.
SELECT t.hook('{"ordered": true}') \g /dev/null
SELECT t.is(t.batch('{a,b,c}', '{k,k,l}'), 'fresh {1}, fresh {}, fresh {1}',
	'the first of each key is held');
SELECT t.is(t.pending(1), 'a 300, b behind, c 300', 'the second is behind it');
SELECT t.is(t.batch('{d,e,f}', '{l,NULL,NULL}', 1),
	'fresh {}, fresh {1}, fresh {}', 'without a key they share one');
SELECT t.is(t.pending(1), 'a 300, b behind, c 300, d behind, e 301, f behind',
	'behind those of before too');
SELECT t.is(t.of(1, 'backlog'), 'false', 'that is no backlog');
SELECT t.clear();

-- emit(), for producers that write SQL.
SELECT t.hook() \g /dev/null
SELECT t.is(whk.emit('{}', 'a', id => 'mine', key => 'k', tenant => 'x'),
	'mine', 'emit gives the id');
SELECT t.is(ROW(e.type, e.key, e.tenant, p.next_at <= clock_timestamp()),
	'(a,k,x,t)', 'it is due at once')
	FROM whk.event e JOIN whk.pending p ON p.event = e.id;
SELECT t.is(t.leased(), NULL, 'to nobody in particular');
SELECT whk.emit('{}', id => 'mine') \g /dev/null
SELECT t.is(count(*), '1', 'again is once') FROM whk.event;
SELECT t.is(whk.emit('{}') ~ '^msg_[0-9a-f-]{36}$', 'true', 'an id is made');
BEGIN;
SELECT whk.emit('{}', id => 'undone') \g /dev/null
ROLLBACK;
SELECT t.is(count(*), '0', 'undone, it was not')
	FROM whk.pending WHERE event = 'undone';
