-- A run's folder: run.json (what it was started with), log.jsonl (a line per report),
-- checkpoints/ with `latest` and `best`, samples/. One process at a time writes to it.
--
--     local r, message = run.create("runs/first", { recipe = "lite", seed = 1, … })
--     r:save(40, state)                    -- checkpoints/step-000040.safetensors, then `latest`
--     local again = run.resume("runs/first");  again.options.seed;  again:load()
--     local step, path = run.read("runs/first"):checkpoint()          -- to paint with
--
-- Every file appears whole; `latest` names a checkpoint only after that is on disk, so a run that
-- is killed goes on from the last checkpoint it reported. `best` has a line for each of the best
-- measured ones, the best first: its file and its score.
local checkpoint = require "daub.checkpoint"
local data = require "daub.core.data"
local json = require "daub.json"
local system = require "daub.core.system"

local M = {}

M.keep = 3 -- last checkpoints; the best ones are kept beside them

---@class daub.learn.Run
---@field path string
---@field options table what run.json holds under "options"
local Run = {}
Run.__index = Run

-- What a killed train had half written.
local function sweep(path)
  for _, folder in ipairs { path, path .. "/checkpoints", path .. "/samples" } do
    for _, name in ipairs(system.list_directory(folder) or {}) do
      if name:match("%.tmp%-%w%w%w%w%w%w$") then system.remove(folder .. "/" .. name) end
    end
  end
end

local function open(path, options)
  local lock, message = system.lock_file(path .. "/run.lock")
  if not lock then
    return nil, ("%s: another train is at work here (%s)"):format(path, message), "locked"
  end
  sweep(path)
  return setmetatable({ path = path, options = options, lock = lock }, Run)
end

-- What the program was, for the record.
local function program()
  local info = system.info()
  return { version = info.version, isa = info.isa, threads = info.threads, blas = info.blas,
    libraries = info.libraries }
end

---Whether a folder holds a run.
---@param path string
---@return boolean
function M.exists(path) return system.stat(path .. "/run.json") ~= nil end

---Reads run.json of a run; enough to paint from it.
---@param path string
---@return daub.learn.Run|nil run not locked: for reading
---@return string? message
---@return string? code
function M.read(path)
  local text = system.read_file(path .. "/run.json", 16 * 2 ^ 20)
  if not text then
    return nil, path .. ": no run here (daub train makes one)", "missing"
  end
  local described = json.decode(text)
  if type(described) ~= "table" or type(described.options) ~= "table" then
    return nil, path .. "/run.json: not a run's description", "decode"
  end
  return setmetatable({ path = path, options = described.options }, Run)
end

-- Writes run.json.
function Run:describe()
  return system.write_file(self.path .. "/run.json",
    json.pretty { options = self.options, program = program() })
end

---Starts a run in a folder that holds none.
---@param path string
---@param options table
---@return daub.learn.Run|nil run, string? message, string? code
function M.create(path, options)
  for _, folder in ipairs { path, path .. "/checkpoints", path .. "/samples" } do
    local ok, message, code = system.make_directory(folder)
    if not ok then return nil, message, code end
  end
  local r, message, code = open(path, options)
  if not r then return nil, message, code end
  if M.exists(path) then
    r:close()
    return nil, path .. ": already holds a run (go on with --resume, or name another folder)",
      "exists"
  end
  local ok
  ok, message, code = r:describe()
  if not ok then return nil, message, code end
  return r
end

---Opens a run to go on with it.
---@param path string
---@return daub.learn.Run|nil run, string? message, string? code
function M.resume(path)
  local described, message, code = M.read(path)
  if not described then return nil, message, code end
  return open(path, described.options)
end

function Run:close()
  if self.log_file then self.log_file:close() end
  if self.lock then self.lock:close() end
  self.log_file, self.lock = nil, nil
end

---Appends one line to log.jsonl.
---@param entry table
function Run:log(entry)
  if not self.log_file then
    local name = self.path .. "/log.jsonl"
    local before = io.open(name, "rb")
    local torn = false
    if before then
      torn = before:seek("end") > 0 and before:seek("end", -1) and before:read(1) ~= "\n"
      before:close()
    end
    self.log_file = assert(io.open(name, "ab"))
    if torn then self.log_file:write("\n") end
  end
  self.log_file:write(json.encode(entry), "\n")
  self.log_file:flush()
end

---Every whole line of log.jsonl, decoded.
---@return table[]
function Run:entries()
  local list, file = {}, io.open(self.path .. "/log.jsonl", "rb")
  if not file then return list end
  for line in file:lines() do
    local entry = json.decode(line)
    if type(entry) == "table" then list[#list + 1] = entry end
  end
  file:close()
  return list
end

---Until when the run goes: what is given, else what it went for last, else so many minutes.
---@param given {steps: integer?, minutes: number?}
---@param minutes number
---@return {steps: integer?, minutes: number?}
function Run:goal(given, minutes)
  if given.steps or given.minutes then return given end
  local goal = { minutes = minutes }
  for _, entry in ipairs(self:entries()) do
    if entry.event == "start" then goal = entry end
  end
  return { steps = goal.steps, minutes = goal.minutes }
end

---The packed dataset the run last learnt from, as its log says; nil before the first step.
---@return string|nil path
function Run:dataset()
  local path
  for _, entry in ipairs(self:entries()) do path = entry.dataset or path end
  return path
end

---How many of these pictures the run has learnt from; nil when its dataset is not there any more.
---@param pictures {sha256: string}[]
---@return integer|nil
function Run:learnt_from(pictures)
  local path, ids, count = self:dataset(), {}, 0
  local dataset = path and data.open(path)
  if not dataset then return nil end
  for i = 1, dataset:info().count do ids[dataset:id(i)] = true end
  for _, picture in ipairs(pictures) do count = count + (ids[picture.sha256] and 1 or 0) end
  dataset:close()
  return count
end

local function file_name(step) return ("step-%06d.safetensors"):format(step) end

-- The step that a checkpoint's name says.
local function step_of(name) return tonumber(name:match("^step%-(%d+)%.safetensors$")) end

---Where the checkpoint of a step lies.
---@param step integer
---@return string
function Run:file(step) return self.path .. "/checkpoints/" .. file_name(step) end

-- The step and path of a checkpoint that is there.
local function found(self, step)
  local path = step and self:file(step)
  if path and system.stat(path) then return step, path end
end

---The step and file of the last checkpoint; nil when there is none yet.
---@return integer|nil step, string? path
function Run:latest()
  local name = system.read_file(self.path .. "/checkpoints/latest", 4096)
  return found(self, name and step_of(name:gsub("%s+$", "")))
end

---The step and file of the checkpoint that measured best; nil when none was measured.
---@return integer|nil step, string? path
function Run:best()
  local list = system.read_file(self.path .. "/checkpoints/best", 4096)
  for name in (list or ""):gmatch("(%S+)[^\n]*\n") do
    local step, path = found(self, step_of(name))
    if step then return step, path end
  end
end

---A checkpoint to paint with.
---@param which? "best"|"latest"|string|integer a step's number; the best unless given, or the
--- latest where none was measured
---@return integer|nil step, string path nil and a message when it is not there
function Run:checkpoint(which)
  local step, path
  if which == nil or which == "best" then step, path = self:best() end
  if which == "latest" or which == nil and not step then step, path = self:latest() end
  if which ~= nil and which ~= "best" and which ~= "latest" then
    local n = tonumber(which)
    if not n or n < 0 or n % 1 ~= 0 then
      return nil, ("step '%s': best, latest or a step's number expected"):format(tostring(which))
    end
    step, path = found(self, n)
    if not step then return nil, ("%s: has no checkpoint of step %d"):format(self.path, n) end
  end
  if not step and which == "best" then
    return nil, self.path .. ": no checkpoint of it was measured (take --step latest)"
  end
  if not step or step == 0 then return nil, self.path .. ": has no checkpoint yet (train on)" end
  return step, path
end

---Where the sample grid of a step lies.
---@param step integer
---@return string
function Run:sample_path(step) return ("%s/samples/step-%06d.png"):format(self.path, step) end

---The state in a checkpoint.
---@param path? string its file; the last checkpoint's unless given
---@return table|nil state nil when there is none (message nil) or it cannot be read
---@return string? message
---@return string? code
function Run:load(path)
  if not path then
    local _
    _, path = self:latest()
  end
  if not path then return nil end
  return checkpoint.load(path)
end

-- Checkpoints that are neither among the last nor to be kept go, and what is after `step`: a run
-- that went back to it will come there again.
local function forget(self, step, kept)
  local steps = {}
  for _, name in ipairs(system.list_directory(self.path .. "/checkpoints") or {}) do
    steps[#steps + 1] = step_of(name)
  end
  table.sort(steps, function(a, b) return a > b end)
  local last = 0
  for _, n in ipairs(steps) do
    if n <= step then last = last + 1 end
    if n > step or last > M.keep and not kept[n] then
      system.remove(self:file(n))
      if n > step then system.remove(self:sample_path(n)) end
    end
  end
end

---Writes a checkpoint and makes it the latest; keeps the last few, and those it is told to.
---@param step integer
---@param state table
---@param best? {step: integer, score: number}[] of what was measured, the best first
---@param further? integer[] steps whose checkpoints are kept too
---@return string|nil path, string? message, string? code
function Run:save(step, state, best, further)
  local folder, lines, kept = self.path .. "/checkpoints", {}, {}
  local path = self:file(step)
  local ok, message, code = checkpoint.save(path, state)
  if not ok then return nil, message, code end
  for i, entry in ipairs(best or {}) do
    lines[i], kept[entry.step] = ("%s %.6g\n"):format(file_name(entry.step), entry.score), true
  end
  for _, n in ipairs(further or {}) do kept[n] = true end
  if best then
    ok, message, code = system.write_file(folder .. "/best", table.concat(lines))
    if not ok then return nil, message, code end
  end
  ok, message, code = system.write_file(folder .. "/latest", file_name(step) .. "\n")
  if not ok then return nil, message, code end
  forget(self, step, kept)
  return path
end

---Says in run.json that from now on the run learns from another collection, and since when. The
---same again changes nothing.
---@param collection string
---@return boolean|nil ok, string? message, string? code
function Run:switch(collection)
  local options = self.options
  if system.realpath(collection) == system.realpath(options.collection) then return true end
  options.history = options.history or {}
  table.insert(options.history, { collection = options.collection, steps = self:latest() or 0 })
  options.collection = collection
  return self:describe()
end

return M
