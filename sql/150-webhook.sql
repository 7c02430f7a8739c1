-- SPDX-License-Identifier: ISC
-- The webhooks: added, listed, changed, removed; and what a sender must know.

-- The state in a word.
CREATE OR REPLACE FUNCTION whk.state(w whk.webhook, now timestamptz)
RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN w.disabled_at IS NOT NULL THEN 'disabled'
		WHEN w.paused_at IS NOT NULL THEN 'paused'
		WHEN w.blocked_until > now THEN 'blocked'
		ELSE 'active' END
$$;

-- Why a text is no filter, or null if it is one. A path that only selects
-- ('$.a') never is true by itself and so would match nothing.
CREATE OR REPLACE FUNCTION whk.bad_filter(filter text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF filter::jsonpath::text ~ '^(strict )?\$' THEN
		RETURN 'selects but says neither yes nor no; write exists('
			|| filter || ') or a comparison';
	END IF;
	RETURN NULL;
EXCEPTION WHEN syntax_error OR data_exception THEN
	RETURN SQLERRM;
END
$$;

-- The same for many: the places, from 1, of those that are no filter.
CREATE OR REPLACE FUNCTION whk.bad_filters(filters text[])
RETURNS TABLE (n int, reason text)
LANGUAGE sql IMMUTABLE AS $$
	SELECT f.n::int, whk.bad_filter(f.filter)
	FROM unnest(filters) WITH ORDINALITY AS f(filter, n)
	WHERE whk.bad_filter(f.filter) IS NOT NULL
	ORDER BY f.n
$$;

-- The values of a JSON array of strings or numbers; null for no array.
CREATE OR REPLACE FUNCTION whk.texts(a jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN jsonb_typeof(a) = 'array'
		THEN ARRAY(SELECT jsonb_array_elements_text(a)) END
$$;

-- Adds the webhooks that an array of definitions describes, all or none. Each
-- has url and secret; events, tenant, filter, headers, content_type,
-- timeout_ms, schedule_ms, rate, max_in_flight, ordered and description as in
-- the table, checked by the caller. Gives the ids in the order of the array.
CREATE OR REPLACE FUNCTION whk.add(defs jsonb)
RETURNS TABLE (n int, id bigint)
LANGUAGE sql VOLATILE AS $$
	WITH def AS MATERIALIZED (
		SELECT nextval(pg_get_serial_sequence('whk.webhook', 'id')) AS id,
			d.n, d.def
		FROM (SELECT x.n, x.def FROM jsonb_array_elements(defs)
			WITH ORDINALITY AS x(def, n) ORDER BY x.n) d
	), added AS (
		INSERT INTO whk.webhook (id, url, events, tenant, filter, headers,
			content_type, timeout_ms, schedule, rate, max_in_flight,
			ordered, description)
		SELECT d.id, d.def->>'url',
			coalesce(whk.texts(d.def->'events'), '{}'),
			d.def->>'tenant', (d.def->>'filter')::jsonpath,
			coalesce(d.def->'headers', '{}'),
			d.def->>'content_type',
			coalesce((d.def->>'timeout_ms')::int, 15000),
			whk.texts(d.def->'schedule_ms')::int[],
			(d.def->>'rate')::double precision,
			coalesce((d.def->>'max_in_flight')::int, 32),
			coalesce((d.def->>'ordered')::boolean, false),
			d.def->>'description'
		FROM def d
		RETURNING id
	), signed AS (
		INSERT INTO whk.secret (webhook, secret)
		SELECT a.id, d.def->>'secret'
		FROM added a JOIN def d ON d.id = a.id
	)
	SELECT d.n::int, d.id FROM def d ORDER BY d.n
$$;

-- A webhook as its JSON line (whk(5)), without its secrets.
CREATE OR REPLACE FUNCTION whk.webhook_line(w whk.webhook, now timestamptz)
RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'id', w.id, 'url', w.url, 'events', w.events,
		'tenant', w.tenant, 'filter', w.filter::text,
		'headers', nullif(w.headers, '{}'),
		'content_type', w.content_type, 'timeout_ms', w.timeout_ms,
		'schedule_ms', w.schedule, 'rate', w.rate,
		'max_in_flight', w.max_in_flight,
		'ordered', CASE WHEN w.ordered THEN true END,
		'description', w.description,
		'state', whk.state(w, now), 'why', w.disabled_why,
		'blocked_until', whk.rfc3339(CASE WHEN w.blocked_until > now
			THEN w.blocked_until END),
		'created', whk.rfc3339(w.created_at),
		'delivered', w.delivered, 'retried', w.retried,
		'failed', w.failed, 'cancelled', w.cancelled,
		'failures', nullif(w.failures, 0),
		'last', whk.rfc3339(w.last_at), 'last_status', w.last_status,
		'last_error', w.last_error))::text
$$;

-- Webhooks in the order of their ids, those after the id "after", max at the
-- most; narrowed by what is not null: ids, tenant (theirs, exactly), a type
-- that they would get (of the tenant given), a state. Where now is given as
-- statement_timestamp() it becomes a part of the caller's plan, and a page
-- costs what is on it.
CREATE OR REPLACE FUNCTION whk.list(ids bigint[], of_tenant text,
	gets_type text, in_state text, after bigint, max int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (id bigint, state text, tenant text, events text, url text,
	description text, line text)
LANGUAGE sql STABLE AS $$
	SELECT w.id, whk.state(w, now), w.tenant,
		array_to_string(w.events, ','), w.url, w.description,
		whk.webhook_line(w, now)
	FROM whk.webhook w
	WHERE w.id > after
		AND (ids IS NULL OR w.id = ANY (ids))
		AND (gets_type IS NULL OR w.id = ANY (ARRAY(
			SELECT whk.routes(gets_type, of_tenant))))
		AND (of_tenant IS NULL OR w.tenant = of_tenant
			OR gets_type IS NOT NULL AND w.tenant IS NULL)
		AND (in_state IS NULL OR whk.state(w, now) = in_state)
	ORDER BY w.id LIMIT max
$$;

-- Changes what the object names, in each of the webhooks; null clears. Keys as
-- for whk.add(). Gives the ids that exist.
CREATE OR REPLACE FUNCTION whk.set(ids bigint[], changes jsonb)
RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	hook record;
BEGIN
	PERFORM whk.lock_leased(ids, changes);
	FOR hook IN SELECT w FROM whk.webhook w WHERE w.id = ANY (ids)
		ORDER BY w.id FOR NO KEY UPDATE
	LOOP
		UPDATE whk.webhook w SET
			(url, events, tenant, filter, headers, content_type,
			timeout_ms, schedule, rate, max_in_flight, ordered,
			description) = (SELECT d.def->>'url',
				whk.texts(d.def->'events'), d.def->>'tenant',
				(d.def->>'filter')::jsonpath, d.def->'headers',
				d.def->>'content_type',
				(d.def->>'timeout_ms')::int,
				whk.texts(d.def->'schedule_ms')::int[],
				(d.def->>'rate')::double precision,
				(d.def->>'max_in_flight')::int,
				(d.def->>'ordered')::boolean,
				d.def->>'description'
			FROM (SELECT whk.definition(w) || changes AS def) d)
		WHERE w.id = (hook.w).id;
		IF (changes->>'ordered')::boolean <> (hook.w).ordered THEN
			PERFORM whk.reorder((hook.w).id);
		END IF;
		IF changes ? 'rate' THEN
			UPDATE whk.webhook w SET next_slot = NULL, unparked = 0,
				probe_at = whk.probe_time(w, clock_timestamp()
					- interval '1 second')
			WHERE w.id = (hook.w).id;
			PERFORM whk.wake(clock_timestamp());
		END IF;
		RETURN NEXT (hook.w).id;
	END LOOP;
END
$$;

-- Before webhooks are locked: locks what is leased of theirs, if a change will
-- touch it. record() locks in that order.
CREATE OR REPLACE FUNCTION whk.lock_leased(ids bigint[], changes jsonb)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF changes ? 'ordered' THEN
		PERFORM 1 FROM whk.pending p
		WHERE p.webhook = ANY (ids) AND p.leased FOR UPDATE;
	END IF;
END
$$;

-- A webhook's definition in the form that whk.add() takes.
CREATE OR REPLACE FUNCTION whk.definition(w whk.webhook) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('url', w.url, 'events', w.events,
		'tenant', w.tenant, 'filter', w.filter::text,
		'headers', w.headers, 'content_type', w.content_type,
		'timeout_ms', w.timeout_ms, 'schedule_ms', w.schedule,
		'rate', w.rate, 'max_in_flight', w.max_in_flight,
		'ordered', w.ordered, 'description', w.description)
$$;

-- Puts the pending rows of a webhook in the form that its "ordered" asks for,
-- the caller holding its lock: one row of each key in front, which has the
-- lowest seq of them, the others behind it; or none behind. All that is pending
-- is looked at, as those that are leased are in no index by webhook.
CREATE OR REPLACE FUNCTION whk.reorder(id bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE whk.pending p SET
		key = x.key,
		behind = coalesce(x.place > 1, false),
		seq = CASE WHEN x.place = 1 AND p.seq > x.first
			THEN x.first - 1 ELSE p.seq END,
		next_at = CASE WHEN x.place > 1 THEN NULL ELSE p.next_at END,
		leased = p.leased AND coalesce(x.place = 1, true)
	FROM (SELECT q.ctid AS tid, CASE WHEN w.ordered
				THEN coalesce(e.key, '') END AS key,
			CASE WHEN w.ordered THEN row_number() OVER (
				PARTITION BY coalesce(e.key, '')
				ORDER BY q.next_at IS NULL, q.seq) END AS place,
			min(q.seq) OVER (PARTITION BY coalesce(e.key, ''))
				AS first
		FROM whk.pending q
		JOIN whk.webhook w ON w.id = q.webhook
		LEFT JOIN whk.event e ON e.id = q.event AND e.time = q.time
		WHERE q.webhook = reorder.id) x
	WHERE p.ctid = x.tid;
	UPDATE whk.webhook w SET backlog = true,
		probe_at = whk.probe_time(w, clock_timestamp())
	WHERE w.id = reorder.id AND NOT w.backlog;
END
$$;

-- Pauses webhooks: what comes in for them is kept. Gives the ids that exist.
CREATE OR REPLACE FUNCTION whk.pause(ids bigint[],
	now timestamptz DEFAULT clock_timestamp())
RETURNS SETOF bigint
LANGUAGE sql VOLATILE AS $$
	UPDATE whk.webhook w SET paused_at = coalesce(w.paused_at, now)
	WHERE w.id IN (SELECT x.id FROM whk.webhook x WHERE x.id = ANY (ids)
		ORDER BY x.id FOR NO KEY UPDATE)
	RETURNING w.id
$$;

-- Opens webhooks again, whatever shut them. What is parked goes out oldest
-- first: one as a probe, then two for each success. Gives the ids that exist.
CREATE OR REPLACE FUNCTION whk.resume(ids bigint[],
	now timestamptz DEFAULT clock_timestamp())
RETURNS SETOF bigint
LANGUAGE sql VOLATILE AS $$
	SELECT whk.wake(now);
	UPDATE whk.webhook w SET paused_at = NULL, disabled_at = NULL,
		disabled_why = NULL, blocked_until = NULL, blocks = 0,
		failures = 0, failing_since = NULL, unparked = 0,
		probe_at = CASE WHEN w.backlog THEN now END
	WHERE w.id IN (SELECT x.id FROM whk.webhook x WHERE x.id = ANY (ids)
			ORDER BY x.id FOR NO KEY UPDATE)
		AND w.disabled_why IS DISTINCT FROM 'removed'
	RETURNING w.id
$$;

-- Gives each webhook a new secret; the older ones sign beside it until
-- now + overlap. Gives the ids that exist.
CREATE OR REPLACE FUNCTION whk.rotate(ids bigint[], secrets text[],
	overlap interval, now timestamptz DEFAULT clock_timestamp())
RETURNS SETOF bigint
LANGUAGE sql VOLATILE AS $$
	DELETE FROM whk.secret s WHERE s.webhook = ANY (ids)
		AND s.expires_at <= now;
	UPDATE whk.secret s SET expires_at = least(s.expires_at, now + overlap)
	WHERE s.webhook = ANY (ids);
	INSERT INTO whk.secret (webhook, secret, created_at)
	SELECT w.id, n.secret, now
	FROM unnest(ids, secrets) AS n(id, secret)
	JOIN whk.webhook w ON w.id = n.id
	ON CONFLICT (webhook, secret) DO UPDATE SET expires_at = NULL
	RETURNING webhook
$$;

-- Removes a webhook in steps that are small: the first shuts it, each cancels
-- up to max of its pending rows, on record, and the last deletes it. Gives
-- null if there is no such webhook, else whether it is gone now.
CREATE OR REPLACE FUNCTION whk.remove(id bigint, max int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE whk.webhook w SET disabled_why = 'removed',
		disabled_at = coalesce(w.disabled_at, now),
		backlog = true, probe_at = now
	WHERE w.id = remove.id;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	IF whk.cancel(id, max, now) = max THEN
		RETURN false;
	END IF;
	DELETE FROM whk.webhook w WHERE w.id = remove.id;
	RETURN true;
END
$$;

-- What a sender must know of webhooks. shut: nothing is to be sent now (until
-- blocked_ms, where that is not null). headers: "name: value" lines. secrets:
-- lines of a secret and the time in ms at which it ends, 0 for never.
CREATE OR REPLACE FUNCTION whk.webhooks(ids bigint[],
	now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (id bigint, url text, headers text, content_type text,
	timeout_ms int, max_in_flight int, shut boolean, gone boolean,
	blocked_ms bigint, secrets text)
LANGUAGE sql STABLE AS $$
	SELECT w.id, w.url,
		CASE WHEN w.headers <> '{}' THEN (
			SELECT string_agg(h.key || ': ' || h.value, E'\n'
				ORDER BY h.key)
			FROM jsonb_each_text(w.headers) h) END,
		w.content_type, w.timeout_ms, w.max_in_flight,
		w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL,
		whk.gone(w.disabled_why), whk.ms(w.blocked_until),
		(SELECT string_agg(s.secret || ' '
				|| coalesce(whk.ms(s.expires_at), 0), E'\n'
				ORDER BY s.created_at DESC)
			FROM whk.secret s WHERE s.webhook = w.id
				AND coalesce(s.expires_at > now, true))
	FROM whk.webhook w WHERE w.id = ANY (ids)
$$;
