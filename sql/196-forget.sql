-- SPDX-License-Identifier: ISC
-- A tenant is forgotten: all that is its own is removed, in steps, each of
-- which adds to what is on record about it. Locks of webhooks come first, in
-- the order of ids, as everywhere.

-- Begins, or goes on with what was stopped: gives the record's id. The
-- tenant's webhooks match nothing and get nothing from now on.
CREATE OR REPLACE FUNCTION whk.forget_begin(of_tenant text,
	now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	record_id bigint;
BEGIN
	SELECT f.id INTO record_id FROM whk.forgotten f
	WHERE f.tenant = of_tenant AND f.ended_at IS NULL;
	IF record_id IS NULL THEN
		INSERT INTO whk.forgotten (tenant, began_at)
		VALUES (of_tenant, now) RETURNING id INTO record_id;
	END IF;
	UPDATE whk.webhook w SET disabled_why = 'removed',
		disabled_at = coalesce(w.disabled_at, now)
	WHERE w.id IN (SELECT x.id FROM whk.webhook x
		WHERE x.tenant = of_tenant
			AND x.disabled_why IS DISTINCT FROM 'removed'
		ORDER BY x.id FOR NO KEY UPDATE);
	RETURN record_id;
END
$$;

-- Adds to the record.
CREATE OR REPLACE FUNCTION whk.forget_add(record_id bigint, webhooks bigint,
	events bigint, attempts bigint, pending bigint)
RETURNS void
LANGUAGE sql VOLATILE AS $$
	UPDATE whk.forgotten f SET webhooks = f.webhooks + forget_add.webhooks,
		events = f.events + forget_add.events,
		attempts = f.attempts + forget_add.attempts,
		pending = f.pending + forget_add.pending
	WHERE f.id = record_id
$$;

-- The tables of events of which rows may be a tenant's: the days, the default
-- partition, and what a repair holds apart. With their size in blocks.
CREATE OR REPLACE FUNCTION whk.forget_parts()
RETURNS TABLE (part text, blocks bigint)
LANGUAGE sql STABLE AS $$
	SELECT d.part, whk.blocks(d.part)
	FROM (SELECT x.part FROM whk.days('event') x
		UNION ALL SELECT 'event_default'
		UNION ALL SELECT 'event_rest'
		WHERE to_regclass('whk.event_rest') IS NOT NULL) d
$$;

-- Removes up to max events of the tenant from a span of blocks of a partition,
-- with what is pending for them and their attempts. Gives how many.
CREATE OR REPLACE FUNCTION whk.forget_events(record_id bigint, part text,
	since_block bigint, until_block bigint, max int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	ids text[];
	times timestamptz[];
	pending bigint;
	attempts bigint;
BEGIN
	EXECUTE format('SELECT array_agg(x.id), array_agg(x.time::timestamptz)
		FROM (SELECT e.id, e.time FROM whk.%I e
			WHERE e.ctid >= ''(%s,0)'' AND e.ctid < ''(%s,0)''
				AND e.tenant = (SELECT f.tenant
					FROM whk.forgotten f WHERE f.id = %s)
			LIMIT %s) x', part, since_block, until_block, record_id,
		max)
	INTO ids, times;
	IF ids IS NULL THEN
		RETURN 0;
	END IF;
	pending := whk.forget_pending(ids, times, now);
	attempts := whk.forget_attempts(ids, times);
	EXECUTE format('DELETE FROM whk.%I e
		USING unnest($1, $2) AS i(id, time)
		WHERE e.id = i.id AND e.time = i.time', part)
	USING ids, times;
	PERFORM whk.forget_add(record_id, 0, cardinality(ids), attempts,
		pending);
	RETURN cardinality(ids);
END
$$;

-- Removes what is pending for these events; the next of their keys, at ordered
-- webhooks, go on.
CREATE OR REPLACE FUNCTION whk.forget_pending(ids text[], times timestamptz[],
	now timestamptz)
RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	hooks bigint[];
	hook whk.webhook;
	keys text[];
	n bigint;
BEGIN
	-- Those that are leased before their webhooks, as record() locks them.
	PERFORM 1 FROM whk.pending p
	JOIN unnest(ids, times) AS i(id, time)
		ON p.event = i.id AND p.time = i.time
	WHERE p.leased FOR UPDATE OF p;
	SELECT array_agg(DISTINCT p.webhook) INTO hooks
	FROM whk.pending p
	JOIN unnest(ids, times) AS i(id, time)
		ON p.event = i.id AND p.time = i.time
	WHERE p.time >= (SELECT min(x) FROM unnest(times) x)
		AND p.time <= (SELECT max(x) FROM unnest(times) x);
	PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (hooks)
	ORDER BY w.id FOR NO KEY UPDATE;
	WITH gone AS (
		DELETE FROM whk.pending p
		USING unnest(ids, times) AS i(id, time), unnest(hooks) AS h(id)
		WHERE p.webhook = h.id AND p.time = i.time AND p.event = i.id
		RETURNING p.key
	)
	SELECT count(*), array_agg(DISTINCT g.key)
		FILTER (WHERE g.key IS NOT NULL)
	INTO n, keys FROM gone g;
	IF keys IS NOT NULL THEN
		FOR hook IN SELECT w.* FROM whk.webhook w
			WHERE w.id = ANY (hooks) AND w.ordered ORDER BY w.id
		LOOP
			PERFORM whk.promote(hook, keys, now);
		END LOOP;
		PERFORM whk.wake(now);
	END IF;
	RETURN n;
END
$$;

-- Removes the attempts of these events.
CREATE OR REPLACE FUNCTION whk.forget_attempts(ids text[],
	times timestamptz[])
RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
	n bigint;
BEGIN
	DELETE FROM whk.attempt a USING unnest(ids, times) AS i(id, time)
	WHERE a.event = i.id AND a.time = i.time;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF to_regclass('whk.attempt_rest') IS NOT NULL THEN
		DELETE FROM whk.attempt_rest a
		USING unnest(ids, times) AS i(id, time)
		WHERE a.event = i.id AND a.time = i.time;
	END IF;
	RETURN n;
END
$$;

-- Removes up to max rows of a webhook of the tenant: what is pending for it,
-- then the attempts that were made at it, then itself. Gives how many; 0: there
-- is no webhook of the tenant any more.
CREATE OR REPLACE FUNCTION whk.forget_webhook(record_id bigint, max int)
RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
	hook bigint;
	n bigint;
BEGIN
	SELECT w.id INTO hook FROM whk.webhook w
	JOIN whk.forgotten f ON f.id = record_id AND f.tenant = w.tenant
	ORDER BY w.id LIMIT 1 FOR NO KEY UPDATE OF w;
	IF hook IS NULL THEN
		RETURN 0;
	END IF;
	DELETE FROM whk.pending p WHERE p.ctid = ANY (ARRAY(
		SELECT q.tid FROM whk.pending_of(hook, max) q));
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN
		PERFORM whk.forget_add(record_id, 0, 0, 0, n);
		RETURN n;
	END IF;
	n := whk.forget_made(hook, max);
	IF n > 0 THEN
		PERFORM whk.forget_add(record_id, 0, 0, n, 0);
		RETURN n;
	END IF;
	DELETE FROM whk.webhook w WHERE w.id = hook;
	PERFORM whk.forget_add(record_id, 1, 0, 0, 0);
	RETURN 1;
END
$$;

-- Removes up to max attempts that were made at a webhook.
CREATE OR REPLACE FUNCTION whk.forget_made(of_webhook bigint, max int)
RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
DECLARE
	n bigint;
BEGIN
	DELETE FROM whk.attempt a USING (SELECT x.event, x.webhook, x.at,
			x.attempt
		FROM whk.attempt x WHERE x.webhook = of_webhook LIMIT max) y
	WHERE a.event = y.event AND a.webhook = y.webhook AND a.at = y.at
		AND a.attempt = y.attempt;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF to_regclass('whk.attempt_rest') IS NOT NULL THEN
		DELETE FROM whk.attempt_rest a WHERE a.webhook = of_webhook;
	END IF;
	RETURN n;
END
$$;

-- Removes attempts without an event that began since the tenant was being
-- forgotten, or an hour before: what was in flight when its event went.
CREATE OR REPLACE FUNCTION whk.forget_late(record_id bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	since timestamptz;
BEGIN
	SELECT f.began_at INTO since FROM whk.forgotten f
	WHERE f.id = record_id;
	DELETE FROM whk.attempt a
	WHERE a.at >= since - interval '1 hour'
		AND a.time >= (SELECT min(d.day) FROM whk.days('event') d)
		AND NOT EXISTS (SELECT FROM whk.event e
			WHERE e.id = a.event AND e.time = a.time OFFSET 0);
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM whk.forget_add(record_id, 0, 0, n, 0);
	RETURN n;
END
$$;

-- It is done; gives what was removed.
CREATE OR REPLACE FUNCTION whk.forget_end(record_id bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (webhooks bigint, events bigint, attempts bigint, pending bigint)
LANGUAGE sql VOLATILE AS $$
	UPDATE whk.forgotten f SET ended_at = now WHERE f.id = record_id
	RETURNING f.webhooks, f.events, f.attempts, f.pending
$$;

-- What there is of a tenant.
CREATE OR REPLACE FUNCTION whk.forget_count(of_tenant text)
RETURNS TABLE (webhooks bigint, events bigint, attempts bigint, pending bigint)
LANGUAGE sql STABLE AS $$
	WITH hook AS MATERIALIZED (
		SELECT w.id FROM whk.webhook w WHERE w.tenant = of_tenant
	), mine AS MATERIALIZED (
		SELECT e.id, e.time FROM whk.event e WHERE e.tenant = of_tenant
	)
	SELECT (SELECT count(*) FROM hook), (SELECT count(*) FROM mine),
		(SELECT count(*) FROM whk.attempt a
			LEFT JOIN mine m ON m.id = a.event AND m.time = a.time
			LEFT JOIN hook h ON h.id = a.webhook
			WHERE m.id IS NOT NULL OR h.id IS NOT NULL),
		(SELECT count(*) FROM whk.pending p
			LEFT JOIN mine m ON m.id = p.event AND m.time = p.time
			LEFT JOIN hook h ON h.id = p.webhook
			WHERE m.id IS NOT NULL OR h.id IS NOT NULL)
$$;
