-- Two kinds of relays (FEP-ae0c): 'followed' is as:Public at an inbox, or the relay's own actor; 'url' is how the settings
-- name it. A relay of which it is not known yet which kind it is has the state 'new'.
ALTER TABLE relay ADD COLUMN url TEXT NOT NULL DEFAULT '';
ALTER TABLE relay ADD COLUMN followed TEXT NOT NULL DEFAULT 'https://www.w3.org/ns/activitystreams#Public';
UPDATE relay SET url = inbox;
