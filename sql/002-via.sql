-- SPDX-License-Identifier: ISC
-- Step 2: by which way an event came in. Nothing is rewritten: a column that
-- is null takes no room. Null: it was accepted before this step.

ALTER TABLE whk.event ADD COLUMN via text;	-- queue, line, sql or api

-- What a whk-prune has beside the table, at work or killed, goes with it.
DO $$
DECLARE
	tab regclass;
BEGIN
	FOR tab IN SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = 'whk'::regnamespace
			AND c.relname ~ '^event_.*(new|late|stage|rest)$'
			AND c.relkind IN ('r', 'p') AND NOT c.relispartition
	LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN via text', tab);
	END LOOP;
END
$$;
