-- Strict mode: tells about globals that nobody declared: misspelt names, a missing `local`.
--
--     local strict = require "daub.strict"
--     strict.watch{ warn = function(message) io.stderr:write(message, "\n") end }
--     strict.declare("x")
--
-- A global is declared by assigning to it from a main chunk (a script, a line of the REPL), or with
-- strict.declare. It tells of functions that assign to other globals, and of whoever reads them.

local nearest = require "daub.nearest"

local M = {}

local declared = {}

---@param name string
function M.declare(name)
  declared[name] = true
end

local function names()
  local list = {}
  for name in pairs(_G) do
    if type(name) == "string" then list[#list + 1] = name end
  end
  return list
end

-- Whoever touched the global: the function above the metamethod.
local function toucher()
  local info = debug.getinfo(3, "Sl") -- not returned at once: a tail call would take a level away
  return info
end

---Starts watching the global table.
---@param o {warn: fun(message: string), lazy: (fun(name: string): any)?, within: string?}
---  lazy: asked for a missing global first; what it returns becomes the global.
---  within: only code of files whose path begins so is told about
function M.watch(o)
  local function concerns(info)
    return info and info.what ~= "C"
      and (not o.within or info.source:sub(2, #o.within + 1) == o.within)
  end
  local function warn(info, text)
    o.warn(("warning: %s:%d: %s"):format(info.short_src, info.currentline, text))
  end
  setmetatable(_G, {
    __newindex = function(t, name, value)
      local info = toucher()
      if info and info.what ~= "main" and not declared[name] and concerns(info) then
        warn(info, ("assignment to the undeclared global '%s'"):format(tostring(name)))
      end
      declared[name] = true
      rawset(t, name, value)
    end,
    __index = function(t, name)
      local value = o.lazy and o.lazy(name)
      if value ~= nil then
        rawset(t, name, value)
        return value
      end
      local info = toucher()
      if not declared[name] and concerns(info) then
        local hint = type(name) == "string" and nearest.hint(name, names()) or ""
        warn(info, ("undeclared global '%s'%s"):format(tostring(name), hint))
      end
      return nil
    end,
  })
end

return M
