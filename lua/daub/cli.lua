-- The command line of a recipe: one declared table of options gives parsing, --help and errors.
--
--     local cli = require "daub.cli"
--     local o = cli.parse(arg, {
--       name = "sheet", summary = "lays out what was collected", usage = "COLLECTION --out PNG",
--       positional = { {"collection", help = "folder of a collection"} },
--       options = {
--         {"out", type = "path", value = "PNG", required = true, help = "where the sheet goes"},
--         {"columns", type = "integer", value = "N", default = 8, help = "pictures in a row"},
--       },
--     })
--     local report = cli.reporter(o)
--
-- Types: flag, string, path, integer, number (both with min and max), size ("192x64" gives
-- {width = 192, height = 64}), pair ("KEY=VALUE" gives {key = , value = }), choice (of `choices`).
-- `repeated = true` gives a list, empty when the option is absent. `follows = "from"` attaches a
-- value to the last --from before it: then o.from[i] = {value = , api = }. Dashes in names become
-- underscores in the result.
-- Every recipe also has --json, --quiet, --threads N, --traceback and --help.

local nearest = require "daub.nearest"
local progress = require "daub.progress"
local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

---@class daub.cli.Option
---@field [1] string name without dashes
---@field type "flag"|"string"|"path"|"integer"|"number"|"size"|"pair"|"choice"
---@field value string? how the value is called in --help
---@field help string?
---@field default any
---@field required boolean?
---@field repeated boolean?
---@field choices string[]?
---@field follows string?
---@field min number?
---@field max number?

---@class daub.cli.Positional
---@field [1] string name
---@field help string?
---@field required boolean? true unless given
---@field many boolean? takes all that follow; gives a list

---@class daub.cli.Spec
---@field name string
---@field summary string one line
---@field usage string? what follows the name
---@field positional daub.cli.Positional[]?
---@field options daub.cli.Option[]?
---@field notes string? further text at the end of --help
---@field notes_of string? module whose notes() ends it: what cannot be said without loading more

local common = {
  { "json", type = "flag", help = "one JSON object per line on standard output" },
  { "quiet", type = "flag", help = "no progress on standard error" },
  { "threads", type = "integer", value = "N", min = 1, max = 64,
    help = "threads to compute with (default: all cores)" },
  { "traceback", type = "flag", help = "errors come with the way to them" },
  { "help", type = "flag", help = "this text" },
}

-- Ending the program ------------------------------------------------------------------------------

local Exit = {}
Exit.__index = Exit
function Exit:__tostring() return self.message or "exit" end

---Ends the program with an exit code; the host prints the message, if any, as one line.
---Raises an error, so that everything on the way is closed.
---@param code integer
---@param message string?
function M.exit(code, message)
  progress.finish()
  message = message and secrets.redact(message)
  error(setmetatable({ daub_exit = code, message = message }, Exit), 0)
end

---Ends the program: exit code 1 and `daub: MESSAGE` on standard error.
---@param message string "WHAT: WHY (WHAT TO DO)", one line
function M.fail(message)
  M.exit(1, message)
end

---Ends the program with 130 after Ctrl-C, once the work was saved.
---@param message string? what was saved and how to go on
function M.interrupted(message)
  M.exit(130, message and "interrupted: " .. message or "interrupted")
end

-- Reading values ----------------------------------------------------------------------------------

local function wrong(spec, message)
  M.exit(2, ("%s: %s%s"):format(spec.name, message,
    message:find("%(did you mean") and "" or (" (see daub %s --help)"):format(spec.name)))
end

local function read_number(text, option, whole)
  local n = text:match("^[-+]?[%d.][%d.eE+-]*$") and tonumber(text)
  if not n or (whole and n % 1 ~= 0) or n ~= n then
    return nil, whole and "a whole number" or "a number"
  end
  if (option.min and n < option.min) or (option.max and n > option.max) then
    if not option.max then return nil, ("at least %.16g"):format(option.min) end
    if not option.min then return nil, ("at most %.16g"):format(option.max) end
    return nil, ("between %.16g and %.16g"):format(option.min, option.max)
  end
  return n
end

-- Each gives the value, or nil, what was expected and perhaps a hint.
local readers = {
  string = function(text) return text end,
  path = function(text)
    if text == "" then return nil, "a path" end
    return text
  end,
  integer = function(text, option) return read_number(text, option, true) end,
  number = function(text, option) return read_number(text, option, false) end,
  size = function(text)
    local width, height = text:match("^(%d+)[xX](%d+)$")
    width, height = tonumber(width), tonumber(height)
    if not width or width < 1 or height < 1 or width > 2 ^ 20 or height > 2 ^ 20 then
      return nil, "WIDTHxHEIGHT, as 192x64"
    end
    return { width = width, height = height }
  end,
  pair = function(text)
    local key, value = text:match("^([%w_.-]+)=(.*)$")
    if not key then return nil, "KEY=VALUE" end
    return { key = key, value = value }
  end,
  choice = function(text, option)
    for _, choice in ipairs(option.choices) do
      if choice == text then return text end
    end
    return nil, table.concat(option.choices, ", "), nearest.hint(text, option.choices)
  end,
}

local function key_of(name)
  return (name:gsub("-", "_"))
end

-- The declared and the common options by name, and the names in order.
local function index_options(spec)
  local by_name, names, followed = {}, {}, {}
  local function add(option)
    local name = option[1]
    assert(option.type == "flag" or readers[option.type], "option " .. name .. ": unknown type")
    by_name[name] = option
    names[#names + 1] = name
    if option.follows then followed[option.follows] = true end
  end
  for _, option in ipairs(spec.options or {}) do add(option) end
  for _, option in ipairs(common) do
    if not by_name[option[1]] then add(option) end
  end
  return by_name, names, followed
end

-- State of one parse: spec, by_name, names, followed, result.
local function store(state, option, value)
  local result, key = state.result, key_of(option[1])
  if option.follows then
    local list = result[key_of(option.follows)]
    if #list == 0 then
      wrong(state.spec, ("--%s comes after its --%s"):format(option[1], option.follows))
    end
    list[#list][key] = value
  elseif option.repeated then
    table.insert(result[key], state.followed[option[1]] and { value = value } or value)
  else
    result[key] = value
  end
end

local function take_option(state, argv, i)
  local name, equals, text = argv[i]:match("^%-%-([%w_-]+)(=?)(.*)$")
  if argv[i] == "-h" then name, equals = "help", "" end
  local option = name and state.by_name[name]
  if not option then
    wrong(state.spec, ("unknown option %s%s"):format(argv[i]:match("^[^=]*"),
      nearest.hint(name or "", state.names, "--")))
  end
  if option.type == "flag" then
    if equals == "=" then wrong(state.spec, ("--%s takes no value"):format(name)) end
    store(state, option, true)
    return i
  end
  if equals == "" then
    i = i + 1
    text = argv[i]
    if not text or text:match("^%-%-%a") then
      wrong(state.spec, ("--%s needs a value"):format(name))
    end
  end
  local value, expected, hint = readers[option.type](text, option)
  if value == nil then
    wrong(state.spec, ("--%s: %s expected, got '%s'%s"):format(name, expected, text, hint or ""))
  end
  store(state, option, value)
  return i
end

local function take_positional(spec, result, given)
  local declared = spec.positional or {}
  local i = 1
  for _, p in ipairs(declared) do
    local key = key_of(p[1])
    if p.many then
      result[key] = {}
      while given[i] do
        table.insert(result[key], given[i])
        i = i + 1
      end
    else
      result[key] = given[i]
      i = i + 1
    end
    local missing = p.many and #result[key] == 0 or not p.many and not result[key]
    if missing and p.required ~= false then wrong(spec, p[1]:upper() .. " is missing") end
  end
  if given[i] then wrong(spec, ("unexpected argument '%s'"):format(given[i])) end
end

local function check_required(spec, result)
  for _, option in ipairs(spec.options or {}) do
    local value = result[key_of(option[1])]
    if option.required and (value == nil or option.repeated and #value == 0) then
      wrong(spec, ("--%s %s is missing"):format(option[1], option.value or option.type:upper()))
    end
  end
end

-- Help --------------------------------------------------------------------------------------------

local function option_column(option)
  if option.type == "flag" then return "--" .. option[1] end
  local value = option.value or (option.choices and table.concat(option.choices, "|"))
  return ("--%s %s"):format(option[1], value or option.type:upper())
end

local function default_text(option)
  local d = option.default
  if d == nil or type(d) == "boolean" then return "" end
  if type(d) == "table" then
    if not d.width then return "" end
    d = d.width .. "x" .. d.height
  end
  return (" (default: %s)"):format(d)
end

local COLUMN = 26 -- where the explanations begin

local function help_line(left, text)
  left = "  " .. left
  local gap = progress.width(left) + 2 <= COLUMN and (" "):rep(COLUMN - progress.width(left))
    or "\n" .. (" "):rep(COLUMN)
  return left .. gap .. progress.wrap(text, 100 - COLUMN, COLUMN)
end

---The text of --help.
---@param spec daub.cli.Spec
---@return string
function M.help(spec)
  local lines = { ("usage: daub %s %s"):format(spec.name, spec.usage or "[OPTIONS]"), spec.summary }
  if spec.positional and #spec.positional > 0 then lines[#lines + 1] = "" end
  for _, p in ipairs(spec.positional or {}) do
    lines[#lines + 1] = help_line(p[1]:upper() .. (p.many and " …" or ""), p.help or "")
  end
  for _, options in ipairs { spec.options or {}, common } do
    if #options > 0 then lines[#lines + 1] = "" end
    for _, option in ipairs(options) do
      local text = (option.help or "") .. (option.required and " (required)" or "")
        .. default_text(option) .. (option.repeated and " (may be repeated)" or "")
      if option.choices and option.value then
        text = text .. ": " .. table.concat(option.choices, ", ")
      end
      lines[#lines + 1] = help_line(option_column(option), text)
    end
  end
  if spec.notes then lines[#lines + 1] = "\n" .. spec.notes end
  if spec.notes_of then lines[#lines + 1] = "\n" .. require(spec.notes_of).notes() end
  return table.concat(lines, "\n") .. "\n"
end

-- Parsing -----------------------------------------------------------------------------------------

-- Lists are there from the start, so that `ipairs(o.from)` needs no check.
local function initial(spec)
  local result = {}
  for _, option in ipairs(spec.options or {}) do
    if option.repeated then result[key_of(option[1])] = {} end
  end
  return result
end

local function apply_defaults(spec, result)
  for _, option in ipairs(spec.options or {}) do
    local key = key_of(option[1])
    if result[key] == nil and not option.follows then result[key] = option.default end
  end
end

---Reads the arguments of a recipe. Wrong usage ends the program with exit code 2 and one line that
---names the nearest option; --help prints and ends it with 0. --threads takes effect at once.
---@param argv string[]
---@param spec daub.cli.Spec
---@return table options by name; `given` holds those that were on the command line
function M.parse(argv, spec)
  local by_name, names, followed = index_options(spec)
  local result = initial(spec)
  local state = { spec = spec, by_name = by_name, names = names, followed = followed,
    result = result }
  local positional, i, options_end = {}, 1, false
  while argv[i] do
    if argv[i] == "--" and not options_end then
      options_end = true
    elseif argv[i]:match("^%-.") and not options_end then
      i = take_option(state, argv, i)
    else
      positional[#positional + 1] = argv[i]
    end
    i = i + 1
  end
  if result.help then
    io.write(M.help(spec))
    M.exit(0)
  end
  if result.traceback then debug.getregistry()["daub.traceback"] = true end
  take_positional(spec, result, positional)
  check_required(spec, result)
  local given = {}
  for key in pairs(result) do given[key] = true end
  apply_defaults(spec, result)
  if result.threads then system.threads(result.threads) end
  result.given = given
  return result
end

---What a recipe tells people and programs while it works.
---@param o table the result of parse
---@return daub.progress.Reporter
function M.reporter(o)
  return progress.reporter { json = o.json, quiet = o.quiet }
end

---Runs another recipe within this process, as `daub NAME ARGS…` would. Failures pass through.
---@param name string
---@param args string[]
---@return any # what the recipe's chunk returns
function M.run_recipe(name, args)
  return require("daub.recipes").run(name, args)
end

return M
