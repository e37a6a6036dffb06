-- A deleted status takes its pins and bookmarks along.
CREATE INDEX pin_status ON pin (status);
CREATE INDEX bookmark_status ON bookmark (status);
