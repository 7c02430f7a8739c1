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
	heeded bigint[];	-- webhooks whose state is looked at
	ended int[];		-- places of deliveries, whose rows are gone
	held boolean[];		-- the row is, or was, still the caller's
	tids tid[];		-- where it is
	fresh boolean[];	-- not on record before
	outcomes text[];
	nexts timestamptz[];
	due timestamptz;
BEGIN
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
	IF cardinality(ended) = n_all OR whk.all_held(held, tids) THEN
		fresh := array_fill(true, ARRAY[n_all]);
	ELSE
		fresh := whk.unrecorded(events, webhooks, ats, attempts);
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
	-- Last, as others wait for these locks. Only rows that are leased are
	-- ever locked before a webhook.
	heeded := whk.heed(webhooks, statuses, errors);
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

-- Whether each outcome of a batch holds a row, and none the same as another; of
-- those that are gone already there is no tid, and none the same.
CREATE OR REPLACE FUNCTION whk.all_held(held boolean[], tids tid[])
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT bool_and(i.held) AND count(DISTINCT i.tid) = count(i.tid)
	FROM unnest(held, tids) AS i(held, tid)
$$;

-- Locks those webhooks of a batch whose state an outcome may change: which are
-- not well, or had something else than success. Gives them; null for none.
CREATE OR REPLACE FUNCTION whk.heed(webhooks bigint[], statuses int[],
	errors text[])
RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
	heeded bigint[];
BEGIN
	SELECT array_agg(i.webhook) INTO heeded
	FROM (SELECT x.webhook,
			bool_and(whk.success(x.status, x.error)) AS good
		FROM unnest(webhooks, statuses, errors)
			AS x(webhook, status, error)
		GROUP BY x.webhook) i
	WHERE NOT i.good OR EXISTS (SELECT FROM whk.webhook w
		WHERE w.id = i.webhook AND NOT whk.well(w) OFFSET 0);
	IF heeded IS NOT NULL THEN
		PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (heeded)
		ORDER BY w.id FOR NO KEY UPDATE;
	END IF;
	RETURN heeded;
END
$$;

-- Deletes the rows of the successes of a batch which still have the caller's
-- lease; one that has been changed since it was looked up is somewhere else, and
-- stays. Gives their places; of two with the same row, the first.
CREATE OR REPLACE FUNCTION whk.end_delivered(events text[],
	times timestamptz[], webhooks bigint[], attempts int[],
	leases timestamptz[], statuses int[], errors text[])
RETURNS int[]
LANGUAGE plpgsql SET enable_nestloop = off SET enable_hashjoin = on
AS $$
DECLARE
	ended int[];
BEGIN
	WITH mine AS MATERIALIZED (
		SELECT p.tid, i.n
		FROM unnest(events, times, webhooks, attempts, leases,
			statuses, errors) WITH ORDINALITY AS i(event, time,
			webhook, attempt, lease, status, error, n)
		CROSS JOIN LATERAL (SELECT q.ctid AS tid FROM whk.pending q
			WHERE q.time = i.time AND q.event = i.event
				AND q.webhook = i.webhook
				AND q.attempt = i.attempt
				AND q.next_at IS NOT DISTINCT FROM i.lease
			OFFSET 0) p
		WHERE whk.success(i.status, i.error)
	), gone AS (
		DELETE FROM whk.pending p
		WHERE p.ctid = ANY (ARRAY(SELECT m.tid FROM mine m))
		RETURNING p.ctid AS tid
	)
	SELECT coalesce(array_agg(x.n), '{}') INTO ended
	FROM (SELECT min(m.n) AS n FROM gone g JOIN mine m ON m.tid = g.tid
		GROUP BY m.tid) x;
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

-- What each outcome is and when it is next due; locks the pending rows that are
-- held, which then stay at tid.
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
	LEFT JOIN LATERAL (SELECT q.ctid FROM whk.pending q
		WHERE q.webhook = i.webhook AND q.time = i.time
			AND q.event = i.event AND q.attempt = i.attempt
			AND q.next_at IS NOT DISTINCT FROM i.lease
		FOR UPDATE) p ON true
	-- Only a failure has to know the schedule.
	LEFT JOIN LATERAL (SELECT x.schedule FROM whk.webhook x
		WHERE x.id = i.webhook AND NOT whk.success(i.status, i.error)
		OFFSET 0) w ON true
	CROSS JOIN LATERAL (SELECT p.ctid IS NOT NULL
		OR i.n = ANY (ended) AS held) h
	CROSS JOIN LATERAL (SELECT coalesce(w.schedule,
		whk.default_schedule()) AS schedule) s
	CROSS JOIN LATERAL (SELECT whk.verdict(i.status, i.error,
		i.attempt, s.schedule) AS outcome) v;
END
$$;
