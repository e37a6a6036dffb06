-- Stamps we gave: by which a post elsewhere may quote one of ours (FEP-044f). A revoked one stays, to say so.

CREATE TABLE quote_stamp (
    id TEXT NOT NULL PRIMARY KEY,           -- the last part of its URI, random
    status INTEGER NOT NULL,                -- what may be quoted
    object TEXT NOT NULL,                   -- URI of the post that quotes it
    actor INTEGER NOT NULL,                 -- who quotes
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX quote_stamp_pair ON quote_stamp (status, object);
CREATE INDEX quote_stamp_object ON quote_stamp (object);

CREATE INDEX status_quote_stamp ON status (quote_authorization) WHERE quote_authorization IS NOT NULL;
