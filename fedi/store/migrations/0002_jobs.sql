-- Claims read one priority at a time, oldest first, and skip lanes that are busy without touching the table.
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (kind, priority, run_at, id, lane) WHERE state = 'waiting';
-- A breaker that opens moves a whole lane; a delivery that must be retried moves those that follow it.
CREATE INDEX job_lane ON job (lane, run_at) WHERE state = 'waiting' AND lane <> '';
CREATE INDEX job_ordering ON job (ordering, id) WHERE ordering IS NOT NULL;
CREATE INDEX job_dead ON job (id) WHERE state = 'dead';

-- What the body still lacks before it may leave: 'proof', 'ld' (an LD signature), or nothing.
ALTER TABLE outgoing ADD COLUMN unsealed TEXT NOT NULL DEFAULT '';
CREATE INDEX outgoing_created ON outgoing (created_at);

-- An inbox that is gone leads back to its accounts.
CREATE INDEX account_inbox ON account (inbox) WHERE local = 0;
CREATE INDEX account_shared_inbox ON account (shared_inbox) WHERE shared_inbox IS NOT NULL;

CREATE TABLE delivery_total (               -- what is kept of old deliveries
    status INTEGER NOT NULL,
    kind TEXT NOT NULL,                     -- activity type
    state TEXT NOT NULL,
    hosts INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    PRIMARY KEY (status, kind, state)
) STRICT, WITHOUT ROWID;
