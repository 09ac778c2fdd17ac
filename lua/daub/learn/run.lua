-- A run's folder: run.json (what it was started with), log.jsonl (a line per report),
-- checkpoints/ with `latest`, samples/. One process at a time writes to it.
--
--     local r, message = run.create("runs/first", { recipe = "dcgan", seed = 1, … })
--     r:save(40, state)                    -- checkpoints/step-000040.safetensors, then `latest`
--     local again = run.resume("runs/first");  again.options.seed;  again:load()
--
-- Every file appears whole; `latest` names a checkpoint only after that is on disk, so a run that
-- is killed goes on from the last checkpoint it reported.
local checkpoint = require "daub.checkpoint"
local data = require "daub.core.data"
local json = require "daub.json"
local system = require "daub.core.system"

local M = {}

M.keep = 3 -- checkpoints

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
  local text = json.pretty { options = options, program = program() }
  local ok
  ok, message, code = system.write_file(path .. "/run.json", text)
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

---The step and file of the last checkpoint; nil when there is none yet.
---@return integer|nil step, string? path
function Run:latest()
  local name = system.read_file(self.path .. "/checkpoints/latest", 4096)
  local step = name and name:match("^step%-(%d+)%.safetensors\n?$")
  if not step then return nil end
  return tonumber(step), self.path .. "/checkpoints/" .. name:gsub("%s+$", "")
end

---The step and file of one checkpoint.
---@param step? integer the last one when nil
---@return integer|nil step, string path nil and a message when it is not there
function Run:checkpoint(step)
  if not step then
    local last, path = self:latest()
    return last, path or self.path .. ": has no checkpoint yet (train on)"
  end
  local path = ("%s/checkpoints/step-%06d.safetensors"):format(self.path, step)
  if system.stat(path) then return step, path end
  return nil, ("%s: has no checkpoint of step %d (the last few and the best are kept)"):format(
    self.path, step)
end

---Where the sample grid of a step lies.
---@param step integer
---@return string
function Run:sample_path(step) return ("%s/samples/step-%06d.png"):format(self.path, step) end

---The state in the last checkpoint.
---@return table|nil state nil when there is none (message nil) or it cannot be read
---@return string? message
---@return string? code
function Run:load()
  local _, path = self:latest()
  if not path then return nil end
  return checkpoint.load(path)
end

local function forget_old(folder, step)
  local steps = {}
  for _, name in ipairs(system.list_directory(folder) or {}) do
    local n = tonumber(name:match("^step%-(%d+)%.safetensors$"))
    if n and n <= step then steps[#steps + 1] = { n, name } end
  end
  table.sort(steps, function(a, b) return a[1] > b[1] end)
  for i = M.keep + 1, #steps do system.remove(folder .. "/" .. steps[i][2]) end
end

---Writes a checkpoint and makes it the latest; keeps the last few.
---@param step integer
---@param state table
---@return string|nil path, string? message, string? code
function Run:save(step, state)
  local folder = self.path .. "/checkpoints"
  local name = ("step-%06d.safetensors"):format(step)
  local ok, message, code = checkpoint.save(folder .. "/" .. name, state)
  if not ok then return nil, message, code end
  ok, message, code = system.write_file(folder .. "/latest", name .. "\n")
  if not ok then return nil, message, code end
  forget_old(folder, step)
  return folder .. "/" .. name
end

return M
