-- SPDX-License-Identifier: ISC
-- Which webhooks get an event.

SELECT t.is(whk.patterns('a.b.c'), '{*,a.b.c,a.*,a.b.*}', 'patterns of a.b.c');
SELECT t.is(whk.patterns('a'), '{*,a}', 'patterns of a type of one word');
SELECT t.is(whk.patterns(NULL), '{*}', 'patterns of no type');
SELECT t.is(whk.patterns('a..b'), '{*,a..b,a.*,a..*}', 'patterns of an empty word');
SELECT t.is(whk.patterns('a.'), '{*,a.,a.*}', 'patterns of a dot at the end');

CREATE FUNCTION t.routes(type text, tenant text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(r::text, ' ' ORDER BY r)
	FROM whk.routes(routes.type, routes.tenant) r
$$;

SELECT t.hook() AS everything \gset
SELECT t.hook('{"events": ["*"]}') AS star \gset
SELECT t.hook('{"events": ["a.*"]}') AS under_a \gset
SELECT t.hook('{"events": ["a.b.*"]}') AS under_b \gset
SELECT t.hook('{"events": ["a.b.c"]}') AS exact \gset
SELECT t.hook('{"events": ["a.*"], "tenant": "acme"}') AS acme_a \gset
SELECT t.hook('{"tenant": "acme"}') AS acme \gset
SELECT t.hook('{"events": ["x", "a.b.c", "a.*"]}') AS twice \gset
SELECT t.is(ARRAY[:everything, :star, :under_a, :under_b, :exact, :acme_a,
	:acme, :twice], '{1,2,3,4,5,6,7,8}', 'eight webhooks');

SELECT t.is(t.routes('a.b.c'), '1 2 3 4 5 8', 'a.b.c of no tenant');
SELECT t.is(t.routes('a.b.c', 'acme'), '1 2 3 4 5 6 7 8', 'a.b.c of a tenant');
SELECT t.is(t.routes('a.b.c', 'other'), '1 2 3 4 5 8', 'a.b.c of another tenant');
SELECT t.is(t.routes('a.b'), '1 2 3 8', 'a.b is not under a.b');
SELECT t.is(t.routes('a'), '1 2', 'a is not under a');
SELECT t.is(t.routes('ab.c'), '1 2', 'ab.c is not under a');
SELECT t.is(t.routes('a.b.c.d'), '1 2 3 4 8', 'a.b.c.d is under a.b');
SELECT t.is(t.routes('A.B.C'), '1 2', 'case counts');
SELECT t.is(t.routes(NULL), '1 2', 'no type');
SELECT t.is(t.routes(NULL, 'acme'), '1 2 7', 'no type, of a tenant');
SELECT t.is(t.routes('x'), '1 2 8', 'one of several patterns');
SELECT t.is(t.routes('*'), '1 2', 'a star for a type is no pattern');

-- Routes follow the webhooks.
UPDATE whk.webhook SET disabled_at = t.at() WHERE id IN (1, 7);
SELECT t.is(t.routes('a', 'acme'), '2', 'disabled ones get nothing');
UPDATE whk.webhook SET disabled_at = NULL WHERE id = 1;
SELECT t.is(t.routes('a', 'acme'), '1 2', 'enabled again');
SELECT t.is(count(*), '1', 'set() answers')
	FROM whk.set('{3}', '{"events": ["z", "y.*"]}');
SELECT t.is(t.routes('a.b'), '1 2 8', 'other patterns: not the old ones');
SELECT t.is(t.routes('y.b'), '1 2 3', 'but the new ones');
SELECT whk.set('{3}', '{"tenant": "acme"}') \g /dev/null
SELECT t.is(t.routes('z'), '1 2', 'another tenant: no longer all');
SELECT t.is(t.routes('z', 'acme'), '1 2 3', 'but its own');
UPDATE whk.webhook SET paused_at = t.at() WHERE id = 1;
SELECT t.is(t.routes('z'), '1 2', 'a paused one still matches');
DELETE FROM whk.webhook WHERE id = 1;
SELECT t.is(t.routes('z'), '2', 'a deleted one does not');

-- Filters.
SELECT t.is(whk.passes(f::jsonpath, b), p::text, f || ' of ' || left(b, 30))
FROM (VALUES
	('$.a > 1', '{"a":2}', true),
	('$.a > 1', '{"a":1}', false),
	('$.a > 1', '{}', false),
	('$.a > 1', '{"a":"x"}', false),
	('$.a > 1', '{"a":[0,5]}', true),
	('exists($.a)', '{"a":null}', true),
	('exists($.a)', '[]', false),
	('strict $.a == 1', '{}', false),
	('$.a / $.b == 1', '{"a":1,"b":0}', false),
	('$.a == "x" || $.b == 1', '{"b":1}', true),
	('$.a.size() == 2', '{"a":[1,2]}', true),
	('$.a == 12345678901234567890123', '{"a":12345678901234567890123}', true),
	('$ == 7', '7', true),
	('$.a > 1', 'no JSON', false),
	('$.a > 1', '', false),
	('$.a > 1', '{"a":2', false),
	('$.a > 1', '{"a":2,"b":"\u0000"}', false),
	('$.a > 1', '{"a":1e999999}', false),
	('$.a > 1', '{"a":"\ud800"}', false),
	('$.a > 1', repeat('[', 100000), false)) AS x(f, b, p);

SELECT t.clear();
SELECT t.hook('{"filter": "$.n > 1"}'), t.hook('{"filter": "$.n < 9"}'),
	t.hook('{"filter": "$.n > 100", "events": ["x"]}') \g /dev/null
SELECT t.is(t.accept('e1', body => '{"n":5}'), 'fresh {1,2}', 'two filters');
SELECT t.is(t.accept('e2', body => '{"n":10}'), 'fresh {1}', 'one of them');
SELECT t.is(t.accept('e3', body => 'n'), 'fresh {}', 'a body that is no JSON');
SELECT t.is(t.accept('e4', body => 'n', "to" => '{3}'), 'fresh {3}',
	'whoever is named gets it, filter or not');
