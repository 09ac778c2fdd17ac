--- Starts a fixture server (tests/fixtures/NAME) for a test and stops it for certain: a fixture
--- prints its port on its first line and ends when its standard input does, and that ends with this
--- process at the latest.
---
---     local server = require "support.server"
---     local s = server.start("http_server.py")
---     http.get(s.url .. "/echo")
---     s:stop()
local M = {}

local tests = debug.getinfo(1, "S").source:match("^@(.*)/lua/support/")

local Server = {}
Server.__index = Server

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Stops the server and waits for its end.
function Server:stop()
  if self.input then
    self.input:close()
    self.input = nil
  end
end

--- Starts tests/fixtures/`name` with the given arguments and waits until it listens.
--- o.scheme: "http" (default) or "https", for the url.
---@param name string
---@param arguments? string[]
---@param o? {scheme?: string}
---@return {url: string, port: integer, stop: fun(self)}
function M.start(name, arguments, o)
  local pipe = os.tmpname()
  local words = { "exec /usr/bin/python3", quote(tests .. "/fixtures/" .. name) }
  for _, a in ipairs(arguments or {}) do words[#words + 1] = quote(a) end
  words[#words + 1] = ">" .. quote(pipe)
  assert(os.execute(("rm -f %s && mkfifo %s"):format(quote(pipe), quote(pipe))) == 0)
  local input = assert(io.popen(table.concat(words, " "), "w"))
  local output = assert(io.open(pipe))
  local port = output:read("*n")
  output:close()
  os.remove(pipe)
  if not port then
    input:close()
    error(name .. " did not start (is python3-aiohttp installed?)", 2)
  end
  local url = ("%s://127.0.0.1:%d"):format(o and o.scheme or "http", port)
  return setmetatable({ input = input, port = port, url = url }, Server)
end

return M
