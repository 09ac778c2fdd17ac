-- The REPL: reads a line, runs it, prints what it gives.
--
--     local session = require("daub.repl").session(print)
--     session:feed("x = 2")            -- "done"
--     session:feed("for i = 1, x do")  -- "more": the chunk is not complete yet
--
-- What is typed runs without the JIT compiler, so that Ctrl-C ends any loop. A `local` at the start
-- of a line is dropped: the line's locals would end with it.

local complete = require "daub.complete"
local docs = require "daub.docs"
local inspect = require "daub.inspect"
local line = require "daub.core.line"
local strict = require "daub.strict"
local system = require "daub.core.system"

local M = {}

-- Globals that load their module when they are first used.
local LAZY = { daub = "daub", tensor = "daub.tensor", nn = "daub.nn", F = "daub.ops",
  optim = "daub.optim", image = "daub.image", http = "daub.http" }

local OVERVIEW = [[
Type Lua. Values print themselves; `_` is the last one. A line that is not complete goes on below.
  daub tensor nn F optim image http   modules that are here already
  help(x)      about a function, a module, "daub.tensor" or a recipe: help "train"
  Tab          completes globals, fields, methods after ":" and names of modules in require "…"
  Up, Ctrl-R   earlier lines, searching in them
  Ctrl-C       ends the present line; Ctrl-D leaves]]

local function lazy_global(name)
  local module = LAZY[name]
  if not module then return nil end
  local ok, value = pcall(require, module)
  if ok then return value end
  io.stderr:write(("warning: %s: %s\n"):format(module, (tostring(value):match("^[^\n]*"))))
end

local help = setmetatable({}, {
  __call = function(_, ...)
    io.write(select("#", ...) == 0 and OVERVIEW or docs.about((...)), "\n")
  end,
  __tostring = function() return OVERVIEW end,
})

-- Sessions ----------------------------------------------------------------------------------------

---@class daub.repl.Session
---@field buffer string lines of a chunk that is not complete
local Session = {}
Session.__index = Session

---A session that prints through `out`, with the globals of the REPL in place.
---@param out fun(text: string)
---@return daub.repl.Session
function M.session(out)
  complete.lazy = LAZY
  strict.watch { warn = out, lazy = lazy_global }
  rawset(_G, "help", help)
  return setmetatable({ out = out, buffer = "" }, Session)
end

-- The text without a `local` at its start; the names become globals.
local function keep_locals(text)
  local rest = text:match("^%s*local%s+(function%s.*)$")
  if rest then return rest end
  local names, after = text:match("^%s*local%s+([%a_][%w_]*[%w_%s,]*)(.*)$")
  if not names then return text end
  if after:sub(1, 1) == "=" and after:sub(2, 2) ~= "=" then return names .. after end
  if after == "" then return names .. "= nil" end
  return text
end

local function is_incomplete(message)
  return message:find("near '<eof>'", 1, true) ~= nil
end

-- Text to a function that the compiler leaves alone, so that Ctrl-C ends any of its loops.
local function load_text(text)
  local chunk, message = loadstring(text, "=stdin")
  if chunk then jit.off(chunk, true) end
  return chunk, message
end

-- The chunk, or nil, the message, and whether more lines may complete it. The chunk returns what it
-- gives behind one value more: then the call in an expression is no tail call, which would take the
-- line typed out of the error's position.
local function compile(text)
  local expression = text:match("^%s*=(.*)$")
  local chunk, message = load_text("return nil, " .. (expression or text), "=stdin")
  if chunk then return chunk end
  local more = is_incomplete(message)
  if not expression then
    chunk, message = load_text(keep_locals(text))
    if chunk then return function() return nil, chunk() end end
  end
  return nil, message, more or is_incomplete(message)
end

local function print_results(self, results, count)
  if count < 2 then return end
  rawset(_G, "_", results[2])
  local texts = {}
  for i = 2, count do texts[i - 1] = inspect.text(results[i]) end
  local text = table.concat(texts, "\t")
  self.out(text:find("\n", 1, true) and table.concat(texts, "\n") or text)
end

local function print_error(self, message)
  require("daub.progress").finish()
  if type(message) == "table" and rawget(message, "daub_exit") then
    message = message.message
    if not message then return end
  end
  self.out("error: " .. inspect.text(message))
end

local function finish(self, ok, ...)
  if not ok then return print_error(self, (...)) end
  -- an object's __tostring may fail or take long: it too runs protected
  local results, count = { ... }, select("#", ...)
  local printed, message = line.run(function()
    print_results(self, results, count)
  end)
  if not printed then print_error(self, message) end
end

---Takes one more line. Runs the chunk when it is complete; prints what it gives or what is wrong.
---@param text string
---@return "done"|"more"
function Session:feed(text)
  self.buffer = self.buffer == "" and text or self.buffer .. "\n" .. text
  if self.buffer:match("^%s*$") then
    self.buffer = ""
    return "done"
  end
  local chunk, message, more = compile(self.buffer)
  if more then return "more" end
  self.buffer = ""
  if not chunk then
    print_error(self, message)
    return "done"
  end
  finish(self, line.run(chunk, debug.getregistry()["daub.traceback"]))
  return "done"
end

---Forgets the lines of a chunk that is not complete.
function Session:drop()
  self.buffer = ""
end

-- The terminal ------------------------------------------------------------------------------------

-- $XDG_STATE_HOME/daub/history, or nil where there is no home.
local function history_path()
  local state = os.getenv("XDG_STATE_HOME")
  if not state or state:sub(1, 1) ~= "/" then
    local home = os.getenv("HOME")
    if not home or home == "" then return nil end
    state = home .. "/.local/state"
  end
  local folder = state .. "/daub"
  return system.make_directory(folder) and folder .. "/history" or nil
end

---Reads and runs lines from the terminal until Ctrl-D.
function M.run()
  local editor = line.editor(history_path(), complete.tab)
  local session = M.session(print)
  system.hold_interrupts(true) -- but for what is typed
  print(("daub %s on %s. `help` tells more, Ctrl-D leaves."):format(system.version(), jit.version))
  local prompt = "> "
  while true do
    local text = editor:read(prompt)
    if text == nil then break end
    if text then
      if text:match("%S") then editor:remember(text) end
      prompt = session:feed(text) == "more" and ">> " or "> "
      io.stdout:flush()
    else
      session:drop()
      prompt = "> "
    end
  end
  editor:close()
  system.hold_interrupts(false)
  print()
end

return M
