-- SPDX-License-Identifier: ISC
-- Which webhooks get an event. The one place that decides it.

-- The patterns that match a type: for a.b.c they are *, a.b.c, a.* and a.b.*;
-- without a type, *.
CREATE OR REPLACE FUNCTION whk.patterns(type text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN type IS NULL THEN ARRAY['*'] ELSE
		ARRAY['*', type] || ARRAY(
			SELECT array_to_string(p[1:i], '.') || '.*'
			FROM (SELECT string_to_array(type, '.') AS p) s,
				generate_series(1, cardinality(p) - 1) AS i)
		END
$$;

-- Whether a body passes a filter: a body that is not JSON passes none, and an
-- error inside the path is a no.
CREATE OR REPLACE FUNCTION whk.passes(filter jsonpath, body text)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	RETURN coalesce(body::jsonb @@ filter, false);
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
	RETURN false;
END
$$;

-- The webhooks whose tenant and patterns match, before any filter. In a
-- function in SQL a column goes before a parameter of the same name.
CREATE OR REPLACE FUNCTION whk.routes(type text, tenant text)
RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 10 AS $$
	SELECT DISTINCT x.webhook
	FROM unnest(ARRAY['', routes.tenant]) AS t,
		unnest(whk.patterns(routes.type)) AS p
	CROSS JOIN LATERAL (SELECT r.webhook FROM whk.route r
		WHERE r.tenant = t AND r.pattern = p OFFSET 0) x
$$;

-- The routes of a webhook, from its definition.
CREATE OR REPLACE FUNCTION whk.routes_of(w whk.webhook)
RETURNS TABLE (tenant text, pattern text)
LANGUAGE sql STABLE AS $$
	SELECT DISTINCT coalesce(w.tenant, ''), p
	FROM unnest(CASE WHEN w.events = '{}' THEN ARRAY['*']
		ELSE w.events END) AS p
	WHERE w.disabled_at IS NULL
$$;

CREATE OR REPLACE FUNCTION whk.webhook_added() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO whk.route (tenant, pattern, webhook)
	SELECT r.tenant, r.pattern, w.id
	FROM added a
	JOIN whk.webhook w ON w.id = a.id
	CROSS JOIN LATERAL whk.routes_of(w) r;
	RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION whk.webhook_moved() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM whk.route WHERE webhook = NEW.id;
	INSERT INTO whk.route (tenant, pattern, webhook)
	SELECT r.tenant, r.pattern, NEW.id FROM whk.routes_of(NEW) r;
	RETURN NULL;
END
$$;

-- Tells the running programs that a webhook is no longer what they know.
CREATE OR REPLACE FUNCTION whk.webhook_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM pg_notify('whk_webhook', NEW.webhook::text);
	ELSIF TG_TABLE_NAME = 'secret' THEN
		PERFORM pg_notify('whk_webhook', OLD.webhook::text);
	ELSE
		PERFORM pg_notify('whk_webhook', OLD.id::text);
	END IF;
	RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER added AFTER INSERT ON whk.webhook
	REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION whk.webhook_added();

CREATE OR REPLACE TRIGGER moved AFTER UPDATE ON whk.webhook
	FOR EACH ROW WHEN (OLD.events <> NEW.events
		OR OLD.tenant IS DISTINCT FROM NEW.tenant
		OR OLD.disabled_at IS DISTINCT FROM NEW.disabled_at)
	EXECUTE FUNCTION whk.webhook_moved();

CREATE OR REPLACE TRIGGER changed AFTER UPDATE ON whk.webhook
	FOR EACH ROW WHEN (OLD.url <> NEW.url
		OR OLD.headers <> NEW.headers
		OR OLD.content_type IS DISTINCT FROM NEW.content_type
		OR OLD.timeout_ms <> NEW.timeout_ms
		OR OLD.max_in_flight <> NEW.max_in_flight
		OR OLD.paused_at IS DISTINCT FROM NEW.paused_at
		OR OLD.disabled_at IS DISTINCT FROM NEW.disabled_at
		OR OLD.blocked_until IS DISTINCT FROM NEW.blocked_until)
	EXECUTE FUNCTION whk.webhook_changed();

CREATE OR REPLACE TRIGGER gone AFTER DELETE ON whk.webhook
	FOR EACH ROW EXECUTE FUNCTION whk.webhook_changed();

CREATE OR REPLACE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE
	ON whk.secret FOR EACH ROW EXECUTE FUNCTION whk.webhook_changed();
