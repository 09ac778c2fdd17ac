---@meta daub.core.loopback
-- C module: a tiny HTTP server on 127.0.0.1 for the browser that comes back from a login; daub.login.loopback
-- is what scripts use. One request at a time.
local M = {}

---@param port integer 0: any that is free
---@return daub.core.Loopback?, string? message, string? code
function M.listen(port) end

---@class daub.core.Loopback
local Loopback = {}
---@return integer
function Loopback:port() end
---The target of the next GET, "/?code=…".
---@param seconds number
---@return string?, string? message, string? code "timeout", "interrupted"
function Loopback:accept(seconds) end
---Replies to the request accepted last, in plain text.
---@param status integer
---@param text string
function Loopback:answer(status, text) end
function Loopback:close() end

return M
