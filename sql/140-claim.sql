-- SPDX-License-Identifier: ISC
-- claim(): what is due, out again.

-- Leases up to max due rows to the caller until now + lease and gives them
-- with their events. Each webhook gets its share(), no more than its rate
-- allows in a second, or one row as a probe after too many failures. What is
-- due beyond that is parked, as are the rows of a webhook that is paused or
-- blocked; those of one that is gone are cancelled. So a great backlog at one
-- webhook leaves the index of due rows within a few claims, and the next rows
-- of others are found behind it.
CREATE OR REPLACE FUNCTION whk.claim(max int, lease interval,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (id text, time_ms bigint, type text, tenant text, key text,
	content_type text, body text, attempt int, webhook bigint,
	lease_ms bigint)
LANGUAGE plpgsql SET jit = off
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
	until timestamptz(3) := date_trunc('milliseconds', now + lease);
	heavy bigint[] := '{}';
	mine tid[] := '{}';
	ids text[];
	times timestamptz[];
	round record;
	day record;
BEGIN
	PERFORM whk.sweep(now);
	FOR i IN 1 .. 4 LOOP
		SELECT * INTO round
		FROM whk.claim_round(max - cardinality(mine), heavy, until, now);
		mine := mine || round.claimed;
		ids := ids || round.ids;
		times := times || round.times;
		EXIT WHEN (cardinality(round.excess) = 0 AND NOT round.slotted)
			OR cardinality(mine) >= max;
		heavy := heavy || round.excess;
	END LOOP;
	FOR day IN SELECT array_agg(m.tid) AS tids, array_agg(m.id) AS ids,
			min(m.time) AS first, max(m.time) AS last
		FROM unnest(mine, ids, times) AS m(tid, id, time)
		GROUP BY date_trunc('day', m.time, 'UTC') ORDER BY 3
	LOOP
		RETURN QUERY SELECT * FROM whk.claimed(day.tids, day.ids,
			day.first, day.last, until);
	END LOOP;
END
$$;

-- Rows that the caller has leased, of one day, with their events, which lie in
-- one partition: so no other is looked at, and they are found all at once.
CREATE OR REPLACE FUNCTION whk.claimed(rows tid[], ids text[],
	first timestamptz, last timestamptz, until timestamptz)
RETURNS TABLE (id text, time_ms bigint, type text, tenant text, key text,
	content_type text, body text, attempt int, webhook bigint,
	lease_ms bigint)
LANGUAGE plpgsql SET enable_indexscan = off SET enable_nestloop = off
SET enable_hashjoin = on
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT p.event, whk.ms(p.time), e.type, e.tenant, e.key,
		e.content_type, e.body, p.attempt, p.webhook, whk.ms(until)
	FROM whk.pending p
	JOIN whk.event e ON e.id = p.event AND e.time = p.time
	WHERE p.ctid = ANY (rows) AND e.id = ANY (ids)
		AND e.time >= first AND e.time <= last
	ORDER BY p.seq;
END
$$;

-- One look at the oldest due rows of the webhooks that are not in heavy.
-- claimed: the rows that are now leased, ids and times: their events; excess:
-- webhooks with more than their share, or shut; slotted: retries of a limited
-- rate have got slots.
CREATE OR REPLACE FUNCTION whk.claim_round(max int, heavy bigint[],
	until timestamptz, now timestamptz,
	OUT claimed tid[], OUT ids text[], OUT times timestamptz[],
	OUT excess bigint[], OUT slotted boolean)
LANGUAGE plpgsql AS $$
DECLARE
	park tid[];
	limited tid[];
	lost tid[];
	cancel bigint[];
BEGIN
	WITH due AS MATERIALIZED (
		SELECT p.ctid AS tid, p.webhook, p.next_at, p.attempt, p.leased
		FROM whk.pending p
		WHERE p.next_at <= now AND p.webhook <> ALL (heavy)
		ORDER BY p.next_at LIMIT max FOR UPDATE SKIP LOCKED
	), ranked AS (
		SELECT d.tid, d.webhook, w.id IS NULL
				OR whk.gone(w.disabled_why) AS gone,
			w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
				OR coalesce(w.blocked_until > now, false)
				OR row_number() OVER (PARTITION BY d.webhook
					ORDER BY d.next_at) > CASE
					WHEN whk.broken(w.failures) THEN 1
					ELSE least(whk.share(w.max_in_flight),
						ceil(w.rate)) END
				AS over,
			w.rate IS NOT NULL AND d.attempt > 1
				AND NOT d.leased AS limited
		FROM due d
		LEFT JOIN LATERAL (SELECT * FROM whk.webhook x
			WHERE x.id = d.webhook OFFSET 0) w ON true
	)
	SELECT coalesce(array_agg(r.tid) FILTER (
			WHERE NOT r.gone AND NOT r.over AND NOT r.limited), '{}'),
		coalesce(array_agg(DISTINCT r.webhook) FILTER (
			WHERE r.gone OR r.over), '{}'),
		array_agg(r.tid) FILTER (WHERE NOT r.gone AND r.over),
		array_agg(r.tid) FILTER (WHERE r.gone),
		array_agg(DISTINCT r.webhook) FILTER (WHERE r.gone),
		array_agg(r.tid) FILTER (
			WHERE NOT r.gone AND NOT r.over AND r.limited)
	INTO claimed, excess, park, lost, cancel, limited
	FROM ranked r;
	slotted := limited IS NOT NULL;
	IF slotted THEN
		claimed := claimed || whk.have_slots(limited);
		slotted := whk.slot(ARRAY(SELECT t FROM unnest(limited) AS t
			WHERE t <> ALL (claimed)), now);
	END IF;

	WITH mine AS (
		UPDATE whk.pending p SET next_at = until, leased = true
		WHERE p.ctid = ANY (claimed)
		RETURNING p.ctid AS tid, p.event, p.time
	)
	SELECT coalesce(array_agg(m.tid), '{}'), array_agg(m.event),
		array_agg(m.time)
	INTO claimed, ids, times FROM mine m;
	IF park IS NOT NULL THEN
		PERFORM whk.park(park, now);
	END IF;
	IF cancel IS NOT NULL THEN
		UPDATE whk.pending p SET leased = false
		WHERE p.ctid = ANY (lost) AND p.leased;
		PERFORM whk.cancel(c, 1000, now) FROM unnest(cancel) AS c;
	END IF;
END
$$;

-- Those of some due rows whose time is not one that record() set: they have
-- had their slot of the rate.
CREATE OR REPLACE FUNCTION whk.have_slots(rows tid[]) RETURNS tid[]
LANGUAGE plpgsql AS $$
BEGIN
	RETURN ARRAY(SELECT p.ctid FROM whk.pending p
		WHERE p.ctid = ANY (rows) AND NOT EXISTS (
			SELECT FROM whk.attempt a
			WHERE a.event = p.event AND a.webhook = p.webhook
				AND a.time = p.time AND a.next_at = p.next_at
			OFFSET 0));
END
$$;

-- Gives rows that the caller has locked, retries whose time has come, a slot
-- each of their webhook's rate, as it had none for them when they failed; of
-- those webhooks whose lock can be had at once. Whether there were any.
CREATE OR REPLACE FUNCTION whk.slot(rows tid[], now timestamptz)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	hook record;
	count bigint;
	found boolean := false;
BEGIN
	FOR hook IN SELECT w.id, greatest(now, w.next_slot) AS slot,
			interval '1 second' / w.rate AS step
		FROM whk.webhook w
		WHERE w.id IN (SELECT p.webhook FROM whk.pending p
			WHERE p.ctid = ANY (rows))
		ORDER BY w.id FOR NO KEY UPDATE SKIP LOCKED
	LOOP
		UPDATE whk.pending p SET next_at = hook.slot + x.i * hook.step
		FROM (SELECT q.ctid AS tid,
				row_number() OVER (ORDER BY q.seq) - 1 AS i
			FROM whk.pending q
			WHERE q.ctid = ANY (rows) AND q.webhook = hook.id) x
		WHERE p.ctid = x.tid;
		GET DIAGNOSTICS count = ROW_COUNT;
		UPDATE whk.webhook w SET
			next_slot = hook.slot + count * hook.step
		WHERE w.id = hook.id;
		found := true;
	END LOOP;
	RETURN found;
END
$$;

-- Parks rows that the caller has locked, of those webhooks whose lock can be
-- had at once (the others' rows stay due for the next look), and what else of
-- theirs is due, thousands at a time: what is over is not to be looked at by
-- each claim that follows.
CREATE OR REPLACE FUNCTION whk.park(rows tid[], now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	hooks bigint[];
BEGIN
	SELECT array_agg(l.id) INTO hooks FROM (
		SELECT w.id FROM whk.webhook w
		WHERE w.id IN (SELECT p.webhook FROM whk.pending p
			WHERE p.ctid = ANY (rows))
		ORDER BY w.id FOR NO KEY UPDATE SKIP LOCKED) l;
	UPDATE whk.pending p SET next_at = NULL, leased = false
	WHERE p.ctid = ANY (rows) AND p.webhook = ANY (hooks);
	UPDATE whk.pending p SET next_at = NULL, leased = false
	WHERE p.ctid = ANY (ARRAY(SELECT q.ctid FROM whk.pending q
		WHERE q.next_at <= now AND q.webhook = ANY (hooks)
		ORDER BY q.next_at LIMIT 5000 FOR UPDATE SKIP LOCKED));
	UPDATE whk.webhook w SET backlog = true,
		probe_at = whk.probe_time(w, now)
	WHERE w.id = ANY (hooks) AND NOT w.backlog;
END
$$;

-- Looks after webhooks with parked rows that nobody else lets out: one row
-- goes as a probe where the webhook is open again. Of a webhook that is gone,
-- what is pending is cancelled.
CREATE OR REPLACE FUNCTION whk.sweep(now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	hook record;
BEGIN
	FOR hook IN SELECT w FROM whk.webhook w
		WHERE w.backlog AND w.probe_at <= now
		ORDER BY w.probe_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
	LOOP
		IF whk.gone((hook.w).disabled_why) THEN
			PERFORM whk.cancel((hook.w).id, 1000, now);
			CONTINUE;
		END IF;
		UPDATE whk.webhook w SET unparked = 0,
			probe_at = whk.probe_time(w, now)
		WHERE w.id = (hook.w).id;
		PERFORM whk.unpark(hook.w, 1, now);
	END LOOP;
END
$$;

-- When there is something for claim() to do, in ms; null: nothing is waiting.
CREATE OR REPLACE FUNCTION whk.next_due() RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT whk.ms(least(
		(SELECT min(p.next_at) FROM whk.pending p
			WHERE p.next_at IS NOT NULL),
		(SELECT nullif(min(w.probe_at), 'infinity')
			FROM whk.webhook w WHERE w.backlog)))
$$;

-- Whether more may come due in a moment without anybody's doing: rows that
-- are parked at an open webhook, as others of its rows are delivered; the next
-- of a key whose first is leased, and so perhaps being sent (where it waits
-- for its retry, that is on record).
CREATE OR REPLACE FUNCTION whk.draining(
	now timestamptz DEFAULT clock_timestamp())
RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM whk.webhook w
		WHERE w.backlog AND w.paused_at IS NULL
			AND w.disabled_at IS NULL
			AND coalesce(w.blocked_until <= now, true))
	OR EXISTS (SELECT FROM (SELECT * FROM whk.pending p
			WHERE p.next_at > now AND p.key IS NOT NULL
			LIMIT 1000) p
		WHERE EXISTS (SELECT FROM whk.pending b
				WHERE b.webhook = p.webhook AND b.key = p.key
					AND b.behind)
			AND NOT EXISTS (SELECT FROM whk.attempt a
				WHERE a.event = p.event
					AND a.webhook = p.webhook
					AND a.time = p.time
					AND a.next_at = p.next_at))
$$;
