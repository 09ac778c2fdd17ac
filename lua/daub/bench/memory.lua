-- Memory of whole steps, each in a process of its own: arrays, all of the process, and what is
-- asked of the system once the first steps are done.
local Step = require "daub.bench.step"
local daub = require "daub"
local json = require "daub.json"
local progress = require "daub.progress"
local steps = require "daub.bench.steps"
local system = require "daub.core.system"

local M = {}

local STEPS = 4

-- Bytes the process had at most. The system's own count (getrusage) has the parent's in it.
local function peak_rss()
  local status = io.open("/proc/self/status")
  local text = status and status:read("*a") or ""
  if status then status:close() end
  local kilobytes = text:match("VmHWM:%s*(%d+) kB")
  return kilobytes and tonumber(kilobytes) * 1024 or system.memory().peak_rss
end

---Does a few steps and prints what memory they took, one JSON object: to be called in a process
---that does nothing else.
---@param name string of a step
---@param threads integer
---@param exact boolean as daub.exact takes it
---@param precision string as daub.precision takes it
function M.alone(name, threads, exact, precision)
  system.threads(threads)
  daub.exact(exact)
  daub.precision(precision)
  local before = peak_rss()
  local step = Step.new(steps.find(name))
  step()
  step()
  local settled = system.memory().system_calls
  for _ = 1, STEPS do step() end
  local memory = system.memory()
  print(json.encode { peak_bytes = memory.peak, peak_rss_bytes = peak_rss(), idle_bytes = before,
    system_calls_per_step = (memory.system_calls - settled) / STEPS })
end

-- All of a program's output.
local function output_of(argv)
  local process, message = system.spawn(argv, { stdin = "null", stdout = "pipe" })
  if not process then return nil, message end
  local text = {}
  for part in function() return process:read() end do text[#text + 1] = part end
  if process:wait() ~= 0 then return nil, "it failed" end
  return table.concat(text)
end

---What a step takes in a process of its own that computes as this one does.
---@param name string of a step
---@return {peak_bytes: number, peak_rss_bytes: number, idle_bytes: number,
--- system_calls_per_step: number}
function M.of(name)
  local code = ("require('daub.bench.memory').alone(%q, %d, %s, %q)"):format(name,
    system.threads(), daub.exact(), daub.precision())
  local text, message = output_of { system.realpath("/proc/self/exe"), "-e", code }
  if not text then error(("memory of %s: %s"):format(name, message), 0) end
  return json.decode(text)
end

local function measure(session, name, step)
  local values = M.of(step)
  session.report:say(("%-38s %11s of arrays, %s in all (%s before the first step), %g blocks a "
    .. "step from the system"):format(name, progress.bytes(values.peak_bytes),
    progress.bytes(values.peak_rss_bytes), progress.bytes(values.idle_bytes),
    values.system_calls_per_step))
  values.name = name
  session:event(values)
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, o in ipairs(steps.steps) do
    local name = "memory." .. o.name
    list[#list + 1] = { name = name, measure = function(s) measure(s, name, o.name) end }
  end
  return list
end

return M
