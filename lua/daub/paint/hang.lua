-- Paintings as files: single ones, grids, strips and walks, each with a .json that says what made
-- it.
--
--     local wall = hang.new { out = "out", painter = G, enlarger = e, report = report,
--       must = must, mark = "", provenance = { run = …, step = …, seed = 1 } }
--     local path = wall:single(pick, { width = 1500, height = 500, label = "x", format = "jpeg" })
--
-- `must(value, message)` gives the value, or ends the recipe with the message.
local film = require "daub.paint.film"
local image = require "daub.image"
local json = require "daub.json"
local sample = require "daub.paint.sample"
local system = require "daub.core.system"
local walk = require "daub.paint.walk"

local M = {}

---@class daub.paint.Wall
local Wall = {}
Wall.__index = Wall

---@param o table out, painter, enlarger, report, provenance, must; mark: in the names of files;
--- dataset and near: for the nearest covers, or nil
---@return daub.paint.Wall
function M.new(o) return setmetatable(o, Wall) end

-- Writes the .json of a picture, adding where it is from.
function Wall:describe(path, about)
  for key, value in pairs(self.provenance) do about[key] = value end
  self.must(system.write_file(path .. ".json", json.pretty(about)))
end

function Wall:tell(path)
  self.report:event { event = "painted", path = path }
  self.report:say(path)
  return path
end

function Wall:write(name, bytes, about)
  local path = self.out .. "/" .. name
  self:describe(path, about)
  self.must(system.write_file(path, bytes))
  return self:tell(path)
end

-- What is kept of picks in a .json of several.
local function listed(picks)
  local list = {}
  for i, p in ipairs(picks) do
    list[i] = { index = p.index, seed = p.seed, rank = p.rank, score = p.score, near = p.near }
  end
  return list
end

---One painting of a size.
---@param pick daub.paint.Pick
---@param o {width: integer, height: integer, max_bytes: integer|nil, format: string, label: string,
--- ["for"]: string|nil}
---@return string path
function Wall:single(pick, o)
  local pixels = sample.paint(self.painter, pick.z)
  local large, enlarged = self.enlarger:enlarge(pixels, o.width, o.height)
  local bytes = self.must(image.encode_within(large, o.format, o.max_bytes))
  local name = ("%s%s-seed%d-%03d.%s"):format(o.label, self.mark, self.provenance.seed, pick.index,
    o.format == "png" and "png" or "jpg")
  return self:write(name, bytes, {
    index = pick.index, latent = pick.z:totable()[1], size = { width = o.width, height = o.height },
    options = { ["for"] = o["for"], format = o.format }, enlarged = enlarged,
    nearest = self.dataset and sample.nearest(self.dataset, pixels), near = pick.near,
    theme = pick.found.theme, palette = pick.found.palette, score = pick.score, rank = pick.rank,
  })
end

---@param picks daub.paint.Pick[]
---@param size {width: integer, height: integer} columns and rows
---@param found table what all of them were looked for by
---@return string path
function Wall:grid(picks, size, found)
  local columns, rows = size.width, size.height
  local list = {}
  for i, pick in ipairs(picks) do list[i] = sample.paint(self.painter, pick.z) end
  return self:write(("grid%s-seed%d-%dx%d.png"):format(self.mark, self.provenance.seed, columns,
    rows), image.encode(image.grid(list, { columns = columns }), "png"),
    { grid = { columns = columns, rows = rows }, pictures = listed(picks), theme = found.theme,
      palette = found.palette })
end

---A row of pictures on the way from one painting to another.
---@param a daub.paint.Pick with `seed`
---@param b daub.paint.Pick with `seed`
---@param count integer
---@return string path
function Wall:strip(a, b, count)
  local painted = sample.batch(self.painter, walk.line(a.z, b.z, count))
  return self:write(("strip%s-%d.%d-%d.%d-%d.png"):format(self.mark, a.seed, a.index, b.seed,
    b.index, count), image.encode(image.grid(painted, { columns = count }), "png"),
    { strip = { count = count }, pictures = listed { a, b } })
end

---A closed walk through paintings: frames, an animated WebP and, with ffmpeg, an MP4.
---@param picks daub.paint.Pick[] where it goes through
---@param frames integer
---@param size {width: integer, height: integer}|nil the network's own
---@return string|nil path of the WebP; nil when Ctrl-C came
function Wall:walk(picks, frames, size)
  local stops, painted, copies, first = {}, nil, {}, 0
  for i, pick in ipairs(picks) do stops[i] = pick.z end
  local z = walk.loop(stops, frames)
  local base = ("%s/walk%s-seed%d-%d"):format(self.out, self.mark, self.provenance.seed, frames)
  local made, message = film.write(base, frames, function(i)
    if system.interrupted() then return nil end
    if i > first + (painted and painted.shape[1] or 0) then
      first = i - 1
      painted = sample.batch(self.painter, z:narrow(1, i, math.min(sample.eight, frames - first)))
      for k, about in ipairs(self.near and self.near:of(painted) or {}) do
        if about.copy then copies[#copies + 1] = { frame = first + k, sha256 = about.sha256 } end
      end
    end
    self.report:progress(("painting frame %d of %d"):format(i, frames), i / frames)
    local x = painted:select(1, i - first):contiguous()
    return size and (self.enlarger:enlarge(image.to_float(x), size.width, size.height)) or x
  end)
  if not made then return message and self.must(nil, message) end
  if copies[1] then
    self.report:note(("%d frames are nearly covers (the .json names them)"):format(#copies))
  end
  if made.without then self.report:note(made.without) end
  self:describe(made.webp, { walk = { frames = frames, rate = film.rate }, size = size,
    pictures = listed(picks), near_copies = copies })
  if made.mp4 then self:tell(made.mp4) end
  return self:tell(made.webp)
end

return M
