-- SPDX-License-Identifier: ISC
-- accept(): events in. All of a batch in one transaction.

-- Stores each event that is new, with one pending row for each webhook that
-- gets it: those that tos names ('{7,9}'), or, where it is null, those that
-- match. The rows are leased to the caller until now + lease, or parked, or
-- scheduled for a slot of the webhook's rate. An event whose (id, time) is
-- known is a repeat and is not stored again; where chosen is true (the
-- producer chose the id) the id alone is enough, for a day.
--
-- Gives for each event, by its place n in the arrays from 1: fresh (not a
-- repeat), "to": the webhooks whose rows the caller holds, missing: ids of tos
-- that are no webhook (where all are, the event is not stored), and the end
-- of the lease in ms. via: by which way they came in, which is kept.
CREATE OR REPLACE FUNCTION whk.accept(ids text[], times timestamptz[],
	types text[], tenants text[], keys text[], content_types text[],
	bodies text[], tos text[], chosen boolean[], lease interval,
	now timestamptz DEFAULT clock_timestamp(), via text DEFAULT NULL)
RETURNS TABLE (n int, fresh boolean, "to" bigint[], missing bigint[],
	lease_ms bigint)
LANGUAGE plpgsql SET jit = off
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
	until timestamptz(3) := date_trunc('milliseconds', now + lease);
	leased boolean := lease > interval '0';
	match_n int[];
	match_webhook bigint[];
	special bigint[];
	fresh boolean[];
	due timestamptz;
BEGIN
	SELECT array_agg(m.n), array_agg(m.webhook),
		array_agg(DISTINCT m.webhook) FILTER (WHERE m.special)
	INTO match_n, match_webhook, special
	FROM whk.matches(types, tenants, bodies, tos) m;

	fresh := whk.store(ids, times, types, tenants, keys, content_types,
		bodies, tos, chosen, match_n, match_webhook, now, via);
	IF special IS NULL THEN
		PERFORM whk.lease(ids, times, fresh, match_n, match_webhook,
			until, leased);
	ELSE
		-- Whatever decides by more than the webhook's definition is
		-- decided under its lock. Locks go in the order of ids,
		-- everywhere, and last, as others wait for them.
		PERFORM 1 FROM whk.webhook w WHERE w.id = ANY (special)
		ORDER BY w.id FOR NO KEY UPDATE;
		SELECT q.due, q.held_n, q.held_webhook
		INTO due, match_n, match_webhook
		FROM whk.enqueue(ids, times, keys, fresh, match_n,
			match_webhook, special, until, leased, now) q;
		IF due IS NOT NULL THEN
			PERFORM whk.wake(due);
		END IF;
	END IF;
	RETURN QUERY SELECT * FROM whk.accepted(tos, fresh, match_n,
		match_webhook, until);
END
$$;

-- What accept() gives. held_n and held_webhook: the pairs, of fresh events,
-- whose rows the caller holds.
CREATE OR REPLACE FUNCTION whk.accepted(tos text[],
	stored boolean[], held_n int[], held_webhook bigint[],
	until timestamptz)
RETURNS TABLE (n int, fresh boolean, "to" bigint[], missing bigint[],
	lease_ms bigint)
LANGUAGE plpgsql SET enable_nestloop = off SET enable_hashjoin = on
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT i.n::int, i.fresh, CASE WHEN i.fresh
			THEN coalesce(h.webhooks, '{}') END,
		CASE WHEN i."to" IS NOT NULL THEN ARRAY(
			SELECT DISTINCT t FROM unnest(i."to"::bigint[]) t
			WHERE t NOT IN (SELECT w.id FROM whk.webhook w
				WHERE w.id = ANY (i."to"::bigint[])))
		END,
		whk.ms(until)
	FROM unnest(tos, stored) WITH ORDINALITY AS i("to", fresh, n)
	LEFT JOIN (
		SELECT x.n, array_agg(x.webhook ORDER BY x.webhook) AS webhooks
		FROM unnest(held_n, held_webhook) AS x(n, webhook)
		GROUP BY x.n) h ON h.n = i.n
	ORDER BY i.n;
END
$$;

-- The pending rows of a batch where all are the caller's: leased, or else due.
CREATE OR REPLACE FUNCTION whk.lease(ids text[], times timestamptz[],
	fresh boolean[], match_n int[], match_webhook bigint[],
	until timestamptz, leased boolean)
RETURNS void
LANGUAGE plpgsql SET enable_nestloop = off SET enable_hashjoin = on
AS $$
BEGIN
	INSERT INTO whk.pending (webhook, time, event, next_at, leased)
	SELECT m.webhook, i.time, i.id, until, lease.leased
	FROM unnest(match_n, match_webhook) AS m(n, webhook)
	JOIN unnest(ids, times, fresh) WITH ORDINALITY
		AS i(id, time, fresh, n) ON i.n = m.n
	WHERE i.fresh;
END
$$;

-- The pairs of event (by its place) and webhook: named or matched. special:
-- a pending row of this webhook needs a decision under its lock.
CREATE OR REPLACE FUNCTION whk.matches(types text[], tenants text[],
	bodies text[], tos text[])
RETURNS TABLE (n int, webhook bigint, special boolean)
LANGUAGE sql STABLE AS $$
	WITH kind AS MATERIALIZED (
		SELECT k.type, k.tenant, array_agg(k.n) AS ns
		FROM unnest(types, tenants, tos) WITH ORDINALITY
			AS k(type, tenant, "to", n)
		WHERE k."to" IS NULL
		GROUP BY k.type, k.tenant
	), pair AS (
		SELECT ns.n::int AS n, r AS webhook, true AS matched
		FROM kind, whk.routes(kind.type, kind.tenant) AS r,
			unnest(kind.ns) AS ns(n)
		UNION ALL
		SELECT DISTINCT t.n::int, w::bigint, false
		FROM unnest(tos) WITH ORDINALITY AS t("to", n),
			unnest(t."to"::text[]) AS w
		WHERE t."to" IS NOT NULL
	)
	SELECT p.n, p.webhook,
		w.paused_at IS NOT NULL OR w.blocked_until IS NOT NULL
			OR w.backlog OR w.ordered OR w.rate IS NOT NULL
			OR w.disabled_at IS NOT NULL
	FROM pair p
	CROSS JOIN LATERAL (SELECT * FROM whk.webhook h
		WHERE h.id = p.webhook OFFSET 0) w
	WHERE NOT p.matched OR w.filter IS NULL
		OR whk.passes(w.filter, bodies[p.n])
$$;

-- Stores the events that are new; gives for each place whether it was. Of
-- several with one id in the batch, the first counts. Ids that were chosen go
-- in order, so that batches which share some wait for each other in line.
CREATE OR REPLACE FUNCTION whk.store(ids text[], times timestamptz[],
	types text[], tenants text[], keys text[], content_types text[],
	bodies text[], tos text[], chosen boolean[], match_n int[],
	match_webhook bigint[], now timestamptz, via text)
RETURNS boolean[]
LANGUAGE plpgsql SET enable_nestloop = off SET enable_hashjoin = on
AS $$
#variable_conflict use_column
DECLARE
	fresh boolean[];
BEGIN
	WITH target AS MATERIALIZED (
		SELECT m.n, array_agg(m.webhook ORDER BY m.webhook) AS webhooks
		FROM unnest(match_n, match_webhook) AS m(n, webhook)
		GROUP BY m.n
	), place AS MATERIALIZED (
		SELECT i.id, min(i.n) AS n, bool_or(i.chosen) AS chosen
		FROM unnest(ids, chosen, tos) WITH ORDINALITY
			AS i(id, chosen, "to", n)
		LEFT JOIN target t ON t.n = i.n
		WHERE i."to" IS NULL OR t.n IS NOT NULL
		GROUP BY i.id
	), mine AS (
		INSERT INTO whk.recent AS r (id, accepted_at)
		SELECT p.id, now FROM place p WHERE p.chosen
		ORDER BY p.id
		ON CONFLICT (id) DO UPDATE SET accepted_at = excluded.accepted_at
			WHERE r.accepted_at < now - interval '1 day'
		RETURNING id
	), stored AS (
		INSERT INTO whk.event (id, time, type, tenant, key,
			content_type, webhooks, accepted_at, body, via)
		SELECT i.id, i.time, i.type, i.tenant, i.key, i.content_type,
			coalesce(t.webhooks, '{}'), now, i.body, store.via
		FROM unnest(ids, times, types, tenants, keys, content_types,
			bodies) WITH ORDINALITY AS i(id, time, type, tenant,
			key, content_type, body, n)
		JOIN place p ON p.n = i.n
		LEFT JOIN target t ON t.n = i.n
		WHERE NOT p.chosen OR p.id IN (SELECT m.id FROM mine m)
		ON CONFLICT (id, time) DO NOTHING
		RETURNING id
	)
	SELECT array_agg(s.id IS NOT NULL ORDER BY i.n) INTO fresh
	FROM unnest(ids) WITH ORDINALITY AS i(id, n)
	LEFT JOIN place p ON p.n = i.n
	LEFT JOIN stored s ON s.id = p.id;
	RETURN fresh;
END
$$;

-- The pending rows of a batch where some webhooks are special: locked by the
-- caller. due: the earliest time at which a row is due, or null where the
-- caller holds or the webhook parks them all; held_n and held_webhook: the
-- pairs whose rows the caller holds.
CREATE OR REPLACE FUNCTION whk.enqueue(ids text[], times timestamptz[],
	keys text[], fresh boolean[], match_n int[], match_webhook bigint[],
	special bigint[], until timestamptz, leased boolean, now timestamptz,
	OUT due timestamptz, OUT held_n int[], OUT held_webhook bigint[])
LANGUAGE plpgsql AS $$
BEGIN
	WITH pair AS (
		SELECT m.n, m.webhook, w.id IS NOT NULL AS special,
			CASE WHEN w.ordered THEN coalesce(keys[m.n], '') END AS key,
			w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
				OR coalesce(w.blocked_until > now, false)
				OR w.backlog
				OR whk.broken(w.failures) AS shut,
			greatest(now, w.next_slot) AS slot, w.rate
		FROM unnest(match_n, match_webhook) AS m(n, webhook)
		LEFT JOIN LATERAL (SELECT * FROM whk.webhook h
			WHERE h.id = m.webhook AND h.id = ANY (special)
			OFFSET 0) w ON true
		WHERE fresh[m.n]
	), placed AS (
		SELECT p.*, p.key IS NOT NULL AND (
			row_number() OVER (PARTITION BY p.webhook, p.key
				ORDER BY p.n) > 1
			OR EXISTS (SELECT FROM whk.pending q
				WHERE q.webhook = p.webhook AND q.key = p.key
				OFFSET 0)
			) AS behind
		FROM pair p
	), slotted AS (
		SELECT p.*, p.slot + CASE WHEN p.rate IS NULL THEN interval '0'
			ELSE (count(*) FILTER (WHERE NOT p.behind AND NOT p.shut)
				OVER (PARTITION BY p.webhook ORDER BY p.n) - 1)
				/ p.rate * interval '1 second' END AS at
		FROM placed p
	), row AS (
		SELECT s.*, h.held, CASE WHEN h.held THEN until
			WHEN NOT (s.behind OR s.shut
				OR s.at > now + whk.ahead()) THEN s.at
			END AS next_at
		FROM slotted s
		CROSS JOIN LATERAL (SELECT NOT s.special
			OR NOT s.behind AND NOT s.shut AND s.at <= now AS held) h
	), inserted AS (
		INSERT INTO whk.pending (webhook, time, event, next_at, leased,
			key, behind)
		SELECT r.webhook, times[r.n], ids[r.n], r.next_at,
			r.held AND enqueue.leased, r.key, r.behind
		FROM row r
		ORDER BY r.n, r.webhook
	), state AS (
		UPDATE whk.webhook w SET
			backlog = w.backlog OR x.parked,
			probe_at = CASE WHEN x.parked AND NOT w.backlog
				THEN whk.probe_time(w, now) ELSE w.probe_at END,
			next_slot = coalesce(x.last_slot
				+ interval '1 second' / w.rate, w.next_slot)
		FROM (SELECT r.webhook, (SELECT h.ctid FROM whk.webhook h
					WHERE h.id = r.webhook) AS tid,
				bool_or(r.next_at IS NULL AND NOT r.behind) AS parked,
				max(r.at) FILTER (WHERE r.next_at IS NOT NULL
					AND r.rate IS NOT NULL) AS last_slot
			FROM row r WHERE r.special GROUP BY r.webhook) x
		WHERE w.ctid = x.tid
			AND (x.last_slot IS NOT NULL OR x.parked AND NOT w.backlog)
	)
	SELECT min(r.next_at) FILTER (WHERE NOT r.held),
		array_agg(r.n) FILTER (WHERE r.held),
		array_agg(r.webhook) FILTER (WHERE r.held)
	INTO due, held_n, held_webhook
	FROM row r;
END
$$;

-- How far ahead rows are given slots of a rate. What is later is parked: it can
-- still be paused, and has its share of a rate that was changed.
CREATE OR REPLACE FUNCTION whk.ahead() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT interval '10 seconds'
$$;

-- When the sweep shall look at a webhook that has just got a parked row.
CREATE OR REPLACE FUNCTION whk.probe_time(w whk.webhook, now timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
			THEN 'infinity'
		ELSE greatest(w.blocked_until, now + interval '1 second') END
$$;

-- For producers that write SQL: stores one event, due at once; gives its id.
-- Within a transaction of the caller's it is sent if that commits.
CREATE OR REPLACE FUNCTION whk.emit(body text, type text DEFAULT NULL,
	tenant text DEFAULT NULL, id text DEFAULT NULL, key text DEFAULT NULL,
	content_type text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	event_id text := coalesce(id, 'msg_' || gen_random_uuid());
	now timestamptz := date_trunc('milliseconds', clock_timestamp());
BEGIN
	IF event_id !~ '^[A-Za-z0-9_-]{1,128}$' THEN
		RAISE 'id: not 1 to 128 of A-Z a-z 0-9 _ -: %', event_id;
	END IF;
	IF body IS NULL THEN
		RAISE 'body: null';
	END IF;
	PERFORM whk.accept(ARRAY[event_id], ARRAY[now], ARRAY[type],
		ARRAY[tenant], ARRAY[key], ARRAY[content_type], ARRAY[body],
		ARRAY[NULL::text], ARRAY[id IS NOT NULL], interval '0', now,
		'sql');
	PERFORM whk.wake(now);
	RETURN event_id;
END
$$;
