-- SPDX-License-Identifier: ISC
-- What outcomes mean for their webhooks, and the counters of all that was done.

-- Counts outcomes at those of their webhooks that heed() has locked, and moves
-- breaker, throttle and disabling. Only what is fresh counts; "bad" is what
-- failed after the last success of the batch. Gives the webhooks that let_out()
-- has something to do for; null for none.
CREATE OR REPLACE FUNCTION whk.tally(heeded bigint[], webhooks bigint[],
	ats timestamptz[], statuses int[], errors text[], retry_afters bigint[],
	outcomes text[], held boolean[], fresh boolean[], now timestamptz)
RETURNS bigint[]
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
	open bigint[];
BEGIN
	WITH input AS (
		SELECT i.*, i.error IS NULL AND i.status
				IN (429, 502, 503, 504) AS throttles,
			max(i.n) FILTER (WHERE i.fresh
				AND i.outcome = 'delivered')
				OVER (PARTITION BY i.webhook) AS last_good
		FROM unnest(webhooks, ats, statuses, errors, retry_afters,
			outcomes, held, fresh) WITH ORDINALITY
			AS i(webhook, at, status, error, retry_after, outcome,
				held, fresh, n)
		WHERE i.webhook = ANY (heeded)
	), marked AS (
		SELECT i.*, i.fresh AND i.outcome IN ('retry', 'failed')
			AND i.n > coalesce(i.last_good, 0) AS bad
		FROM input i
	), sum AS (
		SELECT m.webhook,
			count(*) FILTER (WHERE m.held) AS ended,
			bool_or(m.held AND m.outcome = 'deferred') AS parked,
			count(*) FILTER (WHERE m.fresh
				AND m.outcome = 'delivered') AS good,
			count(*) FILTER (WHERE m.fresh
				AND m.outcome = 'retry') AS retried,
			count(*) FILTER (WHERE m.fresh
				AND m.outcome = 'failed') AS failed,
			count(*) FILTER (WHERE m.fresh
				AND m.outcome = 'cancelled') AS cancelled,
			count(*) FILTER (WHERE m.fresh
				AND m.outcome IN ('retry', 'failed')) AS all_bad,
			count(*) FILTER (WHERE m.bad) AS bad,
			min(m.at) FILTER (WHERE m.bad) AS bad_since,
			bool_or(m.fresh AND m.error IS NULL
				AND m.status = 410) AS gone,
			bool_or(m.bad AND m.throttles) AS throttled,
			max(whk.retry_wait(m.retry_after)) FILTER (
				WHERE m.bad AND m.throttles) AS retry_after,
			(array_agg(ROW(m.at, m.status, m.error)::whk.last
				ORDER BY m.n DESC) FILTER (WHERE m.fresh
				AND m.outcome NOT IN ('cancelled',
					'deferred')))[1] AS last
		FROM marked m GROUP BY m.webhook
	), fate AS (
		SELECT s.*, o.tid, o.blocked_until, o.blocks, c.failures,
			s.bad > 0 AND (s.throttled OR whk.broken(c.failures))
				AND coalesce(o.blocked_until <= now, true) AS shut,
			s.bad > 0 AND s.good = 0 AND coalesce(o.failing_since
				< now - interval '5 days', false) AS hopeless
		FROM sum s
		CROSS JOIN LATERAL (SELECT x.ctid AS tid, x.*
			FROM whk.webhook x WHERE x.id = s.webhook OFFSET 0) o
		CROSS JOIN LATERAL (SELECT (s.bad + CASE WHEN s.good > 0
			THEN 0 ELSE o.failures END)::int AS failures) c
	), counted AS (
		UPDATE whk.webhook w SET
			delivered = w.delivered + f.good,
			retried = w.retried + f.retried,
			failed = w.failed + f.failed,
			cancelled = w.cancelled + f.cancelled,
			last_at = coalesce((f.last).at, w.last_at),
			last_status = CASE WHEN f.last IS NULL THEN w.last_status
				ELSE (f.last).status END,
			last_error = CASE WHEN f.last IS NULL THEN w.last_error
				ELSE (f.last).error END,
			failures = f.failures,
			failing_since = CASE WHEN f.failures = 0 THEN NULL
				WHEN f.good > 0 THEN f.bad_since
				ELSE coalesce(w.failing_since, f.bad_since) END,
			blocks = CASE WHEN f.shut THEN w.blocks + 1
				WHEN f.good > 0 THEN 0 ELSE w.blocks END,
			blocked_until = CASE
				WHEN f.shut AND f.throttled THEN now
					+ coalesce(f.retry_after,
					whk.block_time('5 s', w.blocks))
				WHEN f.shut THEN now + whk.block_time('30 s', w.blocks)
				WHEN f.good > 0 AND f.bad = 0 THEN NULL
				ELSE w.blocked_until END,
			disabled_at = CASE WHEN f.gone OR f.hopeless
				THEN coalesce(w.disabled_at, now) ELSE w.disabled_at END,
			disabled_why = CASE WHEN f.gone THEN '410 Gone'
				WHEN f.hopeless THEN coalesce(w.disabled_why,
					'nothing but failures for 5 days')
				ELSE w.disabled_why END,
			backlog = w.backlog OR f.parked,
			probe_at = CASE WHEN f.parked AND NOT w.backlog
				THEN whk.probe_time(w, now) ELSE w.probe_at END,
			rated_at = now,
			good_1 = whk.faded(w.good_1, w.rated_at, now, 1) + f.good,
			good_5 = whk.faded(w.good_5, w.rated_at, now, 5)
				+ f.good / 5.0,
			good_60 = whk.faded(w.good_60, w.rated_at, now, 60)
				+ f.good / 60.0,
			bad_1 = whk.faded(w.bad_1, w.rated_at, now, 1) + f.all_bad,
			bad_5 = whk.faded(w.bad_5, w.rated_at, now, 5)
				+ f.all_bad / 5.0,
			bad_60 = whk.faded(w.bad_60, w.rated_at, now, 60)
				+ f.all_bad / 60.0,
			unparked = greatest(0, w.unparked - f.ended),
			room = CASE WHEN w.backlog THEN greatest(0, least(2 * f.good,
				whk.share(w.max_in_flight)
				- greatest(0, w.unparked - f.ended)))
				ELSE 0 END
		FROM fate f
		WHERE w.ctid = f.tid
		RETURNING w.id, w.ordered OR w.room > 0
			OR whk.gone(w.disabled_why) AS open
	)
	SELECT array_agg(c.id) FILTER (WHERE c.open) INTO open FROM counted c;
	RETURN open;
END
$$;

-- Puts the deliveries of a batch that are fresh, but those at webhooks that are
-- heeded, where count_up() finds them.
CREATE OR REPLACE FUNCTION whk.count_later(heeded bigint[], webhooks bigint[],
	ats timestamptz[], statuses int[], outcomes text[], fresh boolean[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO whk.uncounted (webhook, delivered, last_at, last_status)
	SELECT DISTINCT ON (i.webhook) i.webhook,
		count(*) OVER (PARTITION BY i.webhook), i.at, i.status
	FROM unnest(webhooks, ats, statuses, outcomes, fresh)
		AS i(webhook, at, status, outcome, fresh)
	WHERE i.fresh AND i.outcome = 'delivered'
		AND i.webhook <> ALL (coalesce(heeded, '{}'))
	ORDER BY i.webhook, i.at DESC;
END
$$;

-- Counts what has been delivered to webhooks that are well: now and then, by
-- whoever records, in a transaction of its own. Several may do it at once. Rows
-- of webhooks are locked in the order of their ids, which is that of the join.
CREATE OR REPLACE FUNCTION whk.count_up(
	now timestamptz DEFAULT clock_timestamp())
RETURNS void
LANGUAGE plpgsql SET jit = off
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
	-- What a crash of the server undoes is as it was, and counted later.
	PERFORM set_config('synchronous_commit', 'off', true);
	WITH taken AS (
		DELETE FROM whk.uncounted u WHERE u.ctid = ANY (ARRAY(
			SELECT x.ctid FROM whk.uncounted x
			LIMIT 10000 FOR UPDATE SKIP LOCKED))
		RETURNING u.*
	), sum AS (
		SELECT DISTINCT ON (t.webhook) t.webhook, t.last_at,
			t.last_status, sum(t.delivered)
				OVER (PARTITION BY t.webhook)::bigint AS good
		FROM taken t
		ORDER BY t.webhook, t.last_at DESC
	)
	UPDATE whk.webhook w SET
		delivered = w.delivered + s.good,
		last_at = greatest(w.last_at, s.last_at),
		last_status = CASE WHEN w.last_at > s.last_at
			THEN w.last_status ELSE s.last_status END,
		last_error = CASE WHEN w.last_at > s.last_at
			THEN w.last_error END,
		rated_at = now,
		good_1 = whk.faded(w.good_1, w.rated_at, now, 1) + s.good,
		good_5 = whk.faded(w.good_5, w.rated_at, now, 5)
			+ s.good / 5.0,
		good_60 = whk.faded(w.good_60, w.rated_at, now, 60)
			+ s.good / 60.0,
		bad_1 = whk.faded(w.bad_1, w.rated_at, now, 1),
		bad_5 = whk.faded(w.bad_5, w.rated_at, now, 5),
		bad_60 = whk.faded(w.bad_60, w.rated_at, now, 60)
	FROM sum s WHERE w.id = s.webhook;
END
$$;

-- A rate that was x attempts a minute at a time, as an average over so many
-- minutes, has faded by now like a load average.
CREATE OR REPLACE FUNCTION whk.faded(x real, at timestamptz,
	now timestamptz, minutes int)
RETURNS real
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN x < 0.0001 OR at IS NULL
			OR now - at > minutes * interval '15 minutes' THEN 0
		WHEN now <= at THEN x
		ELSE x * exp(-extract(epoch FROM now - at)::double precision
			/ (60 * minutes)) END::real
$$;

-- The bucket of a duration in microseconds, from 1: bucket i ends at 100 us
-- times the square root of 2 to the i; the last, 40, has no end.
CREATE OR REPLACE FUNCTION whk.time_bucket(us int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN us <= 100 THEN 1
		ELSE least(40, ceil(2 * ln(us / 100.0::double precision)
			/ ln(2::double precision) - 1e-9))::int END
$$;

-- Counts the outcomes of a batch that are fresh in the figures for all
-- webhooks together: in a row that this connection has to itself, by and
-- large.
CREATE OR REPLACE FUNCTION whk.count_total(outcomes text[], fresh boolean[],
	totals int[], now timestamptz)
RETURNS void
LANGUAGE plpgsql SET enable_nestloop = off SET enable_hashjoin = on
AS $$
DECLARE
	mine int := pg_backend_pid() % 64;
	s record;
BEGIN
	SELECT count(*) FILTER (WHERE i.outcome = 'delivered') AS good,
		count(*) FILTER (WHERE i.outcome = 'retry') AS retried,
		count(*) FILTER (WHERE i.outcome = 'failed') AS failed,
		count(*) FILTER (WHERE i.outcome = 'cancelled') AS cancelled,
		count(*) FILTER (WHERE i.outcome IN ('retry', 'failed')) AS bad,
		array_agg(whk.time_bucket(i.total))
			FILTER (WHERE i.total IS NOT NULL) AS buckets,
		coalesce(sum(i.total), 0) AS us
	INTO s
	FROM unnest(outcomes, fresh, totals) AS i(outcome, fresh, total)
	WHERE i.fresh AND i.outcome <> 'deferred';

	INSERT INTO whk.total (shard) VALUES (mine) ON CONFLICT DO NOTHING;
	UPDATE whk.total t SET
		delivered = t.delivered + s.good,
		retried = t.retried + s.retried,
		failed = t.failed + s.failed,
		cancelled = t.cancelled + s.cancelled,
		rated_at = now,
		good_1 = whk.faded(t.good_1, t.rated_at, now, 1) + s.good,
		good_5 = whk.faded(t.good_5, t.rated_at, now, 5)
			+ s.good / 5.0,
		good_60 = whk.faded(t.good_60, t.rated_at, now, 60)
			+ s.good / 60.0,
		bad_1 = whk.faded(t.bad_1, t.rated_at, now, 1) + s.bad,
		bad_5 = whk.faded(t.bad_5, t.rated_at, now, 5) + s.bad / 5.0,
		bad_60 = whk.faded(t.bad_60, t.rated_at, now, 60)
			+ s.bad / 60.0,
		times = ARRAY(SELECT coalesce(t.times[b.b], 0) + count(x.b)
			FROM generate_series(1, 40) AS b(b)
			LEFT JOIN unnest(s.buckets) AS x(b) ON x.b = b.b
			GROUP BY b.b ORDER BY b.b),
		times_us = t.times_us + s.us
	WHERE t.shard = mine;
END
$$;
