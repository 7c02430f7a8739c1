-- SPDX-License-Identifier: ISC
-- What the tests in this directory share. Time stands at noon of a day long
-- ago, which has no partitions yet, and is given in seconds after it; webhooks
-- and events are made with few words.

\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET TIME ZONE 'UTC';
-- Nothing in the schema is found by luck.
SET search_path = '';

CREATE SCHEMA t;

-- A line for tests/sql.t: whether got is wanted.
CREATE FUNCTION t.is(got anyelement, wanted text, what text) RETURNS text
LANGUAGE sql AS $$
	SELECT CASE WHEN got::text IS NOT DISTINCT FROM wanted
		THEN 'ok ' || what
		ELSE 'not ok ' || what || E'\n# got:    ' || coalesce(got::text, 'null')
			|| E'\n# wanted: ' || coalesce(wanted, 'null') END
$$;

CREATE FUNCTION t.at(seconds numeric DEFAULT 0) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
	SELECT '2001-11-23T12:00:00Z'::timestamptz
		+ seconds * interval '1 second'
$$;

-- A time in seconds after noon.
CREATE FUNCTION t.s(at timestamptz) RETURNS text
LANGUAGE sql AS $$
	SELECT CASE WHEN isfinite(at) THEN trim_scale(
		extract(epoch FROM at - t.at())::numeric(20, 3))::text
		ELSE at::text END
$$;

-- A webhook, by its definition; its id.
CREATE FUNCTION t.hook(def jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE sql AS $$
	SELECT id FROM whk.add(jsonb_build_array(
		'{"url": "http://h/", "secret": "s"}'::jsonb || def))
$$;

-- One event, accepted: "fresh", the webhooks the caller holds, those missing.
CREATE FUNCTION t.accept(id text, now numeric DEFAULT 0,
	type text DEFAULT NULL, tenant text DEFAULT NULL,
	key text DEFAULT NULL, body text DEFAULT '{}', "to" text DEFAULT NULL,
	chosen boolean DEFAULT false, "time" numeric DEFAULT NULL)
RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', CASE WHEN a.fresh THEN 'fresh' ELSE 'known' END,
		a."to"::text, 'missing ' || nullif(a.missing::text, '{}'))
	FROM whk.accept(ids => ARRAY[accept.id],
		times => ARRAY[t.at(coalesce(accept."time", accept.now))],
		types => ARRAY[accept.type], tenants => ARRAY[accept.tenant],
		keys => ARRAY[accept.key], content_types => ARRAY[NULL::text],
		bodies => ARRAY[accept.body], tos => ARRAY[accept."to"],
		chosen => ARRAY[accept.chosen], lease => interval '300 s',
		now => t.at(accept.now)) a
$$;

-- Several events in one batch: what came of each, in order.
CREATE FUNCTION t.batch(ids text[], keys text[] DEFAULT NULL,
	now numeric DEFAULT 0, chosen boolean DEFAULT false)
RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', CASE WHEN a.fresh THEN 'fresh'
		ELSE 'known' END, a."to"::text), ', ' ORDER BY a.n)
	FROM (SELECT array_agg(i) AS i, array_agg(t.at(batch.now)) AS at,
			array_agg(NULL::text) AS none,
			array_agg('{}'::text) AS bodies,
			array_agg(batch.chosen) AS chosen
		FROM unnest(batch.ids) AS i) x,
		whk.accept(ids => x.i, times => x.at, types => x.none,
			tenants => x.none, keys => coalesce(batch.keys, x.none),
			content_types => x.none, bodies => x.bodies,
			tos => x.none, chosen => x.chosen,
			lease => interval '300 s', now => t.at(batch.now)) a
$$;

-- What came of attempts of pending rows, by webhook; all in one batch. What
-- is not said is as a sender that holds the row has it. "outcome next".
CREATE FUNCTION t.recorded(hook bigint, events text[], status int DEFAULT NULL,
	error text DEFAULT NULL, retry_after bigint DEFAULT NULL,
	now numeric DEFAULT 0, lease timestamptz DEFAULT NULL,
	attempt int DEFAULT NULL, began numeric DEFAULT NULL,
	spread double precision DEFAULT 0)
RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', r.outcome, CASE WHEN r.next_ms
			IS NOT NULL THEN t.s(to_timestamp(r.next_ms / 1000.0)) END),
		', ' ORDER BY r.n)
	FROM (SELECT array_agg(x.event ORDER BY x.n) AS event,
			array_agg(e.time ORDER BY x.n) AS time,
			array_agg(e.type ORDER BY x.n) AS type,
			array_agg(e.key ORDER BY x.n) AS key,
			array_agg(recorded.hook) AS hook,
			array_agg(coalesce(recorded.attempt, p.attempt, 1)
				ORDER BY x.n) AS attempt,
			array_agg(coalesce(recorded.lease, p.next_at)
				ORDER BY x.n) AS lease,
			array_agg(t.at(coalesce(recorded.began, recorded.now))) AS at,
			array_agg(recorded.status) AS status,
			array_agg(recorded.error) AS error,
			array_agg(recorded.retry_after) AS retry_after,
			array_agg(NULL::int) AS us, array_agg(NULL::text) AS text,
			array_agg(NULL::bytea) AS bytes
		FROM unnest(recorded.events) WITH ORDINALITY AS x(event, n)
		JOIN whk.event e ON e.id = x.event
		LEFT JOIN whk.pending p ON p.event = e.id AND p.time = e.time
			AND p.webhook = recorded.hook) a,
		whk.record(events => a.event, times => a.time, types => a.type,
			keys => a.key, webhooks => a.hook, attempts => a.attempt,
			leases => a.lease, ats => a.at, statuses => a.status,
			errors => a.error, retry_afters => a.retry_after,
			dns => a.us, connects => a.us, tlss => a.us,
			waits => a.us, totals => a.us, addresses => a.text,
			headers => a.text, answers => a.bytes,
			spread => recorded.spread, now => t.at(recorded.now)) r
$$;

-- The same, and counted.
CREATE FUNCTION t.record(hook bigint, events text[], status int DEFAULT NULL,
	error text DEFAULT NULL, retry_after bigint DEFAULT NULL,
	now numeric DEFAULT 0, lease timestamptz DEFAULT NULL,
	attempt int DEFAULT NULL, began numeric DEFAULT NULL,
	spread double precision DEFAULT 0)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	said text := t.recorded(hook, events, status, error, retry_after, now,
		lease, attempt, began, spread);
BEGIN
	PERFORM whk.count_up(t.at(now));
	RETURN said;
END
$$;

-- The rows that somebody holds: event>webhook.
CREATE FUNCTION t.leased() RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(p.event || '>' || p.webhook, ' '
		ORDER BY p.event, p.webhook)
	FROM whk.pending p WHERE p.leased
$$;

-- The pending rows of a webhook in the order of their coming: event, number
-- of the attempt from 2 on, and when it is due, "parked", or "behind".
CREATE FUNCTION t.pending(hook bigint) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', p.event, '#' || nullif(p.attempt, 1),
		CASE WHEN p.behind THEN 'behind'
			ELSE coalesce(t.s(p.next_at), 'parked') END),
		', ' ORDER BY p.seq)
	FROM whk.pending p WHERE p.webhook = hook
$$;

-- The attempts of a webhook on record.
CREATE FUNCTION t.attempts(hook bigint) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', a.event, '#' || nullif(a.attempt, 1),
		a.outcome, coalesce(a.status::text, a.error)), ', '
		ORDER BY a.at, a.event, a.attempt)
	FROM whk.attempt a WHERE a.webhook = hook
$$;

-- What claim() gives: event and webhook, in order.
CREATE FUNCTION t.claim(max int, now numeric DEFAULT 0) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(c.id || '>' || c.webhook, ' ' ORDER BY c.o)
	FROM whk.claim(max, interval '300 s', t.at(now)) WITH ORDINALITY
		AS c(id, time_ms, type, tenant, key, content_type, body, attempt,
			webhook, lease_ms, o)
$$;

-- A column of a webhook.
CREATE FUNCTION t.of(hook bigint, expression text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	got text;
BEGIN
	EXECUTE format('SELECT (%s)::text FROM whk.webhook w WHERE id = %s',
		expression, hook) INTO got;
	RETURN got;
END
$$;

-- Throws everything away between the parts of a test.
CREATE FUNCTION t.clear() RETURNS void
LANGUAGE sql AS $$
	TRUNCATE whk.webhook, whk.secret, whk.route, whk.event, whk.recent,
		whk.pending, whk.attempt, whk.total RESTART IDENTITY
$$;
