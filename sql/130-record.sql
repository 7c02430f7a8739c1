-- SPDX-License-Identifier: ISC
-- record(): outcomes in. What an answer means is decided here.

-- The waits before the retries, in ms: after attempt 1, 2, ... 9.
CREATE OR REPLACE FUNCTION whk.default_schedule() RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT ARRAY[5000, 300000, 1800000, 7200000, 18000000, 36000000,
		50400000, 72000000, 86400000]
$$;

-- Whether what is pending for a webhook disabled for this reason is cancelled:
-- its owner said so, there (410) or here (whk-rm).
CREATE OR REPLACE FUNCTION whk.gone(disabled_why text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(disabled_why IN ('410 Gone', 'removed'), false)
$$;

-- Whether so many failures in a row trip the breaker: until a success the
-- webhook gets single probes, and between them it is blocked.
CREATE OR REPLACE FUNCTION whk.broken(failures int) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT failures >= 10
$$;

-- Whether an answer is a success.
CREATE OR REPLACE FUNCTION whk.success(status int, error text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT error IS NULL AND status BETWEEN 200 AND 299
$$;

-- Whether a webhook is well: for one more success nothing has to be decided.
CREATE OR REPLACE FUNCTION whk.well(w whk.webhook) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT w.failures = 0 AND w.blocks = 0 AND w.unparked = 0
		AND NOT w.backlog AND NOT w.ordered AND w.failing_since IS NULL
		AND w.blocked_until IS NULL AND w.disabled_at IS NULL
$$;

-- What an outcome is. error is null for an answer with a status, else a word
-- of whk(5), or 'deferred' or 'cancelled' where nothing was sent.
CREATE OR REPLACE FUNCTION whk.verdict(status int, error text, attempt int,
	schedule int[])
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE
		WHEN error IN ('deferred', 'cancelled') THEN error
		WHEN whk.success(status, error) THEN 'delivered'
		WHEN error IS NULL AND status = 410 THEN 'failed'
		WHEN attempt > cardinality(schedule) THEN 'failed'
		ELSE 'retry' END
$$;

-- What a Retry-After of so many ms asks for: a day at the most. Null for null.
CREATE OR REPLACE FUNCTION whk.retry_wait(ms bigint) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN ms > 86400000 THEN interval '24 hours'
		ELSE ms * interval '1 ms' END
$$;

-- For how long the n-th block in a row keeps a webhook shut: from first on
-- twice as long each time, up to an hour.
CREATE OR REPLACE FUNCTION whk.block_time(first interval, blocks int)
RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT least(interval '1 hour', first * (2 ^ least(blocks, 12)))
$$;

-- Puts outcomes on record and moves what is pending, in one transaction.
-- Each outcome has its place in the arrays: which event (id and time), type
-- and key, webhook, number of the attempt, the lease under which it was made,
-- when it began, and what came of it: status, or error (see verdict()),
-- Retry-After in ms, microseconds by phase, address, answer.
--
-- An outcome moves the pending row only if its lease is still the row's; a
-- late one is just put on record. One that is on record already (the same
-- event, webhook, time and number) changes nothing, so a caller who never saw
-- the reply may ask again. spread is the jitter: 0.1 for +-10 %.
--
-- Gives for each outcome, by its place n from 1: what it was and, for a retry,
-- when it is next due, in ms.
CREATE OR REPLACE FUNCTION whk.record(events text[], times timestamptz[],
	types text[], keys text[], webhooks bigint[], attempts int[],
	leases timestamptz[], ats timestamptz[], statuses int[], errors text[],
	retry_afters bigint[], dns int[], connects int[], tlss int[],
	waits int[], totals int[], addresses text[], headers text[],
	answers bytea[], spread double precision DEFAULT 0.1,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (n int, outcome text, next_ms bigint)
LANGUAGE plpgsql SET jit = off
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
	n_all int := cardinality(events);
	heeded bigint[] := whk.heeded(webhooks, statuses, errors);
	ended int[];		-- places of deliveries, whose rows are gone
	held boolean[];		-- the row is, or was, still the caller's
	tids tid[];		-- where it is
	fresh boolean[];	-- not on record before
	outcomes text[];
	nexts timestamptz[];
	due timestamptz;
BEGIN
	IF heeded IS NOT NULL THEN
		PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (heeded)
		ORDER BY w.id FOR NO KEY UPDATE;
	END IF;
	ended := whk.end_delivered(events, times, webhooks, attempts, leases,
		statuses, errors);
	IF cardinality(ended) = n_all THEN
		held := array_fill(true, ARRAY[n_all]);
		outcomes := array_fill('delivered'::text, ARRAY[n_all]);
		nexts := array_fill(NULL::timestamptz, ARRAY[n_all]);
	ELSE
		SELECT array_agg(j.held ORDER BY j.n),
			array_agg(j.tid ORDER BY j.n),
			array_agg(j.outcome ORDER BY j.n),
			array_agg(j.next_at ORDER BY j.n)
		INTO held, tids, outcomes, nexts
		FROM whk.judge(events, times, webhooks, attempts, leases,
			statuses, errors, retry_afters, ended, spread, now) j;
	END IF;
	-- A row that is held has no such attempt on record: that would have
	-- moved it. So a look is needed only after a reply that was lost.
	IF false = ANY (held) THEN
		fresh := whk.unrecorded(events, webhooks, ats, attempts);
	ELSE
		fresh := array_fill(true, ARRAY[n_all]);
	END IF;
	IF 'cancelled' = ANY (outcomes) THEN
		-- By the holder only: of others it is no news.
		SELECT array_agg(i.fresh AND (i.held OR i.outcome <> 'cancelled')
			ORDER BY i.n) INTO fresh
		FROM unnest(fresh, held, outcomes) WITH ORDINALITY
			AS i(fresh, held, outcome, n);
	END IF;

	INSERT INTO whk.attempt (event, webhook, at, attempt, time, next_at,
		outcome, status, dns_us, connect_us, tls_us, wait_us, total_us,
		type, error, address, headers, answer)
	SELECT i.event, i.webhook, i.at, i.attempt, i.time, i.next_at,
		i.outcome::whk.outcome, i.status, i.dns, i.connect, i.tls,
		i.wait, i.total, i.type, nullif(i.error, 'cancelled'),
		i.address, i.headers, i.answer
	FROM unnest(events, webhooks, ats, attempts, times, nexts, outcomes,
		statuses, dns, connects, tlss, waits, totals, types, errors,
		addresses, headers, answers, fresh)
		AS i(event, webhook, at, attempt, time, next_at, outcome,
		status, dns, connect, tls, wait, total, type, error, address,
		headers, answer, fresh)
	WHERE i.fresh AND i.outcome <> 'deferred';
	IF whk.followed() THEN
		PERFORM whk.tell(events, webhooks, ats, attempts);
	END IF;

	IF cardinality(ended) < n_all THEN
		PERFORM whk.move(tids, held, outcomes, nexts);
		SELECT min(x) INTO due FROM unnest(nexts) AS x;
	END IF;
	IF heeded IS NOT NULL THEN
		due := least(due, whk.let_out(whk.tally(heeded, webhooks, ats,
			statuses, errors, retry_afters, outcomes, held, fresh,
			now), webhooks, keys, now));
	END IF;
	PERFORM whk.count_later(heeded, webhooks, ats, statuses, outcomes,
		fresh);
	PERFORM whk.count_total(outcomes, fresh, totals, now);
	IF due IS NOT NULL THEN
		PERFORM whk.wake(due);
	END IF;

	-- What was on record before keeps its word.
	IF false = ANY (fresh) THEN
		RETURN QUERY
		SELECT i.n::int, coalesce(a.outcome::text, i.outcome),
			whk.ms(coalesce(a.next_at, i.next_at))
		FROM unnest(events, webhooks, ats, attempts, outcomes, nexts)
			WITH ORDINALITY AS i(event, webhook, at, attempt,
			outcome, next_at, n)
		LEFT JOIN LATERAL (SELECT x.outcome, x.next_at
			FROM whk.attempt x WHERE x.event = i.event
				AND x.webhook = i.webhook AND x.at = i.at
				AND x.attempt = i.attempt OFFSET 0) a ON true
		ORDER BY i.n;
	ELSE
		RETURN QUERY SELECT i.n::int, i.outcome, whk.ms(i.next_at)
		FROM unnest(outcomes, nexts) WITH ORDINALITY
			AS i(outcome, next_at, n)
		ORDER BY i.n;
	END IF;
EXCEPTION WHEN unique_violation THEN
	-- The same was asked at the same time: to be asked again, as then it
	-- is on record.
	RAISE serialization_failure USING MESSAGE = SQLERRM;
END
$$;

-- Of the webhooks of a batch those whose state an outcome may change: which are
-- not well, or had something else than success. Null for none.
CREATE OR REPLACE FUNCTION whk.heeded(webhooks bigint[], statuses int[],
	errors text[])
RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT array_agg(i.webhook)
		FROM (SELECT x.webhook,
				bool_and(whk.success(x.status, x.error)) AS good
			FROM unnest(webhooks, statuses, errors)
				AS x(webhook, status, error)
			GROUP BY x.webhook) i
		WHERE NOT i.good OR EXISTS (SELECT FROM whk.webhook w
			WHERE w.id = i.webhook AND NOT whk.well(w) OFFSET 0));
END
$$;

-- Deletes the rows of the successes of a batch which still have the caller's
-- lease. Gives their places.
CREATE OR REPLACE FUNCTION whk.end_delivered(events text[],
	times timestamptz[], webhooks bigint[], attempts int[],
	leases timestamptz[], statuses int[], errors text[])
RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
	ended int[];
BEGIN
	WITH gone AS (
		DELETE FROM whk.pending p
		USING unnest(events, times, webhooks, attempts, leases,
			statuses, errors) WITH ORDINALITY AS i(event, time,
			webhook, attempt, lease, status, error, n)
		WHERE whk.success(i.status, i.error) AND p.event = i.event
			AND p.time = i.time AND p.webhook = i.webhook
			AND p.next_at = i.lease AND p.attempt = i.attempt
		RETURNING i.n
	)
	SELECT coalesce(array_agg(g.n), '{}') INTO ended FROM gone g;
	RETURN ended;
END
$$;

-- Moves the rows that judge() says are held: away, to their next time, or, if
-- deferred, to those that are parked.
CREATE OR REPLACE FUNCTION whk.move(tids tid[], held boolean[],
	outcomes text[], nexts timestamptz[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM whk.pending p WHERE p.ctid = ANY (ARRAY(
		SELECT i.tid FROM unnest(tids, held, outcomes)
			AS i(tid, held, outcome)
		WHERE i.held
			AND i.outcome IN ('delivered', 'failed', 'cancelled')));
	UPDATE whk.pending p SET next_at = i.next_at, leased = false,
		attempt = p.attempt + (i.outcome = 'retry')::int
	FROM unnest(tids, held, outcomes, nexts)
		AS i(tid, held, outcome, next_at)
	WHERE i.held AND i.outcome IN ('retry', 'deferred')
		AND p.ctid = i.tid;
END
$$;

-- Which of the attempts are not on record yet, by place; a second mention in
-- the arrays is not fresh either.
CREATE OR REPLACE FUNCTION whk.unrecorded(events text[], webhooks bigint[],
	ats timestamptz[], attempts int[])
RETURNS boolean[]
LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT array_agg(i.place = 1 AND NOT EXISTS (
			SELECT FROM whk.attempt a WHERE a.event = i.event
				AND a.webhook = i.webhook AND a.at = i.at
				AND a.attempt = i.attempt OFFSET 0)
				ORDER BY i.n)
		FROM (SELECT x.*, row_number() OVER (PARTITION BY x.event,
				x.webhook, x.at, x.attempt ORDER BY x.n) AS place
			FROM unnest(events, webhooks, ats, attempts)
				WITH ORDINALITY
				AS x(event, webhook, at, attempt, n)) i);
END
$$;

-- What each outcome is and when it is next due; locks the pending rows, which
-- then stay at tid.
-- held: the row is there and the caller's lease is still its own, or it was
-- among those that end_delivered() ended.
CREATE OR REPLACE FUNCTION whk.judge(events text[], times timestamptz[],
	webhooks bigint[], attempts int[], leases timestamptz[], statuses int[],
	errors text[], retry_afters bigint[], ended int[],
	spread double precision, now timestamptz)
RETURNS TABLE (n int, held boolean, tid tid, outcome text,
	next_at timestamptz)
LANGUAGE plpgsql VOLATILE ROWS 100 AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT i.n::int, h.held, p.ctid, v.outcome,
		CASE WHEN v.outcome = 'retry' AND h.held THEN
		(now + greatest(
			s.schedule[i.attempt] * interval '1 ms'
				* (1 - spread + 2 * spread * random()),
			whk.retry_wait(i.retry_after)))::timestamptz(3) END
	FROM unnest(events, times, webhooks, attempts, leases, statuses,
		errors, retry_afters) WITH ORDINALITY
		AS i(event, time, webhook, attempt, lease, status, error,
			retry_after, n)
	LEFT JOIN LATERAL (SELECT q.ctid, q.next_at, q.attempt
		FROM whk.pending q WHERE q.webhook = i.webhook
			AND q.time = i.time AND q.event = i.event
		FOR UPDATE) p ON true
	-- Only a failure has to know the schedule.
	LEFT JOIN LATERAL (SELECT x.schedule FROM whk.webhook x
		WHERE x.id = i.webhook AND NOT whk.success(i.status, i.error)
		OFFSET 0) w ON true
	CROSS JOIN LATERAL (SELECT coalesce(p.next_at = i.lease
		AND p.attempt = i.attempt, i.n = ANY (ended)) AS held) h
	CROSS JOIN LATERAL (SELECT coalesce(w.schedule,
		whk.default_schedule()) AS schedule) s
	CROSS JOIN LATERAL (SELECT whk.verdict(i.status, i.error,
		i.attempt, s.schedule) AS outcome) v;
END
$$;

-- Counts outcomes at those of their webhooks that are heeded, whose locks the
-- caller holds, and moves breaker, throttle and disabling. Only what is fresh
-- counts; "bad" is what failed after the last success of the batch. Gives the
-- webhooks that let_out() has something to do for; null for none.
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
				4 * w.max_in_flight - greatest(0, w.unparked - f.ended)))
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
SET plan_cache_mode = force_generic_plan SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
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

-- Lets go what the outcomes of a batch make room for at the open ones of its
-- webhooks, whose locks the caller holds: parked rows, the next of a key; or
-- cancels what is pending for a webhook that is gone. Gives the earliest time
-- at which a row is due.
CREATE OR REPLACE FUNCTION whk.let_out(open bigint[], webhooks bigint[],
	keys text[], now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	hook whk.webhook;
	due timestamptz;
BEGIN
	FOR hook IN SELECT w.* FROM whk.webhook w WHERE w.id = ANY (open)
		ORDER BY w.id
	LOOP
		IF whk.gone(hook.disabled_why) THEN
			PERFORM whk.cancel(hook.id, 10000, now);
			CONTINUE;
		END IF;
		IF hook.ordered THEN
			due := least(due, whk.promote(hook, ARRAY(
				SELECT DISTINCT coalesce(k.key, '')
				FROM unnest(keys, webhooks) AS k(key, webhook)
				WHERE k.webhook = hook.id), now));
		END IF;
		IF hook.room > 0 THEN
			due := least(due, whk.unpark(hook, hook.room, now));
		END IF;
	END LOOP;
	RETURN due;
END
$$;

-- Lets out up to count parked rows of a webhook, oldest first, the caller
-- holding its lock: due now, or at the free slots of its rate, which are not
-- far ahead unless nothing else is out. Gives the earliest time, or null where
-- none was let out. A webhook that is shut lets out none.
CREATE OR REPLACE FUNCTION whk.unpark(w whk.webhook, count int,
	now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
	first timestamptz;
	slot timestamptz := greatest(now, w.next_slot);
	step interval := coalesce(interval '1 second' / w.rate, interval '0');
BEGIN
	IF w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
			OR w.blocked_until > now
			OR w.unparked > 0 AND slot > now + whk.ahead() THEN
		RETURN NULL;
	END IF;
	IF w.rate IS NOT NULL THEN
		count := least(count, greatest(1, floor(w.rate * extract(epoch
			FROM now + whk.ahead() - slot))));
	END IF;
	WITH oldest AS (
		SELECT p.ctid AS tid, row_number() OVER (ORDER BY p.seq) - 1 AS i
		FROM (SELECT q.ctid, q.seq FROM whk.pending q
			WHERE q.webhook = w.id AND q.next_at IS NULL
				AND NOT q.behind
			ORDER BY q.seq LIMIT count FOR UPDATE) p
	), let_out AS (
		UPDATE whk.pending p SET next_at = slot + o.i * step
		FROM oldest o WHERE p.ctid = o.tid
		RETURNING p.next_at
	)
	SELECT count(*), min(next_at) INTO found, first FROM let_out;
	UPDATE whk.webhook x SET
		backlog = found = count,
		unparked = x.unparked + found,
		room = 0,
		next_slot = CASE WHEN w.rate IS NULL OR found = 0 THEN x.next_slot
			ELSE slot + found * step END,
		probe_at = CASE WHEN x.probe_at < now + interval '2 s'
			THEN now + interval '10 s' ELSE x.probe_at END
	WHERE x.id = w.id;
	RETURN first;
END
$$;

-- Brings forward the next row of each of an ordered webhook's keys that has
-- none in front any more, the caller holding the webhook's lock. Gives the
-- earliest time at which one is due, or null.
CREATE OR REPLACE FUNCTION whk.promote(w whk.webhook, keys text[],
	now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	shut boolean := w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
		OR coalesce(w.blocked_until > now, false);
	slot timestamptz := greatest(now, w.next_slot);
	step interval := coalesce(interval '1 second' / w.rate, interval '0');
	promoted bigint;
BEGIN
	WITH next AS (
		SELECT (SELECT p.ctid FROM whk.pending p
			WHERE p.webhook = w.id AND p.key = k.key
			ORDER BY p.seq LIMIT 1) AS tid, k.n - 1 AS i
		FROM unnest(keys) WITH ORDINALITY AS k(key, n)
	), forward AS (
		UPDATE whk.pending p SET behind = false,
			next_at = CASE WHEN shut THEN NULL
				ELSE slot + x.i * step END
		FROM next x WHERE p.ctid = x.tid AND p.behind
		RETURNING p.next_at
	)
	SELECT count(*) INTO promoted FROM forward;
	IF promoted = 0 THEN
		RETURN NULL;
	END IF;
	UPDATE whk.webhook x SET
		backlog = x.backlog OR shut,
		probe_at = CASE WHEN shut AND NOT x.backlog
			THEN whk.probe_time(x, now) ELSE x.probe_at END,
		next_slot = CASE WHEN w.rate IS NULL THEN x.next_slot
			ELSE slot + cardinality(keys) * step END
	WHERE x.id = w.id;
	RETURN CASE WHEN shut THEN NULL ELSE slot END;
END
$$;

-- Where the rows are that are pending for a webhook, up to max of them: those
-- that wait, that are parked, and that are behind others. Not those that
-- somebody holds: the end of the lease is theirs. Becomes a part of the caller's
-- statement.
CREATE OR REPLACE FUNCTION whk.pending_of(webhook bigint, max bigint)
RETURNS TABLE (tid tid, next_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT x.* FROM (
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.next_at IS NOT NULL AND NOT p.leased
		UNION ALL
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.next_at IS NULL AND NOT p.behind
		UNION ALL
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.key IS NOT NULL AND p.behind) x
	LIMIT max
$$;

-- Cancels up to count pending rows of a webhook, on record. Gives how many.
CREATE OR REPLACE FUNCTION whk.cancel(id bigint, count int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
	followed boolean := whk.followed();
	cancelled_rows bigint;
	events text[];
	attempts int[];
BEGIN
	WITH gone AS (
		DELETE FROM whk.pending p WHERE p.ctid = ANY (ARRAY(
			SELECT q.tid
			FROM whk.pending_of(cancel.id, cancel.count) q))
		RETURNING p.event, p.time, p.attempt
	), written AS (
		INSERT INTO whk.attempt (event, webhook, at, attempt, time,
			outcome, type)
		SELECT g.event, cancel.id, cancel.now, g.attempt, g.time,
			'cancelled', e.type
		FROM gone g
		LEFT JOIN whk.event e ON e.id = g.event AND e.time = g.time
		ON CONFLICT DO NOTHING
	)
	SELECT count(*), array_agg(g.event) FILTER (WHERE followed),
		array_agg(g.attempt) FILTER (WHERE followed)
	INTO cancelled_rows, events, attempts FROM gone g;
	IF events IS NOT NULL THEN
		PERFORM whk.tell(events, array_fill(cancel.id,
			ARRAY[cardinality(events)]), array_fill(cancel.now,
			ARRAY[cardinality(events)]), attempts);
	END IF;
	UPDATE whk.webhook w SET cancelled = w.cancelled + cancelled_rows,
		backlog = cancelled_rows = cancel.count,
		probe_at = cancel.now, unparked = 0, room = 0
	WHERE w.id = cancel.id AND (cancelled_rows > 0 OR w.backlog);
	RETURN cancelled_rows;
END
$$;
