-- SPDX-License-Identifier: ISC
-- The files from here on hold the functions. They run, all of them and in
-- order, whenever they are others than those in force; so whatever stood
-- there before goes first, as a function cannot be replaced by one that gives
-- or takes something else. Those of triggers stay, and are replaced; those of
-- an extension are not ours: a user named whk gets its extensions in here.

DO $$
DECLARE
	old text;
BEGIN
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO old
	FROM pg_proc p
	WHERE p.pronamespace = 'whk'::regnamespace
		AND p.prorettype <> 'trigger'::regtype
		AND NOT EXISTS (SELECT FROM pg_depend d
			WHERE d.classid = 'pg_proc'::regclass
				AND d.objid = p.oid AND d.deptype = 'e');
	IF old IS NOT NULL THEN
		EXECUTE 'DROP ROUTINE ' || old;
	END IF;
END
$$;
