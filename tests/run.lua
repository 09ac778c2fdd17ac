-- Runs the Lua tests inside the host: daub tests/run.lua [busted options] [files or folders]
-- Tests tagged #slow run only when asked for (--tags=slow).
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
package.path = here .. "/lua/?.lua;" .. package.path
DAUB_TESTS = here
require("busted.runner")({ standalone = false, pattern = "_spec" })
