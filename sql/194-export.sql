-- SPDX-License-Identifier: ISC
-- What goes, as the lines of whk(5), for the files of whk-prune.

-- An event line. Its body comes last, so that a line whose body is gone is the
-- beginning of the one that had it.
CREATE OR REPLACE FUNCTION whk.event_line(id text, "time" timestamptz,
	type text, tenant text, key text, content_type text, webhooks bigint[],
	accepted_at timestamptz, via text, body text)
RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', id, 'type', type,
		'tenant', tenant, 'key', key, 'content_type', content_type,
		'time', whk.rfc3339(time), 'accepted', whk.rfc3339(accepted_at),
		'via', via, 'to', CASE WHEN cardinality(webhooks) BETWEEN 1 AND 10000
			THEN webhooks END,
		'body', body))::text
$$;

-- An attempt line, with all that is on record.
CREATE OR REPLACE FUNCTION whk.attempt_line(a record) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_strip_nulls(json_build_object('event', a.event,
		'type', a.type, 'webhook', a.webhook, 'attempt', a.attempt,
		'at', whk.rfc3339(a.at), 'outcome', a.outcome,
		'status', a.status, 'error', a.error, 'ms', a.total_us / 1000,
		'next', whk.rfc3339(a.next_at), 'time', whk.rfc3339(a.time),
		'dns_us', a.dns_us, 'connect_us', a.connect_us,
		'tls_us', a.tls_us, 'wait_us', a.wait_us,
		'total_us', a.total_us, 'address', a.address,
		'headers', a.headers, 'answer_base64',
		replace(encode(a.answer, 'base64'), E'\n', '')))::text;
END
$$;

-- The lines of a span of blocks of a table, as they lie, of those rows whose
-- time is in the span that is given.
CREATE OR REPLACE FUNCTION whk.export(parent text, part text,
	since_block bigint, until_block bigint, since timestamptz,
	until timestamptz)
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT %s FROM whk.%I e
		WHERE ctid >= ''(%s,0)'' AND ctid < ''(%s,0)''
			AND %I >= %L AND %5$I < %7$L',
		CASE parent WHEN 'event' THEN 'whk.event_line(id, time, type,
			tenant, key, content_type, webhooks, accepted_at, via,
			body)'
			ELSE 'whk.attempt_line(e)' END,
		part, since_block, until_block, whk.day_column(parent), since,
		until);
END
$$;

-- The days of which a table of the rest has rows.
CREATE OR REPLACE FUNCTION whk.rest_days(parent text)
RETURNS TABLE (day text)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT DISTINCT whk.day_name(%I)
		FROM whk.%I ORDER BY 1', whk.day_column(parent),
		parent || '_rest');
END
$$;

-- What was put there has gone.
CREATE OR REPLACE FUNCTION whk.rest_close() RETURNS void
LANGUAGE sql VOLATILE AS $$
	DROP TABLE IF EXISTS whk.event_rest, whk.attempt_rest
$$;
