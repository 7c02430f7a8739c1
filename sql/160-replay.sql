-- SPDX-License-Identifier: ISC
-- What was done, to be done again.

-- The pairs of event and webhook to which a selection applies, oldest first:
-- those whose last attempt is of that outcome (null: any) and time, and which
-- are not pending; one that waits for its retry is, with outcome 'retry' or
-- null. Null widens: every webhook, event, type pattern, tenant. A pair that
-- was replayed is attempted later or pending, and so is not selected again.
CREATE OR REPLACE FUNCTION whk.replayable(of_webhook bigint, of_event text,
	of_types text[], of_tenant text, of_outcome text, since timestamptz,
	until timestamptz)
RETURNS TABLE (event text, time_ms bigint, webhook bigint)
LANGUAGE sql STABLE AS $$
	SELECT a.event, whk.ms(a.time), a.webhook
	FROM whk.attempt a
	JOIN whk.webhook w ON w.id = a.webhook
	JOIN whk.event e ON e.id = a.event AND e.time = a.time
	LEFT JOIN whk.pending p ON p.webhook = a.webhook AND p.time = a.time
		AND p.event = a.event
	WHERE a.at >= since AND a.at < until
		AND (of_webhook IS NULL OR a.webhook = of_webhook)
		AND (of_event IS NULL OR a.event = of_event)
		AND (of_outcome IS NULL OR a.outcome = of_outcome::whk.outcome)
		AND (of_types IS NULL OR of_types && whk.patterns(a.type))
		AND (of_tenant IS NULL OR e.tenant = of_tenant)
		AND (p.event IS NULL OR p.next_at = a.next_at)
		AND NOT EXISTS (SELECT FROM whk.attempt b
			WHERE b.event = a.event AND b.webhook = a.webhook
				AND b.time = a.time AND b.at >= a.at
				AND (b.at, b.attempt) > (a.at, a.attempt))
	ORDER BY a.at
$$;

-- The events that a webhook would get by its present definition and never
-- got: it was not among those they were for, has no attempt, and none is
-- pending. Oldest first.
CREATE OR REPLACE FUNCTION whk.missing(of_webhook bigint, of_types text[],
	of_tenant text, since timestamptz, until timestamptz)
RETURNS TABLE (event text, time_ms bigint, webhook bigint)
LANGUAGE sql STABLE AS $$
	SELECT e.id, whk.ms(e.time), w.id
	FROM whk.event e, whk.webhook w
	WHERE w.id = of_webhook AND e.time >= since AND e.time < until
		AND w.id <> ALL (e.webhooks)
		AND (w.tenant IS NULL OR w.tenant = e.tenant)
		AND (w.events = '{}' OR w.events && whk.patterns(e.type))
		AND (w.filter IS NULL OR whk.passes(w.filter, e.body))
		AND (of_types IS NULL OR of_types && whk.patterns(e.type))
		AND (of_tenant IS NULL OR e.tenant = of_tenant)
		AND NOT EXISTS (SELECT FROM whk.pending p
			WHERE p.webhook = w.id AND p.time = e.time
				AND p.event = e.id)
		AND NOT EXISTS (SELECT FROM whk.attempt a
			WHERE a.event = e.id AND a.webhook = w.id
				AND a.time = e.time)
	ORDER BY e.time
$$;

-- Makes pairs due again: parked, so that they go out oldest first and spread
-- as the webhook takes them. One that waits for its retry is brought forward;
-- one that is otherwise pending is left as it is. A time that is null stands
-- for the newest event of that id. Gives for each pair, by its place n, what
-- became of it: 'due', 'pending' (already), 'no event', 'no webhook'.
CREATE OR REPLACE FUNCTION whk.replay(events text[], times timestamptz[],
	webhooks bigint[], now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (n int, became text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	words text[];
	found_times timestamptz[];
	new_n int[];
	waits int[];
	hooks bigint[];
BEGIN
	PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (webhooks)
	ORDER BY w.id FOR NO KEY UPDATE;

	SELECT array_agg(x.word ORDER BY x.n), array_agg(x.time ORDER BY x.n)
	INTO words, found_times
	FROM (SELECT i.n, e.time, CASE
			WHEN w.id IS NULL OR whk.gone(w.disabled_why)
				THEN 'no webhook'
			WHEN e.time IS NULL THEN 'no event'
			WHEN row_number() OVER (PARTITION BY i.event, e.time,
				i.webhook ORDER BY i.n) > 1 THEN 'pending'
			WHEN p.event IS NULL THEN 'new'
			WHEN EXISTS (SELECT FROM whk.attempt a
				WHERE a.event = p.event AND a.webhook = p.webhook
					AND a.time = p.time
					AND a.next_at = p.next_at) THEN 'waits'
			ELSE 'pending' END AS word
		FROM unnest(events, times, webhooks) WITH ORDINALITY
			AS i(event, time, webhook, n)
		LEFT JOIN whk.webhook w ON w.id = i.webhook
		LEFT JOIN LATERAL (SELECT x.time FROM whk.event x
			WHERE x.id = i.event
				AND (i.time IS NULL OR x.time = i.time)
			ORDER BY x.time DESC LIMIT 1) e ON true
		LEFT JOIN whk.pending p ON p.webhook = i.webhook
			AND p.time = e.time AND p.event = i.event) x;

	SELECT array_agg(i.n::int) FILTER (WHERE i.word = 'new'),
		array_agg(i.n::int) FILTER (WHERE i.word = 'waits'),
		array_agg(DISTINCT webhooks[i.n])
			FILTER (WHERE i.word IN ('new', 'waits'))
	INTO new_n, waits, hooks
	FROM unnest(words) WITH ORDINALITY AS i(word, n);

	-- With a backlog they are parked, by whatever puts them there.
	UPDATE whk.webhook w SET backlog = true,
		probe_at = whk.probe_time(w, now - interval '1 second')
	WHERE w.id = ANY (hooks);
	UPDATE whk.pending p SET next_at = NULL
	FROM unnest(waits) AS i(n)
	WHERE p.webhook = webhooks[i.n] AND p.time = found_times[i.n]
		AND p.event = events[i.n];
	IF new_n IS NOT NULL THEN
		PERFORM whk.enqueue(events, found_times, ARRAY(
			SELECT e.key FROM unnest(events, found_times)
				WITH ORDINALITY AS i(event, time, n)
			LEFT JOIN whk.event e ON e.id = i.event
				AND e.time = i.time
			ORDER BY i.n),
			array_fill(true, ARRAY[cardinality(events)]),
			new_n, ARRAY(SELECT webhooks[i.n]
				FROM unnest(new_n) WITH ORDINALITY AS i(n, k)
				ORDER BY i.k), hooks, now, now);
	END IF;
	IF hooks IS NOT NULL THEN
		PERFORM whk.wake(now);
	END IF;

	RETURN QUERY
	SELECT i.n::int, CASE WHEN i.word IN ('new', 'waits') THEN 'due'
		ELSE i.word END
	FROM unnest(words) WITH ORDINALITY AS i(word, n) ORDER BY i.n;
END
$$;
