-- The page of a remote post, where its address is another than the post's: somebody may paste it into a search.
CREATE INDEX status_page ON status (url) WHERE url <> uri AND local = 0;
