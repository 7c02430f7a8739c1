-- SPDX-License-Identifier: ISC
-- What whk-api asks for that the programs do not. Everywhere "caller" is the
-- tenant who asks, and who sees and touches only what is theirs; null: all.

-- Whether a caller may see a webhook. One that is being removed is not there
-- any more.
CREATE OR REPLACE FUNCTION whk.api_sees(w whk.webhook, caller text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT (caller IS NULL OR coalesce(w.tenant = caller, false))
		AND w.disabled_why IS DISTINCT FROM 'removed'
$$;

-- A webhook's line.
CREATE OR REPLACE FUNCTION whk.api_webhook(caller text, of_id bigint)
RETURNS TABLE (line text)
LANGUAGE sql STABLE AS $$
	SELECT whk.webhook_line(w, statement_timestamp())
	FROM whk.webhook w
	WHERE w.id = of_id AND whk.api_sees(w, caller)
$$;

-- Whether a webhook is listed among those of a state, or, if that is null, all.
CREATE OR REPLACE FUNCTION whk.api_lists(w whk.webhook, in_state text)
RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT whk.api_sees(w, NULL) AND (in_state IS NULL
		OR whk.state(w, statement_timestamp()) = in_state)
$$;

-- The lines of up to max webhooks after an id; null widens: of a tenant, in a
-- state, that get a type. Those of all tenants and those of one are found by
-- different indexes, and so are different queries, of which one is run.
CREATE OR REPLACE FUNCTION whk.api_webhooks(caller text, of_tenant text,
	in_state text, gets_type text, after bigint, max bigint)
RETURNS TABLE (id bigint, line text)
LANGUAGE sql STABLE AS $$
	SELECT a.id, whk.webhook_line(a.w, statement_timestamp())
	FROM (SELECT w.id, w FROM whk.webhook w
		WHERE caller IS NULL AND of_tenant IS NULL AND w.id > after
			AND whk.api_lists(w, in_state)
			AND (gets_type IS NULL OR w.id = ANY (ARRAY(
				SELECT whk.routes(gets_type, NULL))))
		ORDER BY w.id LIMIT max) a
	UNION ALL
	SELECT b.id, whk.webhook_line(b.w, statement_timestamp())
	FROM (SELECT w.id, w FROM whk.webhook w
		WHERE w.tenant = coalesce(caller, of_tenant)
			AND coalesce(of_tenant = caller, true) AND w.id > after
			AND whk.api_lists(w, in_state)
			AND (gets_type IS NULL OR w.id = ANY (ARRAY(
				SELECT whk.routes(gets_type,
					coalesce(caller, of_tenant)))))
		ORDER BY w.id LIMIT max) b
$$;

-- Adds a webhook, checked by the caller but for its filter. wrong: what is
-- wrong with that.
CREATE OR REPLACE FUNCTION whk.api_add(def jsonb)
RETURNS TABLE (id bigint, wrong text, line text)
LANGUAGE plpgsql AS $$
BEGIN
	wrong := whk.bad_filter(def->>'filter');
	IF wrong IS NULL THEN
		SELECT a.id INTO id FROM whk.add(jsonb_build_array(def)) a;
		SELECT x.line INTO line FROM whk.api_webhook(NULL, id) x;
	END IF;
	RETURN NEXT;
END
$$;

-- Changes a webhook; no row: there is none.
CREATE OR REPLACE FUNCTION whk.api_set(caller text, of_id bigint,
	changes jsonb)
RETURNS TABLE (wrong text, line text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM whk.lock_leased(ARRAY(SELECT w.id FROM whk.webhook w
		WHERE w.id = of_id AND whk.api_sees(w, caller)), changes);
	PERFORM 1 FROM whk.webhook w
	WHERE w.id = of_id AND whk.api_sees(w, caller) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	wrong := whk.bad_filter(changes->>'filter');
	IF wrong IS NULL THEN
		PERFORM whk.set(ARRAY[of_id], changes);
		SELECT x.line INTO line FROM whk.api_webhook(caller, of_id) x;
	END IF;
	RETURN NEXT;
END
$$;

-- Pauses or resumes a webhook; its line.
CREATE OR REPLACE FUNCTION whk.api_pause(caller text, of_id bigint,
	pause boolean)
RETURNS TABLE (line text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM whk.webhook w
	WHERE w.id = of_id AND whk.api_sees(w, caller) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN;
	ELSIF pause THEN
		PERFORM whk.pause(ARRAY[of_id]);
	ELSE
		PERFORM whk.resume(ARRAY[of_id]);
	END IF;
	RETURN QUERY SELECT x.line FROM whk.api_webhook(caller, of_id) x;
END
$$;

-- Gives a webhook a new secret; its line.
CREATE OR REPLACE FUNCTION whk.api_rotate(caller text, of_id bigint,
	secret text, overlap interval)
RETURNS TABLE (line text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM whk.webhook w
	WHERE w.id = of_id AND whk.api_sees(w, caller) FOR NO KEY UPDATE;
	IF FOUND THEN
		PERFORM whk.rotate(ARRAY[of_id], ARRAY[secret], overlap);
		RETURN QUERY
		SELECT x.line FROM whk.api_webhook(caller, of_id) x;
	END IF;
END
$$;

-- A step of whk.remove().
CREATE OR REPLACE FUNCTION whk.api_remove(caller text, of_id bigint)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 FROM whk.webhook w
	WHERE w.id = of_id AND (caller IS NULL OR w.tenant = caller);
	RETURN CASE WHEN FOUND THEN whk.remove(of_id, 1000) END;
END
$$;

-- The webhooks among tos ('{7,9}') that are none of the caller's; null: none.
CREATE OR REPLACE FUNCTION whk.api_lacks(caller text, tos text)
RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF tos IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN nullif(ARRAY(SELECT t FROM unnest(tos::bigint[]) t
		WHERE NOT EXISTS (SELECT FROM whk.webhook w
			WHERE w.id = t AND whk.api_sees(w, caller))
		ORDER BY t), '{}');
END
$$;

-- Those of an event's webhooks that the caller sees.
CREATE OR REPLACE FUNCTION whk.api_shown(webhooks bigint[], caller text)
RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF caller IS NULL THEN
		RETURN webhooks;
	END IF;
	RETURN ARRAY(SELECT w.id FROM whk.webhook w
		WHERE w.id = ANY (webhooks) AND whk.api_sees(w, caller)
		ORDER BY w.id);
END
$$;

-- accept() for events due at once, of which none fails for another: fresh, or
-- wrong, what the database has against it.
CREATE OR REPLACE FUNCTION whk.api_store(ids text[], types text[],
	tenants text[], keys text[], content_types text[], bodies text[],
	tos text[], chosen boolean[], now timestamptz)
RETURNS TABLE (n int, fresh boolean, wrong text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	stored boolean[];
BEGIN
	stored := ARRAY(SELECT a.fresh FROM whk.accept(ids,
			array_fill(now, ARRAY[cardinality(ids)]), types,
			tenants, keys, content_types, bodies, tos, chosen,
			interval '0', now, 'api') a
		ORDER BY a.n);
	RETURN QUERY SELECT s.n::int, s.fresh, NULL::text
	FROM unnest(stored) WITH ORDINALITY AS s(fresh, n);
EXCEPTION WHEN data_exception OR integrity_constraint_violation
		OR program_limit_exceeded THEN
	IF cardinality(ids) = 1 THEN
		RETURN QUERY SELECT 1, NULL::boolean, SQLERRM;
	ELSE
		RETURN QUERY SELECT i, s.fresh, s.wrong
		FROM generate_subscripts(ids, 1) i, whk.api_store(ids[i:i],
			types[i:i], tenants[i:i], keys[i:i],
			content_types[i:i], bodies[i:i], tos[i:i],
			chosen[i:i], now) s;
	END IF;
END
$$;

-- Stores events, due at once, all in one transaction. tos ('{7,9}'): for these
-- webhooks instead of those that match. For each event, by its place from 1,
-- became: 'accepted'; 'repeat', it was there; 'taken', its id is another
-- event's; 'missing', some of tos are no webhooks of the caller's, and it is
-- not stored; 'refused', not stored either, and wrong says why. webhooks: for
-- whom it is, or the missing.
CREATE OR REPLACE FUNCTION whk.api_emit(callers text[], ids text[],
	chosen boolean[], types text[], tenants text[], keys text[],
	content_types text[], bodies text[], tos text[])
RETURNS TABLE (n int, became text, webhooks bigint[], wrong text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
	now timestamptz := date_trunc('milliseconds', clock_timestamp());
	lacks text[] := ARRAY(SELECT whk.api_lacks(i.caller, i."to")::text
		FROM unnest(callers, tos) WITH ORDINALITY AS i(caller, "to", n)
		ORDER BY i.n);
	-- For nobody, and so not stored, where some are missing.
	for_whom text[] := ARRAY(SELECT
			CASE WHEN i.lack IS NULL THEN i."to" ELSE '{}' END
		FROM unnest(lacks, tos) WITH ORDINALITY AS i(lack, "to", n)
		ORDER BY i.n);
	stored boolean[];
	wrongs text[];
BEGIN
	SELECT array_agg(s.fresh ORDER BY s.n), array_agg(s.wrong ORDER BY s.n)
	INTO stored, wrongs
	FROM whk.api_store(ids, types, tenants, keys, content_types, bodies,
		for_whom, chosen, now) s;
	IF true = ANY (stored) THEN
		PERFORM whk.wake(now);
	END IF;
	RETURN QUERY
	SELECT i.n::int, 'accepted', whk.api_shown(e.webhooks, i.caller),
		NULL::text
	FROM unnest(callers, ids, stored) WITH ORDINALITY
		AS i(caller, id, fresh, n)
	JOIN whk.event e ON e.id = i.id AND e.time = now
	WHERE i.fresh;
	IF true = ALL (stored) THEN
		RETURN;
	END IF;
	RETURN QUERY
	SELECT i.n::int, CASE WHEN i.lack IS NOT NULL THEN 'missing'
			WHEN i.wrong IS NOT NULL THEN 'refused'
			WHEN e.tenant IS NOT DISTINCT FROM i.tenant
				AND e.type IS NOT DISTINCT FROM i.type
				AND coalesce(e.body = i.body, e.id IS NOT NULL)
				THEN 'repeat'
			ELSE 'taken' END,
		coalesce(i.lack::bigint[],
			whk.api_shown(e.webhooks, i.caller)), i.wrong
	FROM unnest(callers, ids, types, tenants, bodies, lacks, stored, wrongs)
		WITH ORDINALITY AS i(caller, id, type, tenant, body, lack,
			fresh, wrong, n)
	LEFT JOIN LATERAL (SELECT * FROM whk.event s WHERE s.id = i.id
		ORDER BY s.time DESC LIMIT 1) e ON true
	WHERE i.fresh IS NOT true;
END
$$;

-- Sends a ping to a webhook, in the way of every event; the event's id. Null:
-- there is no such webhook.
CREATE OR REPLACE FUNCTION whk.api_ping(caller text, of_id bigint)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	now timestamptz := date_trunc('milliseconds', clock_timestamp());
	event_id text := 'ping_' || gen_random_uuid();
	of_tenant text;
BEGIN
	SELECT w.tenant INTO of_tenant FROM whk.webhook w
	WHERE w.id = of_id AND whk.api_sees(w, caller);
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM whk.accept(ARRAY[event_id], ARRAY[now], ARRAY['ping'],
		ARRAY[of_tenant], ARRAY[NULL::text], ARRAY[NULL::text],
		ARRAY[json_build_object('type', 'ping', 'timestamp',
			whk.rfc3339(now), 'data',
			json_build_object('webhook', of_id))::text],
		ARRAY['{' || of_id || '}'], ARRAY[false], interval '0', now,
		'api');
	PERFORM whk.wake(now);
	RETURN event_id;
END
$$;

-- Bytes as text: those that are no UTF-8 as \ooo.
CREATE OR REPLACE FUNCTION whk.api_text(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN data_exception OR character_not_in_repertoire
		OR untranslatable_character THEN
	RETURN encode(bytes, 'escape');
END
$$;

-- The attempts of an event at a webhook, an array.
CREATE OR REPLACE FUNCTION whk.api_story_attempts(of_event text,
	of_time timestamptz, of_webhook bigint)
RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('attempt', a.attempt,
		'at', whk.rfc3339(to_timestamp(a.at_ms / 1000.0)),
		'outcome', a.outcome, 'status', a.status, 'error', a.error,
		'ms', a.total_us / 1000, 'dns_us', a.dns_us,
		'connect_us', a.connect_us, 'tls_us', a.tls_us,
		'wait_us', a.wait_us, 'total_us', a.total_us,
		'address', a.address,
		'next', whk.rfc3339(to_timestamp(a.next_ms / 1000.0)),
		'headers', a.headers, 'answer', whk.api_text(a.answer))
		ORDER BY a.at_ms, a.attempt), '[]')
	FROM whk.story_attempts(of_event, of_time, ARRAY[of_webhook]) a
$$;

-- What became of an event at each webhook, an array; the first hundred.
CREATE OR REPLACE FUNCTION whk.api_story_webhooks(caller text, of_event text,
	of_time timestamptz)
RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT coalesce(json_agg(json_build_object('webhook', h.webhook,
		'url', h.url, 'state', h.state, 'why', h.disabled_why,
		'matched', h.meant,
		'pending', CASE WHEN h.attempt IS NOT NULL THEN
			json_build_object('attempt', h.attempt,
			'next', whk.rfc3339(to_timestamp(h.next_ms / 1000.0)),
			'parked', h.next_ms IS NULL) END,
		'attempts', whk.api_story_attempts(of_event, of_time,
			h.webhook)) ORDER BY h.webhook), '[]')
	FROM (SELECT x.* FROM whk.story_webhooks(of_event, of_time) x
		WHERE caller IS NULL OR EXISTS (SELECT FROM whk.webhook w
			WHERE w.id = x.webhook AND w.tenant = caller)
		ORDER BY x.webhook LIMIT 100) h
$$;

-- An event with its story, a JSON object; the newest of its id. more: it was
-- for more webhooks than are in it.
CREATE OR REPLACE FUNCTION whk.api_event(caller text, of_event text)
RETURNS TABLE (story text)
LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', e.id, 'type', e.type,
		'tenant', e.tenant, 'key', e.key,
		'content_type', e.content_type, 'time', whk.rfc3339(e.time),
		'accepted', whk.rfc3339(e.accepted_at), 'via', e.via,
		'body', e.body,
		'webhooks', whk.api_story_webhooks(caller, e.id, e.time),
		'more', CASE WHEN cardinality(e.webhooks) > 100 THEN true
			END))::text
	FROM whk.event e
	WHERE e.id = of_event AND (caller IS NULL OR e.tenant = caller)
	ORDER BY e.time DESC LIMIT 1
$$;

-- Attempts as their lines, newest first, up to max, before a place in that
-- order (null: from the newest on); null widens. Searched in spans of time
-- that grow, for a second at the most: a last row without a line says from
-- where to go on. Without since it ends where the record begins, or a week
-- ago.
CREATE OR REPLACE FUNCTION whk.api_attempts(caller text, of_webhook bigint,
	of_event text, of_types text[], of_outcome text, since timestamptz,
	until timestamptz, before_at timestamptz, before_event text,
	before_webhook bigint, before_attempt bigint, max bigint)
RETURNS TABLE (line text, at_ms bigint, event text, webhook bigint,
	attempt int)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	start timestamptz := clock_timestamp();
	high timestamptz := least(coalesce(until, 'infinity'),
		start + interval '1 day', before_at + interval '1 ms');
	floor timestamptz := coalesce(since, least(whk.log_begin(),
		start - interval '7 days'));
	span interval := CASE WHEN of_webhook IS NULL AND of_event IS NULL
		THEN interval '1 minute' ELSE interval '100 years' END;
	low timestamptz;
	got bigint := 0;
	n bigint;
BEGIN
	WHILE got < max AND high > floor LOOP
		IF clock_timestamp() - start > interval '1 second' THEN
			RETURN QUERY SELECT NULL::text, whk.ms(high), ''::text,
				0::bigint, 0;
			RETURN;
		END IF;
		low := greatest(floor, high - span);
		RETURN QUERY
		SELECT json_strip_nulls(json_build_object('event', l.event,
			'type', l.type, 'webhook', l.webhook,
			'attempt', l.attempt, 'at', whk.rfc3339(l.at),
			'outcome', l.outcome, 'status', l.status,
			'error', l.error, 'ms', l.total_us / 1000,
			'next', whk.rfc3339(l.next_at)))::text,
			whk.ms(l.at), l.event, l.webhook, l.attempt
		FROM whk.log(of_webhook => of_webhook, of_event => of_event,
			of_types => of_types, of_tenant => NULL,
			of_outcome => of_outcome, low => NULL, high => NULL,
			of_error => NULL, unseen => NULL, since => low,
			until => high) l
		WHERE (before_at IS NULL
				OR (l.at, l.event, l.webhook, l.attempt)
				< (before_at, before_event, before_webhook,
				before_attempt))
			AND (caller IS NULL OR EXISTS (
				SELECT FROM whk.webhook w
				WHERE w.id = l.webhook AND w.tenant = caller))
		ORDER BY l.at DESC, l.event DESC, l.webhook DESC,
			l.attempt DESC
		LIMIT max - got;
		GET DIAGNOSTICS n = ROW_COUNT;
		got := got + n;
		high := low;
		span := least(span * 4, greatest(span, interval '25 hours'));
	END LOOP;
END
$$;

-- Makes an event due again at a webhook; what became of it, as replay() says.
CREATE OR REPLACE FUNCTION whk.api_resend(caller text, of_event text,
	of_webhook bigint)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	of_time timestamptz;
BEGIN
	PERFORM 1 FROM whk.webhook w
	WHERE w.id = of_webhook AND whk.api_sees(w, caller);
	IF NOT FOUND THEN
		RETURN 'no webhook';
	END IF;
	SELECT e.time INTO of_time FROM whk.event e
	WHERE e.id = of_event AND (caller IS NULL OR e.tenant = caller)
	ORDER BY e.time DESC LIMIT 1;
	IF NOT FOUND THEN
		RETURN 'no event';
	END IF;
	RETURN (SELECT r.became FROM whk.replay(ARRAY[of_event],
		ARRAY[of_time], ARRAY[of_webhook]) r);
END
$$;
