-- The rows of an instance. Times are integer milliseconds since 1970, but in ledger tables (object, intake,
-- decision, restriction) Unix seconds. Booleans are 0 or 1. JSON is TEXT. SERIAL_KEY: see migrate.py.

-- Actors -----------------------------------------------------------------------------------------------------

CREATE TABLE account (
    id INTEGER NOT NULL PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE,
    local INTEGER NOT NULL,
    kind TEXT NOT NULL,                     -- Person, Service, Group, Organization, Application
    username TEXT NOT NULL,
    username_folded TEXT NOT NULL,
    domain TEXT NOT NULL,                   -- of the handle; '' for local accounts
    host TEXT NOT NULL,                     -- folded host of uri; our own for local accounts
    display_name TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',          -- clean HTML
    note_source TEXT NOT NULL DEFAULT '',   -- local: the plain text it was made from
    url TEXT NOT NULL DEFAULT '',           -- profile page
    inbox TEXT NOT NULL,
    shared_inbox TEXT,
    outbox TEXT,
    followers_uri TEXT,
    following_uri TEXT,
    featured_uri TEXT,
    avatar TEXT,                            -- where the picture is: our media path, or the remote URL
    avatar_description TEXT NOT NULL DEFAULT '',
    header TEXT,
    header_description TEXT NOT NULL DEFAULT '',
    fields TEXT NOT NULL DEFAULT '[]',      -- [{"name","value" (clean HTML),"source","verified_at"}]
    emojis TEXT NOT NULL DEFAULT '[]',      -- [{"shortcode","url","static_url"}]
    also_known_as TEXT NOT NULL DEFAULT '[]',
    moved_to TEXT,
    attribution_domains TEXT NOT NULL DEFAULT '[]',
    locked INTEGER NOT NULL DEFAULT 0,
    bot INTEGER NOT NULL DEFAULT 0,
    discoverable INTEGER NOT NULL DEFAULT 0,
    indexable INTEGER NOT NULL DEFAULT 0,
    hide_collections INTEGER NOT NULL DEFAULT 0,
    memorial INTEGER NOT NULL DEFAULT 0,
    suspended_by_origin INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    fetched_at INTEGER,                     -- remote: when the document was last read
    moved_at INTEGER,
    gone_at INTEGER,                        -- deleted by its owner
    version INTEGER NOT NULL DEFAULT 1      -- rises with each visible change; keys the cache of rendered bytes
) STRICT;
CREATE UNIQUE INDEX account_handle ON account (username_folded, domain);
CREATE INDEX account_host ON account (host);

CREATE TABLE account_stats (                -- narrow, because it changes with every post
    account INTEGER NOT NULL PRIMARY KEY,
    statuses INTEGER NOT NULL DEFAULT 0,
    followers INTEGER NOT NULL DEFAULT 0,
    following INTEGER NOT NULL DEFAULT 0,
    last_status_at INTEGER
) STRICT;

CREATE TABLE actor_key (
    id TEXT NOT NULL PRIMARY KEY,           -- key id, a URI
    account INTEGER NOT NULL,
    kind TEXT NOT NULL,                     -- rsa, ed25519
    public_key TEXT NOT NULL,               -- PEM (rsa) or multibase (ed25519)
    private_key TEXT,                       -- PEM (PKCS#8); local only
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX actor_key_account ON actor_key (account);

CREATE TABLE local_user (                   -- a person who can sign in
    account INTEGER NOT NULL PRIMARY KEY,
    email TEXT UNIQUE,
    password_hash TEXT,
    role TEXT NOT NULL,                     -- owner, admin, moderator, user
    locale TEXT NOT NULL DEFAULT 'en',
    settings TEXT NOT NULL DEFAULT '{}',    -- posting defaults and reading preferences
    confirmed_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

-- Relations --------------------------------------------------------------------------------------------------

CREATE TABLE follow (
    id SERIAL_KEY,
    follower INTEGER NOT NULL,
    target INTEGER NOT NULL,
    state TEXT NOT NULL,                    -- requested, accepted, severed
    uri TEXT,                               -- of the Follow activity; some old software sends none
    reblogs INTEGER NOT NULL DEFAULT 1,
    notify INTEGER NOT NULL DEFAULT 0,
    languages TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX follow_once ON follow (follower, target);
CREATE INDEX follow_target ON follow (target, state, id);
CREATE INDEX follow_uri ON follow (uri);

CREATE TABLE block (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    target INTEGER NOT NULL,
    uri TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX block_pair ON block (account, target);
CREATE INDEX block_target ON block (target);

CREATE TABLE mute (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    target INTEGER NOT NULL,
    notifications INTEGER NOT NULL DEFAULT 1,
    expires_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX mute_pair ON mute (account, target);

CREATE TABLE account_note (
    account INTEGER NOT NULL,
    target INTEGER NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (account, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE list (
    id INTEGER NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    title TEXT NOT NULL,
    replies_policy TEXT NOT NULL DEFAULT 'list',
    exclusive INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX list_account ON list (account);

CREATE TABLE list_member (
    list INTEGER NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY (list, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_member_account ON list_member (account);

-- The ledger's ground floor: every accepted object has its places, whatever happens to it later --------------

CREATE TABLE object (
    n INTEGER NOT NULL PRIMARY KEY,         -- the status id; rises with positions for delivered posts
    id TEXT NOT NULL UNIQUE,                -- URI of the post, or of the Announce for a boost
    account INTEGER NOT NULL,
    author TEXT NOT NULL,                   -- actor URI
    host TEXT NOT NULL,                     -- 'host:example.org'
    boost_of TEXT,                          -- URI of the boosted post
    class TEXT NOT NULL,                    -- public, unlisted, private, direct
    archived INTEGER NOT NULL DEFAULT 0,    -- fetched by us or imported: in no stream of news
    body_hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    ready_at INTEGER,                       -- set when processing made it readable
    gone TEXT,                              -- author, removed, erased, void
    gone_leaf INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX object_boost ON object (account, boost_of) WHERE boost_of IS NOT NULL AND gone IS NULL;
-- The home timeline scans this newest first and probes follows; 200 000 rows: 0.1 ms a page at 300 follows.
CREATE INDEX object_home ON object (n, account, class, archived);
CREATE INDEX object_account ON object (account, n);
CREATE INDEX object_pending ON object (n) WHERE ready_at IS NULL AND gone IS NULL;

CREATE TABLE surface_head (
    surface INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,              -- public, local, tag:x, author:<uri>, author-f:<uri>, replies:<uri>, archive:<uri>
    kind TEXT NOT NULL,                     -- the part of name before ':'
    next INTEGER NOT NULL,                  -- next free position
    last_id INTEGER NOT NULL                -- highest status id in it
) STRICT, WITHOUT ROWID;

CREATE TABLE slot (
    surface INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    object INTEGER NOT NULL,                -- object.n
    PRIMARY KEY (surface, pos)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX slot_object ON slot (surface, object);

CREATE TABLE intake (
    activity TEXT NOT NULL PRIMARY KEY,     -- activity id
    object TEXT,
    body_hash BLOB NOT NULL,
    salt BLOB,
    leaf INTEGER,                           -- leaf and place stay empty until there is a log
    place INTEGER,
    outcome TEXT,                           -- name of the closed Outcome once processed
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE body (
    hash BLOB NOT NULL PRIMARY KEY,         -- SHA-256 of data
    data BLOB NOT NULL,                     -- exactly as received
    at INTEGER NOT NULL                     -- Unix seconds; forgotten a month later
) STRICT;
CREATE INDEX body_at ON body (at);

CREATE TABLE decision (
    id TEXT NOT NULL PRIMARY KEY,
    leaf INTEGER UNIQUE,
    scope TEXT NOT NULL,                    -- object, account, domain
    subject TEXT NOT NULL,                  -- object URI, actor URI, or 'host:example.org'
    effect TEXT NOT NULL,                   -- suspend, refuse
    surfaces TEXT NOT NULL,                 -- JSON array
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_role TEXT NOT NULL,
    start_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    end_leaf INTEGER,
    ended_at INTEGER,                       -- lifted by a person
    sealed TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE restriction (
    subject TEXT NOT NULL,
    surface TEXT NOT NULL,                  -- exact name, a kind, or '*'
    decision TEXT NOT NULL,
    PRIMARY KEY (subject, surface, decision)
) STRICT, WITHOUT ROWID;

-- Statuses ---------------------------------------------------------------------------------------------------

CREATE TABLE status (
    id INTEGER NOT NULL PRIMARY KEY,        -- = object.n
    uri TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    local INTEGER NOT NULL,
    kind TEXT NOT NULL,                     -- ActivityPub type of the object; Announce for a boost
    visibility TEXT NOT NULL,               -- public, unlisted, private, direct
    title TEXT,                             -- name of Article, Page, Video, Event …
    content TEXT NOT NULL DEFAULT '',       -- clean HTML
    source TEXT,                            -- local: the text as written
    spoiler TEXT NOT NULL DEFAULT '',
    sensitive INTEGER NOT NULL DEFAULT 0,
    language TEXT,
    url TEXT,
    in_reply_to INTEGER,
    in_reply_to_uri TEXT,
    in_reply_to_account INTEGER,
    thread INTEGER NOT NULL,                -- id of the oldest known ancestor's status (itself for a root)
    conversation_uri TEXT,                  -- conversation or context as named by its origin
    reblog_of INTEGER,
    quote_uri TEXT,
    quote_of INTEGER,
    quote_state TEXT,                       -- pending, accepted, rejected, revoked
    quote_authorization TEXT,
    quote_policy TEXT NOT NULL DEFAULT 'public',   -- who may quote: public, followers, nobody
    mentions TEXT NOT NULL DEFAULT '[]',    -- [{"id","username","acct","url","uri"}]
    tags TEXT NOT NULL DEFAULT '[]',        -- ["name"], as written
    emojis TEXT NOT NULL DEFAULT '[]',
    has_media INTEGER NOT NULL DEFAULT 0,
    poll INTEGER,                           -- poll.id
    application INTEGER,                    -- app.id
    created_at INTEGER NOT NULL,            -- published, by its author's clock, never later than received
    edited_at INTEGER,
    fetched_at INTEGER,
    replies_uri TEXT,
    deleted_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1      -- rises with each visible change; keys the cache of rendered bytes
) STRICT;
CREATE INDEX status_reply ON status (in_reply_to, id) WHERE in_reply_to IS NOT NULL;
CREATE INDEX status_reply_uri ON status (in_reply_to_uri) WHERE in_reply_to_uri IS NOT NULL AND in_reply_to IS NULL;
CREATE INDEX status_thread ON status (thread, id);
CREATE UNIQUE INDEX status_reblog ON status (reblog_of, account) WHERE reblog_of IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX status_quote ON status (quote_of, id) WHERE quote_of IS NOT NULL;
CREATE INDEX status_account ON status (account, id);

CREATE TABLE status_stats (
    status INTEGER NOT NULL PRIMARY KEY,
    replies INTEGER NOT NULL DEFAULT 0,
    reblogs INTEGER NOT NULL DEFAULT 0,
    favourites INTEGER NOT NULL DEFAULT 0,
    quotes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE status_edit (
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,                    -- when this version was written
    content TEXT NOT NULL,
    spoiler TEXT NOT NULL,
    sensitive INTEGER NOT NULL,
    media TEXT NOT NULL DEFAULT '[]',       -- ids and descriptions as they were
    poll TEXT,                              -- options as they were
    PRIMARY KEY (status, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE mention (                      -- who is addressed; decides who may read a direct post
    status INTEGER NOT NULL,
    account INTEGER NOT NULL,
    silent INTEGER NOT NULL DEFAULT 0,      -- addressed without being named in the text
    PRIMARY KEY (status, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX mention_account ON mention (account, status);

CREATE TABLE tombstone (                    -- what is deleted stays deleted, also when its Create comes late
    uri TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE favourite (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    uri TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX favourite_pair ON favourite (account, status);
CREATE INDEX favourite_status ON favourite (status, id);
CREATE INDEX favourite_uri ON favourite (uri);

CREATE TABLE reaction (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    emoji TEXT NOT NULL,                    -- one grapheme, or :shortcode:
    emoji_url TEXT,
    uri TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX reaction_once ON reaction (status, account, emoji);
CREATE INDEX reaction_uri ON reaction (uri);

CREATE TABLE bookmark (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX bookmark_pair ON bookmark (account, status);
CREATE INDEX bookmark_status ON bookmark (status);

CREATE TABLE pin (
    id SERIAL_KEY,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX pin_pair ON pin (account, status);
CREATE INDEX pin_status ON pin (status);

CREATE TABLE thread_mute (
    account INTEGER NOT NULL,
    thread INTEGER NOT NULL,
    PRIMARY KEY (account, thread)
) STRICT, WITHOUT ROWID;

CREATE TABLE poll (
    id INTEGER NOT NULL PRIMARY KEY,        -- the id its status has
    multiple INTEGER NOT NULL,
    expires_at INTEGER,
    closed_at INTEGER,
    voters INTEGER,
    options TEXT NOT NULL                   -- [{"title","votes"}]
) STRICT;
CREATE INDEX poll_open ON poll (expires_at) WHERE closed_at IS NULL;

CREATE TABLE poll_vote (
    poll INTEGER NOT NULL,
    account INTEGER NOT NULL,
    choice INTEGER NOT NULL,
    uri TEXT,
    PRIMARY KEY (poll, account, choice)
) STRICT, WITHOUT ROWID;

CREATE TABLE media (
    id INTEGER NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    status INTEGER,                         -- NULL while not attached
    position INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL,                     -- image, gifv, video, audio, unknown
    content_type TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,                    -- processing, ready, failed; remote: remote
    path TEXT,                              -- local file, relative to the media folder
    preview_path TEXT,
    remote_url TEXT,
    preview_remote_url TEXT,
    description TEXT NOT NULL DEFAULT '',
    blurhash TEXT,
    focus_x REAL,
    focus_y REAL,
    meta TEXT NOT NULL DEFAULT '{}',        -- {"original":{width,height,…},"small":{…}}
    size_bytes INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX media_status ON media (status) WHERE status IS NOT NULL;
CREATE INDEX media_loose ON media (account, created_at) WHERE status IS NULL;

CREATE TABLE emoji (
    id SERIAL_KEY,
    shortcode TEXT NOT NULL,
    domain TEXT NOT NULL DEFAULT '',        -- '' for ours
    uri TEXT,
    url TEXT NOT NULL,
    static_url TEXT NOT NULL,
    category TEXT,
    visible INTEGER NOT NULL DEFAULT 1,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX emoji_code ON emoji (domain, shortcode);

-- What a person sees of others' acts -------------------------------------------------------------------------

CREATE TABLE notification (
    id SERIAL_KEY,                          -- small integers: some clients read them as JSON numbers
    account INTEGER NOT NULL,               -- to whom
    kind TEXT NOT NULL,                     -- mention, status, reblog, follow, follow_request, favourite, poll, update, quote …
    actor INTEGER NOT NULL,                 -- by whom
    status INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX notification_account ON notification (account, id);
CREATE UNIQUE INDEX notification_once ON notification (account, kind, actor, status);
CREATE INDEX notification_status ON notification (status) WHERE status IS NOT NULL;

CREATE TABLE marker (
    account INTEGER NOT NULL,
    timeline TEXT NOT NULL,
    last_read_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, timeline)
) STRICT, WITHOUT ROWID;

CREATE TABLE report (
    id SERIAL_KEY,
    uri TEXT,
    account INTEGER NOT NULL,               -- who reports
    target INTEGER NOT NULL,
    statuses TEXT NOT NULL DEFAULT '[]',
    comment TEXT NOT NULL DEFAULT '',
    category TEXT NOT NULL DEFAULT 'other',
    forwarded INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX report_uri ON report (uri);

-- Sign-in ----------------------------------------------------------------------------------------------------

CREATE TABLE app (
    id INTEGER NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    secret_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    website TEXT,
    redirect_uris TEXT NOT NULL,            -- JSON array, byte for byte as registered
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE oauth_code (
    code_hash TEXT NOT NULL PRIMARY KEY,
    app INTEGER NOT NULL,
    account INTEGER NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes TEXT NOT NULL,
    challenge TEXT,
    expires_at INTEGER NOT NULL,
    used_at INTEGER                         -- a second use revokes what the first one got
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id SERIAL_KEY,
    token_hash TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL,
    account INTEGER,                        -- NULL: the app itself
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    code_hash TEXT                          -- of the authorization code it was exchanged for
) STRICT;
CREATE INDEX token_account ON token (account);
CREATE INDEX token_code ON token (code_hash) WHERE code_hash IS NOT NULL;

CREATE TABLE web_session (
    id_hash TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    account INTEGER NOT NULL,
    key TEXT NOT NULL,
    status INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

-- Work to do and what became of it ---------------------------------------------------------------------------

CREATE TABLE job (
    id SERIAL_KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,                  -- JSON
    lane TEXT NOT NULL DEFAULT '',          -- for deliveries: the host
    ordering TEXT,                          -- jobs of one ordering key run oldest first
    dedup TEXT,
    state TEXT NOT NULL DEFAULT 'waiting',  -- waiting, leased, dead
    priority INTEGER NOT NULL DEFAULT 0,    -- 0 high, 1 normal, 2 low
    run_at INTEGER NOT NULL,
    lease_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX job_ready ON job (kind, run_at, id) WHERE state = 'waiting';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'leased';
CREATE UNIQUE INDEX job_dedup ON job (kind, dedup) WHERE dedup IS NOT NULL AND state <> 'dead';

CREATE TABLE outgoing (                     -- the body of an activity, once, however many inboxes it goes to
    activity TEXT NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    status INTEGER,
    kind TEXT NOT NULL,                     -- activity type
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_status ON outgoing (status) WHERE status IS NOT NULL;

CREATE TABLE delivery (
    id SERIAL_KEY,
    activity TEXT NOT NULL,
    inbox TEXT NOT NULL,
    host TEXT NOT NULL,
    recipients INTEGER NOT NULL DEFAULT 1,  -- how many people it reaches there
    state TEXT NOT NULL DEFAULT 'queued',   -- queued, sent, retrying, refused, gone, expired
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER,
    last_code INTEGER,
    last_error TEXT,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_once ON delivery (activity, inbox);
CREATE INDEX delivery_host ON delivery (host, state);

CREATE TABLE host (                         -- what we know of another server's network side
    name TEXT NOT NULL PRIMARY KEY,
    scheme TEXT,                            -- cavage or rfc9421: what it accepted last
    scheme_at INTEGER,
    probed_at INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,    -- within the current window
    window_at INTEGER,
    open_until INTEGER,                     -- breaker: nothing is sent before
    failed_days TEXT NOT NULL DEFAULT '[]', -- distinct days with failures since the last success
    dead_since INTEGER,
    seen_at INTEGER                         -- last verified request from it
) STRICT, WITHOUT ROWID;

CREATE TABLE relay (
    id SERIAL_KEY,
    inbox TEXT NOT NULL UNIQUE,
    actor TEXT,
    follow_uri TEXT NOT NULL,
    state TEXT NOT NULL,                    -- pending, accepted, rejected
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE thread_fetch (                 -- how complete our copy of a conversation is
    thread INTEGER NOT NULL PRIMARY KEY,
    known INTEGER NOT NULL DEFAULT 0,
    estimate INTEGER,
    complete INTEGER NOT NULL DEFAULT 0,
    missing TEXT NOT NULL DEFAULT '{}',     -- {"not-fetched":3,"refused":2,…}
    fetched_at INTEGER,
    next_at INTEGER
) STRICT;

-- The one reading of positions: one row per slot and decision touching it; more rows than positions, never fewer.
CREATE VIEW v_timeline AS
SELECT h.name AS surface_name, s.surface, s.pos, s.object, o.id AS uri, o.account, o.author, o.host, o.class,
       o.ready_at, o.gone, o.at, r.surface AS scope, d.id AS decision, d.effect, d.start_at, d.until, d.ended_at, d.sealed
  FROM slot s
  JOIN surface_head h ON h.surface = s.surface
  LEFT JOIN object o ON o.n = s.object
  LEFT JOIN restriction r ON r.subject IN (o.id, o.boost_of, o.author, o.host)
       AND (r.surface || '') IN (h.name, h.kind, 'home', '*')  -- an expression, so that only subject is probed
  LEFT JOIN decision d ON d.id = r.decision;
