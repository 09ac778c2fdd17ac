-- The DCGAN step in PyTorch, when python3 has it: tests/bench/pytorch_dcgan.py run beside our own.
local json = require "daub.json"
local measure = require "daub.bench.measure"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

local M = {}

-- All of a program's output; nil and its last line of errors when it fails.
local function output_of(argv)
  local process, message = system.spawn(argv, { stdin = "null", stdout = "pipe", stderr = "pipe" })
  if not process then return nil, message end
  local text = {}
  for part in function() return process:read() end do text[#text + 1] = part end
  local errors = {}
  for part in function() return process:read_error() end do errors[#errors + 1] = part end
  if process:wait() == 0 then return table.concat(text) end
  return nil, table.concat(errors):match("([^\n]+)%s*$") or "it failed"
end

---Times the step in PyTorch, in its default layout and in channels_last by turns.
---@param repeats integer
---@return table? result version and times (daub.bench.Times) by layout, string? message
function M.run(repeats)
  local script = recipes.root() .. "/tests/bench/pytorch_dcgan.py"
  if not system.stat(script) then return nil, "tests/bench/pytorch_dcgan.py is not there" end
  local text, message = output_of { "python3", script, "--json", "--threads",
    tostring(system.threads()), "--repeats", tostring(repeats) }
  if not text then return nil, message end
  local result
  result, message = json.decode(text)
  if not result then return nil, message end
  local times = {}
  for layout, samples in pairs(result.seconds) do
    times[layout] = measure.times(samples)
    times[layout].cpu = result.cpu_seconds[layout]
  end
  return { version = result.version, times = times }
end

return M
