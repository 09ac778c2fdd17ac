-- The texts of daub --help, --info, --version and daub help.

local cli = require "daub.cli"
local nearest = require "daub.nearest"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

local M = {}

local USAGE = [[
usage: daub [OPTIONS] [SCRIPT.lua | RECIPE | -] [ARGS]
Collects covers, learns from them, paints new ones. Without arguments: a REPL on a terminal,
otherwise a script from standard input.

  -e CODE       runs CODE             -l MODULE     requires MODULE
  -i            REPL after the script -v            prints the version
  -             script from standard input
  --info        version, instruction set, threads and libraries
  --traceback   errors come with the way to them (also: DAUB_TRACEBACK=1)
  --help        this text             help RECIPE   the options of a recipe
]]

local OPTIONS = { "-e", "-l", "-i", "-v", "-h", "--info", "--traceback", "--help", "--version" }

local function recipe_lines()
  local lines, widest = {}, 0
  local names = recipes.names()
  for _, name in ipairs(names) do widest = math.max(widest, #name) end
  for _, name in ipairs(names) do
    local spec, message = recipes.spec(name)
    local summary = spec and spec.summary or "(cannot be read: " .. message .. ")"
    lines[#lines + 1] = ("  %-" .. widest .. "s  %s\n"):format(name, summary)
  end
  return #lines > 0 and "\nrecipes (daub RECIPE --help tells more):\n" .. table.concat(lines) or ""
end

---daub --help
function M.usage()
  io.write(USAGE, recipe_lines())
end

---daub help [RECIPE]
---@param name string?
function M.command(name)
  if not name then return M.usage() end
  if not recipes.path(name) then return M.unknown(name) end
  local spec, message = recipes.spec(name)
  if not spec then cli.fail(("help: %s: %s"):format(name, message)) end
  io.write(cli.help(spec))
end

---Ends the program: no such recipe.
---@param name string
function M.unknown(name)
  local names = recipes.names()
  names[#names + 1] = "help"
  local hint = nearest.hint(name, names)
  cli.exit(2, ("%s: no such recipe or file%s"):format(name,
    hint ~= "" and hint or " (daub help lists the recipes)"))
end

---Ends the program: no such option before the script.
---@param option string
function M.unknown_option(option)
  local hint = nearest.hint(option, OPTIONS)
  cli.exit(2, ("%s: unknown option%s"):format(option,
    hint ~= "" and hint or " (see daub --help)"))
end

---daub --version, -v
function M.version()
  print(("daub %s on %s"):format(system.version(), jit.version))
end

---daub --info
function M.info()
  local info = system.info()
  local function line(name, value) io.write(("%-17s%s\n"):format(name, value)) end
  line("daub", info.version)
  line("data", recipes.root())
  line("kernels", info.isa .. (info.bf16 and ", bf16" or "")
    .. (os.getenv("DAUB_ISA") and " (DAUB_ISA)" or ""))
  line("threads", ("%d (cores: %d)"):format(info.threads, info.cores))
  line("decoder sandbox", require("daub.core.image").sandbox())
  line("BLAS", ("%s, core type %s"):format(info.blas, info.blas_core))
  local ok, cjson = pcall(require, "cjson")
  info.libraries["lua-cjson"] = ok and cjson._VERSION or "missing"
  local names = {}
  for name in pairs(info.libraries) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do line(name, info.libraries[name]) end
  local core = os.getenv("OPENBLAS_CORETYPE")
  if core then
    io.write("warning: OPENBLAS_CORETYPE=", core,
      " is set: BLAS may run at half its speed (unset it)\n")
  end
end

return M
