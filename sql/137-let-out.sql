-- SPDX-License-Identifier: ISC
-- What is parked goes out: by share, by rate, in the order of keys; or never.

-- How many rows of a webhook may be out at once: as many as it may have under
-- way, as many behind them, and two. More would be no faster where receivers
-- take their time, and where they do not, leave others less of the machine.
CREATE OR REPLACE FUNCTION whk.share(max_in_flight int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT 2 * max_in_flight + 2
$$;

-- Lets go what the outcomes of a batch make room for at the open ones of its
-- webhooks, whose locks the caller holds: parked rows, the next of a key; or
-- cancels what is pending for a webhook that is gone. Gives the earliest time
-- at which a row is due.
CREATE OR REPLACE FUNCTION whk.let_out(open bigint[], webhooks bigint[],
	keys text[], now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	hook whk.webhook;
	due timestamptz;
BEGIN
	FOR hook IN SELECT w.* FROM whk.webhook w WHERE w.id = ANY (open)
		ORDER BY w.id
	LOOP
		IF whk.gone(hook.disabled_why) THEN
			PERFORM whk.cancel(hook.id, 10000, now);
			CONTINUE;
		END IF;
		IF hook.ordered THEN
			due := least(due, whk.promote(hook, ARRAY(
				SELECT DISTINCT coalesce(k.key, '')
				FROM unnest(keys, webhooks) AS k(key, webhook)
				WHERE k.webhook = hook.id), now));
		END IF;
		IF hook.room > 0 THEN
			due := least(due, whk.unpark(hook, hook.room, now));
		END IF;
	END LOOP;
	RETURN due;
END
$$;

-- Lets out up to count parked rows of a webhook, oldest first, the caller
-- holding its lock: due now, or at the free slots of its rate, which are not
-- far ahead unless nothing else is out. Gives the earliest time, or null where
-- none was let out. A webhook that is shut lets out none.
CREATE OR REPLACE FUNCTION whk.unpark(w whk.webhook, count int,
	now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
	first timestamptz;
	slot timestamptz := greatest(now, w.next_slot);
	step interval := coalesce(interval '1 second' / w.rate, interval '0');
BEGIN
	IF w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
			OR w.blocked_until > now
			OR w.unparked > 0 AND slot > now + whk.ahead() THEN
		RETURN NULL;
	END IF;
	IF w.rate IS NOT NULL THEN
		count := least(count, greatest(1, floor(w.rate * extract(epoch
			FROM now + whk.ahead() - slot))));
	END IF;
	WITH oldest AS (
		SELECT p.ctid AS tid, row_number() OVER (ORDER BY p.seq) - 1 AS i
		FROM (SELECT q.ctid, q.seq FROM whk.pending q
			WHERE q.webhook = w.id AND q.next_at IS NULL
				AND NOT q.behind
			ORDER BY q.seq LIMIT count FOR UPDATE) p
	), let_out AS (
		UPDATE whk.pending p SET next_at = slot + o.i * step
		FROM oldest o WHERE p.ctid = o.tid
		RETURNING p.next_at
	)
	SELECT count(*), min(next_at) INTO found, first FROM let_out;
	UPDATE whk.webhook x SET
		backlog = found = count,
		unparked = x.unparked + found,
		room = 0,
		next_slot = CASE WHEN w.rate IS NULL OR found = 0 THEN x.next_slot
			ELSE slot + found * step END,
		probe_at = CASE WHEN x.probe_at < now + interval '2 s'
			THEN now + interval '10 s' ELSE x.probe_at END
	WHERE x.id = w.id;
	RETURN first;
END
$$;

-- Brings forward the next row of each of an ordered webhook's keys that has
-- none in front any more, the caller holding the webhook's lock. Gives the
-- earliest time at which one is due, or null.
CREATE OR REPLACE FUNCTION whk.promote(w whk.webhook, keys text[],
	now timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	shut boolean := w.paused_at IS NOT NULL OR w.disabled_at IS NOT NULL
		OR coalesce(w.blocked_until > now, false);
	slot timestamptz := greatest(now, w.next_slot);
	step interval := coalesce(interval '1 second' / w.rate, interval '0');
	promoted bigint;
BEGIN
	WITH next AS (
		SELECT (SELECT p.ctid FROM whk.pending p
			WHERE p.webhook = w.id AND p.key = k.key
			ORDER BY p.seq LIMIT 1) AS tid, k.n - 1 AS i
		FROM unnest(keys) WITH ORDINALITY AS k(key, n)
	), forward AS (
		UPDATE whk.pending p SET behind = false,
			next_at = CASE WHEN shut THEN NULL
				ELSE slot + x.i * step END
		FROM next x WHERE p.ctid = x.tid AND p.behind
		RETURNING p.next_at
	)
	SELECT count(*) INTO promoted FROM forward;
	IF promoted = 0 THEN
		RETURN NULL;
	END IF;
	UPDATE whk.webhook x SET
		backlog = x.backlog OR shut,
		probe_at = CASE WHEN shut AND NOT x.backlog
			THEN whk.probe_time(x, now) ELSE x.probe_at END,
		next_slot = CASE WHEN w.rate IS NULL THEN x.next_slot
			ELSE slot + cardinality(keys) * step END
	WHERE x.id = w.id;
	RETURN CASE WHEN shut THEN NULL ELSE slot END;
END
$$;

-- Where the rows are that are pending for a webhook, up to max of them: those
-- that wait, that are parked, and that are behind others. Not those that
-- somebody holds: the end of the lease is theirs. Becomes a part of the caller's
-- statement.
CREATE OR REPLACE FUNCTION whk.pending_of(webhook bigint, max bigint)
RETURNS TABLE (tid tid, next_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT x.* FROM (
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.next_at IS NOT NULL AND NOT p.leased
		UNION ALL
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.next_at IS NULL AND NOT p.behind
		UNION ALL
		SELECT p.ctid, p.next_at FROM whk.pending p
		WHERE p.webhook = pending_of.webhook
			AND p.key IS NOT NULL AND p.behind) x
	LIMIT max
$$;

-- Cancels up to count pending rows of a webhook, on record. Gives how many.
CREATE OR REPLACE FUNCTION whk.cancel(id bigint, count int,
	now timestamptz DEFAULT clock_timestamp())
RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
	followed boolean := whk.followed();
	cancelled_rows bigint;
	events text[];
	attempts int[];
BEGIN
	WITH gone AS (
		DELETE FROM whk.pending p WHERE p.ctid = ANY (ARRAY(
			SELECT q.tid
			FROM whk.pending_of(cancel.id, cancel.count) q))
		RETURNING p.event, p.time, p.attempt
	), written AS (
		INSERT INTO whk.attempt (event, webhook, at, attempt, time,
			outcome, type)
		SELECT g.event, cancel.id, cancel.now, g.attempt, g.time,
			'cancelled', e.type
		FROM gone g
		LEFT JOIN whk.event e ON e.id = g.event AND e.time = g.time
		ON CONFLICT DO NOTHING
	)
	SELECT count(*), array_agg(g.event) FILTER (WHERE followed),
		array_agg(g.attempt) FILTER (WHERE followed)
	INTO cancelled_rows, events, attempts FROM gone g;
	IF events IS NOT NULL THEN
		PERFORM whk.tell(events, array_fill(cancel.id,
			ARRAY[cardinality(events)]), array_fill(cancel.now,
			ARRAY[cardinality(events)]), attempts);
	END IF;
	UPDATE whk.webhook w SET cancelled = w.cancelled + cancelled_rows,
		backlog = cancelled_rows = cancel.count,
		probe_at = cancel.now, unparked = 0, room = 0
	WHERE w.id = cancel.id AND (cancelled_rows > 0 OR w.backlog);
	RETURN cancelled_rows;
END
$$;
