-- SPDX-License-Identifier: ISC
-- Partitions, and what is thrown away.

CREATE FUNCTION t.parts(parent text) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(c.relname::text, ' ' ORDER BY c.relname)
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = ('whk.' || parent)::regclass
		AND c.relname LIKE '%\_200112%'
$$;
CREATE FUNCTION t.lies_in(id text) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(e.tableoid::regclass::text, ' ')
	FROM whk.event e WHERE e.id = lies_in.id
$$;

SELECT t.is(t.parts('event'), NULL, 'none in that month');
SELECT t.is(whk.partitions(1, '2001-12-01T23:59:59.999Z'), '4',
	'today''s and tomorrow''s, of two tables');
SELECT t.is(t.parts('event'), 'event_20011201 event_20011202', 'of events');
SELECT t.is(t.parts('attempt'), 'attempt_20011201 attempt_20011202',
	'of attempts');
SELECT t.is(whk.partitions(1, '2001-12-01T00:00:00Z'), '0', 'they are there');
SELECT t.is(whk.partitions(1, '2001-12-02T00:00:00Z'), '2', 'a day later');
SELECT t.is(t.parts('event'), 'event_20011201 event_20011202 event_20011203',
	'there is one more');

-- Days are those of UTC, wherever one is.
SET TIME ZONE 'Asia/Tokyo';
SELECT t.is(whk.partitions(0, '2001-12-04T23:00:00Z'), '2', 'elsewhere');
SET TIME ZONE 'UTC';
SELECT t.is(t.parts('attempt'), 'attempt_20011201 attempt_20011202 '
	'attempt_20011203 attempt_20011204', 'it is the day of UTC');

SELECT whk.accept(ARRAY[i], ARRAY[at::timestamptz], '{NULL}', '{NULL}',
	'{NULL}', '{NULL}', '{b}', '{NULL}', '{f}', '300 s', at::timestamptz)
FROM (VALUES ('first', '2001-12-01T00:00:00Z'),
	('last', '2001-12-01T23:59:59.999Z'), ('next', '2001-12-02T00:00:00Z'),
	('far', '2001-12-20T12:00:00Z')) AS x(i, at) \g /dev/null
SELECT t.is(t.lies_in('first'), 'whk.event_20011201', 'the first of a day');
SELECT t.is(t.lies_in('last'), 'whk.event_20011201', 'the last of a day');
SELECT t.is(t.lies_in('next'), 'whk.event_20011202', 'the next day');
SELECT t.is(t.lies_in('far'), 'whk.event_default', 'a day without one');

-- A day whose rows lie in the default partition is passed over.
SELECT t.is(whk.partitions(1, '2001-12-19T12:00:00Z'), '3',
	'three of four can be made');
SELECT t.is(t.lies_in('far'), 'whk.event_default', 'the row stays where it is');
SELECT t.is(to_regclass('whk.event_20011220'), NULL, 'without one');
SELECT t.is(to_regclass('whk.attempt_20011220'), 'whk.attempt_20011220',
	'attempts have it');
SELECT t.is(count(*), '1', 'and it is found')
	FROM whk.event WHERE time >= '2001-12-20' AND id = 'far';

-- upkeep() makes them for three days ahead and forgets chosen ids.
SELECT t.accept('a', chosen => true), t.accept('b', 50000, chosen => true)
	\g /dev/null
SELECT t.is(whk.upkeep(t.at(90000)), '7',
	'upkeep makes partitions, but for the day of b');
SELECT t.is(string_agg(id, ' ' ORDER BY id), 'a b', 'ids are kept for 25 hours')
	FROM whk.recent;
SELECT t.is(whk.upkeep(t.at(90001)), '0', 'again it makes none');
SELECT t.is(string_agg(id, ' ' ORDER BY id), 'b', 'and no longer')
	FROM whk.recent;

-- Times as the lines have them.
SELECT t.is(whk.rfc3339('2001-12-01T01:02:03.004+02:00'),
	'2001-11-30T23:02:03.004Z', 'a time in a line');
SELECT t.is(whk.ms('1970-01-01T00:00:01.5Z'), '1500', 'milliseconds');
SELECT t.is(ROW(version = (SELECT version FROM whk.meta),
	now_ms BETWEEN whk.ms(clock_timestamp() - interval '1 minute')
		AND whk.ms(clock_timestamp()), encoding), '(t,t,UTF8)',
	'the greeting') FROM whk.hello();
