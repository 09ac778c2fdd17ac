--- Runs the daub executable that runs the tests, as a child process.
---
---     local daub = require "support.daub"
---     local r = daub.run({"-e", "print(1)"})      -- r.code, r.out, r.err
local system = require "daub.core.system"

local M = {}

M.path = assert(system.realpath("/proc/self/exe"))
M.tests = debug.getinfo(1, "S").source:match("^@(.*)/lua/support/")

--- Deletes a folder and what is in it.
---@param path string
function M.remove_tree(path)
  local info = system.stat(path)
  if info and info.type == "directory" then
    for _, name in ipairs(assert(system.list_directory(path))) do
      M.remove_tree(path .. "/" .. name)
    end
  end
  if info then assert(system.remove(path)) end
end

--- Calls f with the path of a new folder, which is deleted afterwards.
---@param f fun(folder: string)
function M.in_folder(f)
  local folder = assert(system.temporary_directory("daub-test"))
  local ok, message = xpcall(function() f(folder) end, debug.traceback)
  M.remove_tree(folder)
  if not ok then error(message, 0) end
end

--- Starts a program. o.input: a path its standard input comes from; o.env: {NAME = value or false}.
--- Its standard output and error go to the files `out` and `err` of `folder`.
---@param argv string[]
---@param folder string
---@param o? {input: string?, env: table?, directory: string?}
function M.start(argv, folder, o)
  local command = { "env" }
  for name, value in pairs(o and o.env or {}) do
    if not value then
      command[#command + 1] = "-u"
      command[#command + 1] = name
    end
  end
  for name, value in pairs(o and o.env or {}) do
    if value then command[#command + 1] = name .. "=" .. value end
  end
  for _, a in ipairs(argv) do command[#command + 1] = a end
  return assert(system.spawn(command, { stdin = o and o.input or "null",
    stdout = folder .. "/out", stderr = folder .. "/err", directory = o and o.directory }))
end

--- Runs daub to its end and gives what it printed. o: as start, and `stdin`, a text; `program`,
--- another program than daub.
---@param arguments string[]
---@param o? {stdin: string?, env: table?, directory: string?, program: string?}
---@return {code: integer, out: string, err: string}
function M.run(arguments, o)
  local result
  M.in_folder(function(folder)
    local input
    if o and o.stdin then
      input = folder .. "/in"
      assert(system.write_file(input, o.stdin))
    end
    local argv = { o and o.program or M.path, unpack(arguments) }
    local process = M.start(argv, folder,
      { input = input, env = o and o.env, directory = o and o.directory })
    local code = process:wait(60)
    process:close()
    assert(code, "daub did not end within a minute")
    result = { code = code, out = assert(system.read_file(folder .. "/out")),
      err = assert(system.read_file(folder .. "/err")) }
  end)
  return result
end

return M
