-- SPDX-License-Identifier: ISC
-- What was done, to be done again.

-- The pairs of event and webhook to which a selection applies, oldest first:
-- those whose last attempt is of that outcome (null: any) and time, whose
-- event and webhook are still there, and which are not pending; one that waits
-- for its retry is, with outcome 'retry' or null. Null widens: every webhook,
-- event, type pattern, tenant. A pair that was replayed is attempted later or
-- pending, and so is not selected again.
--
-- What is looked up for each attempt stands behind OFFSET 0: so it is looked
-- up by an index, row by row, and never by a pass over the other tables,
-- however many pairs there are.
CREATE OR REPLACE FUNCTION whk.replayable(of_webhook bigint, of_event text,
	of_types text[], of_tenant text, of_outcome text, since timestamptz,
	until timestamptz)
RETURNS TABLE (event text, time_ms bigint, webhook bigint)
LANGUAGE sql STABLE AS $$
	SELECT a.event, whk.ms(a.time), a.webhook
	FROM whk.attempt a
	JOIN whk.webhook w ON w.id = a.webhook
	WHERE a.at >= since AND a.at < until
		AND NOT whk.gone(w.disabled_why)
		AND (of_webhook IS NULL OR a.webhook = of_webhook)
		AND (of_event IS NULL OR a.event = of_event)
		AND (of_outcome IS NULL OR a.outcome = of_outcome::whk.outcome)
		AND (of_types IS NULL OR of_types && whk.patterns(a.type))
		AND EXISTS (SELECT FROM whk.event e
			WHERE e.id = a.event AND e.time = a.time
				AND (of_tenant IS NULL OR e.tenant = of_tenant)
			OFFSET 0)
		AND NOT EXISTS (SELECT FROM whk.pending p
			WHERE p.webhook = a.webhook AND p.time = a.time
				AND p.event = a.event
				AND (p.next_at = a.next_at) IS NOT TRUE
			OFFSET 0)
		AND NOT EXISTS (SELECT FROM whk.attempt b
			WHERE b.event = a.event AND b.webhook = a.webhook
				AND b.time = a.time AND b.at >= a.at
				AND (b.at, b.attempt) > (a.at, a.attempt)
			OFFSET 0)
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
		AND NOT whk.gone(w.disabled_why)
		AND w.id <> ALL (e.webhooks)
		AND (w.tenant IS NULL OR w.tenant = e.tenant)
		AND (w.events = '{}' OR w.events && whk.patterns(e.type))
		AND (of_types IS NULL OR of_types && whk.patterns(e.type))
		AND (of_tenant IS NULL OR e.tenant = of_tenant)
		AND NOT EXISTS (SELECT FROM whk.pending p
			WHERE p.webhook = w.id AND p.time = e.time
				AND p.event = e.id
			OFFSET 0)
		AND NOT EXISTS (SELECT FROM whk.attempt a
			WHERE a.event = e.id AND a.webhook = w.id
				AND a.time = e.time
			OFFSET 0)
		AND (w.filter IS NULL OR whk.passes(w.filter, e.body))
	ORDER BY e.time
$$;

-- What replay() would make of each pair, by its place n: 'due', 'pending'
-- (already), 'no event', 'no body' (retention took it), 'no webhook'; with the
-- time and key of its event. A time that is null stands for the newest event
-- of that id. waits: it is pending, for its retry. Nothing is changed or
-- locked.
CREATE OR REPLACE FUNCTION whk.would_replay(events text[],
	times timestamptz[], webhooks bigint[])
RETURNS TABLE (n int, became text, waits boolean, event_time timestamptz,
	key text)
LANGUAGE plpgsql VOLATILE SET jit = off SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT x.n::int, CASE
		WHEN x.hook IS NULL THEN 'no webhook'
		WHEN x.time IS NULL THEN 'no event'
		WHEN x.bare THEN 'no body'
		WHEN x.again > 1 THEN 'pending'
		WHEN x.pending IS NULL OR x.waits THEN 'due'
		ELSE 'pending' END,
		x.hook IS NOT NULL AND x.again = 1 AND x.waits, x.time, x.key
	FROM (SELECT i.n, w.id AS hook, e.time, e.key, e.bare,
			p.event AS pending,
			row_number() OVER (PARTITION BY i.event, e.time,
				i.webhook ORDER BY i.n) AS again,
			p.event IS NOT NULL AND EXISTS (
				SELECT FROM whk.attempt a
				WHERE a.event = p.event
					AND a.webhook = p.webhook
					AND a.time = p.time
					AND a.next_at = p.next_at) AS waits
		FROM unnest(events, times, webhooks) WITH ORDINALITY
			AS i(event, time, webhook, n)
		LEFT JOIN whk.webhook w ON w.id = i.webhook
			AND NOT whk.gone(w.disabled_why)
		LEFT JOIN LATERAL (SELECT x.time::timestamptz, x.key,
				x.body IS NULL AS bare
			FROM whk.event x
			WHERE x.id = i.event
				AND (i.time IS NULL OR x.time = i.time)
			ORDER BY x.time DESC LIMIT 1) e ON true
		LEFT JOIN whk.pending p ON p.webhook = i.webhook
			AND p.time = e.time AND p.event = i.event) x
	ORDER BY x.n;
END
$$;

-- Makes pairs due again: parked, so that they go out oldest first and spread
-- as the webhook takes them. One that waits for its retry is brought forward;
-- one that is otherwise pending is left as it is. Gives for each pair what
-- became of it, as would_replay() does.
CREATE OR REPLACE FUNCTION whk.replay(events text[], times timestamptz[],
	webhooks bigint[], now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (n int, became text)
LANGUAGE plpgsql SET jit = off SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	words text[];
	found_times timestamptz[];
	found_keys text[];
	fresh int[];
	waits int[];
	hooks bigint[];
BEGIN
	PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (webhooks)
	ORDER BY w.id FOR NO KEY UPDATE;

	SELECT array_agg(r.became ORDER BY r.n),
		array_agg(r.event_time ORDER BY r.n),
		array_agg(r.key ORDER BY r.n),
		array_agg(r.n) FILTER (WHERE r.became = 'due' AND NOT r.waits),
		array_agg(r.n) FILTER (WHERE r.waits),
		array_agg(DISTINCT webhooks[r.n])
			FILTER (WHERE r.became = 'due')
	INTO words, found_times, found_keys, fresh, waits, hooks
	FROM whk.would_replay(events, times, webhooks) r;

	IF hooks IS NOT NULL THEN
		-- With a backlog they are parked, by whatever puts them there.
		UPDATE whk.webhook w SET backlog = true,
			probe_at = whk.probe_time(w, now - interval '1 second')
		WHERE w.id = ANY (hooks);
		PERFORM whk.wake(now);
	END IF;
	IF waits IS NOT NULL THEN
		-- Unless it was claimed this very moment.
		UPDATE whk.pending p SET next_at = NULL
		FROM unnest(waits) AS i(n)
		WHERE p.webhook = webhooks[i.n] AND p.time = found_times[i.n]
			AND p.event = events[i.n]
			AND EXISTS (SELECT FROM whk.attempt a
				WHERE a.event = p.event
					AND a.webhook = p.webhook
					AND a.time = p.time
					AND a.next_at = p.next_at);
	END IF;
	IF fresh IS NOT NULL THEN
		PERFORM whk.enqueue(events, found_times, found_keys,
			array_fill(true, ARRAY[cardinality(events)]), fresh,
			ARRAY(SELECT webhooks[i.n] FROM unnest(fresh)
				WITH ORDINALITY AS i(n, place)
				ORDER BY i.place),
			hooks, now, false, now);
	END IF;

	RETURN QUERY
	SELECT i.n::int, i.word FROM unnest(words) WITH ORDINALITY
		AS i(word, n) ORDER BY i.n;
END
$$;
