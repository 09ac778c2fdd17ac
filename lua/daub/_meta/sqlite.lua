---@meta daub.core.sqlite
-- C module: SQLite. Integers beyond 2^53 are refused by number and travel as text. Failures of the world return nil, message, code.
local M = {}

function M.open(path, o) end  -- o: readonly, busy_timeout (ms, 5000); -> database | nil, message, code

---@class daub.core.Database
local D = {}
function D:exec(sql) end            -- several statements, no parameters; true | nil, message, code
-- one statement with ? or :name parameters (params: list or map of string, number, boolean, nil)
function D:run(sql, params) end     -- changed rows | nil, message, code
function D:row(sql, params) end     -- first row as {column = value} or false | nil, message, code
function D:rows(sql, params) end    -- iterator of rows
function D:last_id() end
function D:close() end

return M
