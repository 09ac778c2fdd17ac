-- A database whose failures travel as errors until the edge of the library.
--
--   local s = store.open(path, { create = true })        -- or nil, message, code
--   return store.protect(function() … s:run(sql) … end)  -- what f returns, or nil, message, code
--
-- Inside, a long job is written straight on; `protect` turns the store's own failures (and only
-- those) back into nil, message, code. Any other error passes through it.
local sqlite = require "daub.core.sqlite"
local schema = require "daub.collect.schema"

local M = {}

---@class daub.collect.Store
local Store = {}
Store.__index = Store

local Failure = {
  __tostring = function(failure) return failure.message end,
}

---Raises a failure of the world that `protect` hands on.
---@param message string
---@param code string?
function M.fail(message, code)
  error(setmetatable({ message = message, code = code or "io" }, Failure), 0)
end

---Value of a call that returns nil, message, code on failure.
function M.must(value, message, code)
  if value == nil then M.fail(message, code) end
  return value
end

---@param f function
---@return any … what f returns, or nil, message, code
function M.protect(f, ...)
  local function unwrap(ok, first, ...)
    if ok then return first, ... end
    if getmetatable(first) == Failure then return nil, first.message, first.code end
    error(first, 0)
  end
  return unwrap(pcall(f, ...))
end

---Rows changed.
---@return integer
function Store:run(sql, params) return M.must(self.db:run(sql, params)) end

---First row or false.
---@return table|false
function Store:row(sql, params) return M.must(self.db:row(sql, params)) end

---@return fun(): table
function Store:rows(sql, params) return M.must(self.db:rows(sql, params)) end

function Store:exec(sql) return M.must(self.db:exec(sql)) end
function Store:last_id() return self.db:last_id() end
function Store:close() self.db:close() end

---Folds the journal into the one file, which can then be read where nothing can be written. Others
---that read just now may prevent it, which does no harm.
function Store:rest() self.db:exec("pragma journal_mode = delete") end

---Runs f as one unit: all of it is in the database afterwards, or nothing.
function Store:transaction(f)
  self:exec("begin immediate")
  local ok, result = pcall(f)
  if not ok then
    self.db:exec("rollback")
    error(result, 0)
  end
  self:exec("commit")
  return result
end

local function pragma(self, name)
  return self:row("pragma " .. name)[name]
end

-- Brings the tables to the newest version; refuses other programs' databases and newer ones. False:
-- they are older and this connection only reads.
local function migrate(self, path, create)
  local version = pragma(self, "user_version")
  if version == 0 and pragma(self, "application_id") == 0
    and self:row("select count(*) as n from sqlite_master").n == 0 then
    if not create then M.fail(path .. ": an empty database (collect into it first)", "format") end
    self:exec("pragma application_id = " .. schema.application_id)
  elseif pragma(self, "application_id") ~= schema.application_id then
    M.fail(path .. ": not a collection's database (another program made it)", "format")
  elseif version > #schema.versions then
    M.fail(("%s: made by a newer daub (format %d, this one reads up to %d)")
      :format(path, version, #schema.versions), "format")
  end
  if version == #schema.versions then return true end
  if not create then return false end
  self:transaction(function()
    for n = pragma(self, "user_version") + 1, #schema.versions do
      self:exec(schema.versions[n])
      self:exec("pragma user_version = " .. n)
    end
  end)
  return true
end

local function connect(path, create)
  local db = M.must(sqlite.open(path, { readonly = not create, busy_timeout = 10000 }))
  return setmetatable({ db = db }, Store)
end

-- A database of an older format is brought up to date even when it is opened for reading.
local function renew(path)
  local writer = connect(path, true)
  local ok, message = pcall(migrate, writer, path, true)
  writer:close()
  if not ok then
    M.fail(("%s: an older format, and it cannot be written (%s)"):format(path, tostring(message)),
      "format")
  end
end

---Opens collection.db. Without `create` it must exist and is only read.
---@param path string
---@param o {create: boolean?}
---@return daub.collect.Store|nil, string? message, string? code
function M.open(path, o)
  return M.protect(function()
    local self = connect(path, o.create)
    if o.create then
      -- a commit survives a killed process; a power cut may cost the last ones, never the database
      self:exec("pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on")
    end
    if not migrate(self, path, o.create) then renew(path) end
    return self
  end)
end

return M
