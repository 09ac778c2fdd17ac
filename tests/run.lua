-- Runs the Lua tests inside the host: daub tests/run.lua [busted options] [files or folders]
-- Tests tagged #slow run only when asked for (--tags=slow).
-- luacheck: globals DAUB_TESTS arg
local here = arg[0]:match("^(.*)/[^/]*$") or "."
local given = false
for _, a in ipairs(arg) do
  if not a:match("^%-") then given = true end
end
local slow = false
for _, a in ipairs(arg) do
  if a:match("^%-%-tags=") then slow = true end
end
if not slow then table.insert(arg, 1, "--exclude-tags=slow") end
if not given then arg[#arg + 1] = here .. "/lua" end
-- Nothing of the person running the tests is read or changed.
local ffi = require "ffi"
ffi.cdef "int setenv(const char *, const char *, int);"
ffi.C.setenv("XDG_CONFIG_HOME", (os.getenv("TMPDIR") or "/tmp") .. "/daub-test-config", 1)
package.path = here .. "/lua/?.lua;" .. package.path
DAUB_TESTS = here
-- Names in the library that nobody declared are told about.
require("daub.strict").watch {
  warn = function(message) io.stderr:write(message, "\n") end,
  within = require("daub.recipes").root() .. "/lua/",
}
require("busted.runner")({ standalone = false, pattern = "_spec" })
