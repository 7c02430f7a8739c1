-- SPDX-License-Identifier: ISC
-- How it goes, from counters that record() keeps, short walks along an index,
-- and the newest attempts: nothing here costs more as the ledger grows.

-- How many rows a count looks at, at the most.
CREATE OR REPLACE FUNCTION whk.count_limit() RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT 50000
$$;

-- The whole in one row. Counts of pending rows and of paused, blocked and
-- disabled webhooks stop at count_limit(); webhooks are estimated where they
-- are many. Rates are attempts a minute over 1, 5 and 60 minutes. late_ms:
-- how late the oldest due row is. stray: rows in a default partition.
CREATE OR REPLACE FUNCTION whk.stat(
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (webhooks bigint, paused bigint, blocked bigint,
	disabled bigint, due bigint, waiting bigint, parked bigint,
	late_ms bigint, delivered bigint, retried bigint, failed bigint,
	cancelled bigint, good_1 real, good_5 real, good_60 real, bad_1 real,
	bad_5 real, bad_60 real, stray boolean)
LANGUAGE sql STABLE SET jit = off AS $$
	SELECT CASE WHEN c.reltuples > 20000 THEN c.reltuples::bigint
			ELSE (SELECT count(*) FROM whk.webhook) END,
		s.paused, s.blocked, s.disabled,
		(SELECT count(*) FROM (SELECT FROM whk.pending p
			WHERE p.next_at <= now LIMIT whk.count_limit()) x),
		(SELECT count(*) FROM (SELECT FROM whk.pending p
			WHERE p.next_at > now LIMIT whk.count_limit()) x),
		(SELECT count(*) FROM (SELECT FROM whk.pending p
			WHERE p.next_at IS NULL AND NOT p.behind
			LIMIT whk.count_limit()) x),
		(SELECT greatest(0, whk.ms(now) - whk.ms(min(p.next_at)))
			FROM whk.pending p WHERE p.next_at IS NOT NULL),
		t.delivered, t.retried, t.failed, t.cancelled, t.good_1,
		t.good_5, t.good_60, t.bad_1, t.bad_5, t.bad_60,
		EXISTS (SELECT FROM whk.event_default)
			OR EXISTS (SELECT FROM whk.attempt_default)
	FROM pg_class c,
		(SELECT count(*) FILTER (WHERE x.state = 'paused') AS paused,
			count(*) FILTER (WHERE x.state = 'blocked') AS blocked,
			count(*) FILTER (WHERE x.state = 'disabled') AS disabled
		FROM (SELECT whk.state(w, now) AS state FROM whk.webhook w
			WHERE w.paused_at IS NOT NULL
				OR w.disabled_at IS NOT NULL
				OR w.blocked_until IS NOT NULL
			LIMIT whk.count_limit()) x) s,
		(SELECT sum(x.delivered)::bigint AS delivered,
			sum(x.retried)::bigint AS retried,
			sum(x.failed)::bigint AS failed,
			sum(x.cancelled)::bigint AS cancelled,
			sum(whk.faded(x.good_1, x.rated_at, now, 1)) AS good_1,
			sum(whk.faded(x.good_5, x.rated_at, now, 5)) AS good_5,
			sum(whk.faded(x.good_60, x.rated_at, now, 60)) AS good_60,
			sum(whk.faded(x.bad_1, x.rated_at, now, 1)) AS bad_1,
			sum(whk.faded(x.bad_5, x.rated_at, now, 5)) AS bad_5,
			sum(whk.faded(x.bad_60, x.rated_at, now, 60)) AS bad_60
		FROM whk.total x) t
	WHERE c.oid = 'whk.webhook'::regclass
$$;

-- How long the newest attempts took, in microseconds: of up to a thousand
-- that were sent in the last hour. Of one webhook, or, with null, of all.
CREATE OR REPLACE FUNCTION whk.stat_times(of_webhook bigint,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (p50 double precision, p90 double precision,
	p99 double precision, attempts bigint)
LANGUAGE plpgsql STABLE SET jit = off AS $$
BEGIN
	IF of_webhook IS NOT NULL THEN
		RETURN QUERY SELECT q.p[1], q.p[2], q.p[3], q.n
		FROM (SELECT percentile_cont(ARRAY[0.5, 0.9, 0.99])
				WITHIN GROUP (ORDER BY x.total_us) AS p,
				count(x.total_us) AS n
			FROM (SELECT a.total_us FROM whk.attempt a
				WHERE a.webhook = of_webhook
					AND a.at > now - interval '1 hour'
				ORDER BY a.at DESC LIMIT 1000) x) q;
	ELSE
		RETURN QUERY SELECT q.p[1], q.p[2], q.p[3], q.n
		FROM (SELECT percentile_cont(ARRAY[0.5, 0.9, 0.99])
				WITHIN GROUP (ORDER BY x.total_us) AS p,
				count(x.total_us) AS n
			FROM (SELECT a.total_us FROM whk.attempt a
				WHERE a.at > now - whk.lookback(now)
				LIMIT 1000) x) q;
	END IF;
END
$$;

-- How far back the newest few thousand attempts reach, by the present rate:
-- at least a second, at most an hour.
CREATE OR REPLACE FUNCTION whk.lookback(now timestamptz) RETURNS interval
LANGUAGE sql STABLE AS $$
	SELECT least(interval '1 hour', greatest(interval '1 second',
		interval '1 minute' * (2000 / greatest(0.01, (
			SELECT sum(whk.faded(x.good_1, x.rated_at, now, 1)
				+ whk.faded(x.bad_1, x.rated_at, now, 1))
			FROM whk.total x)))))
$$;

-- Webhooks with their figures: those named, or of a tenant, or, with neither,
-- the worst: those with the most failures in a row. pending stops at
-- count_limit().
CREATE OR REPLACE FUNCTION whk.stat_webhooks(ids bigint[], of_tenant text,
	max int, now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (id bigint, tenant text, url text, state text, why text,
	failures int, pending bigint, delivered bigint, retried bigint,
	failed bigint, cancelled bigint, good_1 real, good_5 real,
	good_60 real, bad_1 real, bad_5 real, bad_60 real,
	p50 double precision, p90 double precision, p99 double precision)
LANGUAGE sql STABLE SET jit = off AS $$
	WITH chosen AS (
		(SELECT w.id, w.failures FROM whk.webhook w
		WHERE ids IS NOT NULL AND w.id = ANY (ids)
			AND (of_tenant IS NULL OR w.tenant = of_tenant)
		LIMIT max)
		UNION ALL
		(SELECT w.id, w.failures FROM whk.webhook w
		WHERE ids IS NULL AND w.tenant = of_tenant
		ORDER BY w.id LIMIT max)
		UNION ALL
		(SELECT w.id, w.failures FROM whk.webhook w
		WHERE ids IS NULL AND of_tenant IS NULL AND w.failures > 0
		ORDER BY w.failures DESC LIMIT max)
	)
	SELECT w.id, w.tenant, w.url, whk.state(w, now),
		coalesce(w.disabled_why, w.last_error, w.last_status::text),
		w.failures,
		(SELECT count(*) FROM (SELECT FROM whk.pending p
			WHERE p.webhook = w.id LIMIT whk.count_limit()) x),
		w.delivered, w.retried, w.failed, w.cancelled,
		whk.faded(w.good_1, w.rated_at, now, 1),
		whk.faded(w.good_5, w.rated_at, now, 5),
		whk.faded(w.good_60, w.rated_at, now, 60),
		whk.faded(w.bad_1, w.rated_at, now, 1),
		whk.faded(w.bad_5, w.rated_at, now, 5),
		whk.faded(w.bad_60, w.rated_at, now, 60),
		t.p50, t.p90, t.p99
	FROM chosen c
	JOIN whk.webhook w ON w.id = c.id
	CROSS JOIN LATERAL whk.stat_times(w.id, now) t
	ORDER BY c.failures DESC, w.id
$$;

-- The histogram of how long attempts took, since the beginning: for each
-- bucket of time_bucket() its upper end in seconds and how many ended in it
-- or below.
CREATE OR REPLACE FUNCTION whk.stat_histogram()
RETURNS TABLE (le double precision, attempts bigint)
LANGUAGE sql STABLE AS $$
	SELECT 0.0001 * sqrt(2::double precision) ^ b,
		sum(coalesce(sum(t.times[b]), 0)) OVER (ORDER BY b)::bigint
	FROM generate_series(1, 40) AS b
	LEFT JOIN whk.total t ON true
	GROUP BY b
	ORDER BY b
$$;
