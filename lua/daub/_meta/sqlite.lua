---@meta daub.core.sqlite
-- C module: SQLite. Failures of the world return nil, message, code ("busy", "constraint", "corrupt", "readonly",
-- "full", "io", "memory", "sql"); wrong parameters raise. Numbers bind as integers when they are whole, booleans as
-- 0 and 1. Integers beyond 2^53 do not fit a Lua number: they are refused when read (select them as text).
local M = {}

-- Opens or makes a database file; extended checks are on: no double-quoted strings, no trusted schema.
---@param path string
---@param o? {readonly: boolean?, busy_timeout: integer?}  busy_timeout in ms (default 5000)
---@return daub.core.Database|nil, string? message, string? code
function M.open(path, o) end

---@class daub.core.Database
local D = {}

-- Runs several statements without parameters.
---@return true|nil, string? message, string? code
function D:exec(sql) end

-- Runs one statement with ? or :name parameters. Statements are prepared once and kept.
---@param sql string
---@param params? table list or map by name of string, number, boolean, nil
---@return integer|nil changed, string? message, string? code  rows changed by INSERT, UPDATE, DELETE
function D:run(sql, params) end

-- The first row as {column = value} (NULL is absent), or false when there is none.
---@return table|false|nil, string? message, string? code
function D:row(sql, params) end

-- An iterator of rows. A failure while iterating raises.
---@return (fun(): table)|nil, string? message, string? code
function D:rows(sql, params) end

---@return integer rowid of the last INSERT
function D:last_id() end

function D:close() end

return M
