-- The demo's own painter: synthetic covers, so that daub can be tried without network or account.
--
--     local demo = require "daub.demo"
--     local pixels = demo.paint(7)                       -- u8 {200, 600, 3}
--     demo.write("pictures", { count = 600 })            -- pictures/demo-0001.jpg …
--
-- A picture depends on its number, the seed and the size alone.
local array = require "daub.core.array"
local image = require "daub.core.image"
local system = require "daub.core.system"
local canvas = require "daub.demo.canvas"
local scenes = require "daub.demo.scenes"
local designs = require "daub.demo.designs"

local M = {}

-- how often each kind is painted: what is listed twice comes twice as often
local kinds = {
  { "hills", scenes.hills }, { "hills", scenes.hills }, { "hills", scenes.hills },
  { "sea", scenes.sea }, { "sea", scenes.sea }, { "mountains", scenes.mountains },
  { "slogan", designs.slogan }, { "slogan", designs.slogan }, { "slogan", designs.slogan },
  { "stripes", designs.stripes }, { "rays", designs.rays }, { "blobs", designs.blobs },
  { "bokeh", designs.bokeh }, { "gradient", designs.gradient }, { "waves", designs.waves },
}

-- Random choices of one picture, drawn from one Philox stream.
local Dice = {}
Dice.__index = Dice

local function dice(seed)
  return setmetatable({ generator = array.generator(seed), drawn = {}, at = 0 }, Dice)
end

function Dice:unit()
  if self.at == #self.drawn then
    self.drawn, self.at = array.uniform(self.generator, { 256 }, "f64"):totable(), 0
  end
  self.at = self.at + 1
  return self.drawn[self.at]
end

function Dice:uniform(low, high) return low + (high - low) * self:unit() end
function Dice:integer(low, high) return low + math.floor(self:unit() * (high - low + 1)) end
function Dice:pick(list) return list[self:integer(1, #list)] end
function Dice:chance(share) return self:unit() < share end

---Paints cover number `index`.
---@param index integer 1 or more
---@param o? {seed?: integer, width?: integer, height?: integer} default 1, 600, 200
---@return daub.Array pixels u8 {height, width, 3}
---@return string kind
function M.paint(index, o)
  o = o or {}
  local width, height = o.width or 600, o.height or 200
  local r = dice((o.seed or 1) * 1000003 + index)
  local c = canvas.new(width, height)
  local kind = kinds[(index - 1) % #kinds + 1]
  kind[2](c, r)
  return array.from_string(c:bytes(), { height, width, 3 }, "u8"), kind[1]
end

---Paints `count` covers into `folder` as JPEG; what is there already is left as it is.
---@param folder string made when missing
---@param o {count: integer, seed?: integer, width?: integer, height?: integer, progress?: function}
--- progress(done, count) is called after each
---@return integer|nil painted how many were missing; nil, message, code when it cannot write
---@return string? message
---@return string? code
function M.write(folder, o)
  local ok, message, code = system.make_directory(folder)
  if not ok then return nil, message, code end
  local painted = 0
  for index = 1, o.count do
    local path = ("%s/demo-%04d.jpg"):format(folder, index)
    if not system.stat(path) then
      local jpeg = image.encode_jpeg(M.paint(index, o), 90)
      ok, message, code = system.write_file(path, jpeg)
      if not ok then return nil, message, code end
      painted = painted + 1
    end
    if o.progress then o.progress(index, o.count) end
  end
  return painted
end

return M
