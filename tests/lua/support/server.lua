--- Starts a fixture server (tests/fixtures/NAME) for a test and stops it for certain: a fixture
--- prints its port on its first line, and ends when its standard input does, which at the latest
--- happens with this process.
---
---     local server = require "support.server"
---     local s = server.start("http_server.py")
---     http.get(s.url .. "/echo")
---     s:stop()
local system = require "daub.core.system"

local M = {}

local fixtures = debug.getinfo(1, "S").source:match("^@(.*)/lua/support/") .. "/fixtures/"

local Server = {}
Server.__index = Server

--- Stops the server and waits for its end.
function Server:stop()
  self.process:close_stdin()
  if not self.process:wait(5) then self.process:kill("kill") end
  self.process:close()
end

--- Starts tests/fixtures/`name` with the given arguments and waits until it listens.
--- o.scheme: "http" (default) or "https", for the url.
---@param name string
---@param arguments string[]|nil
---@param o {scheme: string}|nil
---@return {url: string, port: integer, stop: fun(self)}
function M.start(name, arguments, o)
  local argv = { "/usr/bin/python3", fixtures .. name }
  for _, a in ipairs(arguments or {}) do argv[#argv + 1] = a end
  local process = assert(system.spawn(argv, { stdin = "pipe", stdout = "pipe" }))
  local text = ""
  repeat
    local bytes = process:read(20)
    text = text .. (bytes or "")
  until not bytes or text:find("\n", 1, true)
  local port = tonumber(text:match("^(%d+)\n"))
  if not port then
    process:close()
    error(name .. " did not start (are python3-aiohttp and what else it needs installed?)", 2)
  end
  local url = ("%s://127.0.0.1:%d"):format(o and o.scheme or "http", port)
  return setmetatable({ process = process, port = port, url = url }, Server)
end

return M
