-- SPDX-License-Identifier: ISC
-- Retention. A day goes when its partition is dropped. Whatever of a partition
-- is kept, or is wanted in another form, is first copied beside it, a span of
-- blocks at a time and without a lock that anybody would notice; then the two
-- change places in a moment. What was added meanwhile is noted by a trigger.
--
-- For the moment the parent is locked (ACCESS EXCLUSIVE). By then nobody who
-- has read or written it is under way, so what is pending is known exactly.
-- Everybody else waits behind the one who waits for a lock: so it is given up
-- at once, to be tried again. These functions give null then.
--
-- One whk-prune runs at a time. What a killed one left is removed by the next.

-- The partitions by day, oldest first. slim: the bodies are gone; such a
-- partition has an index of those that are still there.
CREATE OR REPLACE FUNCTION whk.days(parent text)
RETURNS TABLE (part text, day timestamptz, until timestamptz, slim boolean,
	bytes bigint)
LANGUAGE sql STABLE AS $$
	SELECT c.relname::text, b.bound[1]::timestamptz,
		b.bound[2]::timestamptz,
		EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid
			AND x.indpred IS NOT NULL),
		pg_total_relation_size(c.oid)
	FROM pg_inherits i
	JOIN pg_class c ON c.oid = i.inhrelid
	CROSS JOIN LATERAL (SELECT regexp_match(
		pg_get_expr(c.relpartbound, c.oid),
		'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bound) b
	WHERE i.inhparent = ('whk.' || parent)::regclass
		AND b.bound IS NOT NULL
	ORDER BY 2
$$;

-- The day that begins at a time, as it is called.
CREATE OR REPLACE FUNCTION whk.day_name(t timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD')
$$;

-- The first day that is not older than an age.
CREATE OR REPLACE FUNCTION whk.cutoff(age_ms bigint, now timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT date_trunc('day', now - age_ms * interval '1 ms', 'UTC')
$$;

-- How many rows a table has: those of a large one as it was last analyzed.
CREATE OR REPLACE FUNCTION whk.row_count(part text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	n bigint;
BEGIN
	SELECT c.reltuples INTO n FROM pg_class c
	WHERE c.oid = to_regclass(format('whk.%I', part))
		AND c.reltuples > 0 AND c.relpages > 10000;
	IF n IS NULL THEN
		EXECUTE format('SELECT count(*) FROM whk.%I', part) INTO n;
	END IF;
	RETURN n;
END
$$;

-- The events of a span of time for which something is pending.
CREATE OR REPLACE FUNCTION whk.pending_events(since timestamptz,
	until timestamptz)
RETURNS TABLE (id text, "time" timestamptz(3))
LANGUAGE sql STABLE AS $$
	SELECT DISTINCT p.event, p.time FROM whk.pending p
	WHERE p.time >= since AND p.time < until
$$;

-- The transaction from which on a copy that begins now may have missed what is
-- pending; and those events for which that may be so, or, if it is 0, all. So
-- nobody waits for what was looked at before.
CREATE OR REPLACE FUNCTION whk.prune_xid() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
	SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
$$;

CREATE OR REPLACE FUNCTION whk.pending_since(xid bigint, since timestamptz,
	until timestamptz)
RETURNS TABLE (id text, "time" timestamptz(3))
LANGUAGE sql VOLATILE AS $$
	SELECT DISTINCT p.event, p.time FROM whk.pending p
	WHERE p.time >= since AND p.time < until AND (xid = 0
		OR age(p.xmin) <= (SELECT 1000 - xid + pg_snapshot_xmax(
			pg_current_snapshot())::text::bigint))
$$;

-- The bytes of the bodies of a partition, from a sample.
CREATE OR REPLACE FUNCTION whk.body_bytes(part text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	width double precision;
BEGIN
	EXECUTE format('SELECT avg(pg_column_size(e.body)) FROM (
		SELECT body FROM whk.%I LIMIT 1000) e', part) INTO width;
	RETURN coalesce(width, 0) * whk.row_count(part);
END
$$;

-- How many bodies a slim partition has for which nothing is pending any more.
CREATE OR REPLACE FUNCTION whk.stale_bodies(part text, since timestamptz,
	until timestamptz)
RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM whk.%I e
		WHERE e.body IS NOT NULL AND NOT EXISTS (
			SELECT FROM whk.pending_events(%L, %L) p
			WHERE p.id = e.id AND p.time = e.time)',
		part, since, until) INTO n;
	RETURN n;
END
$$;

-- What is to be done with whole partitions: 'drop', or 'slim' for those whose
-- bodies are to go. kept: events for which something is pending. A partition
-- of which most would be kept anyway is left.
CREATE OR REPLACE FUNCTION whk.prunable(keep_ms bigint, bodies_ms bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (what text, parent text, part text, day text, rows bigint,
	bytes bigint, kept bigint)
LANGUAGE sql STABLE AS $$
	WITH waiting AS MATERIALIZED (
		SELECT date_trunc('day', p.time, 'UTC') AS day, count(*) AS n
		FROM whk.pending_events('-infinity',
			whk.cutoff(least(keep_ms, bodies_ms), now)) p
		GROUP BY 1
	)
	SELECT 'drop', 'attempt', d.part, whk.day_name(d.day),
		whk.row_count(d.part), d.bytes, 0
	FROM whk.days('attempt') d
	WHERE d.until <= whk.cutoff(keep_ms, now)
	UNION ALL
	SELECT * FROM (
		SELECT 'drop', 'event', d.part, whk.day_name(d.day),
			whk.row_count(d.part) AS rows, d.bytes,
			coalesce(w.n, 0) AS kept
		FROM whk.days('event') d
		LEFT JOIN waiting w ON w.day = d.day
		WHERE d.until <= whk.cutoff(keep_ms, now)) x
	WHERE x.kept <= 1000 OR 2 * x.kept < x.rows
	UNION ALL
	SELECT 'slim', 'event', d.part, whk.day_name(d.day),
		whk.row_count(d.part), whk.body_bytes(d.part),
		coalesce(w.n, 0)
	FROM whk.days('event') d
	LEFT JOIN waiting w ON w.day = d.day
	WHERE d.until <= whk.cutoff(bodies_ms, now)
		AND d.until > whk.cutoff(keep_ms, now)
		AND (NOT d.slim
			OR whk.stale_bodies(d.part, d.day, d.until) > 1000)
$$;

-- Notes what is added to a partition in its table _late as well.
CREATE OR REPLACE FUNCTION whk.came_late() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass(format('whk.%I', TG_ARGV[0])) IS NOT NULL THEN
		EXECUTE format('INSERT INTO whk.%I SELECT ($1).*', TG_ARGV[0])
		USING NEW;
	END IF;
	RETURN NULL;
END
$$;

-- Removes what a run that was killed left behind. True, or null (see above).
CREATE OR REPLACE FUNCTION whk.prune_clean() RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
	tab text;
BEGIN
	FOR tab IN SELECT t.tgrelid::regclass::text FROM pg_trigger t
		WHERE t.tgfoid = 'whk.came_late'::regproc
	LOOP
		EXECUTE 'DROP TRIGGER whk_late ON ' || tab;
	END LOOP;
	DROP TABLE IF EXISTS whk.event_stage, whk.attempt_stage;
	FOR tab IN SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relnamespace = 'whk'::regnamespace AND c.relkind = 'r'
			AND c.relname ~ '^(event|attempt)_.*_(new|late)$'
	LOOP
		EXECUTE 'DROP TABLE ' || tab;
	END LOOP;
	RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- What upkeep() does, without making anybody wait. How many, or null.
CREATE OR REPLACE FUNCTION whk.prune_upkeep() RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
BEGIN
	RETURN whk.upkeep();
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- From now on what is added to a partition is noted. Gives how many blocks it
-- has: all that was in it before is there. Null: see above.
CREATE OR REPLACE FUNCTION whk.prune_watch(part text) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
	late text := part || '_late';
BEGIN
	EXECUTE format('CREATE TABLE whk.%I (LIKE whk.%I)', late, part);
	EXECUTE format('CREATE TRIGGER whk_late AFTER INSERT ON whk.%I
		FOR EACH ROW EXECUTE FUNCTION whk.came_late(%L)', part, late);
	RETURN whk.blocks(part);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION whk.blocks(part text) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
	SELECT pg_relation_size(format('whk.%I', part)::regclass)
		/ current_setting('block_size')::bigint
$$;

-- The table that will take the place of a partition, empty.
CREATE OR REPLACE FUNCTION whk.prune_stage(part text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	d record;
BEGIN
	SELECT * INTO d FROM whk.days('event') x
	WHERE x.part = prune_stage.part;
	EXECUTE format('CREATE TABLE whk.%I (LIKE whk.event INCLUDING DEFAULTS,
		CONSTRAINT whk_day CHECK (time >= %L AND time < %L))',
		part || '_new', d.day, d.until);
END
$$;

-- Copies a span of blocks to it, without the bodies for which nothing is
-- pending. Gives how many rows.
CREATE OR REPLACE FUNCTION whk.slim_copy(part text, since_block bigint,
	until_block bigint)
RETURNS bigint
LANGUAGE plpgsql SET work_mem = '64MB' AS $$
DECLARE
	d record;
	n bigint;
BEGIN
	SELECT * INTO d FROM whk.days('event') x WHERE x.part = slim_copy.part;
	EXECUTE format('INSERT INTO whk.%I (id, time, type, tenant, key,
			content_type, webhooks, accepted_at, via, body)
		SELECT e.id, e.time, e.type, e.tenant, e.key, e.content_type,
			e.webhooks, e.accepted_at, e.via,
			CASE WHEN p.id IS NOT NULL THEN e.body END
		FROM whk.%I e
		LEFT JOIN whk.pending_events(%L, %L) p
			ON p.id = e.id AND p.time = e.time
		WHERE e.ctid >= ''(%s,0)'' AND e.ctid < ''(%s,0)''',
		part || '_new', part, d.day, d.until, since_block, until_block);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;

-- Its indexes, once the copy is complete.
CREATE OR REPLACE FUNCTION whk.slim_index(part text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	new text := part || '_new';
BEGIN
	EXECUTE format('ALTER TABLE whk.%I ADD PRIMARY KEY (id, time)', new);
	EXECUTE format('CREATE INDEX ON whk.%I USING brin (time)
		WITH (autosummarize = on)', new);
	EXECUTE format('CREATE INDEX ON whk.%I (id) WHERE body IS NOT NULL',
		new);
	EXECUTE format('ANALYZE whk.%I', new);
END
$$;

-- Puts it in the place of the partition: with what was added meanwhile, and
-- with the bodies of what has become pending meanwhile, since xid. True or
-- null.
CREATE OR REPLACE FUNCTION whk.slim_swap(part text, xid bigint)
RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
	d record;
	new text := part || '_new';
	late text := part || '_late';
BEGIN
	SELECT * INTO d FROM whk.days('event') x WHERE x.part = slim_swap.part;
	LOCK TABLE ONLY whk.event IN ACCESS EXCLUSIVE MODE;
	EXECUTE format('INSERT INTO whk.%I SELECT * FROM whk.%I
		ON CONFLICT DO NOTHING', new, late);
	EXECUTE format('UPDATE whk.%I n SET body = o.body
		FROM whk.pending_since(%s, %L, %L) p
		JOIN whk.%I o ON o.id = p.id AND o.time = p.time
		WHERE n.id = p.id AND n.time = p.time AND n.body IS NULL',
		new, xid, d.day, d.until, part);
	EXECUTE format('ALTER TABLE whk.event DETACH PARTITION whk.%I', part);
	EXECUTE format('DROP TABLE whk.%I, whk.%I', part, late);
	PERFORM whk.prune_attach('event', part, d.day, d.until);
	RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- Makes the table PART_new the partition PART.
CREATE OR REPLACE FUNCTION whk.prune_attach(parent text, part text,
	since timestamptz, until timestamptz)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE whk.%I RENAME TO %I', part || '_new', part);
	EXECUTE format('ALTER TABLE whk.%I ATTACH PARTITION whk.%I
		FOR VALUES FROM (%L) TO (%L)', parent, part, since, until);
	EXECUTE format('ALTER TABLE whk.%I DROP CONSTRAINT whk_day', part);
END
$$;

-- Copies the events of a partition for which something is pending, with their
-- bodies. Gives how many.
CREATE OR REPLACE FUNCTION whk.keep_copy(part text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	d record;
	n bigint;
BEGIN
	SELECT * INTO d FROM whk.days('event') x WHERE x.part = keep_copy.part;
	EXECUTE format('INSERT INTO whk.%I SELECT e.*
		FROM whk.pending_events(%L, %L) p
		JOIN whk.%I e ON e.id = p.id AND e.time = p.time',
		part || '_new', d.day, d.until, part);
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM whk.slim_index(part);
	RETURN n;
END
$$;

-- Drops a partition. What was copied of it takes its place or, where that is
-- not much, goes to the default partition; and so does what has become pending,
-- since xid, or was added meanwhile. Gives how many events are kept, or null.
CREATE OR REPLACE FUNCTION whk.prune_drop(parent text, part text, xid bigint)
RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
DECLARE
	d record;
	kept bigint := 0;
	late text := part || '_late';
	new text := part || '_new';
BEGIN
	SELECT * INTO d FROM whk.days(parent) x WHERE x.part = prune_drop.part;
	EXECUTE format('LOCK TABLE ONLY whk.%I IN ACCESS EXCLUSIVE MODE',
		parent);
	IF parent = 'event' THEN
		IF to_regclass(format('whk.%I', new)) IS NULL THEN
			EXECUTE format('CREATE TABLE whk.%I (LIKE whk.event,
				PRIMARY KEY (id, time))', new);
		END IF;
		EXECUTE format('INSERT INTO whk.%I SELECT e.*
			FROM whk.pending_since(%s, %L, %L) p
			JOIN whk.%I e ON e.id = p.id AND e.time = p.time
			ON CONFLICT DO NOTHING', new, xid, d.day, d.until,
			part);
	END IF;
	EXECUTE format('ALTER TABLE whk.%I DETACH PARTITION whk.%I', parent,
		part);
	EXECUTE format('DROP TABLE whk.%I', part);
	IF parent = 'event' THEN
		kept := whk.keep_rows(part, d.day, d.until);
	END IF;
	IF to_regclass(format('whk.%I', late)) IS NOT NULL THEN
		EXECUTE format('INSERT INTO whk.%I SELECT * FROM whk.%I
			ON CONFLICT DO NOTHING', parent, late);
		EXECUTE format('DROP TABLE whk.%I', late);
	END IF;
	RETURN kept;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN NULL;
END
$$;

-- Puts what is kept of a day that was dropped where it is found.
CREATE OR REPLACE FUNCTION whk.keep_rows(part text, since timestamptz,
	until timestamptz)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	new text := part || '_new';
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM whk.%I', new) INTO n;
	IF n > 1000 AND EXISTS (SELECT FROM pg_constraint c
		WHERE c.conname = 'whk_day' AND c.conrelid
			= format('whk.%I', new)::regclass)
	THEN
		PERFORM whk.prune_attach('event', part, since, until);
		RETURN n;
	END IF;
	EXECUTE format('INSERT INTO whk.event SELECT * FROM whk.%I', new);
	EXECUTE format('DROP TABLE whk.%I', new);
	RETURN n;
END
$$;
