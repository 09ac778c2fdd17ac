-- x:HANDLE: the people around an account on X, read by API v2 or, where --api names an address that
-- ends in /1.1, by API v1.1. Either wants a login (daub login x) or DAUB_X_BEARER.
--
-- v2 names a thousand people with their banners in one call, and costs money: the price is said and
-- confirmed first. v1.1 names 200 in a call; where that takes more calls than a quarter of an hour
-- allows, ids by 5,000 and then accounts by 100.
local base = require "daub.collect.sources.base"
local x = require "daub.api.x"

local M = {}

M.relations = { "followers", "following", "list" }

M.terms = "X forbids to train models on its data (docs.x.com/developer-guidelines): whether to go"
  .. " on is yours to decide"

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local handle = argument:match("^@?([%w_]+)$")
  if not handle or #handle > 15 then
    return nil, ("x:%s: not a handle (expected up to 15 letters, digits and _)"):format(argument),
      "usage"
  end
  local root, version = x.root(o.api)
  local auth, message, code = x.auth(handle, { api = root, v1 = version == "1.1" })
  if not auth then return nil, message, code end
  local class = require("daub.collect.sources." .. (version == "1.1" and "x_v1" or "x_v2"))
  return class.new { network = "x", spec = "x:" .. handle, noun = "people", api = o.api or "",
    handle = handle, list = o.list, auth = auth, private = auth.root ~= x.api }
end

---A banner. The address names whose it is and when it was uploaded: that pair never shows other
---bytes. An account without one has no such field, null, or "".
---@return daub.collect.Cover|nil
function M.banner(source, url)
  url = base.text(url)
  if not url then return nil end
  local plain, id, at = url:match("^(https?://[^/?#%s]+/profile_banners/(%d+)/(%d+))")
  if not plain then return base.cover(url, { private = source.private }) end
  return base.cover(plain .. "/1500x500", { key = ("x:banner:%s:%s"):format(id, at),
    fallback = { plain }, private = source.private })
end

---@param user table  of either version of the API
---@param id string
---@param handle string
---@return daub.collect.Person
function M.person(source, user, id, handle)
  return {
    key = id,
    handle = handle,
    name = base.text(user.name),
    url = "https://x.com/" .. handle,
    noindex = user.protected == true or nil, -- who hides their posts wants no machine to look
    cover = M.banner(source, user.profile_banner_url),
  }
end

---The handle in what a server sent, or nil.
function M.handle(value)
  return type(value) == "string" and #value <= 50 and value:match("^[%w_]+$") or nil
end

return M
