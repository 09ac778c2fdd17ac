-- Hanging a picture as one's own cover: cut to the network's size, under its byte limit, the old
-- cover saved first, then set, read back and verified. Each network is one small file beside this
-- one.
--
--   local p = assert(publish.publisher("bluesky:alice.bsky.social", { http = session }))
--   local ready = assert(publish.prepare(pixels, p))      -- { bytes =, width =, height = }
--   local saved = assert(publish.save(p, p:current(), session)) -- can be put back from now on
--   assert(publish.set(p, ready.bytes, saved))
--   assert(publish.undo(p))
--
-- The module of a network has either by_hand = {url = "https://…", steps = {"line", …}}, where the
-- network takes no cover from programs, or new(o) -> publisher | nil, message, code, o = {who =
-- string|nil, api = URL|nil, http = a session}. A publisher has
--   network, who, spec    "bluesky", "alice.bsky.social", "bluesky:alice.bsky.social"
--   current(self) -> state | nil, message, code      state: what JSON can hold, with url: the cover
--                                                    shown now, nil when there is none
--   fetch(self, state) -> bytes | nil, …             perhaps: the old cover; else state.url is read
--   set(self, bytes, state) -> receipt | nil, …
--   verify(self, receipt, state) -> true | nil, message, code   code "pending": asked again
--   restore(self, state, bytes|nil) -> receipt | nil, …   puts it back; bytes nil: there was none
local accounts = require "daub.accounts"
local image = require "daub.image"
local json = require "daub.json"
local sizes = require "daub.sizes"
local system = require "daub.core.system"

local M = {}

local VERIFY_FOR = 60     -- seconds a network may take to show the new cover
local LARGEST = 64 * 2^20 -- bytes of an old cover

---Networks that can be published to, or that one is told how to do by hand.
M.networks = { "bluesky", "mastodon", "misskey", "x", "youtube", "facebook", "linkedin", "twitch",
  "tumblr" }

---@param name string
---@return table|nil module, string? message, string? code
function M.network(name)
  for _, known in ipairs(M.networks) do
    if known == name then return require("daub.publish." .. name) end
  end
  return nil, ("%s: nothing can be published there (networks: %s)"):format(name,
    table.concat(M.networks, ", ")), "usage"
end

---Which networks, for --help.
---@return string
function M.notes()
  local set, by_hand = {}, {}
  for _, name in ipairs(M.networks) do
    table.insert(M.network(name).by_hand and by_hand or set, name)
  end
  return ("Networks, after daub login NETWORK: %s.\nBy hand, with the right file and the way: %s.")
    :format(table.concat(set, ", "), table.concat(by_hand, ", "))
end

-- ---- the picture -------------------------------------------------------------------------------

---Cut to the network's size, as the best JPEG within its limit.
---@param pixels daub.Tensor u8 or f32 {height, width, 3}
---@param network string
---@return {bytes: string, width: integer, height: integer}|nil, string? message
function M.prepare(pixels, network)
  local size = sizes.networks[network]
  local cut = image.cover(pixels, size.width, size.height)
  local bytes, message = image.encode_within(cut, "jpeg", size.max_bytes)
  if not bytes then return nil, message end
  return { bytes = bytes, width = size.width, height = size.height }
end

-- ---- what was there before ---------------------------------------------------------------------

local function folder_of(publisher)
  return ("%s/covers-before/%s-%s"):format(accounts.folder(), publisher.network,
    publisher.who:gsub("[^%w._@-]", "_"))
end

-- The old cover, and nothing else: a server may answer with a page that says it is busy.
local function old_bytes(publisher, state, http)
  if not state.url then return nil end
  local bytes, message, code
  if publisher.fetch then
    bytes, message, code = publisher:fetch(state)
  else
    local response
    response, message, code = http:get(state.url, { max_bytes = LARGEST })
    bytes = response and response.body
  end
  if not bytes then return nil, message, code end
  local pixels
  pixels, message, code = image.decode(bytes)
  if not pixels then return nil, message, code end
  return bytes
end

---Keeps what the account shows now, so that undo can put it back.
---@return string|nil path of the record, string? message, string? code
function M.save(publisher, state, http)
  local bytes, message, code = old_bytes(publisher, state, http)
  if not bytes and message then
    return nil, ("the old cover could not be saved: %s"):format(message), code
  end
  local folder = folder_of(publisher)
  local stem = ("%s/%s"):format(folder, os.date("!%Y%m%dT%H%M%SZ"))
  while system.stat(stem .. ".json") do stem = stem .. "~" end -- sorts behind the same second
  local ok
  ok, message, code = system.make_directory(folder)
  if ok and bytes then ok, message, code = system.write_file(stem .. ".picture", bytes) end
  if ok then
    ok, message, code = system.write_file(stem .. ".json", json.pretty({ state = state,
      spec = publisher.spec, picture = bytes and stem .. ".picture" or nil }))
  end
  if not ok then return nil, message, code end
  return stem .. ".json"
end

-- The newest record that was not yet put back.
local function newest(publisher)
  local folder, found = folder_of(publisher), nil
  for _, name in ipairs(system.list_directory(folder) or {}) do
    if name:match("%.json$") then found = folder .. "/" .. name end
  end
  if not found then
    return nil, publisher.spec .. ": nothing was published from here that could be undone",
      "missing"
  end
  local text, message, code = system.read_file(found)
  local record = text and json.decode(text)
  if type(record) ~= "table" or type(record.state) ~= "table" then
    return nil, message or found .. ": damaged", code or "format"
  end
  return record, found
end

-- ---- setting -----------------------------------------------------------------------------------

local function verify(publisher, receipt, state)
  local ends = system.now() + VERIFY_FOR
  local ok, message, code
  repeat
    ok, message, code = publisher:verify(receipt, state)
    if ok or code ~= "pending" then break end
    system.sleep(2)
  until system.now() > ends or system.interrupted()
  if ok then return true end
  return nil, ("%s: taken, but it does not show yet: %s"):format(publisher.spec,
    message or "the old cover is still there"), code
end

---Sets a cover and reads it back.
---@param state table of current()
---@return true|nil, string? message, string? code
function M.set(publisher, bytes, state)
  local receipt, message, code = publisher:set(bytes, state)
  if not receipt then return nil, message, code end
  return verify(publisher, receipt, state)
end

---What undo would put back.
---@return {state: table, picture: string|nil}|nil record, string path_or_message, string? code
function M.last(publisher) return newest(publisher) end

---Puts the cover back that was there before the last publishing.
---@return true|nil, string? message, string? code
function M.undo(publisher)
  local record, path, code = newest(publisher)
  if not record then return nil, path, code end
  local bytes, message, receipt
  if record.picture then
    bytes, message, code = system.read_file(record.picture)
    if not bytes then return nil, message, code end
  end
  receipt, message, code = publisher:restore(record.state, bytes)
  if not receipt then return nil, message, code end
  local ok
  ok, message, code = verify(publisher, receipt, record.state)
  if not ok then return nil, message, code end
  return system.rename(path, path .. ".undone")
end

return M
