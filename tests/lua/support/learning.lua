-- What the specs of learning and painting share: a few painted pictures, small networks, and the
-- recipes run as programs of their own.
local checkpoint = require "daub.checkpoint"
local demo = require "daub.demo"
local system = require "daub.core.system"

local M = {}

---Options that make a run of a second.
M.small = {
  dcgan = "--recipe dcgan --size 32x16 --set batch=4 --set ngf=8 --set ndf=8",
  lite = "--recipe lite --size 32x16 --set batch=4 --set widths=10",
}

---A folder with `count` small pictures of the demo.
---@return string
function M.pictures(count)
  local folder = system.temporary_directory("daub-pictures")
  assert(demo.write(folder, { count = count, width = 96, height = 32 }))
  return folder
end

---Removes a folder and everything in it.
function M.remove(path)
  for _, name in ipairs(system.list_directory(path) or {}) do
    local inner = path .. "/" .. name
    if system.stat(inner).type == "directory" then M.remove(inner) else system.remove(inner) end
  end
  system.remove(path)
end

local function arguments(words)
  local list = { system.realpath("/proc/self/exe") }
  for _, word in ipairs(words) do list[#list + 1] = word end
  return list
end

---Runs `daub WORDS…` to its end.
---@param words string[]
---@return integer code, string stdout, string stderr
function M.daub(words)
  local folder = system.temporary_directory("daub-output")
  local process = assert(system.spawn(arguments(words),
    { stdin = "null", stdout = folder .. "/out", stderr = folder .. "/err" }))
  local code = process:wait(120)
  local out, err = system.read_file(folder .. "/out"), system.read_file(folder .. "/err")
  M.remove(folder)
  return code, out, err
end

local function training(pictures, out, words)
  local list = { "train", pictures, "--out", out }
  for word in words:gmatch("%S+") do list[#list + 1] = word end
  return list
end

---Runs `daub train PICTURES --out OUT WORDS --quiet`.
---@param words string
---@return integer code, string stderr
function M.train(pictures, out, words)
  local code, _, err = M.daub(training(pictures, out, words .. " --quiet"))
  return code, err
end

---Makes the generator's weights in a checkpoint no numbers.
---@param path string
function M.poison(path)
  local state = assert(checkpoint.load(path))
  for name, weight in pairs(state.generator) do
    if name:match("weight") then weight:fill_(0 / 0) end
  end
  assert(checkpoint.save(path, state))
end

---Starts the same and lets it run; its output and errors are pipes.
---@return daub.core.Process
function M.start(pictures, out, words)
  return assert(system.spawn(arguments(training(pictures, out, words .. " --quiet")),
    { stdin = "null", stdout = "pipe", stderr = "pipe" }))
end

return M
