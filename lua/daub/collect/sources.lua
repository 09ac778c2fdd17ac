-- Where people come from. A source is written NETWORK:WHO; each network is one small file in
-- sources/ that lists people page by page. Adding one means adding a file and a line here.
--
--   local source = sources.parse("bluesky:alice.bsky.social", { who = "followers" })
--   for _, listing in ipairs(source.listings) do
--     local page = source:page(listing, position, get)   -- see sources/base.lua
--   end
local M = {}

local networks = {
  bluesky = "daub.collect.sources.bluesky",
  mastodon = "daub.collect.sources.mastodon",
  folder = "daub.collect.sources.folder",
  urls = "daub.collect.sources.urls",
}

M.known = "bluesky:HANDLE, mastodon:USER@HOST, folder:PATH, urls:FILE"

local planned = {
  x = "its API needs a paid key; export your data and use folder:PATH",
  facebook = "its API no longer gives cover pictures; export your data and use folder:PATH",
}

---@param spec string
---@param o? {who: "followers"|"following"|"both"|nil, api: string?, exclude: string?}
---@return daub.collect.Source|nil, string? message, string? code
function M.parse(spec, o)
  o = o or {}
  local network, argument = tostring(spec):match("^(%a+):(.+)$")
  if not network then
    return nil, ("%s: not a source (expected %s)"):format(tostring(spec), M.known), "usage"
  end
  if planned[network] then
    return nil, ("%s: not yet supported: %s (supported: %s)"):format(spec, planned[network],
      M.known), "usage"
  end
  if not networks[network] then
    return nil, ("%s: unknown network %s (supported: %s)"):format(spec, network, M.known), "usage"
  end
  local api = o.api
  if api and (network == "folder" or network == "urls") then
    return nil, ("--api %s: %s: has no server"):format(api, network), "usage"
  elseif api then
    api = api:gsub("/+$", "")
    if not api:match("^https?://[^/%s]+[^%s]*$") then
      return nil, ("--api %s: not an http or https address"):format(o.api), "usage"
    end
  end
  return require(networks[network]).new(argument, { who = o.who or "followers", api = api,
    exclude = o.exclude })
end

return M
