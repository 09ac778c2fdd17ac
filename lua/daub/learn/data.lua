-- From a list of pictures to a packed dataset: every picture is decoded once (in the sandbox), cut
-- to the network's shape, shrunk by area and written into one file that later runs map as it is.
--
--     local set = data.open(collection:pictures(),
--       { width = 192, height = 64, cache = "covers/cache" })
--     local loader = set:loader { batch = 32, seed = 1 }
--     local real = tensor.wrap(loader:next())                  -- f32 {32, 64, 192, 3}, -1 … 1
--
-- The file's name says its size and hashes the list, so another list or size gets a file of its
-- own.
local core = require "daub.core.data"
local decoders = require "daub.core.image"
local image = require "daub.image"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local ABANDONED = 3600 -- seconds

M.fewest = 50 -- pictures of a collection of which some are held out

M.endings = { jpg = true, jpeg = true, png = true, gif = true, bmp = true, tga = true, webp = true }

---The picture files of a folder, by content hash and each once: what `open` takes.
---@param folder string
---@return {path: string, sha256: string}[]|nil pictures, string? message, string? code
function M.folder(folder)
  local names, message, code = system.list_directory(folder)
  if not names then return nil, message, code end
  local pictures, seen = {}, {}
  for _, name in ipairs(names) do
    local path = folder .. "/" .. name
    if M.endings[(name:match("%.(%w+)$") or ""):lower()] then
      local sha256
      sha256, message, code = system.sha256_file(path)
      if not sha256 then return nil, message, code end
      if not seen[sha256] then pictures[#pictures + 1] = { path = path, sha256 = sha256 } end
      seen[sha256] = true
    end
  end
  return pictures
end

---Parts pictures into those to learn from and a held-out tenth (at least 100, or a fifth of a
---collection that is small), never learnt from: what paintings are measured by. Those whose SHA-256
---comes first are held out, so the choice does not hang on the order of the pictures, and hardly
---changes when a collection grows. A tenth of fewer than `data.fewest` says nothing: all are learnt
---from.
---@generic T : {sha256: string}
---@param pictures T[]
---@return T[] train, T[] held both in the order given
function M.split(pictures)
  local order = {}
  for i, picture in ipairs(pictures) do order[i] = picture.sha256 end
  table.sort(order)
  local count = math.max(math.floor(#order / 10), math.min(100, math.floor(#order / 5)))
  local last = #order >= M.fewest and order[count]
  local train, held = {}, {}
  for _, picture in ipairs(pictures) do
    local list = last and picture.sha256 <= last and held or train
    list[#list + 1] = picture
  end
  return train, held
end

---Where the dataset of these pictures lies, and the key in its name.
---@param pictures {sha256: string}[]
---@param o {width: integer, height: integer, cache: string}
---@return string path, string key
function M.path(pictures, o)
  local lines = { ("%dx%d"):format(o.width, o.height) }
  for i, picture in ipairs(pictures) do lines[i + 1] = picture.sha256 end
  local key = system.sha256(table.concat(lines, "\n")):sub(1, 16)
  return ("%s/%s-%s.pack"):format(o.cache, lines[1], key), key
end

-- Packs that nobody has written to for an hour were left by a killed train.
local function sweep(cache)
  for _, name in ipairs(system.list_directory(cache) or {}) do
    local path = cache .. "/" .. name
    local stat = name:match("%.pack%.part%-%d+$") and system.stat(path)
    if stat and system.time() - stat.mtime > ABANDONED then system.remove(path) end
  end
end

local function tell(o, done, count)
  if o.progress then o.progress(done, count) end
  if o.report then
    o.report:progress(("reading pictures: %d of %d"):format(done, count), done / count)
  end
end

-- Keeps the decoders busy and hands what they give to `writer`.
---@return {path: string, message: string}[] refused
local function fill(writer, pictures, o)
  local decoder = decoders.decoder { workers = system.threads() }
  local refused, next_one, done = {}, 1, 0
  while done < #pictures do
    while next_one <= #pictures and decoder:pending() < 4 * system.threads() do
      decoder:submit(next_one, { path = pictures[next_one].path })
      next_one = next_one + 1
    end
    for _, result in ipairs(decoder:poll(1) or {}) do
      local picture = pictures[result.id]
      if result.pixels then
        writer:put(result.id, picture.sha256, image.cover(result.pixels, o.width, o.height).array)
      else
        refused[#refused + 1] = { path = picture.path, message = result.error }
      end
      done = done + 1
      tell(o, done, #pictures)
    end
    if system.interrupted() then break end
  end
  decoder:close()
  for _, picture in ipairs(o.report and refused or {}) do
    o.report:note(picture.path .. ": " .. picture.message)
  end
  return refused
end

---The pictures' pixels without a file: for a few hundred.
---@param pictures {path: string, sha256: string}[]
---@param o {width: integer, height: integer, progress?: function, report?: daub.progress.Reporter}
--- as in open
---@return daub.Tensor|nil u8 {N, height, width, 3}; nil, message, code when none could be decoded
---@return {path: string, message: string}[]|string refused pictures that could not be decoded
---@return string? code
function M.pixels(pictures, o)
  local list, kept = {}, {}
  local refused = fill({ put = function(_, i, _, array) list[i] = array end }, pictures, o)
  if system.interrupted() then return nil, "interrupted", "interrupted" end
  for i = 1, #pictures do
    if list[i] then kept[#kept + 1] = tensor.wrap(list[i]) end
  end
  if not kept[1] then return nil, "there are no pictures that can be decoded", "missing" end
  return tensor.stack(kept), refused
end

---Opens the packed dataset of these pictures, making it first when there is none yet.
---@param pictures {path: string, sha256: string}[]
---@param o {width: integer, height: integer, cache: string, progress?: function,
--- report?: daub.progress.Reporter} progress(done, count) is called after each picture; a report is
--- told the same, and of those that are refused
---@return daub.core.Dataset|nil dataset nil, message, code when it cannot be made
---@return {path: string, message: string}[]|string refused pictures that could not be decoded
---@return string? code
function M.open(pictures, o)
  local path = M.path(pictures, o)
  local set = core.open(path)
  if set then return set, {} end
  if #pictures == 0 then return nil, "there are no pictures to learn from", "missing" end
  local ok, message, code = system.make_directory(o.cache)
  if not ok then return nil, message, code end
  sweep(o.cache)
  local writer
  writer, message, code = core.writer(path, o.width, o.height, #pictures)
  if not writer then return nil, message, code end
  local refused = fill(writer, pictures, o)
  if system.interrupted() then
    writer:abandon()
    return nil, "interrupted", "interrupted"
  end
  ok, message, code = writer:finish()
  if not ok then return nil, message, code end
  set, message, code = core.open(path)
  if not set then return nil, message, code end
  return set, refused
end

return M
