-- From files to batches: decoding a collection's pictures, packing them, loading them beside the
-- step. The pictures are the demo's, painted when they are asked for.
local A = require "daub.core.array"
local Step = require "daub.bench.step"
local data = require "daub.learn.data"
local demo = require "daub.demo"
local image = require "daub.core.image"
local steps = require "daub.bench.steps"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local COUNT, WIDTH, HEIGHT = 24, 1500, 500 -- pictures as X has them
local MOST_WAITING = 0.03                  -- of a step
local TOGETHER = 32                        -- batches: more than a loader has ready

-- Removes a folder and what lies in it, two levels deep.
local function remove(folder)
  for _, name in ipairs(system.list_directory(folder) or {}) do
    local path = folder .. "/" .. name
    if system.stat(path).type == "directory" then remove(path) else system.remove(path) end
  end
  system.remove(folder)
end

-- Runs f with a folder of `count` painted pictures.
local function with_pictures(count, size, f)
  local folder = assert(system.temporary_directory("daub-bench"))
  local ok, message = pcall(function()
    assert(demo.write(folder, { count = count, width = size.width, height = size.height }))
    f(folder)
  end)
  remove(folder)
  if not ok then error(message, 0) end
end

local function decode_all(folder, names)
  local decoder = image.decoder { workers = system.threads() }
  for i, name in ipairs(names) do decoder:submit(i, { path = folder .. "/" .. name }) end
  local done = 0
  while done < #names do
    for _, result in ipairs(assert(decoder:poll(1))) do
      assert(result.pixels, result.error)
      done = done + 1
    end
  end
  decoder:close()
end

-- Pictures of a collection from files to pixels, in sandboxed children.
local function decode(session)
  with_pictures(COUNT, { width = WIDTH, height = HEIGHT }, function(folder)
    local names = system.list_directory(folder)
    local times = session:time(function() decode_all(folder, names) end, { seconds = 1 })
    session:row { name = "data.decode", times = times, pictures = COUNT,
      bytes = 3 * COUNT * WIDTH * HEIGHT }
  end)
end

-- The same, shrunk to a network's size and written to one file.
local function pack(session)
  with_pictures(COUNT, { width = WIDTH, height = HEIGHT }, function(folder)
    local pictures = assert(data.folder(folder))
    local o = { width = 192, height = 64, cache = folder .. "/cache" }
    local times = session:time(function()
      system.remove(data.path(pictures, o))
      assert(data.open(pictures, o)):close()
    end, { seconds = 1 })
    session:row { name = "data.pack.192x64", times = times, pictures = COUNT,
      bytes = 3 * COUNT * WIDTH * HEIGHT }
  end)
end

-- Runs f(dataset) with a packed dataset of pictures of a step's size.
local function with_dataset(o, f)
  with_pictures(4 * COUNT, o.size, function(folder)
    local dataset = assert(data.open(assert(data.folder(folder)),
      { width = o.size.width, height = o.size.height, cache = folder .. "/cache" }))
    f(dataset)
    dataset:close()
  end)
end

-- Batches from the packed file, one after the other: cropped, mirrored and made f32.
local function load(session)
  local o = steps.find("lite.192x64.step")
  with_dataset(o, function(dataset)
    local batch = o.set.batch
    local loader = dataset:loader { batch = batch, zoom = 0.85, mirror = true }
    local bytes = 5 * A.numel(loader:next())
    local times = session:time(function()
      for _ = 1, TOGETHER do assert(loader:next()) end
    end, { between = collectgarbage })
    session:row { name = "data.loader.192x64", times = times, bytes = TOGETHER * bytes,
      pictures = TOGETHER * batch, batch = batch }
    loader:close()
  end)
end

-- The share of a training step that goes by until its batch is there.
local function wait(session, name)
  local o = steps.find(name)
  with_dataset(o, function(dataset)
    local loader = dataset:loader { batch = o.set.batch, zoom = 0.85, mirror = true }
    local waited = 0
    local step = Step.new { recipe = o.recipe, size = o.size, set = o.set, batches = function()
      local start = system.now()
      local batch = assert(loader:next())
      waited = waited + system.now() - start
      return tensor.wrap(batch)
    end }
    step()
    local seconds = 0
    waited = 0
    local times = session:time(function()
      local start = system.now()
      step()
      seconds = seconds + system.now() - start
    end, { seconds = 2 })
    local share = waited / seconds
    session:row { name = "data.wait." .. name, times = times, batch = o.set.batch,
      words = ("  %.2f %% of a step waits for data (%s %g %%)"):format(100 * share,
        share < MOST_WAITING and "below" or "NOT below", 100 * MOST_WAITING),
      more = { waiting_share = share } }
    loader:close()
  end)
end

---@return daub.bench.Entry[]
function M.list()
  return {
    { name = "data.decode", measure = decode },
    { name = "data.pack.192x64", measure = pack },
    { name = "data.loader.192x64", measure = load },
    { name = "data.wait.lite.96x32.step",
      measure = function(session) wait(session, "lite.96x32.step") end },
    { name = "data.wait.lite.192x64.step",
      measure = function(session) wait(session, "lite.192x64.step") end },
  }
end

return M
