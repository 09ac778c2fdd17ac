-- The tables of collection.db. Anyone may read them with sqlite3; `person_pictures` and `kept` are
-- the two views worth knowing. A person shows a cover (an address), and a cover turns out to be a
-- picture (bytes), so that two people with the same picture, or one address named twice, cost one
-- of each.
--
-- versions[n] brings a database from version n - 1 to n; user_version holds the number.
local M = {}

-- "daub", so that file(1) and we can tell a collection from another program's database
M.application_id = 0x64617562

M.versions = {
  [[
  create table sources (
    id integer primary key,
    spec text not null,                 -- "bluesky:alice.bsky.social"
    api text not null default '',       -- another server asked instead of the usual one
    unique (spec, api)
  ) strict;

  create table cursors (
    source_id integer not null references sources,
    listing text not null,              -- "followers", "following", "files", "lines"
    position text,                      -- where the next page begins; null: at the start
    finished integer not null default 0,
    pages integer not null default 0,
    primary key (source_id, listing)
  ) strict, without rowid;

  create table pictures (
    id integer primary key,
    sha256 text not null unique,        -- of the original bytes; names the file
    format text not null,               -- "jpeg", "png", …; gives the file its ending
    width integer not null,
    height integer not null,
    bytes integer not null,
    phash text not null,                -- 64-bit perceptual hash, 16 hex digits
    same_as integer references pictures,-- the earlier picture it looks like; it then has no file
    settled integer not null default 0, -- its rank once it was compared with all of lower rank
    removed integer not null default 0, -- 1 once its file was found deleted by hand
    added real not null                 -- seconds since 1970
  ) strict;
  create index pictures_by_look on pictures (same_as);
  create index pictures_unsettled on pictures (settled) where settled = 0;

  create table covers (
    id integer primary key,             -- in the order the sources named them
    key text not null unique,           -- equal keys are equal bytes: a CID, an address, a file's
    url text not null,
    public integer not null default 1,  -- 1: a stranger named it, so only public hosts are asked
    state text not null default 'waiting' check (state in ('waiting', 'done', 'skipped', 'failed')),
    reason text,                        -- of skipped and failed: see collection.lua
    detail text,
    picture_id integer references pictures,
    etag text,
    last_modified text,
    checked real                        -- when it was last asked for
  ) strict;
  create index covers_by_state on covers (state, id);
  create index covers_by_picture on covers (picture_id);

  create table people (
    id integer primary key,
    network text not null,
    key text not null,                  -- what stays when a handle changes: DID, name@host, path
    handle text not null,
    name text,
    url text,                           -- a page about them
    cover_id integer references covers, -- what they show now; null: nothing
    seen real not null,
    unique (network, key)
  ) strict;
  create index people_by_cover on people (cover_id);

  create table source_people (
    source_id integer not null references sources,
    listing text not null,
    person_id integer not null references people,
    primary key (source_id, person_id, listing)
  ) strict, without rowid;

  create table person_covers (          -- everything a person was ever seen to show
    person_id integer not null references people,
    cover_id integer not null references covers,
    primary key (person_id, cover_id)
  ) strict, without rowid;
  create index person_covers_by_cover on person_covers (cover_id);

  create view person_pictures as
    select l.person_id, coalesce(p.same_as, p.id) as picture_id
    from person_covers l
    join covers c on c.id = l.cover_id and c.state = 'done'
    join pictures p on p.id = c.picture_id;

  create view kept as
    select p.* from pictures p
    where p.same_as is null and p.removed = 0 and (
      exists (select 1 from covers c where c.picture_id = p.id and c.state = 'done')
      or exists (select 1 from pictures q join covers c on c.picture_id = q.id and c.state = 'done'
                 where q.same_as = p.id));
  ]],
  [[
  alter table covers add column fallbacks text; -- other addresses of it, one a line
  alter table covers add column sha256 text;    -- what the bytes at url must hash to
  alter table people add column same_as integer references people; -- who this is by an earlier name
  alter table people add column noindex integer not null default 0;-- 1: asks not to be found
  create index people_by_same on people (same_as) where same_as is not null;

  create table identities (             -- names of a person: "bluesky:did:plc:…", "acct:a@b.c"
    identity text primary key,
    person_id integer not null references people
  ) strict, without rowid;
  create index identities_by_person on identities (person_id);
  insert or ignore into identities select network || ':' || key, id from people;

  create table forgotten (              -- who is never taken in again
    hash text primary key,              -- SHA-256 of an identity: the name itself is not kept
    at real not null
  ) strict, without rowid;

  create table candidates (             -- of mutuals: who is in the first list
    source_id integer not null references sources,
    key text not null,
    primary key (source_id, key)
  ) strict, without rowid;

  create table answers (                -- what pages can be asked for again with
    source_id integer not null references sources,
    request text not null,              -- SHA-256 of the address
    etag text,
    last_modified text,
    next text,                          -- the page's: where the next begins
    total integer,
    count integer,                      -- people on the page
    people text,                        -- JSON {key, handle} of those that are completed apart
    body text,                          -- of the few answers that are needed whole
    at real not null,                   -- when it was given last
    primary key (source_id, request)
  ) strict, without rowid;
  ]],
}

return M
