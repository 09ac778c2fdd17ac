-- The same steps in PyTorch, when python3 has it: tests/bench/pytorch_steps.py does one when it is
-- told to, so that ours and theirs alternate and meet the same neighbours.
local Step = require "daub.bench.step"
local json = require "daub.json"
local measure = require "daub.bench.measure"
local memory = require "daub.bench.memory"
local mlp = require "daub.bench.mlp"
local progress = require "daub.progress"
local recipes = require "daub.recipes"
local steps = require "daub.bench.steps"
local system = require "daub.core.system"
local trace = require "daub.bench.trace"

local M = {}

local CONFIGURATIONS = { "default", "channels_last", "compile", "bf16" }
local PREPARING = 300 -- seconds, at most: torch.compile builds programs
local PAUSE = 0.02    -- seconds for the threads of the one before to go to sleep

---@class daub.bench.Python
---@field process daub.core.Process
---@field version string of PyTorch
local Python = {}
Python.__index = Python

-- The next line the program prints, decoded.
local function read(self, seconds)
  while true do
    local line, rest = self.text:match("^([^\n]*)\n(.*)$")
    if line then
      self.text = rest
      return json.decode(line)
    end
    local part, message = self.process:read(seconds)
    if not part then return nil, message or "it ended" end
    self.text = self.text .. part
  end
end

---Starts the program.
---@param threads integer
---@return daub.bench.Python|nil, string? message
local function start(threads)
  local script = recipes.root() .. "/tests/bench/pytorch_steps.py"
  if not system.stat(script) then return nil, "tests/bench/pytorch_steps.py is not there" end
  local process, message = system.spawn({ "python3", script, tostring(threads) },
    { stdin = "pipe", stdout = "pipe", stderr = "null" })
  if not process then return nil, message end
  local self = setmetatable({ process = process, text = "" }, Python)
  local hello
  hello, message = read(self, PREPARING)
  if not hello or hello.error then
    process:close()
    return nil, hello and hello.error or message
  end
  self.version = hello.version
  return self
end

---@param request string
---@return table|nil answer, string? message
function Python:ask(request)
  local ok, message = self.process:write(request .. "\n")
  if not ok then return nil, message end
  local values
  values, message = read(self, PREPARING)
  if not values then return nil, message end
  if values.error then return nil, values.error end
  return values
end

function Python:close()
  self.process:close_stdin()
  if not self.process:wait(5) then self.process:close() end
end

-- A new program, or nil after a word that PyTorch is left out.
local function begin(session, name)
  local python, message = start(session.info.threads)
  if not python then session.report:note(("%s is left out: %s"):format(name, message)) end
  return python
end

-- Prepares configurations; those that cannot be had are left out, saying why.
local function prepared(session, python, names)
  local list = {}
  for _, name in ipairs(names) do
    session.report:progress("PyTorch prepares " .. name)
    local ready, message = python:ask("prepare " .. name)
    if ready then
      list[#list + 1] = name
    else
      session.report:note(("PyTorch's %s is left out: %s"):format(name, message))
    end
  end
  return list
end

-- Runs our step and each of theirs by turns.
---@return table<string, {samples: number[], cpu: number}> by configuration; ours is "daub"
local function alternate(python, ours, names, rounds, together)
  local seen = { daub = { samples = {}, cpu = math.huge } }
  for _, name in ipairs(names) do seen[name] = { samples = {}, cpu = math.huge } end
  local function add(name, seconds, cpu)
    table.insert(seen[name].samples, seconds)
    seen[name].cpu = math.min(seen[name].cpu, cpu)
  end
  ours()
  for _ = 1, rounds do
    collectgarbage()
    system.sleep(PAUSE)
    local begun, used = system.now(), system.cpu_time()
    for _ = 1, together do ours() end
    add("daub", (system.now() - begun) / together, (system.cpu_time() - used) / together)
    for _, name in ipairs(names) do
      system.sleep(PAUSE)
      local values, message = python:ask(("step %s %d"):format(name, together))
      if not values then error(("PyTorch's %s: %s"):format(name, message), 0) end
      add(name, values.seconds, values.cpu_seconds)
    end
  end
  return seen
end

local function times_of(seen)
  local times = measure.times { unpack(seen.samples) }
  times.cpu = seen.cpu
  return times
end

-- Our time over theirs, round by round: best against best, and quartiles of the rounds.
local function compare(ours, theirs)
  local ratios = {}
  for i, seconds in ipairs(ours.samples) do ratios[i] = seconds / theirs.samples[i] end
  table.sort(ratios)
  local function at(share) return ratios[math.floor(share * (#ratios - 1) + 1.5)] end
  return { best = times_of(ours).best / times_of(theirs).best, median = at(0.5), low = at(0.25),
    high = at(0.75), cpu = ours.cpu / theirs.cpu }
end

local function words(r)
  return ("daub takes %.3f of it (best), %.3f median (%.3f to %.3f), %.3f of its processor time")
    :format(r.best, r.median, r.low, r.high, r.cpu)
end

-- Rows of all that were timed by turns, theirs with ratios; last, theirs that is fastest in f32.
local function show(session, step, seen, names, row)
  session:row { name = step, times = times_of(seen.daub), flops = row.flops, batch = row.batch }
  local fastest
  for _, name in ipairs(names) do
    local r, times = compare(seen.daub, seen[name]), times_of(seen[name])
    local precision = name == "bf16" and "bf16" or "f32"
    session:row { name = ("pytorch.%s.%s"):format(name, step), times = times, flops = row.flops,
      batch = row.batch, precision = precision, words = "  " .. words(r),
      more = { pytorch = row.version, ratio = r.best, ratio_median = r.median,
        ratio_quartiles = { r.low, r.high }, ratio_cpu = r.cpu } }
    if precision == "f32" and (not fastest or times.best < fastest.times.best) then
      fastest = { name = name, times = times, ratio = r }
    end
  end
  if not fastest then return end
  session.report:say(("    PyTorch %s at its best in f32 is %s: %s, %.2f times as fast"):format(
    row.version, fastest.name, words(fastest.ratio), 1 / fastest.ratio.best))
  session:event { name = "pytorch.best." .. step, configuration = fastest.name,
    seconds = fastest.times.best, ratio = fastest.ratio.best,
    ratio_median = fastest.ratio.median, ratio_cpu = fastest.ratio.cpu }
end

-- Times `ours` and PyTorch's configurations `names` of a step by turns, `together` at once.
local function by_turns(session, name, ours, names, row, together)
  local python = begin(session, "pytorch." .. name)
  if not python then return end
  names = prepared(session, python, names)
  row.flops, row.version = trace.run(ours), python.version
  local seen = alternate(python, ours, names, session.repeats or 9, together)
  python:close()
  show(session, name, seen, names, row)
end

local function dcgan(session)
  local o = steps.find("dcgan64.step")
  by_turns(session, o.name, Step.new(o), CONFIGURATIONS, { batch = o.set.batch }, 1)
end

local function small(session) by_turns(session, "mlp.step", mlp.step(), { "eager" }, {}, 100) end

-- Memory of a configuration in a process of its own, beside ours.
local function memory_of(session, name, ours)
  local python = begin(session, "pytorch.memory." .. name)
  if not python then return end
  if #prepared(session, python, { name }) == 1 then
    assert(python:ask(("step %s 3"):format(name)))
    local values = assert(python:ask("memory"))
    values.name, values.pytorch = ("pytorch.memory.%s.dcgan64.step"):format(name), python.version
    values.ratio = ours / values.peak_rss_bytes
    session.report:say(("%-38s %11s in all (%s before the first step); daub takes %.2f of it")
      :format(values.name, progress.bytes(values.peak_rss_bytes),
        progress.bytes(values.idle_bytes), values.ratio))
    session:event(values)
  end
  python:close()
end

local function memories(session)
  local ours = memory.of("dcgan64.step").peak_rss_bytes
  for _, name in ipairs(CONFIGURATIONS) do memory_of(session, name, ours) end
end

---@return daub.bench.Entry[]
function M.list()
  return {
    { name = "pytorch.dcgan64.step", measure = dcgan },
    { name = "pytorch.mlp.step", measure = small },
    { name = "pytorch.memory", measure = memories },
  }
end

return M
