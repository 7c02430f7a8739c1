-- SPDX-License-Identifier: ISC
-- What the other functions stand on: times, partitions, the greeting.
--
-- How the plans are kept steady: pending is empty one minute and full the next,
-- so what the planner believes of it is no guide. The functions of the hot
-- path make one plan for all (force_generic_plan), look up rows one by one by
-- their key (LATERAL with OFFSET 0, which is not turned into a join, or the
-- row's own place, ctid, under its lock), and join lists of a batch by hashing
-- (enable_nestloop off in functions that touch no table by key).

-- Milliseconds since 1970, as the programs count. STABLE, as date_part() is:
-- what says to be more than its parts are is not put in line.
CREATE OR REPLACE FUNCTION whk.ms(t timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT (date_part('epoch', t) * 1000)::bigint
$$;

-- A time as the lines have it.
CREATE OR REPLACE FUNCTION whk.rfc3339(t timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- What a program asks first: the version, and the database's clock.
CREATE OR REPLACE FUNCTION whk.hello()
RETURNS TABLE (version int, now_ms bigint, encoding text)
LANGUAGE sql VOLATILE AS $$
	SELECT m.version, whk.ms(clock_timestamp()),
		current_setting('server_encoding')
	FROM whk.meta m
$$;

-- Makes the partitions by day of event and attempt, from the day of now to
-- ahead days later, where they are missing. A day whose rows already lie in
-- the default partition is passed over: they are found there. Several
-- programs may call it at once. Returns how many were made.
CREATE OR REPLACE FUNCTION whk.partitions(ahead int DEFAULT 3,
	now timestamptz DEFAULT clock_timestamp())
RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	parent text;
	day timestamptz;
	part text;
	made int := 0;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtext('whk.partitions')) THEN
		RETURN 0;
	END IF;
	FOREACH parent IN ARRAY ARRAY['event', 'attempt'] LOOP
		FOR i IN 0 .. ahead LOOP
			day := date_trunc('day', now, 'UTC') + i * interval '24 hours';
			part := format('%s_%s', parent,
				to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD'));
			IF to_regclass('whk.' || part) IS NULL THEN
				made := made + whk.make_partition(parent, part, day);
			END IF;
		END LOOP;
	END LOOP;
	RETURN made;
END
$$;

-- One partition of a day: built apart and attached, which asks for the least
-- lock. 1, or 0 where the default partition has rows of that day.
CREATE OR REPLACE FUNCTION whk.make_partition(parent text, part text,
	day timestamptz)
RETURNS int
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE whk.%I (LIKE whk.%I INCLUDING DEFAULTS)',
		part, parent);
	EXECUTE format('ALTER TABLE whk.%I ATTACH PARTITION whk.%I
		FOR VALUES FROM (%L) TO (%L)', parent, part, day,
		day + interval '24 hours');
	RETURN 1;
EXCEPTION WHEN check_violation OR lock_not_available THEN
	RETURN 0;
END
$$;

-- Where rows of the last 24 hours are: the partitions of this day and the last,
-- and the default one. By themselves they are planned for in no time; all of
-- the days, which a new connection does not know yet, take tens of ms.
CREATE OR REPLACE FUNCTION whk.newest_parts(parent text, now timestamptz)
RETURNS SETOF regclass
LANGUAGE sql STABLE AS $$
	SELECT to_regclass(p) FROM unnest(ARRAY[
		to_char(now AT TIME ZONE 'UTC', 'YYYYMMDD'),
		to_char((now - interval '24 hours') AT TIME ZONE 'UTC',
			'YYYYMMDD'), 'default']) AS day,
		format('whk.%s_%s', parent, day) AS p
	WHERE to_regclass(p) IS NOT NULL
$$;

-- What has to be done now and then; any program may, any number of times.
CREATE OR REPLACE FUNCTION whk.upkeep(
	now timestamptz DEFAULT clock_timestamp()) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
	made int;
BEGIN
	DELETE FROM whk.recent r WHERE r.accepted_at < now - interval '25 hours';
	made := whk.partitions(3, now);
	-- Last, as it locks webhooks.
	PERFORM whk.count_up(now);
	RETURN made;
END
$$;

-- Wakes whk-due for rows that are due at the given time.
CREATE OR REPLACE FUNCTION whk.wake(due timestamptz) RETURNS void
LANGUAGE sql VOLATILE AS $$
	SELECT pg_notify('whk_due', whk.ms(due)::text)
$$;
