-- SPDX-License-Identifier: ISC
-- Functions that fill an empty database of whk as years of use would: rows as
-- real ones, in partitions by day. tests/bench/fill calls them.
--
-- A tenant has 100 webhooks, and each type of its events, kind.0 to kind.32,
-- goes to three of them.

CREATE SCHEMA IF NOT EXISTS fill;

-- Webhooks of tenant-FIRST and so many more; one tenant in five has paused its
-- own. The triggers are kept out of it, as they would tell everybody of each.
CREATE OR REPLACE FUNCTION fill.webhooks(first int, more int, url text)
RETURNS void
LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
	INSERT INTO whk.webhook (url, tenant, events, paused_at, backlog,
		probe_at, delivered, last_at, last_status)
	SELECT url, 'tenant-' || t, ARRAY['kind.' || k / 3], paused.at,
		paused.at IS NOT NULL,
		CASE WHEN paused.at IS NOT NULL THEN 'infinity'::timestamptz END,
		100, now() - interval '1 hour', 200
	FROM generate_series(first, first + more) AS t,
		generate_series(0, 99) AS k,
		LATERAL (SELECT CASE WHEN t % 5 = 4 THEN now() END AS at) paused;
	INSERT INTO whk.route (tenant, pattern, webhook)
	SELECT r.tenant, r.pattern, w.id
	FROM whk.webhook w CROSS JOIN LATERAL whk.routes_of(w) r
	WHERE w.id > first * 100;
	INSERT INTO whk.secret (webhook, secret)
	SELECT w.id, 'whsec_' || encode(sha256(w.id::text::bytea), 'base64')
	FROM whk.webhook w WHERE w.id > first * 100;
END
$$;

-- The days before today, from the day before on.
CREATE OR REPLACE FUNCTION fill.day(back int) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT date_trunc('day', now(), 'UTC') - back * interval '24 hours'
$$;

-- A partition of a day, filled by a query before it gets its indexes.
CREATE OR REPLACE FUNCTION fill.partition(parent text, back int, query text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	day timestamptz := fill.day(back);
	part text := format('%s_%s', parent,
		to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD'));
BEGIN
	EXECUTE format('CREATE TABLE whk.%I (LIKE whk.%I INCLUDING DEFAULTS)',
		part, parent);
	EXECUTE format('INSERT INTO whk.%I %s', part, query);
	EXECUTE format('ALTER TABLE whk.%I ATTACH PARTITION whk.%I
		FOR VALUES FROM (%L) TO (%L)', parent, part, day,
		day + interval '24 hours');
END
$$;

-- So many events of a day, of tenants by turns; bodies of 1 KB, which are gone
-- after 30 days.
CREATE OR REPLACE FUNCTION fill.events(back int, count int, tenants int)
RETURNS void
LANGUAGE sql AS $$
	SELECT fill.partition('event', back, format($q$
		(id, time, type, tenant, webhooks, accepted_at, body)
		SELECT 'msg_' || gen_random_uuid(), at, 'kind.' || k,
			'tenant-' || t, ARRAY[first, first + 1, first + 2],
			at + interval '20 ms', %s
		FROM generate_series(0, %s - 1) AS i,
			LATERAL (SELECT %L::timestamptz + i * interval '24 h' / %s
				AS at, i %% %s AS t, i / 7 %% 33 AS k) AS x,
			LATERAL (SELECT t * 100 + k * 3 + 1 AS first) AS y $q$,
		CASE WHEN back <= 30 THEN
			$b$format('{"n":%s,"s":"%s"}', i, repeat(md5(i::text), 30))$b$
			ELSE 'NULL' END,
		count, fill.day(back), count, tenants))
$$;

-- The attempts of a day's events, five for each: two webhooks took them at
-- once, and the third at the third time.
CREATE OR REPLACE FUNCTION fill.attempts(back int) RETURNS void
LANGUAGE sql AS $$
	SELECT fill.partition('attempt', back, format($q$
		(event, webhook, at, attempt, time, next_at, outcome, status,
			dns_us, connect_us, tls_us, wait_us, total_us, type,
			error, address, headers, answer)
		SELECT e.id, e.webhooks[a.hook], least(e.time + a.after, %L),
			a.attempt, e.time, e.time + a.next,
			a.outcome::whk.outcome, a.status, 0, 150, 0, 1800,
			2000 + (random() * 3000)::int, e.type, a.error,
			'192.0.2.' || e.webhooks[a.hook] %% 250,
			E'content-type: text/plain\nserver: nginx\n'
				'connection: keep-alive\ncontent-length: 2',
			'ok'
		FROM whk.event e, (VALUES
			(1, 1, interval '30 ms', NULL::interval, 'delivered',
				200, NULL),
			(2, 1, '31 ms', NULL, 'delivered', 200, NULL),
			(3, 1, '32 ms', '5 s', 'retry', 503, NULL),
			(3, 2, '5 s', '5 min', 'retry', NULL, 'timeout'),
			(3, 3, '5 min', NULL, 'delivered', 204, NULL)
			) AS a(hook, attempt, after, next, outcome, status, error)
		WHERE e.time >= %L AND e.time < %L $q$,
		fill.day(back - 1) - interval '1 ms', fill.day(back),
		fill.day(back - 1)))
$$;

-- What is pending, of events of the last 16 days: so many rows, a tenth of them
-- due, the others over the next three days; of a webhook that is paused they
-- are parked. The indexes are made afterwards, as they were.
CREATE OR REPLACE FUNCTION fill.pending(count bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	again text[];
	ddl text;
BEGIN
	SELECT array_agg(format('CREATE %sINDEX %I ON whk.pending %s',
		CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname,
		substring(pg_get_indexdef(x.indexrelid) FROM 'USING .*')))
	INTO again
	FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
	WHERE x.indrelid = 'whk.pending'::regclass AND NOT x.indisprimary;
	FOR ddl IN SELECT 'DROP INDEX whk.' || quote_ident(c.relname)
		FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
		WHERE x.indrelid = 'whk.pending'::regclass AND NOT x.indisprimary
	LOOP
		EXECUTE ddl;
	END LOOP;
	ALTER TABLE whk.pending DROP CONSTRAINT pending_pkey;

	INSERT INTO whk.pending (webhook, time, event, attempt, next_at)
	SELECT w.id, p.time, p.id, 2, CASE
		WHEN w.paused_at IS NOT NULL THEN NULL
		WHEN p.n <= count / 8 THEN now() - random() * interval '1 h'
		ELSE now() + interval '1 h' + random() * interval '3 days' END
	FROM (SELECT e.*, row_number() OVER () AS n
		FROM (SELECT e.id, e.time, h
			FROM whk.event e, unnest(e.webhooks) AS h
			WHERE e.time >= fill.day(16) LIMIT count) e) p
	JOIN whk.webhook w ON w.id = p.h;

	ALTER TABLE whk.pending ADD CONSTRAINT pending_pkey
		PRIMARY KEY (time, event, webhook);
	FOREACH ddl IN ARRAY again LOOP
		EXECUTE ddl;
	END LOOP;
END
$$;
