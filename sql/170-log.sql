-- SPDX-License-Identifier: ISC
-- The record as people ask for it: what was done, what was not, and why; and
-- news of what is done for those who follow it.

-- Whether an attempt is one of those asked for, as far as its own row tells.
-- Null widens: type patterns, outcome, status from low to high, error.
CREATE OR REPLACE FUNCTION whk.fits(type text, outcome whk.outcome, status int,
	error text, of_types text[], of_outcome text, low int, high int,
	of_error text)
RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT (of_outcome IS NULL OR outcome = of_outcome::whk.outcome)
		AND (low IS NULL OR status BETWEEN low AND high)
		AND (of_error IS NULL OR error = of_error)
		AND (of_types IS NULL OR of_types && whk.patterns(type))
$$;

-- Whether a row that the transaction x wrote was visible in the snapshot s:
-- as pg_visible_in_snapshot(), x being the one nearest to s of its number.
CREATE OR REPLACE FUNCTION whk.seen(x xid, s pg_snapshot) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
	SELECT pg_visible_in_snapshot((n.low + (n.near - n.low + 2147483648)
			/ 4294967296 * 4294967296)::text::xid8, s)
	FROM (SELECT x::text::bigint AS low,
		pg_snapshot_xmax(s)::text::bigint AS near) n
$$;

-- Attempts that began in a span of time, in no order; narrowed by what is not
-- null: webhook, event, and as fits() and the tenant say. unseen: only those
-- that were not visible in this snapshot. The span is found by partitions and
-- their BRIN, a webhook and an event by their indexes. It becomes a part of
-- the caller's statement, which orders and limits.
CREATE OR REPLACE FUNCTION whk.log(of_webhook bigint, of_event text,
	of_types text[], of_tenant text, of_outcome text, low int, high int,
	of_error text, unseen pg_snapshot, since timestamptz,
	until timestamptz)
RETURNS TABLE (event text, type text, webhook bigint, attempt int,
	at timestamptz, outcome text, status int, error text, total_us int,
	next_at timestamptz, via text)
LANGUAGE sql STABLE AS $$
	SELECT a.event, a.type, a.webhook, a.attempt, a.at::timestamptz,
		a.outcome::text, a.status, a.error, a.total_us,
		a.next_at::timestamptz, CASE WHEN of_event IS NOT NULL THEN (
			SELECT e.via FROM whk.event e
			WHERE e.id = a.event AND e.time = a.time) END
	FROM whk.attempt a
	WHERE a.at >= since AND a.at < until
		AND (of_webhook IS NULL OR a.webhook = of_webhook)
		AND (of_event IS NULL OR a.event = of_event)
		AND whk.fits(a.type, a.outcome, a.status, a.error, of_types,
			of_outcome, low, high, of_error)
		AND (of_tenant IS NULL OR of_tenant = (SELECT e.tenant
			FROM whk.event e WHERE e.id = a.event
				AND e.time = a.time))
		AND (unseen IS NULL OR NOT whk.seen(a.xmin, unseen))
$$;

-- The attempts of these keys, each (event, webhook, at, attempt); narrowed as
-- by log(), in the order in which they began. Found by index. Volatile, as its
-- snapshot is to be made when it has its locks: else it would not see what
-- whk-prune moves while it waits for them.
CREATE OR REPLACE FUNCTION whk.logged(events text[], webhooks bigint[],
	ats timestamptz[], attempts int[], of_webhook bigint, of_event text,
	of_types text[], of_tenant text, of_outcome text, low int, high int,
	of_error text, unseen pg_snapshot)
RETURNS TABLE (event text, type text, webhook bigint, attempt int,
	at timestamptz, outcome text, status int, error text, total_us int,
	next_at timestamptz, via text)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_generic_plan
SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT a.event, a.type, a.webhook, a.attempt, a.at::timestamptz,
		a.outcome::text, a.status, a.error, a.total_us,
		a.next_at::timestamptz, CASE WHEN of_event IS NOT NULL THEN (
			SELECT e.via FROM whk.event e
			WHERE e.id = a.event AND e.time = a.time) END
	FROM unnest(events, webhooks, ats, attempts)
		AS k(event, webhook, at, attempt)
	JOIN whk.attempt a ON a.event = k.event AND a.webhook = k.webhook
		AND a.at = k.at AND a.attempt = k.attempt
	WHERE (of_webhook IS NULL OR a.webhook = of_webhook)
		AND (of_event IS NULL OR a.event = of_event)
		AND whk.fits(a.type, a.outcome, a.status, a.error, of_types,
			of_outcome, low, high, of_error)
		AND (of_tenant IS NULL OR of_tenant = (SELECT e.tenant
			FROM whk.event e WHERE e.id = a.event
				AND e.time = a.time))
		AND (unseen IS NULL OR NOT whk.seen(a.xmin, unseen))
	ORDER BY a.at, a.event, a.webhook, a.attempt;
END
$$;

-- Where the record begins: the first day that has a partition of its own.
-- Null: none has. Only the default partition may hold what is older.
CREATE OR REPLACE FUNCTION whk.log_begin() RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT min(to_timestamp(right(c.relname, 8) || ' 00:00 +00',
		'YYYYMMDD HH24:MI TZH'))
	FROM pg_inherits i
	JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'whk.attempt'::regclass
		AND c.relname ~ '^attempt_[0-9]{8}$'
$$;

-- Whether anything on record began before a time.
CREATE OR REPLACE FUNCTION whk.log_before(t timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM whk.attempt a WHERE a.at < t)
$$;

-- Those who follow the record hold a lock, which goes with their connection,
-- and only while one does record() spends more than a look at it.

-- Whether anybody follows.
CREATE OR REPLACE FUNCTION whk.followed() RETURNS boolean
LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN pg_try_advisory_lock(hashtext('whk.attempt'))
		THEN NOT pg_advisory_unlock(hashtext('whk.attempt'))
		ELSE true END
$$;

-- Follows from now on until the connection ends; the caller listens to
-- whk_attempt already. What was under way may not know of it: that it ends is
-- waited for, for a second at most, so that whatever the caller cannot see in
-- its next snapshot will be told.
CREATE OR REPLACE FUNCTION whk.follow() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	first xid8;
BEGIN
	PERFORM pg_advisory_lock_shared(hashtext('whk.attempt'));
	first := pg_snapshot_xmax(pg_current_snapshot());
	FOR i IN 1 .. 100 LOOP
		EXIT WHEN pg_snapshot_xmin(pg_current_snapshot()) >= first;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;

-- Tells those who follow which attempts are new: a line for each, its event,
-- webhook, time in ms and number, some to a notification. A follower that is
-- stuck keeps all notifications in the server, so when these have taken half
-- of their place no more are told.
CREATE OR REPLACE FUNCTION whk.tell(events text[], webhooks bigint[],
	ats timestamptz[], attempts int[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF pg_notification_queue_usage() > 0.5 THEN
		RETURN;
	END IF;
	PERFORM pg_notify('whk_attempt', string_agg(concat_ws(' ', i.event,
		i.webhook, whk.ms(i.at), i.attempt), E'\n'))
	FROM unnest(events, webhooks, ats, attempts) WITH ORDINALITY
		AS i(event, webhook, at, attempt, n)
	GROUP BY (i.n - 1) / 45;
END
$$;

-- The newest event of an id, or, where no event has it, those whose ids begin
-- with it, up to max of them, each with the time of its newest. Ids are
-- compared by bytes, and '~' comes after all that they may have. Volatile as
-- logged() is.
CREATE OR REPLACE FUNCTION whk.find_event(word text, max int)
RETURNS TABLE (id text, time_ms bigint)
LANGUAGE plpgsql VOLATILE SET jit = off SET enable_seqscan = off
SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE
	at text := word;
	newest timestamptz;
BEGIN
	FOR i IN 1 .. max LOOP
		SELECT e.id INTO at FROM whk.event e
		WHERE e.id >= at AND e.id < word || '~'
			AND (i = 1 OR e.id > at)
		ORDER BY e.id LIMIT 1;
		EXIT WHEN at IS NULL;
		SELECT e.time INTO newest FROM whk.event e WHERE e.id = at
		ORDER BY e.time DESC LIMIT 1;
		RETURN QUERY SELECT at, whk.ms(newest);
		EXIT WHEN at = word;
	END LOOP;
END
$$;

-- One event. same_id: how many others have its id.
CREATE OR REPLACE FUNCTION whk.story(of_event text, of_time timestamptz)
RETURNS TABLE (type text, tenant text, key text, content_type text,
	accepted_ms bigint, via text, same_id bigint, now_ms bigint, body text)
LANGUAGE sql STABLE AS $$
	SELECT e.type, e.tenant, e.key, e.content_type, whk.ms(e.accepted_at),
		e.via, (SELECT count(*) - 1 FROM whk.event x WHERE x.id = of_event),
		whk.ms(clock_timestamp()), e.body
	FROM whk.event e WHERE e.id = of_event AND e.time = of_time
$$;

-- From when on an event can have attempts: partitions of days before it need
-- no look. An hour is for clocks that differ.
CREATE OR REPLACE FUNCTION whk.tried_since(of_event text, of_time timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT e.accepted_at - interval '1 hour' FROM whk.event e
	WHERE e.id = of_event AND e.time = of_time
$$;

-- Who may have to do with an event, besides those that have an attempt: those
-- it was for, those that match now, and those with a backlog, where a replay
-- may have put it.
CREATE OR REPLACE FUNCTION whk.story_hooks(e whk.event)
RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
	SELECT unnest(e.webhooks)
	UNION SELECT r FROM whk.routes(e.type, e.tenant) r
	UNION SELECT w.id FROM whk.webhook w
		WHERE w.backlog AND (w.tenant IS NULL OR w.tenant = e.tenant)
$$;

-- The webhooks that an event was for, is pending for or was attempted at: as
-- they are now (url null: removed), why they are or were (meant: accept() said
-- so; the patterns that match now, tenant, filter, and whether it passes),
-- and what is pending: the number of the next attempt and when (null: parked;
-- behind: after an earlier one of its key; waits: for its retry; before: how
-- many rows go first, a thousand and one for more). Volatile as logged()
-- is.
CREATE OR REPLACE FUNCTION whk.story_webhooks(of_event text,
	of_time timestamptz, now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (webhook bigint, url text, state text, disabled_why text,
	blocked_ms bigint, meant boolean, matches text, tenant text,
	filter text, passes boolean, attempt int, next_ms bigint,
	behind boolean, waits boolean, limited boolean, before bigint)
LANGUAGE plpgsql VOLATILE SET jit = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
	e whk.event;
	since timestamptz := whk.tried_since(of_event, of_time);
	tried bigint[];
BEGIN
	SELECT x.* INTO e FROM whk.event x
	WHERE x.id = of_event AND x.time = of_time;
	tried := ARRAY(SELECT DISTINCT a.webhook FROM whk.attempt a
		WHERE a.event = of_event AND a.time = of_time AND a.at >= since);
	RETURN QUERY
	SELECT h.id, w.url, whk.state(w, now), w.disabled_why,
		whk.ms(w.blocked_until), h.id = ANY (e.webhooks),
		CASE WHEN w.events = '{}' THEN '*' ELSE array_to_string(ARRAY(
			SELECT x FROM unnest(w.events) x
			WHERE x = ANY (whk.patterns(e.type))), ' ') END,
		w.tenant, w.filter::text,
		w.filter IS NULL OR whk.passes(w.filter, e.body),
		p.attempt, whk.ms(p.next_at), p.behind,
		p.next_at IS NOT NULL AND EXISTS (SELECT FROM whk.attempt a
			WHERE a.event = of_event AND a.webhook = h.id
				AND a.time = of_time AND a.at >= since
				AND a.next_at = p.next_at),
		w.rate IS NOT NULL,
		CASE WHEN p.next_at IS NULL AND NOT p.behind THEN (
			SELECT count(*) FROM (SELECT FROM whk.pending q
				WHERE q.webhook = h.id AND q.next_at IS NULL
					AND NOT q.behind AND q.seq < p.seq
				LIMIT 1001) q) END
	FROM (SELECT * FROM whk.story_hooks(e)
		UNION SELECT unnest(tried)) AS h(id)
	LEFT JOIN whk.webhook w ON w.id = h.id
	LEFT JOIN LATERAL (SELECT * FROM whk.pending q
		WHERE q.webhook = h.id AND q.time = of_time
			AND q.event = of_event OFFSET 0) p ON true
	WHERE h.id = ANY (e.webhooks || tried) OR p.event IS NOT NULL
	ORDER BY h.id;
END
$$;

-- The attempts of an event at some webhooks, with all that is known.
CREATE OR REPLACE FUNCTION whk.story_attempts(of_event text,
	of_time timestamptz, of_webhooks bigint[])
RETURNS TABLE (webhook bigint, attempt int, at_ms bigint, outcome text,
	status int, error text, dns_us int, connect_us int, tls_us int,
	wait_us int, total_us int, address text, next_ms bigint,
	headers text, answer bytea)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	since timestamptz := whk.tried_since(of_event, of_time);
BEGIN
	RETURN QUERY
	SELECT a.webhook, a.attempt, whk.ms(a.at), a.outcome::text, a.status,
		a.error, a.dns_us, a.connect_us, a.tls_us, a.wait_us,
		a.total_us, a.address, whk.ms(a.next_at), a.headers, a.answer
	FROM whk.attempt a
	WHERE a.event = of_event AND a.time = of_time AND a.at >= since
		AND a.webhook = ANY (of_webhooks)
	ORDER BY a.webhook, a.at, a.attempt;
END
$$;

-- What an attempt at a webhook is sent with: its definition, which is that of
-- now, and the secrets that were in force at a time, as whk.webhooks() gives
-- them. One that was in force and has been removed since is not known.
CREATE OR REPLACE FUNCTION whk.sending(of_webhook bigint, at timestamptz)
RETURNS TABLE (url text, headers text, content_type text, secrets text)
LANGUAGE sql STABLE AS $$
	SELECT h.url, h.headers, h.content_type,
		(SELECT string_agg(s.secret || ' 0', E'\n'
				ORDER BY s.created_at DESC)
			FROM whk.secret s WHERE s.webhook = of_webhook
				AND s.created_at <= at
				AND coalesce(s.expires_at > at, true))
	FROM whk.webhooks(ARRAY[of_webhook]) h
$$;

-- The values in a body that a filter's own paths ($.a.b) select, as text:
-- '$."total" is [50]'. What cannot be looked up is left out.
CREATE OR REPLACE FUNCTION whk.filter_values(filter jsonpath, body text)
RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	path text;
	said text[] := '{}';
BEGIN
	IF body IS NULL THEN
		RETURN 'the body is no longer kept';
	END IF;
	FOR path IN SELECT DISTINCT m[1] FROM regexp_matches(filter::text,
		'(\$(?:\.(?:"[^"]*"|\*)|\[[^]]*\])+)', 'g') m
	LOOP
		said := said || format('%s is %s', path, left(
			jsonb_path_query_array(body::jsonb, path::jsonpath,
			silent => true)::text, 200));
	END LOOP;
	RETURN nullif(array_to_string(said, ', '), '');
EXCEPTION WHEN data_exception OR syntax_error OR program_limit_exceeded THEN
	RETURN 'the body is not JSON';
END
$$;

-- Whether a webhook gets an event, condition by condition: what is asked,
-- whether it holds, what the webhook wants and what it is given. The last
-- row, 'gets it', is what accept() would decide. No rows: no such webhook.
CREATE OR REPLACE FUNCTION whk.why(of_webhook bigint, type text, tenant text,
	body text, now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (asked text, holds boolean, wanted text, given text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	w whk.webhook;
BEGIN
	SELECT x.* INTO w FROM whk.webhook x WHERE x.id = of_webhook;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	RETURN QUERY VALUES
		('state', w.disabled_at IS NULL, 'enabled',
			concat_ws(': ', whk.state(w, now), w.disabled_why)),
		('tenant', coalesce(w.tenant IS NULL OR w.tenant = why.tenant,
			false), w.tenant, why.tenant);
	RETURN QUERY
		SELECT 'pattern', p = ANY (whk.patterns(why.type)), p, why.type
		FROM unnest(CASE WHEN w.events = '{}' THEN ARRAY['*']
			ELSE w.events END) AS p;
	RETURN QUERY VALUES
		('filter', w.filter IS NULL OR whk.passes(w.filter, body),
			w.filter::text, whk.filter_values(w.filter, body)),
		('gets it', EXISTS (SELECT FROM whk.matches(ARRAY[why.type],
				ARRAY[why.tenant], ARRAY[body],
				ARRAY[NULL::text]) m
			WHERE m.webhook = w.id), NULL, NULL);
END
$$;

-- The same of a stored event.
CREATE OR REPLACE FUNCTION whk.why_event(of_webhook bigint, of_event text,
	of_time timestamptz)
RETURNS TABLE (asked text, holds boolean, wanted text, given text)
LANGUAGE sql STABLE AS $$
	SELECT y.* FROM whk.event e
	CROSS JOIN LATERAL whk.why(of_webhook, e.type, e.tenant, e.body) y
	WHERE e.id = of_event AND e.time = of_time
$$;

-- What became of an event at a webhook: when the event was accepted and the
-- webhook added, whether it was for it then, how many attempts it has, whether
-- it is pending, and whether a replay of what is missing would find it.
CREATE OR REPLACE FUNCTION whk.fate(of_webhook bigint, of_event text,
	of_time timestamptz)
RETURNS TABLE (accepted_ms bigint, created_ms bigint, meant boolean,
	attempts bigint, delivered boolean, pending boolean, missing boolean)
LANGUAGE sql STABLE AS $$
	SELECT whk.ms(e.accepted_at), whk.ms(w.created_at),
		w.id = ANY (e.webhooks), a.count, a.delivered,
		EXISTS (SELECT FROM whk.pending p WHERE p.webhook = w.id
			AND p.time = e.time AND p.event = e.id),
		EXISTS (SELECT FROM whk.missing(of_webhook, NULL, NULL,
				of_time, of_time + interval '1 ms') m
			WHERE m.event = of_event)
	FROM whk.event e
	JOIN whk.webhook w ON w.id = of_webhook
	CROSS JOIN LATERAL (SELECT count(*),
			coalesce(bool_or(x.outcome = 'delivered'), false)
				AS delivered
		FROM whk.attempt x WHERE x.event = of_event
			AND x.webhook = of_webhook AND x.time = of_time) a
	WHERE e.id = of_event AND e.time = of_time
$$;
