-- Where people come from. A source is written NETWORK:WHO or NETWORK:WHO?RELATION; each network is
-- one small file in sources/ that lists people page by page. Adding one means adding a file and a
-- line here.
--
--   local source = sources.parse("bluesky:alice.bsky.social?mutuals")
--   for _, listing in ipairs(source.listings) do
--     local page = source:page(listing, position, get)   -- see sources/base.lua
--   end
--
-- RELATION says which people: followers, following, both, mutuals (who is in both), friends (the
-- network's own, elsewhere the mutuals), or list=NAME, the members of a list.
local M = {}

-- name, what follows the colon, and for what lies on this machine, which has neither a server nor
-- relations: "path"; about: a line for --help
local networks = {
  { "bluesky", "HANDLE", about = "no login; also ?list=NAME" },
  { "mastodon", "USER@HOST", about = "no login on most servers; lists with one" },
  { "misskey", "USER@HOST", about = "Misskey and its forks; no login on most servers" },
  { "youtube", "CHANNEL", about = "@alice, its id or me: channels it subscribes to, with a key;"
    .. " your\nown subscribers with a login" },
  { "facebook", "me", about = "friends whose covers your app may still read; me?following: Pages;\n"
    .. "PAGE,PAGE: these; a login" },
  { "x", "HANDLE", about = "a login or DAUB_X_BEARER; costs money, which is said and asked first" },
  { "folder", "PATH", "path", about = "the pictures in it" },
  { "urls", "FILE", "path", about = "the pictures at these addresses, one a line" },
  { "archive", "PATH", "path", about = "an X or Facebook data export (zip or folder), or Mastodon's"
    .. "\nCSV of followers" },
}

local by_name, words = {}, {}
for i, network in ipairs(networks) do
  by_name[network[1]] = network
  words[i] = network[1] .. ":" .. network[2]
end

M.known = table.concat(words, ", ")

---What each source is, for --help.
---@return string
function M.notes()
  local lines = { "Sources (daub login --help tells what a login or a key takes):" }
  for i, network in ipairs(networks) do
    local about = (network.about or ""):gsub("\n", "\n" .. (" "):rep(22))
    lines[i + 1] = ("  %-20s%s"):format(words[i], about)
  end
  return table.concat(lines, "\n")
end

---What may be said after "?" and with --who, but list=NAME.
M.relations = { "followers", "following", "both", "mutuals", "friends" }

local function usage(format, ...)
  return nil, format:format(...), "usage"
end

local function contains(list, value)
  for _, entry in ipairs(list) do
    if entry == value then return true end
  end
  return false
end

-- The listings to walk through for a relation, and whether only those in all of them count.
local function listings_of(relation, offered)
  if relation == "friends" and not contains(offered, "friends") then relation = "mutuals" end
  local wanted = { relation }
  if relation == "both" then wanted = { "followers", "following" } end
  if relation == "mutuals" then wanted = { "following", "followers" } end
  for _, listing in ipairs(wanted) do
    if not contains(offered, listing) then return nil end
  end
  return wanted, relation == "mutuals"
end

-- "WHO?RELATION" taken apart.
local function split(argument)
  local who, relation = argument:match("^([^?]+)%?(.*)$")
  local list = relation and relation:match("^list=(.+)$")
  return who or argument, list and "list" or relation, list
end

local function check_api(network, api)
  if not api then return nil end
  if network[3] then return usage("--api %s: %s: has no server", api, network[1]) end
  local root = api:gsub("/+$", "")
  if not root:match("^https?://[^/%s]+[^%s]*$") then
    return usage("--api %s: not an http or https address", api)
  end
  return root
end

-- Which people: sets listings, mutual, and a spec of its own for what is not simply a listing.
local function relate(source, module, relation, list, spec)
  local offered = source.relations or module.relations
  relation = relation or contains(offered, "followers") and "followers" or offered[1]
  local listings, mutual = listings_of(relation, offered)
  if not listings then
    return usage("%s: %s does not show %s (it shows %s)", spec, source.network,
      list and "lists" or relation, table.concat(offered, ", "))
  end
  source.listings, source.mutual = listings, mutual
  if mutual then source.spec = source.spec .. "?mutuals" end
  if list then source.spec = source.spec .. "?list=" .. list end
  return source
end

---@param spec string
---@param o? {who: string?, api: string?, exclude: string?} who: the relation unless the spec says
---@return daub.collect.Source|nil, string? message, string? code
function M.parse(spec, o)
  o = o or {}
  local name, argument = tostring(spec):match("^(%a+):(.+)$")
  if not name then
    return usage("%s: not a source (expected %s)", tostring(spec), M.known)
  elseif not by_name[name] then
    return usage("%s: unknown network %s (supported: %s)", spec, name, M.known)
  end
  local network = by_name[name]
  local api, message, code = check_api(network, o.api)
  if message then return nil, message, code end
  local module = require("daub.collect.sources." .. name)
  if network[3] then return module.new(argument, { exclude = o.exclude }) end
  local who, relation, list = split(argument)
  if relation and not list and not contains(M.relations, relation) then
    return usage("%s: unknown relation %s (expected %s or list=NAME)", spec, relation,
      table.concat(M.relations, ", "))
  end
  local source
  source, message, code = module.new(who, { api = api, list = list })
  if not source then return nil, message, code end
  return relate(source, module, relation or o.who, list, spec)
end

---What a network says about collecting and learning from it, in one line; nil: nothing.
---@param name string
---@return string|nil
function M.terms(name)
  return by_name[name] and require("daub.collect.sources." .. name).terms
end

return M
