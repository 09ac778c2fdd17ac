-- help(x) at the REPL: the doc comments of the source files, looked up when asked for.

local complete = require "daub.complete"
local progress = require "daub.progress"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

local M = {}

local function lines_of(path)
  local text = system.read_file(path, 4e6)
  if not text then return nil end
  local lines = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

-- "---@param x number the factor" and its like in plain words.
local function readable(comment)
  local text = comment:gsub("^%-%-%-?%s?", "")
  text = text:gsub("^@param (%S+) (.*)", "  %1: %2"):gsub("^@return ", "  returns: ")
  text = text:gsub("^@overload ", "  also: "):gsub("^@field (%S+) ", "  .%1: ")
  return not text:match("^@") and text or nil
end

-- The comment that ends right above line `at`, and that line itself on top.
local function comment_above(lines, at)
  local first = at
  while first > 1 and lines[first - 1]:match("^%s*%-%-") do first = first - 1 end
  local out = { (lines[at]:gsub("^%s*", ""):gsub(" end%s*$", "")) }
  for i = first, at - 1 do
    local text = not lines[i]:match("%-%-%-%-%-%-") and readable(lines[i]:match("^%s*(.*)$"))
    if text then out[#out + 1] = "  " .. text end
  end
  return table.concat(out, "\n")
end

local function module_name(value)
  for name, module in pairs(package.loaded) do
    if module == value and name ~= "_G" and not name:match("^_") then return name end
  end
end

-- The stub that documents a C module.
local function stub_path(name)
  local short = name:match("^daub%.core%.([%w_]+)$")
  return short and ("%s/lua/daub/_meta/%s.lua"):format(recipes.root(), short)
end

local function c_function_help(f)
  for name, module in pairs(package.loaded) do
    if type(module) == "table" and name:match("^daub%.core%.") then
      for key, value in pairs(module) do
        local lines = value == f and lines_of(stub_path(name))
        for at, line in ipairs(lines or {}) do
          if line:match("^function [%w_]+[.:]" .. key .. "%(") then
            return name .. "\n" .. comment_above(lines, at)
          end
        end
      end
    end
  end
  return "a function written in C, without documentation here"
end

local function function_help(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return c_function_help(f) end
  local path = info.source:match("^@(.*)$")
  local lines = path and lines_of(path)
  if not lines or not lines[info.linedefined] then return "a function typed in" end
  local root = recipes.root() .. "/"
  if path:sub(1, #root) == root then path = path:sub(#root + 1) end
  return comment_above(lines, info.linedefined) .. ("\n  (%s:%d)"):format(path, info.linedefined)
end

local function list(what, names)
  return progress.wrap(("%s: %s"):format(what, table.concat(names, ", ")), 96, 2)
end

-- Names a loaded module has beside the functions of its file.
local function further_names(name, text)
  local names = {}
  for _, key in ipairs(complete.names(package.loaded[name] or {})) do
    if not text:find("\n  " .. key .. "[ (]") then names[#names + 1] = key end
  end
  return #names > 0 and "\n" .. list("also", names) or ""
end

-- The comment a file begins with, and its public functions with the first line about each.
local function module_help(name)
  local path = stub_path(name) or package.searchpath(name, package.path)
  local lines = path and lines_of(path)
  if not lines then return nil end
  local out, i = { name, "" }, 1
  while lines[i] and lines[i]:match("^%-%-") do
    local text = readable(lines[i])
    if text then out[#out + 1] = text end
    i = i + 1
  end
  out[#out + 1] = ""
  for at, line in ipairs(lines) do
    local signature = line:match("^function (M[.:][%w_]+%b())") or line:match("^(M%.[%w_]+) = ")
    if signature then
      local first = comment_above(lines, at):match("\n(%s*[^\n]*)") or ""
      out[#out + 1] = ("  %-38s %s"):format(signature:gsub("^M[.:]", ""), (first:gsub("^%s+", "")))
    end
  end
  local text = table.concat(out, "\n")
  return text .. further_names(name, text)
end

local function named_help(name)
  if package.loaded[name] or package.preload[name] or package.searchpath(name, package.path) then
    return module_help(name)
  end
  if recipes.path(name) then
    return require("daub.cli").help(assert(recipes.spec(name)))
  end
end

local function table_help(t)
  local name = module_name(t)
  local text = name and module_help(name)
  if text then return text end
  local mt = debug.getmetatable(t)
  local names = {}
  for _, key in ipairs(complete.names(t, "function")) do
    if not key:match("^_") then names[#names + 1] = key end
  end
  local kind = type(mt) == "table" and rawget(mt, "__tostring") and tostring(t):match("^[^\n]*")
    or "a table"
  if type(rawget(t, "init")) == "function" then kind = function_help(t.init) end
  return #names == 0 and kind or kind .. "\n" .. list("functions", names)
end

---What is known about a function, a module, an object, or the name of a module or recipe.
---@param x any
---@return string
function M.about(x)
  local kind = type(x)
  if kind == "function" then return function_help(x) end
  if kind == "string" then
    return named_help(x) or ("a string; '%s' is no module and no recipe"):format(x)
  end
  if kind == "table" then return table_help(x) end
  if kind == "userdata" and debug.getmetatable(x) then return table_help(debug.getmetatable(x)) end
  return "a " .. kind
end

return M
