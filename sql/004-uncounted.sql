-- SPDX-License-Identifier: ISC
-- Step 4: deliveries that are on record and not yet counted at their webhooks.
-- record() only adds to it: so it takes no lock of a webhook that is well, and
-- any number of programs record at once what the same webhook got. count_up()
-- empties it. Rows are few, and have no index.

CREATE TABLE whk.uncounted (
	webhook bigint NOT NULL,
	delivered bigint NOT NULL,
	last_at timestamptz(3) NOT NULL,	-- of the last of them
	last_status int NOT NULL
) WITH (
	-- it turns over many times a minute: vacuum by count, at once
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
	autovacuum_vacuum_insert_scale_factor = 0,
	autovacuum_vacuum_insert_threshold = 100000,
	autovacuum_analyze_scale_factor = 0,
	autovacuum_analyze_threshold = 100000,
	autovacuum_vacuum_cost_delay = 0);
