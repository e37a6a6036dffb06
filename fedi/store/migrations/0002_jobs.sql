-- Claims read one priority at a time, oldest first, and skip lanes that are busy without touching the table.
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (kind, priority, run_at, id, lane) WHERE state = 'waiting';
-- A breaker that opens moves a whole lane; a delivery that must be retried moves those that follow it.
CREATE INDEX job_lane ON job (lane, run_at) WHERE state = 'waiting' AND lane <> '';
CREATE INDEX job_ordering ON job (ordering, id) WHERE ordering IS NOT NULL;
CREATE INDEX job_dead ON job (id) WHERE state = 'dead';
