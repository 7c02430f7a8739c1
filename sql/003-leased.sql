-- SPDX-License-Identifier: ISC
-- Step 3: what is pending, in the order of time. Rows come, are leased, and go
-- in that order, and mostly at once: so their key begins with the time, which
-- keeps what is written together, and a row that somebody holds is in no index
-- by webhook, where each row would be a page of its own. leased: next_at is the
-- end of a lease. Of a row that was leased before this step nobody knows it;
-- it is due when it would have been.

ALTER TABLE whk.pending
	ADD COLUMN leased boolean NOT NULL DEFAULT false
		CHECK (NOT leased OR next_at IS NOT NULL),
	DROP CONSTRAINT pending_pkey,
	ADD PRIMARY KEY (time, event, webhook);

-- Beside pending_parked and pending_key: what else a webhook has.
CREATE INDEX pending_waiting ON whk.pending (webhook, next_at)
	WHERE next_at IS NOT NULL AND NOT leased;
