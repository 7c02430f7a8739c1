-- SPDX-License-Identifier: ISC
-- How it goes, from counters that record() keeps, short walks along an index,
-- and the newest attempts: nothing here costs more as the ledger grows. The
-- planner, which may think otherwise of a small table, is not asked.

-- How many rows a count looks at, at the most.
CREATE OR REPLACE FUNCTION whk.count_limit() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT 10000
$$;

-- How many webhooks there are: an estimate where they are over 5000.
CREATE OR REPLACE FUNCTION whk.count_webhooks() RETURNS bigint
LANGUAGE sql STABLE SET enable_seqscan = off SET jit = off AS $$
	SELECT CASE WHEN few.n <= 5000 THEN few.n
		ELSE greatest(few.n, c.reltuples::bigint) END
	FROM pg_class c,
		(SELECT count(*) AS n
		FROM (SELECT FROM whk.webhook LIMIT 5001) x) few
	WHERE c.oid = 'whk.webhook'::regclass
$$;

-- The webhooks that are named, or of a tenant, or both: count_limit() of them
-- at the most.
CREATE OR REPLACE FUNCTION whk.stat_chosen(ids bigint[], of_tenant text)
RETURNS SETOF whk.webhook
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
	IF ids IS NOT NULL THEN
		RETURN QUERY SELECT w.* FROM whk.webhook w
		WHERE w.id = ANY (ids)
			AND (of_tenant IS NULL OR w.tenant = of_tenant)
		LIMIT whk.count_limit();
	ELSE
		RETURN QUERY SELECT w.* FROM whk.webhook w
		WHERE w.tenant = of_tenant
		ORDER BY w.id LIMIT whk.count_limit();
	END IF;
END
$$;

-- The whole in one row: of all webhooks, or, where ids or a tenant is given,
-- of those. late_ms is how late the oldest due row is. more has the names of
-- the counts that stopped at a limit: there are at least as many. Rates are
-- attempts a minute over 1, 5 and 60 minutes. stray: rows lie in a default
-- partition.
CREATE OR REPLACE FUNCTION whk.stat(ids bigint[] DEFAULT NULL,
	of_tenant text DEFAULT NULL,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (due bigint, waiting bigint, parked bigint, late_ms bigint,
	more text[], delivered bigint, retried bigint, failed bigint,
	cancelled bigint, good_1 float8, good_5 float8, good_60 float8,
	bad_1 float8, bad_5 float8, bad_60 float8, now_ms bigint,
	webhooks bigint, stray boolean)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
	IF ids IS NULL AND of_tenant IS NULL THEN
		RETURN QUERY SELECT p.*, t.*, whk.ms(stat.now),
			whk.count_webhooks(), whk.stray()
		FROM whk.stat_pending(stat.now) p, whk.stat_total(stat.now) t;
	ELSE
		RETURN QUERY SELECT p.due, p.waiting, p.parked, p.late_ms,
			p.more || CASE WHEN c.n = whk.count_limit()
				THEN ARRAY['webhooks'] ELSE '{}' END,
			t.*, whk.ms(stat.now), c.n, whk.stray()
		FROM (SELECT array_agg(w.id) AS chosen, count(*) AS n
			FROM whk.stat_chosen(ids, of_tenant) w) c
		CROSS JOIN LATERAL whk.stat_pending_of(c.chosen,
			whk.count_limit(), stat.now) p
		CROSS JOIN LATERAL whk.stat_total_of(ids, of_tenant,
			stat.now) t;
	END IF;
END
$$;

-- Whether rows lie in a default partition.
CREATE OR REPLACE FUNCTION whk.stray() RETURNS boolean
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
	SELECT EXISTS (SELECT FROM whk.event_default)
		OR EXISTS (SELECT FROM whk.attempt_default)
$$;

-- What is pending. The rows behind another of their key are looked for among
-- fewer, as each is a look at the table itself.
CREATE OR REPLACE FUNCTION whk.stat_pending(now timestamptz)
RETURNS TABLE (due bigint, waiting bigint, parked bigint, late_ms bigint,
	more text[])
LANGUAGE sql STABLE SET enable_seqscan = off SET jit = off AS $$
	SELECT d.n, w.n, p.n + b.behind, coalesce(o.late_ms, 0),
		array_remove(ARRAY[
			CASE WHEN d.n = whk.count_limit() THEN 'due' END,
			CASE WHEN w.n = whk.count_limit() THEN 'waiting' END,
			CASE WHEN p.n = whk.count_limit()
				OR b.n = whk.count_limit() / 2
				THEN 'parked' END], NULL)
	FROM (SELECT count(*) AS n FROM (SELECT FROM whk.pending p
			WHERE p.next_at <= stat_pending.now
			LIMIT whk.count_limit()) x) d,
		(SELECT count(*) AS n FROM (SELECT FROM whk.pending p
			WHERE p.next_at > stat_pending.now
			LIMIT whk.count_limit()) x) w,
		(SELECT count(*) AS n FROM (SELECT FROM whk.pending p
			WHERE p.next_at IS NULL AND NOT p.behind
			LIMIT whk.count_limit()) x) p,
		(SELECT count(*) AS n,
			count(*) FILTER (WHERE x.behind) AS behind
		FROM (SELECT p.behind FROM whk.pending p
			WHERE p.key IS NOT NULL
			LIMIT whk.count_limit() / 2) x) b,
		(SELECT greatest(0, whk.ms(stat_pending.now)
			- whk.ms(min(p.next_at))) AS late_ms
		FROM whk.pending p WHERE p.next_at IS NOT NULL) o
$$;

-- The same of some webhooks, among their first max rows; what is being sent is
-- not among them.
CREATE OR REPLACE FUNCTION whk.stat_pending_of(webhooks bigint[], max int,
	now timestamptz)
RETURNS TABLE (due bigint, waiting bigint, parked bigint, late_ms bigint,
	more text[])
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off AS $$
	SELECT count(*) FILTER (WHERE x.next_at <= stat_pending_of.now),
		count(*) FILTER (WHERE x.next_at > stat_pending_of.now),
		count(*) FILTER (WHERE x.next_at IS NULL),
		coalesce(greatest(0, whk.ms(stat_pending_of.now)
			- whk.ms(min(x.next_at))), 0),
		CASE WHEN count(*) = max THEN ARRAY['due', 'waiting', 'parked']
			ELSE '{}' END
	FROM (SELECT p.next_at FROM unnest(webhooks) AS w(id)
		CROSS JOIN LATERAL whk.pending_of(w.id, max) p LIMIT max) x
$$;

-- The counters and rates of all webhooks together.
CREATE OR REPLACE FUNCTION whk.stat_total(now timestamptz)
RETURNS TABLE (delivered bigint, retried bigint, failed bigint,
	cancelled bigint, good_1 float8, good_5 float8, good_60 float8,
	bad_1 float8, bad_5 float8, bad_60 float8)
LANGUAGE sql STABLE AS $$
	SELECT coalesce(sum(x.delivered), 0)::bigint,
		coalesce(sum(x.retried), 0)::bigint,
		coalesce(sum(x.failed), 0)::bigint,
		coalesce(sum(x.cancelled), 0)::bigint,
		coalesce(sum(whk.faded(x.good_1, x.rated_at, now, 1)), 0),
		coalesce(sum(whk.faded(x.good_5, x.rated_at, now, 5)), 0),
		coalesce(sum(whk.faded(x.good_60, x.rated_at, now, 60)), 0),
		coalesce(sum(whk.faded(x.bad_1, x.rated_at, now, 1)), 0),
		coalesce(sum(whk.faded(x.bad_5, x.rated_at, now, 5)), 0),
		coalesce(sum(whk.faded(x.bad_60, x.rated_at, now, 60)), 0)
	FROM whk.total x
$$;

-- The same of some webhooks.
CREATE OR REPLACE FUNCTION whk.stat_total_of(ids bigint[], of_tenant text,
	now timestamptz)
RETURNS TABLE (delivered bigint, retried bigint, failed bigint,
	cancelled bigint, good_1 float8, good_5 float8, good_60 float8,
	bad_1 float8, bad_5 float8, bad_60 float8)
LANGUAGE sql STABLE SET jit = off AS $$
	SELECT coalesce(sum(x.delivered), 0)::bigint,
		coalesce(sum(x.retried), 0)::bigint,
		coalesce(sum(x.failed), 0)::bigint,
		coalesce(sum(x.cancelled), 0)::bigint,
		coalesce(sum(whk.faded(x.good_1, x.rated_at, now, 1)), 0),
		coalesce(sum(whk.faded(x.good_5, x.rated_at, now, 5)), 0),
		coalesce(sum(whk.faded(x.good_60, x.rated_at, now, 60)), 0),
		coalesce(sum(whk.faded(x.bad_1, x.rated_at, now, 1)), 0),
		coalesce(sum(whk.faded(x.bad_5, x.rated_at, now, 5)), 0),
		coalesce(sum(whk.faded(x.bad_60, x.rated_at, now, 60)), 0)
	FROM whk.stat_chosen(ids, of_tenant) x
$$;

-- How many webhooks, of all or of those chosen, are paused, blocked and
-- disabled, and why. Stops at count_limit().
CREATE OR REPLACE FUNCTION whk.stat_shut(ids bigint[], of_tenant text,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (state text, why text, webhooks bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
	IF ids IS NULL AND of_tenant IS NULL THEN
		RETURN QUERY SELECT x.state, x.why, count(*)
		FROM (SELECT whk.state(w, stat_shut.now) AS state,
				w.disabled_why AS why
			FROM whk.webhook w
			WHERE w.paused_at IS NOT NULL
				OR w.disabled_at IS NOT NULL
				OR w.blocked_until IS NOT NULL
			LIMIT whk.count_limit()) x
		WHERE x.state <> 'active'
		GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2;
	ELSE
		RETURN QUERY SELECT whk.state(w, stat_shut.now),
			w.disabled_why, count(*)
		FROM whk.stat_chosen(ids, of_tenant) w
		WHERE whk.state(w, stat_shut.now) <> 'active'
		GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2;
	END IF;
END
$$;

-- How long the newest attempts of all webhooks took, in microseconds: those at
-- the end of the tables they were added to, of the last hour.
CREATE OR REPLACE FUNCTION whk.newest_times(now timestamptz)
RETURNS SETOF int
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
DECLARE
	part regclass;
	pages bigint;
BEGIN
	FOR part IN SELECT whk.newest_parts('attempt', now) LOOP
		pages := pg_relation_size(part)
			/ current_setting('block_size')::int;
		RETURN QUERY EXECUTE format('SELECT a.total_us FROM %s a
			WHERE a.ctid >= $1 AND a.at > $2
				AND a.total_us IS NOT NULL', part)
		USING format('(%s,0)', greatest(0, pages - 64))::tid,
			now - interval '1 hour';
	END LOOP;
END
$$;

-- The same of some webhooks, by their places: of the newest max attempts of
-- each; null at least.
CREATE OR REPLACE FUNCTION whk.newest_times_of(webhooks bigint[], max int,
	now timestamptz)
RETURNS TABLE (n bigint, us int)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
DECLARE
	each_part text := (SELECT string_agg(format('(SELECT a.at, a.total_us
		FROM %s a WHERE a.webhook = w.id AND a.at > $3
		ORDER BY a.at DESC LIMIT $2)', p), ' UNION ALL ')
		FROM whk.newest_parts('attempt', now) p);
BEGIN
	RETURN QUERY EXECUTE format('SELECT w.n, x.total_us
		FROM unnest($1) WITH ORDINALITY AS w(id, n)
		LEFT JOIN LATERAL (SELECT y.total_us FROM (%s) y
			ORDER BY y.at DESC LIMIT $2) x ON true', each_part)
	USING webhooks, max, now - interval '1 hour';
END
$$;

-- The percentiles of those times, and of how many they are: of all webhooks,
-- or of those chosen, where they are many of the hundred last tried.
CREATE OR REPLACE FUNCTION whk.stat_times(ids bigint[], of_tenant text,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (p50 float8, p90 float8, p99 float8, attempts bigint)
LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
	us int[];
	hooks bigint[];
BEGIN
	IF ids IS NULL AND of_tenant IS NULL THEN
		us := ARRAY(SELECT whk.newest_times(stat_times.now));
	ELSE
		hooks := ARRAY(SELECT w.id
			FROM whk.stat_chosen(ids, of_tenant) w
			WHERE w.last_at > stat_times.now - interval '2 hours'
			ORDER BY w.last_at DESC LIMIT 100);
		us := ARRAY(SELECT t.us FROM whk.newest_times_of(hooks,
			2000 / greatest(1, cardinality(hooks)),
			stat_times.now) t WHERE t.us IS NOT NULL);
	END IF;
	RETURN QUERY SELECT q.p[1], q.p[2], q.p[3], q.n
	FROM (SELECT percentile_cont(ARRAY[0.5, 0.9, 0.99])
			WITHIN GROUP (ORDER BY x) AS p, count(*) AS n
		FROM unnest(us) AS x) q;
END
$$;

-- Of the webhooks that fail at present the thousand with the most failures in
-- a row.
CREATE OR REPLACE FUNCTION whk.stat_failing() RETURNS SETOF whk.webhook
LANGUAGE sql STABLE SET enable_seqscan = off SET jit = off AS $$
	SELECT w.* FROM whk.webhook w
	WHERE w.failures > 0 AND w.disabled_at IS NULL
	ORDER BY w.failures DESC LIMIT 1000
$$;

-- Up to max webhooks with their figures, those with the most failed attempts
-- in the last hour first: of those chosen, or else of those that fail at
-- present. The pending rows of each are counted up to a limit.
CREATE OR REPLACE FUNCTION whk.stat_webhooks(ids bigint[], of_tenant text,
	max int, now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (due bigint, waiting bigint, parked bigint, late_ms bigint,
	more text[], delivered bigint, retried bigint, failed bigint,
	cancelled bigint, good_1 float8, good_5 float8, good_60 float8,
	bad_1 float8, bad_5 float8, bad_60 float8, id bigint, tenant text,
	url text, state text, why text, failures int, p50 float8, p90 float8,
	p99 float8, attempts bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
	hooks bigint[];
	share int;
	times float8[];
BEGIN
	IF ids IS NULL AND of_tenant IS NULL THEN
		hooks := ARRAY(SELECT w.id FROM whk.stat_failing() w
			ORDER BY whk.faded(w.bad_60, w.rated_at,
				stat_webhooks.now, 60) DESC,
				w.failures DESC, w.id LIMIT max);
	ELSE
		hooks := ARRAY(SELECT w.id
			FROM whk.stat_chosen(ids, of_tenant) w
			ORDER BY whk.faded(w.bad_60, w.rated_at,
				stat_webhooks.now, 60) DESC,
				w.failures DESC, w.id LIMIT max);
	END IF;
	share := greatest(1, cardinality(hooks));
	times := ARRAY(SELECT ARRAY[q.p[1], q.p[2], q.p[3], q.count]
		FROM (SELECT t.n, count(t.us), percentile_cont(
				ARRAY[0.5, 0.9, 0.99])
				WITHIN GROUP (ORDER BY t.us) AS p
			FROM whk.newest_times_of(hooks, greatest(100,
				2000 / share), stat_webhooks.now) t
			GROUP BY t.n) q
		ORDER BY q.n);
	RETURN QUERY
	SELECT p.*, w.delivered, w.retried, w.failed, w.cancelled,
		whk.faded(w.good_1, w.rated_at, stat_webhooks.now, 1)::float8,
		whk.faded(w.good_5, w.rated_at, stat_webhooks.now, 5)::float8,
		whk.faded(w.good_60, w.rated_at, stat_webhooks.now, 60)::float8,
		whk.faded(w.bad_1, w.rated_at, stat_webhooks.now, 1)::float8,
		whk.faded(w.bad_5, w.rated_at, stat_webhooks.now, 5)::float8,
		whk.faded(w.bad_60, w.rated_at, stat_webhooks.now, 60)::float8,
		w.id, w.tenant, w.url, whk.state(w, stat_webhooks.now),
		coalesce(w.disabled_why, w.last_error, w.last_status::text),
		w.failures, times[c.n][1], times[c.n][2], times[c.n][3],
		times[c.n][4]::bigint
	FROM unnest(hooks) WITH ORDINALITY AS c(id, n)
	JOIN whk.webhook w ON w.id = c.id
	CROSS JOIN LATERAL whk.stat_pending_of(ARRAY[w.id],
		greatest(1000, 2 * whk.count_limit() / share),
		stat_webhooks.now) p
	ORDER BY c.n;
END
$$;

-- The histogram of how long attempts took, since the beginning: for every
-- second bucket of time_bucket(), and the last, its upper end in seconds and
-- how many ended in it or below; and how long they took all in all.
CREATE OR REPLACE FUNCTION whk.stat_histogram()
RETURNS TABLE (le float8, attempts bigint, seconds float8)
LANGUAGE sql STABLE SET jit = off AS $$
	SELECT CASE WHEN b < 40 THEN 0.0001 * 2 ^ (b / 2)
			ELSE 'infinity' END,
		sum(coalesce(sum(t.times[b - 1] + t.times[b]), 0))
			OVER (ORDER BY b)::bigint,
		coalesce(sum(t.times_us), 0) / 1e6
	FROM generate_series(2, 40, 2) AS b
	LEFT JOIN whk.total t ON cardinality(t.times) > 0
	GROUP BY b
	ORDER BY b
$$;
