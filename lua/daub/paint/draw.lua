-- Which paintings of a seed are taken: the first ones, or the best of many; never one that is
-- nearly a cover, unless that is asked for.
--
--     local drawing = draw.new { painter = G, finder = finder, near = index, critic = D }
--     local picks, told = drawing:take(12)                   -- numbers 1, 2, 3 … but copies
--     local best = drawing:take(12, 256)                     -- of the first 256
--     picks[1].index, picks[1].z, picks[1].near
--
-- `told` counts what was passed over. A number's painting is the same in both.
local curate = require "daub.paint.curate"
local image = require "daub.image"
local options = require "daub.options"
local sample = require "daub.paint.sample"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local PASSED = 256 -- numbers that may be passed over
local COVERS = 256 -- that tell what sharpness is typical

---@class daub.paint.Pick
---@field index integer
---@field z daub.Tensor {1, latent}
---@field found table what the finder told of it
---@field near daub.paint.Near|nil nil when the covers are not there
---@field score daub.paint.Score|nil of `best`
---@field rank integer|nil of `best`: 1 is the first chosen

---Two paintings by "NUMBER,NUMBER", or "SEED:NUMBER" for another seed's.
---@param text string
---@param seed integer
---@return {seed: integer, index: integer}[]|nil pair, string? message
function M.pair(text, seed)
  local pair = {}
  for entry in (text .. ","):gmatch("([^,]*),") do
    local other, index = entry:match("^(%d*):?(%d+)$")
    if entry:match("^%d+$") then other, index = "", entry end
    if not index or entry:match("^:") or tonumber(index) < 1 or tonumber(index) > 2 ^ 20
      or (tonumber(other) or 0) > 2 ^ 53 then
      return nil, ("NUMBER or SEED:NUMBER expected, got '%s'"):format(entry)
    end
    pair[#pair + 1] = { seed = tonumber(other) or seed, index = tonumber(index) }
  end
  if #pair ~= 2 then return nil, ("two paintings expected, as 3,7; got %d"):format(#pair) end
  return pair
end

---@class daub.paint.Drawing
local Drawing = {}
Drawing.__index = Drawing

---@param o table painter: in eval mode; finder: daub.paint.Search, gives the latent of a number;
--- scale: what latents are multiplied with (1); near: daub.paint.NearIndex, or nil where the covers
--- are gone; critic: in eval mode, to take the best; allow_copies: near-copies are taken;
--- progress(done, count): called now and then
---@return daub.paint.Drawing
function M.new(o)
  return setmetatable(options.check("draw.new", o, { painter = options.required,
    finder = options.required, scale = 1, near = options.none, critic = options.none,
    allow_copies = false, progress = options.none }), Drawing)
end

-- Numbers first … last: picks, and their paintings u8 {N, h, w, 3}.
local function paint(self, first, last)
  local picks, z = {}, {}
  for i = first, last do
    local latent, found = self.finder:find(i)
    if not latent then return nil, found end
    latent = latent * self.scale
    picks[#picks + 1], z[#z + 1] = { index = i, z = latent, found = found }, latent
  end
  local painted = sample.batch(self.painter, tensor.cat(z, 1))
  local about, seen
  if self.near then
    about, seen = self.near:of(painted)
    for k, pick in ipairs(picks) do pick.near = about[k] end
  end
  return picks, painted, seen
end

local function is_copy(self, pick)
  return not self.allow_copies and pick.near ~= nil and pick.near.copy
end

-- Numbers 1, 2, 3 …, as many as asked for.
local function first_ones(self, count)
  local picks, told, at = {}, { copies = {} }, 0
  while #picks < count and not system.interrupted() do
    local drawn, message = paint(self, at + 1, at + math.min(sample.eight, count - #picks))
    if not drawn then return nil, message end
    for _, pick in ipairs(drawn) do
      local list = is_copy(self, pick) and told.copies or picks
      list[#list + 1] = pick
    end
    at = at + #drawn
    if #told.copies > PASSED then
      return nil, ("%d of %d paintings are nearly covers (--allow-copies takes them)"):format(
        #told.copies, at)
    end
    if self.progress then self.progress(#picks, count) end
  end
  return picks, told
end

local function typical_sharpness(self, candidates)
  local list = {}
  local dataset = self.near and self.near.dataset
  if dataset then
    local count = dataset:info().count
    for i = 1, count, math.ceil(count / COVERS) do
      list[#list + 1] = curate.sharpness(tensor.wrap(dataset:picture(i)))
    end
  else
    for i, c in ipairs(candidates) do list[i] = c.sharpness end
  end
  table.sort(list)
  return math.max(list[math.ceil(#list / 2)], 1e-6)
end

-- What one painting is judged by.
local function candidate(pick, pixels, logit)
  return { critic = logit, sharpness = curate.sharpness(pixels),
    novelty = pick.near and pick.near.distance or 1 }
end

-- Numbers 1 … n without blank ones and near-copies: picks, what they are judged by, features and
-- layouts; what was passed over, and the blank ones.
local function sift(self, n)
  local told, blank, kept, candidates = { copies = {} }, {}, {}, {}
  local features, layouts = {}, {}
  for first = 1, n, sample.eight do
    if system.interrupted() then break end
    local picks, painted, seen = paint(self, first, math.min(first + sample.eight - 1, n))
    if not picks then return nil, painted end
    local logits = sample.batch(self.critic, image.to_float(painted), "f32")
    for k, pick in ipairs(picks) do
      local pixels = painted:select(1, k):contiguous()
      if is_copy(self, pick) then told.copies[#told.copies + 1] = pick
      elseif curate.is_blank(pixels) then blank[#blank + 1] = pick
      else
        kept[#kept + 1] = pick
        candidates[#kept] = candidate(pick, pixels, logits:select(1, k):item())
        features[#kept] = seen and seen:narrow(1, k, 1)
        layouts[#kept] = sample.thumbnail(pixels):reshape { 1, -1 }
      end
    end
    if self.progress then self.progress(first, n) end
  end
  return { picks = kept, candidates = candidates, sets = layouts[1] and
    { tensor.cat(layouts, 1), features[1] and tensor.cat(features, 1) } }, told, blank
end

-- The best of numbers 1 … n; blank ones only where others do not suffice.
local function best_ones(self, count, n)
  local found, told, blank = sift(self, n)
  if not found then return nil, told end
  local kept, picks = found.picks, {}
  if system.interrupted() then return {}, told end
  if kept[1] then
    local scores = curate.scores(found.candidates,
      { sharpness = typical_sharpness(self, found.candidates) })
    for rank, k in ipairs(curate.choose(scores, found.sets, count)) do
      kept[k].score, kept[k].rank = scores[k], rank
      picks[rank] = kept[k]
    end
  end
  for _ = 1, math.min(#blank, count - #picks) do picks[#picks + 1] = table.remove(blank, 1) end
  told.blank = #blank
  if not picks[1] then
    return nil, ("all of %d paintings are nearly covers (--allow-copies takes them)"):format(n)
  end
  return picks, told
end

---@param count integer
---@param best_of? integer the best of so many numbers, and fewer when no more are left; the first
--- ones unless given
---@return daub.paint.Pick[]|nil picks
---@return table|string told {copies = {pick …}, blank = n}, or a message
function Drawing:take(count, best_of)
  if best_of then return best_ones(self, count, best_of) end
  return first_ones(self, count)
end

---What was passed over, and what is missing: lines for people.
---@param told table
---@param got integer
---@param wanted integer
---@return string[]
function M.words(told, got, wanted)
  local words, lines = {}, {}
  if told.blank and told.blank > 0 then words[1] = ("%d blank"):format(told.blank) end
  if #told.copies > 0 then
    local which = {}
    for i = 1, math.min(3, #told.copies) do
      local pick = told.copies[i]
      which[i] = ("%d is nearly %s…"):format(pick.index, pick.near.sha256:sub(1, 12))
    end
    words[#words + 1] = ("%d nearly covers (%s%s; --allow-copies takes them)"):format(#told.copies,
      table.concat(which, ", "), #told.copies > 3 and ", …" or "")
  end
  if words[1] then lines[1] = "passed over: " .. table.concat(words, ", ") end
  if got < wanted then lines[#lines + 1] = ("only %d of %d are left"):format(got, wanted) end
  return lines
end

return M
