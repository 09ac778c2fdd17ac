-- Accounts and their secrets. They come from the environment or from accounts.json in the person's
-- configuration folder, never from a command line, and go to the one host they are for.
--
--   DAUB_MASTODON_TOKEN="mastodon.example=TOKEN,other.example=TOKEN"
--   ~/.config/daub/accounts.json, mode 0600, written by daub login:
--     {"mastodon": {"alice@mastodon.example": {"token": "TOKEN"}},
--      "bluesky": {"alice.bsky.social": {"token": "…", "refresh_token": "…",
--                                        "expires": 1795331453}}}
--
--   local account = assert(accounts.get("bluesky"))        -- the only one of that network
--   account = assert(accounts.fresh(account, refresh))     -- renewed when it is about to expire
--
-- Several processes may use the file at once: it is changed under a lock and replaced as a whole.
local json = require "daub.json"
local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

local LARGEST = 1024 * 1024 -- bytes of accounts.json
local PRIVATE = 384         -- mode 0600
local EARLY = 60            -- seconds before a token expires that it is renewed
local LOCK_WAIT = 10        -- seconds another process may hold the file

---@class daub.Account
---@field network string
---@field name string            "alice@mastodon.example", "alice.bsky.social"
---@field token string?
---@field refresh_token string?
---@field expires number?        seconds since 1970
-- and whatever else the network's login keeps: strings and numbers

---The folder of everything that is remembered about the person, whether or not it exists.
---@return string
function M.folder()
  local folder = os.getenv("XDG_CONFIG_HOME")
  if not folder or folder == "" then folder = (os.getenv("HOME") or "") .. "/.config" end
  return folder .. "/daub"
end

---Where accounts.json lies, whether or not it exists.
---@return string
function M.path()
  return M.folder() .. "/accounts.json"
end

-- ---- the file ----------------------------------------------------------------------------------

local SECRET = { "token", "secret", "password", "jwt", "key", "verifier", "bearer" }

-- Fields whose name says so are secrets.
local function guard(entry)
  for field, value in pairs(entry) do
    for _, word in ipairs(SECRET) do
      if tostring(field):lower():find(word, 1, true) then secrets.add(value) end
    end
  end
end

-- {network = {name = {field = value}}}; empty when there is no file.
local function read()
  local path = M.path()
  local stat = system.stat(path)
  if not stat then return {} end
  if stat.mode % 64 ~= 0 then
    return nil, ("%s: others may read it (chmod 600 it)"):format(path), "usage"
  end
  local text, message, code = system.read_file(path, LARGEST)
  if not text then return nil, message, code end
  local file = json.decode(text)
  if type(file) ~= "table" then return nil, path .. ": not JSON", "format" end
  for network, entries in pairs(file) do
    if type(entries) ~= "table" then file[network] = nil end
    for name, entry in pairs(file[network] or {}) do
      if type(entry) == "table" then guard(entry) else entries[name] = nil end
    end
  end
  return file
end

-- The lock of the file, waited for.
local function lock()
  local made, message = system.make_directory(M.folder())
  if not made then return nil, message end
  local path, deadline = M.folder() .. "/accounts.lock", system.now() + LOCK_WAIT
  while true do
    local held
    held, message = system.lock_file(path)
    if held or system.now() > deadline then return held, message end
    system.sleep(0.05)
  end
end

-- A file keeps its mode when it is replaced: the first one is there, empty and private, before any
-- secret.
local function write(file)
  local path = M.path()
  if not system.stat(path) then
    local ok, message, code = system.write_file(path, "{}\n")
    if ok then ok, message, code = system.chmod(path, PRIVATE) end
    if not ok then return nil, message, code end
  end
  return system.write_file(path, json.pretty(file) .. "\n")
end

-- Reads, lets `change` alter it, writes.
local function alter(change)
  local held, message = lock()
  if not held then return nil, message, "io" end
  local file, code
  file, message, code = read()
  if file then
    change(file)
    file, message, code = write(file)
  end
  held:close()
  if not file then return nil, message, code end
  return true
end

-- ---- accounts ----------------------------------------------------------------------------------

local function account_of(network, name, entry)
  local account = {}
  for field, value in pairs(entry) do account[field] = value end
  account.network, account.name = network, name
  return account
end

---"bluesky:@alice.bsky.social" or "bluesky" taken apart.
---@param text string
---@return string network, string|nil name
function M.split(text)
  local network, name = text:match("^([^:]+):(.+)$")
  return network or text, name and name:gsub("^@", "") or nil
end

---Every account that is logged in, by network and name.
---@param network string? only this one's
---@return daub.Account[]|nil, string? message, string? code
function M.list(network)
  local file, message, code = read()
  if not file then return nil, message, code end
  local list = {}
  for of, entries in pairs(file) do
    if not network or of == network then
      for name, entry in pairs(entries) do list[#list + 1] = account_of(of, name, entry) end
    end
  end
  table.sort(list, function(a, b)
    return a.network .. ":" .. a.name < b.network .. ":" .. b.name
  end)
  return list
end

---An account that is logged in; without a name the only one of its network.
---@param network string
---@param name string?
---@return daub.Account|nil, string? message, string? code  "login": none; "which": several
function M.get(network, name)
  local list, message, code = M.list(network)
  if not list then return nil, message, code end
  local names, found = {}, nil
  for _, account in ipairs(list) do
    names[#names + 1] = network .. ":" .. account.name
    if not name or account.name:lower() == name:lower() then found = found or account end
  end
  if not found then
    return nil, ("%s: not logged in (run: daub login %s)"):format(
      name and network .. ":" .. name or network, network), "login"
  elseif not name and #list > 1 then
    return nil, ("%s: several accounts (say which: %s)"):format(network,
      table.concat(names, ", ")), "which"
  end
  return found
end

---Keeps an account, in place of one of the same name.
---@param fields table<string, string|number>
---@return true|nil, string? message, string? code
function M.save(network, name, fields)
  local entry = {}
  for field, value in pairs(fields) do
    if field ~= "network" and field ~= "name" then entry[field] = value end
  end
  guard(entry)
  return alter(function(file)
    file[network] = file[network] or {}
    file[network][name] = entry
  end)
end

---Lets go of an account.
---@return true|nil, string? message, string? code
function M.remove(network, name)
  return alter(function(file)
    if file[network] then file[network][name] = nil end
    if file[network] and not next(file[network]) then file[network] = nil end
  end)
end

---@alias daub.accounts.Refresh fun(account: daub.Account): table|nil, string?, string?

---Renews an account's tokens now: `refresh` gives the fields that change, which are kept.
---@param account daub.Account
---@param refresh daub.accounts.Refresh
---@return daub.Account|nil, string? message, string? code
function M.renew(account, refresh)
  local fields, message, code = refresh(account)
  if not fields then return nil, message, code end
  local renewed = {}
  for field, value in pairs(account) do renewed[field] = value end
  for field, value in pairs(fields) do renewed[field] = value end
  local saved
  saved, message, code = M.save(account.network, account.name, renewed)
  if not saved then return nil, message, code end
  return renewed
end

---The account with tokens that are good for another minute.
---@param account daub.Account
---@param refresh daub.accounts.Refresh
---@return daub.Account|nil, string? message, string? code
function M.fresh(account, refresh)
  if not account.expires or account.expires > system.time() + EARLY then return account end
  return M.renew(account, refresh)
end

-- ---- single secrets ----------------------------------------------------------------------------

---A secret from the environment: DAUB_X_BEARER …
---@param name string
---@return string|nil
function M.environment(name)
  local value = os.getenv(name)
  if not value or value == "" then return nil end
  secrets.add(value)
  return value
end

local function from_environment(network, host)
  local variable = ("DAUB_%s_TOKEN"):format(network:upper())
  for entry in (M.environment(variable) or ""):gmatch("[^,]+") do
    local for_host, token = entry:match("^%s*([^=%s]+)=(%S+)%s*$")
    if not for_host then
      return nil, variable .. ": not understood (HOST=TOKEN expected, several with commas)"
    end
    if for_host:lower() == host then
      secrets.add(token)
      return token
    end
  end
end

local function from_file(network, host)
  local list, message = M.list(network)
  for _, account in ipairs(list or {}) do
    if account.name:lower():gsub("^.*@", "") == host and type(account.token) == "string" then
      if not account.token:find("[%c%s]") then return account.token end
      return nil, ("%s: the token for %s holds spaces or control characters"):format(M.path(), host)
    end
  end
  return nil, message
end

---The access token for a host of a network. nil: there is none; with a message: it could not be
---read.
---@param network string  "mastodon"
---@param host string     in lower case
---@return string|nil token, string? message
function M.token(network, host)
  local token, message = from_environment(network, host)
  if token or message then return token, message end
  return from_file(network, host)
end

return M
