-- SPDX-License-Identifier: ISC
-- The webhooks themselves: added, changed, paused, rotated, removed.

-- Filters that are none.
SELECT t.is(whk.bad_filter(f) IS NULL, good::text, 'a filter: ' || f)
FROM (VALUES ('$.a == 1', true), ('exists($.a)', true),
	('$.a > 1 && $.b like_regex "^x"', true), ('strict $.a == 1', true),
	('!exists($.a ? (@ > 1))', true), ('($.a == 1) is unknown', true),
	('$.a', false), ('strict $.a', false), ('lax $.a[*] ? (@ > 1)', false),
	('$', false), ('', false), ('$.a ==', false), ('a == 1', false),
	('$.a like_regex "("', false), ('@.a == 1', false)) AS x(f, good);
SELECT t.is(string_agg(n::text, ' '), '2 4', 'the places of those that are none')
	FROM whk.bad_filters('{$.a == 1,$.a,NULL,x}');

-- Added, in order, all or none.
SELECT t.is(string_agg(n || '>' || id, ' ' ORDER BY n), '1>1 2>2 3>3',
	'three at once')
FROM whk.add('[{"url": "http://a/", "secret": "s1"},
	{"url": "http://b/", "secret": "s2", "events": ["x"], "tenant": "t",
		"filter": "$.a == 1", "headers": {"B": "c", "A": "b"},
		"content_type": "d/e", "timeout_ms": 7, "schedule_ms": [8],
		"rate": 9.5, "max_in_flight": 10, "ordered": true,
		"description": "f"},
	{"url": "http://c/", "secret": "s3", "events": [], "tenant": null}]') a;
SELECT t.is(whk.definition(w), '{"url": "http://b/", "rate": 9.5, '
	'"events": ["x"], "filter": "($.\"a\" == 1)", "tenant": "t", '
	'"headers": {"A": "b", "B": "c"}, "ordered": true, "timeout_ms": 7, '
	'"description": "f", "schedule_ms": [8], "content_type": "d/e", '
	'"max_in_flight": 10}', 'with all it was given')
	FROM whk.webhook w WHERE id = 2;
SELECT t.is(s.secret, 's' || s.webhook, 'and its secret')
	FROM whk.secret s ORDER BY s.webhook;
SELECT t.is(ROW(url, headers, content_type, timeout_ms, max_in_flight, shut,
	gone, blocked_ms, secrets), '(http://b/,"A: b' || E'\n'
	|| 'B: c",d/e,7,10,f,f,,"s2 0")', 'what a sender knows of it')
	FROM whk.webhooks('{2}');
SELECT t.is(ROW(url, headers, content_type, secrets), '(http://a/,,,"s1 0")',
	'of one without headers') FROM whk.webhooks('{1}');

-- Changed: what is named, and nothing else.
SELECT t.is(whk.set('{2,1,99}', '{"url": "http://z/", "rate": 1}'), w,
	'those that there are')
FROM (VALUES ('1')) AS x(w) LIMIT 1;
SELECT t.is(string_agg(url || ' ' || rate || ' ' || timeout_ms, ', ' ORDER BY id),
	'http://z/ 1 15000, http://z/ 1 7', 'two are changed')
	FROM whk.webhook WHERE id < 3;
SELECT whk.set('{2}', '{"tenant": null, "filter": null, "headers": {},
	"content_type": null, "schedule_ms": null, "rate": null, "events": [],
	"description": null}') \g /dev/null
SELECT t.is(ROW(events, tenant, filter, headers, content_type, schedule, rate,
	description, timeout_ms), '({},,,{},,,,,7)', 'null clears')
	FROM whk.webhook WHERE id = 2;
SELECT t.clear();

-- What is pending follows "ordered".
SELECT t.hook() \g /dev/null
SELECT t.batch('{a,b,c,d}', '{k,k,l,NULL}') \g /dev/null
SELECT whk.set('{1}', '{"ordered": true}') \g /dev/null
SELECT t.is(t.pending(1), 'a 300, b behind, c 300, d 300', 'ordered');
SELECT t.is(string_agg(key, ' ' ORDER BY seq), 'k k l ', 'by their keys')
	FROM whk.pending;
SELECT t.is(t.batch('{e}', '{l}', 1), 'fresh {}', 'what comes goes behind');
SELECT whk.set('{1}', '{"ordered": false}') \g /dev/null
SELECT t.is(t.pending(1), 'a 300, b parked, c 300, d 300, e parked',
	'no longer ordered: none behind');
SELECT t.is(t.of(1, 'backlog'), 'true', 'what was waits its turn');
SELECT t.clear();

-- Paused and resumed.
SELECT t.hook(), t.hook() \g /dev/null
SELECT t.accept('a') \g /dev/null
SELECT t.is(count(*), '1', 'pausing says which there are')
	FROM whk.pause('{1,99}', t.at(1));
SELECT t.is(t.of(1, 'whk.state(w, t.at(1))'), 'paused', 'it is paused');
SELECT whk.pause('{1}', t.at(2)) \g /dev/null
SELECT t.is(t.of(1, 't.s(paused_at)'), '1', 'since the first time');
SELECT t.accept('b', 3), t.accept('c', 4), t.accept('d', 5),
	t.accept('e', 6) \g /dev/null
SELECT t.is(t.pending(1), 'a 300, b parked, c parked, d parked, e parked',
	'what comes is kept');
SELECT t.is(t.claim(50, 200), NULL, 'nothing of it goes out');
SELECT t.is(count(*), '1', 'resuming says which there are')
	FROM whk.resume('{1,99}', t.at(201));
SELECT t.is(t.of(1, 'whk.state(w, t.at(201))'), 'active', 'it is active');
SELECT t.is(t.claim(50, 201), 'b>1', 'the oldest goes out as a probe');
SELECT t.is(t.record(1, '{b}', 200, now => 202), 'delivered', 'delivered');
SELECT t.is(t.pending(1), 'a 300, c 202, d 202, e parked', 'then two');
UPDATE whk.webhook SET disabled_at = t.at(), disabled_why = 'x', failures = 9,
	failing_since = t.at(), blocks = 3, blocked_until = t.at(999) WHERE id = 2;
SELECT whk.resume('{2}', t.at(300)) \g /dev/null
SELECT t.is(t.of(2, 'ROW(disabled_at, disabled_why, failures, failing_since,
	blocks, blocked_until)'), '(,,0,,0,)', 'resuming forgives all');
SELECT t.is(count(*), '2', 'its routes are back') FROM whk.route;
SELECT t.clear();

-- States.
SELECT t.hook(), t.hook(), t.hook(), t.hook(), t.hook() \g /dev/null
UPDATE whk.webhook SET paused_at = t.at() WHERE id IN (2, 5);
UPDATE whk.webhook SET blocked_until = t.at(10) WHERE id IN (3, 2);
UPDATE whk.webhook SET disabled_at = t.at() WHERE id IN (4, 5);
SELECT t.is(string_agg(whk.state(w, t.at(9)), ' ' ORDER BY id),
	'active paused blocked disabled disabled', 'the states')
	FROM whk.webhook w;
SELECT t.is(whk.state(w, t.at(10)), 'active', 'a block ends')
	FROM whk.webhook w WHERE id = 3;
SELECT t.is(string_agg(id || ' ' || shut, ', ' ORDER BY id),
	'1 false, 2 true, 3 false, 4 true, 5 true', 'shut for a sender')
	FROM whk.webhooks('{1,2,3,4,5}', t.at(9));
SELECT t.is(blocked_ms, whk.ms(t.at(10))::text, 'until when it is blocked')
	FROM whk.webhooks('{3}', t.at(9));
SELECT t.clear();

-- Listed.
SELECT t.hook('{"tenant": "x", "events": ["a.*", "b"]}'),
	t.hook('{"tenant": "y"}'), t.hook('{"events": ["a.b"]}'), t.hook(),
	t.hook('{"description": "d"}') \g /dev/null
CREATE FUNCTION t.list(ids bigint[] DEFAULT NULL, tenant text DEFAULT NULL,
	type text DEFAULT NULL, state text DEFAULT NULL,
	after bigint DEFAULT 0, max int DEFAULT 100)
RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(l.id::text, ' ') FROM whk.list(list.ids, list.tenant,
		list.type, list.state, list.after, list.max, t.at()) l
$$;
SELECT t.is(t.list(), '1 2 3 4 5', 'all');
SELECT t.is(t.list(max => 2), '1 2', 'a page');
SELECT t.is(t.list(after => 2, max => 2), '3 4', 'the next');
SELECT t.is(t.list('{5,1,99}'), '1 5', 'by id');
SELECT t.is(t.list(tenant => 'x'), '1', 'of a tenant');
SELECT t.is(t.list(type => 'a.b'), '3 4 5', 'by type, of no tenant');
SELECT t.is(t.list(type => 'a.b', tenant => 'x'), '1 3 4 5', 'of a tenant''s type');
SELECT t.is(t.list(type => 'b', tenant => 'y'), '2 4 5', 'of another''s');
SELECT whk.pause('{2,4}', t.at()) \g /dev/null
SELECT t.is(t.list(state => 'paused'), '2 4', 'by state');
SELECT t.is(t.list(state => 'paused', tenant => 'y'), '2', 'by both');
SELECT t.is(ROW(state, tenant, events, url, description),
	'(active,x,"a.*,b",http://h/,)', 'the columns') FROM whk.list('{1}', NULL,
	NULL, NULL, 0, 1, t.at());
SELECT t.is(l.line::jsonb - 'created', '{"id": 5, "url": "http://h/", '
	'"state": "active", "events": [], "failed": 0, "retried": 0, '
	'"cancelled": 0, "delivered": 0, "timeout_ms": 15000, '
	'"description": "d", "max_in_flight": 32}', 'the line')
	FROM whk.list('{5}', NULL, NULL, NULL, 0, 1, t.at()) l;
SELECT t.clear();

-- Secrets that overlap.
SELECT t.hook(), t.hook() \g /dev/null
CREATE FUNCTION t.secrets(hook bigint, now numeric) RETURNS text
LANGUAGE sql AS $$
	SELECT replace(w.secrets, E'\n', ', ')
	FROM whk.webhooks(ARRAY[hook], t.at(now)) w
$$;
UPDATE whk.secret SET created_at = t.at(-1);
SELECT t.is(count(*), '1', 'rotating says which there are')
	FROM whk.rotate('{1,99}', '{new,x}', '1 hour', t.at());
SELECT t.is(t.secrets(1, 1), 'new 0, s ' || whk.ms(t.at(3600)), 'both sign');
SELECT t.is(t.secrets(1, 3600), 'new 0', 'for an hour');
SELECT whk.rotate('{1}', '{newer}', '10 s', t.at(5)) \g /dev/null
SELECT t.is(t.secrets(1, 6), 'newer 0, new ' || whk.ms(t.at(15)) || ', s '
	|| whk.ms(t.at(15)), 'what ends later ends with it');
SELECT whk.rotate('{1}', '{newest}', '1 day', t.at(7)) \g /dev/null
SELECT t.is(t.secrets(1, 8), 'newest 0, newer ' || whk.ms(t.at(86407))
	|| ', new ' || whk.ms(t.at(15)) || ', s ' || whk.ms(t.at(15)),
	'what ends sooner does');
SELECT whk.rotate('{1}', '{last}', '0 s', t.at(20)) \g /dev/null
SELECT t.is(t.secrets(1, 20), 'last 0', 'without overlap one signs');
SELECT t.is(t.secrets(2, 20), 's 0', 'the other''s is as it was');
SELECT whk.rotate('{1}', '{last}', '1 h', t.at(30)) \g /dev/null
SELECT t.is(t.secrets(1, 30), 'last 0', 'rotated to itself it stays');
SELECT t.is(count(*), '2', 'what has ended goes at the next rotation')
	FROM whk.secret;
SELECT t.clear();

-- Removed, in steps.
SELECT t.hook(), t.hook() \g /dev/null
SELECT t.batch('{a,b,c,e}') \g /dev/null
UPDATE whk.pending SET leased = false, next_at = CASE event WHEN 'c' THEN next_at END
	WHERE event > 'a';
SELECT t.is(whk.remove(99, 2, t.at()), NULL, 'there is none');
SELECT t.is(whk.remove(1, 2, t.at(1)), 'false', 'a first step');
SELECT t.is(t.of(1, 'ROW(disabled_why, cancelled)'), '(removed,2)',
	'it is shut, two are cancelled');
SELECT t.is(t.accept('d', 2), 'fresh {2}', 'it gets nothing new');
SELECT whk.resume('{1}', t.at(2)) \g /dev/null
SELECT t.is(t.of(1, 'disabled_why'), 'removed', 'it cannot be resumed');
SELECT t.is(whk.remove(1, 2, t.at(3)), 'true', 'the last step');
SELECT t.is(whk.remove(1, 2, t.at(4)), NULL, 'it is gone');
SELECT t.is(t.attempts(1), 'b cancelled, c cancelled, e cancelled',
	'all is on record');
SELECT t.is(t.pending(1), 'a 300', 'what somebody holds is his');
SELECT t.is(t.pending(2), 'a 300, b parked, c 300, e parked, d 302',
	'the other is as it was');
SELECT t.is(t.record(1, '{a}', error => 'cancelled', now => 5), 'cancelled',
	'who holds it says what became of it');
SELECT t.is(t.pending(1), NULL, 'nothing is pending');
SELECT t.is(count(*), '1', 'its secret is gone') FROM whk.secret;
