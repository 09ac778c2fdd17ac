-- Forgetting a person: their pictures leave the collection and what was made of it, and they are
-- never taken in again. What is kept of them is the hash of their names, to know them by.
--
--   local gone = assert(forget.person(c, "bluesky:alice.bsky.social"))   -- c opened with create
--   print(gone.people, gone.pictures)
--
-- A picture somebody else shows, too, stays theirs.
local store = require "daub.collect.store"
local system = require "daub.core.system"

local M = {}

local function hash(network, name)
  return system.sha256(network .. ":" .. name:lower():gsub("^@", ""))
end

---What a person is known by among the forgotten.
---@param person daub.collect.Person
---@return string[]
function M.hashes(network, person)
  local list = { hash(network, person.key), hash(network, person.handle) }
  for _, name in ipairs(person.also or {}) do
    list[#list + 1] = hash(name:match("^(%w+):(.+)$"))
  end
  return list
end

---Whether a person is never to be taken in again.
---@param collection daub.Collection
---@param person daub.collect.Person
---@return boolean
function M.known(collection, network, person)
  for _, h in ipairs(M.hashes(network, person)) do
    if collection.store:row("select 1 as yes from forgotten where hash = ?", { h }) then
      return true
    end
  end
  return false
end

-- "bluesky:alice.test", "@alice.test" or "alice.test": network or nil, name.
local function split(self, who)
  local network, name = who:match("^(%l+):(.+)$")
  if network and (self.networks[network]
    or pcall(require, "daub.collect.sources." .. network)) then
    return network, (name:gsub("^@", ""))
  end
  return nil, (who:gsub("^@", ""))
end

-- Everybody of that name, with the other names they are known by.
local function find(self, network, name)
  local found = {}
  for row in self.store:rows([[select id, coalesce(same_as, id) as root, network, handle from people
    where (handle = ?1 collate nocase or key = ?1 collate nocase) and (?2 is null or network = ?2)
    order by id]], { name, network }) do
    found[#found + 1] = row
  end
  return found
end

local function identities_of(self, roots)
  local people, hashes = {}, {}
  for root in pairs(roots) do
    for row in self.store:rows([[select id, network, key, handle from people
      where coalesce(same_as, id) = ?]], { root }) do
      people[#people + 1] = row.id
      for _, h in ipairs(M.hashes(row.network, row)) do hashes[h] = true end
      for i in self.store:rows("select identity from identities where person_id = ?", { row.id }) do
        hashes[hash(i.identity:match("^(%w+):(.+)$"))] = true
      end
    end
  end
  return people, hashes
end

-- Covers nobody else was ever seen to show.
local function covers_of(self, people)
  local covers = {}
  for _, id in ipairs(people) do
    for row in self.store:rows([[select cover_id as id from person_covers where person_id = ?1
      union select cover_id from people where id = ?1 and cover_id is not null]], { id }) do
      covers[row.id] = true
    end
  end
  return covers
end

local function delete_people(self, people)
  for _, id in ipairs(people) do
    self.store:run([[delete from answers where source_id in
      (select source_id from source_people where person_id = ?)]], { id })
    self.store:run([[delete from candidates where key = (select key from people where id = ?)]],
      { id })
    for _, sql in ipairs { "delete from source_people where person_id = ?",
      "delete from person_covers where person_id = ?", "delete from identities where person_id = ?",
      "update people set same_as = null, cover_id = null where id = ?" } do
      self.store:run(sql, { id })
    end
  end
  for _, id in ipairs(people) do self.store:run("delete from people where id = ?", { id }) end
end

-- Its file goes first: a kill in between leaves the person to be forgotten again. Those that look
-- like it, and had no file of their own, are fetched again.
local function delete_picture(self, id)
  local picture = self.store:row("select sha256, format, same_as from pictures where id = ?",
    { id })
  if not picture or self.store:row("select 1 as yes from covers where picture_id = ?", { id }) then
    return 0
  end
  for row in self.store:rows("select id from pictures where same_as = ?", { id }) do
    self.store:run([[update covers set state = 'waiting', picture_id = null, etag = null,
      last_modified = null, checked = null where picture_id = ?]], { row.id })
    self.store:run("delete from pictures where id = ?", { row.id })
  end
  system.remove(self.collection:file(picture.sha256, picture.format))
  self.store:run("delete from pictures where id = ?", { id })
  return picture.same_as and 0 or 1
end

local function delete_covers(self, covers)
  local pictures, count = {}, 0
  for id in pairs(covers) do
    if not self.store:row([[select 1 as yes from person_covers where cover_id = ?1
      union select 1 from people where cover_id = ?1]], { id }) then
      local row = self.store:row("select picture_id from covers where id = ?", { id })
      if row and row.picture_id then pictures[row.picture_id] = true end
      self.store:run("delete from covers where id = ?", { id })
    end
  end
  for id in pairs(pictures) do count = count + delete_picture(self, id) end
  return count
end

-- What was made of the pictures and is made again when it is needed.
local function delete_derived(path)
  for _, name in ipairs(system.list_directory(path .. "/cache") or {}) do
    system.remove(path .. "/cache/" .. name)
  end
  system.remove(path .. "/sheet.png")
  system.remove(path .. "/sheet.json")
end

---@class daub.collect.Forgotten
---@field people integer    removed, each name they were known by counted
---@field pictures integer  files removed
---@field names string[]    "bluesky:alice.test"

---Removes a person. Somebody who is not there can be kept out beforehand as NETWORK:HANDLE.
---@param collection daub.Collection  opened with create = true
---@param who string  HANDLE or NETWORK:HANDLE
---@return daub.collect.Forgotten|nil, string? message, string? code
function M.person(collection, who)
  local self = { collection = collection, store = collection.store, networks = {} }
  return store.protect(function()
    for _, name in ipairs(collection:networks()) do self.networks[name] = true end
    local network, name = split(self, who)
    local found = find(self, network, name)
    local roots, names, several = {}, {}, nil
    for _, row in ipairs(found) do
      several = several or next(roots) and not roots[row.root]
      roots[row.root] = true
      names[#names + 1] = row.network .. ":" .. row.handle
    end
    if several then
      store.fail(("%s: several people have this name (say which: %s)"):format(who,
        table.concat(names, ", ")), "which")
    elseif #found == 0 and not network then
      store.fail(("%s: nobody of this name in %s (NETWORK:HANDLE keeps somebody out beforehand)")
        :format(who, collection.path), "missing")
    end
    local people, hashes = identities_of(self, roots)
    if network then hashes[hash(network, name)] = true end
    self.store:exec("pragma secure_delete = on")
    local pictures = self.store:transaction(function()
      for h in pairs(hashes) do
        self.store:run("insert or ignore into forgotten (hash, at) values (?, ?)",
          { h, system.time() })
      end
      local covers = covers_of(self, people)
      delete_people(self, people)
      return delete_covers(self, covers)
    end)
    if #people > 0 then delete_derived(collection.path) end
    self.store:exec("vacuum")
    return { people = #people, pictures = pictures, names = names }
  end)
end

return M
