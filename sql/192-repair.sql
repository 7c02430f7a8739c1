-- SPDX-License-Identifier: ISC
-- The default partitions: rows get the partitions of their own days, and what
-- is too old goes one by one, as nothing can be dropped there.

-- The column by which a table is partitioned.
CREATE OR REPLACE FUNCTION whk.day_column(parent text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE parent WHEN 'event' THEN 'time' ELSE 'at' END
$$;

-- The days of which the default partition has rows that should have a
-- partition: those that are not too old, and older ones of many rows, which
-- are dropped in one piece then; none that is far in the future.
CREATE OR REPLACE FUNCTION whk.repairable(parent text, keep_ms bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (part text, day timestamptz, rows bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT %L || to_char(x.day AT TIME ZONE
			''UTC'', ''_YYYYMMDD''), x.day, x.rows
		FROM (SELECT date_trunc(''day'', %I, ''UTC'') AS day,
				count(*) AS rows
			FROM whk.%I GROUP BY 1) x
		WHERE x.day <= %L AND (x.day >= %L OR x.rows > 1000)
		ORDER BY 2', parent, whk.day_column(parent),
		parent || '_default', now + interval '3 days',
		whk.cutoff(keep_ms, now));
END
$$;

-- A table like the parent, PARENT_stage, with empty partitions PART_new for
-- those days and for the rest. Gives how many days; 0: nothing to do.
CREATE OR REPLACE FUNCTION whk.repair_stage(parent text, keep_ms bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	stage text := parent || '_stage';
	col text := whk.day_column(parent);
	d record;
	n bigint := 0;
BEGIN
	EXECUTE format('CREATE TABLE whk.%I (LIKE whk.%I INCLUDING DEFAULTS
		INCLUDING INDEXES) PARTITION BY RANGE (%I)', stage, parent,
		col);
	FOR d IN SELECT * FROM whk.repairable(parent, keep_ms, now) LOOP
		EXECUTE format('CREATE TABLE whk.%I PARTITION OF whk.%I (
			CONSTRAINT whk_day CHECK (%I >= %L AND %3$I < %5$L))
			FOR VALUES FROM (%4$L) TO (%5$L)', d.part || '_new',
			stage, col, d.day, d.day + interval '24 hours');
		n := n + 1;
	END LOOP;
	IF n = 0 THEN
		EXECUTE format('DROP TABLE whk.%I', stage);
	ELSE
		EXECUTE format('CREATE TABLE whk.%I
			PARTITION OF whk.%I DEFAULT',
			parent || '_default_new', stage);
	END IF;
	RETURN n;
END
$$;

-- Copies a span of blocks of the default partition there. How many rows.
CREATE OR REPLACE FUNCTION whk.repair_copy(parent text, since_block bigint,
	until_block bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('INSERT INTO whk.%I SELECT * FROM whk.%I
		WHERE ctid >= ''(%s,0)'' AND ctid < ''(%s,0)''',
		parent || '_stage', parent || '_default', since_block,
		until_block);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;

-- Puts the new partitions in the place of the default one, with what was added
-- meanwhile. True or null.
CREATE OR REPLACE FUNCTION whk.repair_swap(parent text) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
	stage text := parent || '_stage';
	rest text := parent || '_default';
	parts text[] := ARRAY(SELECT part FROM whk.days(stage));
	d record;
BEGIN
	EXECUTE format('LOCK TABLE ONLY whk.%I IN ACCESS EXCLUSIVE MODE',
		parent);
	EXECUTE format('ALTER TABLE whk.%I DETACH PARTITION whk.%I', parent,
		rest);
	FOR d IN SELECT * FROM unnest(parts, ARRAY(SELECT day
			FROM whk.days(stage))) AS x(part, day)
	LOOP
		EXECUTE format('ALTER TABLE whk.%I DETACH PARTITION whk.%I',
			stage, d.part);
		PERFORM whk.prune_attach(parent, left(d.part, -4), d.day,
			d.day + interval '24 hours');
	END LOOP;
	EXECUTE format('ALTER TABLE whk.%I DETACH PARTITION whk.%I', stage,
		rest || '_new');
	EXECUTE format('DROP TABLE whk.%I, whk.%I', rest, stage);
	EXECUTE format('ALTER TABLE whk.%I RENAME TO %I', rest || '_new', rest);
	EXECUTE format('ALTER TABLE whk.%I ATTACH PARTITION whk.%I DEFAULT',
		parent, rest);
	EXECUTE format('INSERT INTO whk.%I SELECT * FROM whk.%I
		ON CONFLICT DO NOTHING', parent, rest || '_late');
	EXECUTE format('DROP TABLE whk.%I', rest || '_late');
	RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- Where what goes row by row is put first, if it is to be exported: the rows of
-- a run that was killed are still there for the next that exports.
CREATE OR REPLACE FUNCTION whk.rest_open() RETURNS void
LANGUAGE sql VOLATILE AS $$
	CREATE TABLE IF NOT EXISTS whk.event_rest (LIKE whk.event);
	CREATE TABLE IF NOT EXISTS whk.attempt_rest (LIKE whk.attempt);
$$;

-- Up to max events that are too old, or too old for their bodies, and lie
-- where no partition is dropped or rewritten for them.
CREATE OR REPLACE FUNCTION whk.rest_events(keep_ms bigint, bodies_ms bigint,
	max int, now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (id text, "time" timestamptz(3), goes boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	old timestamptz := whk.cutoff(keep_ms, now);
	bare timestamptz := whk.cutoff(bodies_ms, now);
	parts text := 'SELECT id, time, body FROM whk.event_default';
BEGIN
	SELECT parts || coalesce(string_agg(format(' UNION ALL
		SELECT id, time, body FROM whk.%I WHERE body IS NOT NULL',
		d.part), ''), '')
	INTO parts FROM whk.days('event') d WHERE d.slim AND d.until > old;
	RETURN QUERY EXECUTE format('SELECT e.id, e.time, e.time < %L
		FROM (%s) e
		WHERE (e.time < %1$L OR e.time < %3$L AND e.body IS NOT NULL)
			AND NOT EXISTS (SELECT
				FROM whk.pending_events(''-infinity'', %4$L) p
				WHERE p.id = e.id AND p.time = e.time)
		LIMIT %5$s', old, parts, bare, greatest(old, bare), max);
END
$$;

-- How many rows there are.
CREATE OR REPLACE FUNCTION whk.rest_count() RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass('whk.event_rest') IS NULL THEN
		RETURN 0;
	END IF;
	RETURN (SELECT count(*) FROM whk.event_rest)
		+ (SELECT count(*) FROM whk.attempt_rest);
END
$$;

-- Takes up to max of these away; if exported, each as it is to the table of the
-- rest. Gives how many, or null.
CREATE OR REPLACE FUNCTION whk.rest_take(keep_ms bigint, bodies_ms bigint,
	max int, exported boolean, now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
#variable_conflict use_column
DECLARE
	ids text[];
	times timestamptz[];
	goes boolean[];
BEGIN
	SELECT array_agg(r.id), array_agg(r.time), array_agg(r.goes)
	INTO ids, times, goes
	FROM whk.rest_events(keep_ms, bodies_ms, max, now) r;
	IF ids IS NULL THEN
		RETURN 0;
	END IF;
	LOCK TABLE ONLY whk.event IN ACCESS EXCLUSIVE MODE;
	SELECT array_agg(i.id), array_agg(i.time), array_agg(i.goes)
	INTO ids, times, goes
	FROM unnest(ids, times, goes) AS i(id, time, goes)
	WHERE NOT EXISTS (SELECT FROM whk.pending p
		WHERE p.event = i.id AND p.time = i.time
			AND p.time >= (SELECT min(x) FROM unnest(times) x)
			AND p.time <= (SELECT max(x) FROM unnest(times) x));
	IF exported THEN
		INSERT INTO whk.event_rest
		SELECT e.* FROM unnest(ids, times) AS i(id, time)
		JOIN whk.event e ON e.id = i.id AND e.time = i.time;
	END IF;
	DELETE FROM whk.event_default e USING unnest(ids, times, goes)
		AS i(id, time, goes)
	WHERE i.goes AND e.id = i.id AND e.time = i.time;
	UPDATE whk.event e SET body = NULL FROM unnest(ids, times, goes)
		AS i(id, time, goes)
	WHERE NOT i.goes AND e.id = i.id AND e.time = i.time;
	RETURN coalesce(cardinality(ids), 0);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- The same for attempts; nobody waits for it.
CREATE OR REPLACE FUNCTION whk.rest_take_attempts(keep_ms bigint, max int,
	exported boolean, now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	tids tid[] := ARRAY(SELECT x.ctid FROM whk.attempt_default x
		WHERE x.at < whk.cutoff(keep_ms, now) LIMIT max FOR UPDATE);
BEGIN
	IF exported THEN
		INSERT INTO whk.attempt_rest SELECT a.*
		FROM whk.attempt_default a WHERE a.ctid = ANY (tids);
	END IF;
	DELETE FROM whk.attempt_default a WHERE a.ctid = ANY (tids);
	RETURN cardinality(tids);
END
$$;

-- All that whk-prune would do, for people.
CREATE OR REPLACE FUNCTION whk.prune_plan(keep_ms bigint, bodies_ms bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (what text, day text, rows bigint, bytes bigint, kept bigint)
LANGUAGE sql VOLATILE AS $$
	SELECT CASE d.what WHEN 'slim' THEN 'bodies' ELSE d.parent || 's' END,
		d.day, d.rows - d.kept, d.bytes, d.kept
	FROM whk.prunable(keep_ms, bodies_ms, now) d
	UNION ALL
	SELECT 'to their days: ' || t.parent || 's', whk.day_name(r.day),
		r.rows, NULL, NULL
	FROM unnest(ARRAY['event', 'attempt']) t(parent),
		whk.repairable(t.parent, keep_ms, now) r
	UNION ALL
	SELECT 'single events', NULL, count(*), NULL, NULL
	FROM whk.rest_events(keep_ms, bodies_ms, 1000000000, now) e
	WHERE date_trunc('day', e.time, 'UTC') NOT IN (
		SELECT r.day FROM whk.repairable('event', keep_ms, now) r)
	HAVING count(*) > 0
	UNION ALL
	SELECT 'single attempts', NULL, count(*), NULL, NULL
	FROM whk.attempt_default a WHERE a.at < whk.cutoff(keep_ms, now)
		AND date_trunc('day', a.at, 'UTC') NOT IN (SELECT r.day
			FROM whk.repairable('attempt', keep_ms, now) r)
	HAVING count(*) > 0
	ORDER BY 2 NULLS LAST, 1
$$;
