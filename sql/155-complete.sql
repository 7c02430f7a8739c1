-- SPDX-License-Identifier: ISC
-- What a shell completes a word with. Somebody waits for it, so each question
-- costs the same however much is stored.

-- The ids whose digits begin with those of prefix, lowest first: for each
-- number of digits they are a range of the primary key. Without a digit, all.
CREATE OR REPLACE FUNCTION whk.ids_from(prefix text, max int)
RETURNS SETOF bigint
LANGUAGE sql STABLE AS $$
	SELECT x.id
	FROM generate_series(CASE prefix WHEN '' THEN 19
		ELSE length(prefix) END, 19) AS digits
	CROSS JOIN LATERAL (SELECT w.id FROM whk.webhook w
		WHERE w.id BETWEEN least(rpad(prefix, digits, '0')::numeric,
				9223372036854775807)::bigint
			AND least(rpad(prefix, digits, '9')::numeric,
				9223372036854775807)::bigint
		ORDER BY w.id LIMIT max) x
	ORDER BY x.id LIMIT max
$$;

-- The patterns of the first 1000 pairs of tenant and pattern from prefix on,
-- those of no tenant first. Each is found from the one before by the index.
CREATE OR REPLACE FUNCTION whk.some_patterns(prefix text)
RETURNS SETOF text
LANGUAGE sql STABLE AS $$
	WITH RECURSIVE pair AS (
		(SELECT r.tenant, r.pattern, 1 AS n FROM whk.route r
		WHERE (r.tenant, r.pattern) >= ('', prefix)
		ORDER BY r.tenant, r.pattern LIMIT 1)
		UNION ALL
		SELECT x.tenant, x.pattern, p.n + 1
		FROM pair p
		CROSS JOIN LATERAL (SELECT r.tenant, r.pattern
			FROM whk.route r
			WHERE (r.tenant, r.pattern) > (p.tenant, p.pattern)
			ORDER BY r.tenant, r.pattern LIMIT 1) x
		WHERE p.n < 1000
	)
	SELECT pattern FROM pair
$$;

-- A column of the newest events: those in the last pages of their partitions.
CREATE OR REPLACE FUNCTION whk.newest(col text, pages int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	part regclass;
	first bigint;
BEGIN
	FOR part IN SELECT whk.newest_parts('event', now) LOOP
		first := pg_relation_size(part)
			/ current_setting('block_size')::int - pages;
		RETURN QUERY EXECUTE format('SELECT DISTINCT e.%I
			FROM %s e WHERE e.ctid >= %L', col, part,
			format('(%s,0)', greatest(first, 0)));
	END LOOP;
END
$$;

-- Ids of events from prefix on, by the index of a day after the other, from
-- the newest on, until they are max.
CREATE OR REPLACE FUNCTION whk.some_events(prefix text, max int)
RETURNS SETOF text
LANGUAGE plpgsql STABLE SET jit = off SET enable_seqscan = off
SET enable_sort = off AS $$
DECLARE
	part regclass;
	n int;
	wanted int := max;
BEGIN
	FOR part IN SELECT c.oid FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'whk.event'::regclass
		ORDER BY c.relname DESC
	LOOP
		RETURN QUERY EXECUTE format('SELECT e.id FROM %s e
			WHERE e.id >= $1 AND e.id < $1 || ''~''
			ORDER BY e.id LIMIT $2', part) USING prefix, wanted;
		GET DIAGNOSTICS n = ROW_COUNT;
		wanted := wanted - n;
		EXIT WHEN wanted <= 0;
	END LOOP;
END
$$;

-- At most max words of a kind that begin with prefix: ids of webhooks, types
-- of events that have been or that webhooks name, or types and patterns, ids
-- of events. What a shell would take for more than a word, or for an option,
-- is left out: types come from others.
CREATE OR REPLACE FUNCTION whk.complete(kind text, prefix text, max int)
RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF kind = 'webhook' AND prefix ~ '^([1-9][0-9]{0,18})?$' THEN
		RETURN QUERY SELECT i::text FROM whk.ids_from(prefix, max) i;
	ELSIF kind IN ('type', 'pattern') THEN
		RETURN QUERY SELECT DISTINCT t COLLATE "C"
		FROM (SELECT whk.some_patterns(prefix) AS t
			UNION ALL SELECT whk.newest('type', 200)) x
		WHERE starts_with(t, prefix)
			AND t ~ '^[[:alnum:]_*][[:alnum:]_.:/@+*-]*$'
			AND (kind = 'pattern' OR strpos(t, '*') = 0)
		ORDER BY 1 LIMIT max;
	ELSIF kind = 'event' THEN
		RETURN QUERY SELECT x.id FROM (
			SELECT n.id FROM whk.newest('id', 10) n(id)
			WHERE starts_with(n.id, prefix) LIMIT max / 2) x
		WHERE x.id !~ '^-'
		UNION SELECT y.id FROM whk.some_events(prefix, max / 2) y(id)
		WHERE prefix !~ '^-?$'
		ORDER BY 1;
	END IF;
END
$$;
